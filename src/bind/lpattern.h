/* SPDX-License-Identifier: MIT
 *
 * lpattern.h - pattern lists in Lua: moonwatch.pattern, and the form that options take them in.
 */
#ifndef MOONWATCH_BIND_LPATTERN_H
#define MOONWATCH_BIND_LPATTERN_H

#include <lua.h>

#include "tree/pattern.h"

/* Pushes the pattern object that a pattern object, a string, or a list of strings at `index` is or makes; nil where there
 * is nil or nothing. Anything else, and a string with a NUL, is misuse that names `what`. */
void lpattern_push(lua_State *L, int index, const char *what);
/* The list of what lpattern_push has pushed, with one use more, to be freed by the caller; NULL of nil. Raises nothing. */
Pattern *lpattern_take(lua_State *L, int index);

int open_pattern(lua_State *L);

#endif
