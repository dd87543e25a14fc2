/* SPDX-License-Identifier: MIT
 *
 * lwatcher.h - the watcher object: a tree, watched exactly.
 */
#ifndef MOONWATCH_BIND_LWATCHER_H
#define MOONWATCH_BIND_LWATCHER_H

#include <lua.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Whether what `path`, that of the event at `index`, stands for now is still what the event is about: nothing newer was
 * told of it, and nothing waits in the kernel's queue. Then the watcher learns what a look at it has shown. True for
 * events of no watcher. */
bool watcher_confirms(
	lua_State *L, int index, const char *path, size_t length, const struct stat *status);

int open_watcher(lua_State *L); /* core.watcher */

#endif
