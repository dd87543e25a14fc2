/* SPDX-License-Identifier: MIT
 *
 * llimits.h - moonwatch.limits, limits_usage, limits_set.
 */
#ifndef MOONWATCH_BIND_LLIMITS_H
#define MOONWATCH_BIND_LLIMITS_H

#include <lua.h>

int open_limits(lua_State *L);

/* nil, message, errno for an inotify instance that could not be opened: the limit is named. `error` is positive. */
int limits_open_failed(lua_State *L, int error);

#endif
