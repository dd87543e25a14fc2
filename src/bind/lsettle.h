/* SPDX-License-Identifier: MIT
 *
 * lsettle.h - net changes in Lua: core.settle.
 */
#ifndef MOONWATCH_BIND_LSETTLE_H
#define MOONWATCH_BIND_LSETTLE_H

#include <lua.h>

#include "stream/settle.h"

int open_settle(lua_State *L);

/* The Settle of the object at index, for whoever feeds it without passing through Lua; misuse where it is none. It lives
 * as long as the object. */
Settle *lsettle_check(lua_State *L, int index);

#endif
