/* SPDX-License-Identifier: MIT
 *
 * lchild.h - processes: core.process(argv, options) and its handle.
 */
#ifndef MOONWATCH_BIND_LCHILD_H
#define MOONWATCH_BIND_LCHILD_H

#include <lua.h>

int open_child(lua_State *L);

#endif
