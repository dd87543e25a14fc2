/* SPDX-License-Identifier: MIT
 *
 * lwatcher.h - the watcher object: a tree, watched exactly.
 */
#ifndef MOONWATCH_BIND_LWATCHER_H
#define MOONWATCH_BIND_LWATCHER_H

#include <lua.h>

int open_watcher(lua_State *L); /* core.watcher */

#endif
