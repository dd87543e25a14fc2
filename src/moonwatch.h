/* SPDX-License-Identifier: MIT
 *
 * moonwatch.h - for C programs that bring moonwatch to their own Lua states and libev loops.
 *
 *     luaL_requiref(L, "moonwatch", luaopen_moonwatch, 0);
 *     moonwatch_set_loop(L, my_loop);
 *
 * libmoonwatch.a holds the whole module, its Lua part too: nothing is read from the disk. Link with
 * `pkg-config --static --libs moonwatch`, or by hand with -lmoonwatch -llua5.4 -lev -lm.
 */
#ifndef MOONWATCH_H
#define MOONWATCH_H

#include <lua.h>

#define MOONWATCH_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;

/* Pushes the module's table and returns 1, as every luaopen function. Opens no descriptor. */
int luaopen_moonwatch(lua_State *L);

/* From now on this Lua state waits on `loop`, which must outlive the state. To be called before the state waits or
 * watches for the first time. Returns 0 or a negative errno: -EBUSY where it already has a loop. */
int moonwatch_set_loop(lua_State *L, struct ev_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
