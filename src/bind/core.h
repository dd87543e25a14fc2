/* SPDX-License-Identifier: MIT
 *
 * core.h - the parts of the module; each takes the module's table as its one argument and adds to it.
 */
#ifndef MOONWATCH_BIND_CORE_H
#define MOONWATCH_BIND_CORE_H

#include <lua.h>

int luaopen_moonwatch_core(lua_State *L);

int open_errno(lua_State *L);
int open_system(lua_State *L);
int open_keys(lua_State *L);
int open_memory(lua_State *L);
int open_hangup(lua_State *L);
int open_socket(lua_State *L);
int open_loop(lua_State *L);
int open_task(lua_State *L);
int open_coroutine(lua_State *L);
int open_channel(lua_State *L);
int open_timer(lua_State *L);
int open_signal(lua_State *L);
int open_select(lua_State *L);

#endif
