/* SPDX-License-Identifier: MIT
 *
 * llimits.h - moonwatch.limits, limits_usage, limits_set.
 */
#ifndef MOONWATCH_BIND_LLIMITS_H
#define MOONWATCH_BIND_LLIMITS_H

#include <lua.h>

int open_limits(lua_State *L);

#endif
