/* SPDX-License-Identifier: MIT
 *
 * lfile.h - the little that rules and the host ask of the disk.
 */
#ifndef MOONWATCH_BIND_LFILE_H
#define MOONWATCH_BIND_LFILE_H

#include <lua.h>

int open_file(lua_State *L);

#endif
