/* SPDX-License-Identifier: MIT
 *
 * lmask.h - masks as scripts write them: an integer, a string of names, a list of names.
 */
#ifndef MOONWATCH_BIND_LMASK_H
#define MOONWATCH_BIND_LMASK_H

#include <lua.h>
#include <stdint.h>

/* The mask at `index`: an integer, a string of names separated by space, comma or '|' in either
 * case, or a list of such. Anything else is misuse; a wrong name is told with the nearest right
 * one. */
uint32_t mask_check(lua_State *L, int index);

/* Pushes the list of lower-case names; an unknown bit is "0x...". */
void mask_pushnames(lua_State *L, uint32_t mask);

int open_mask(lua_State *L); /* moonwatch.mask */

#endif
