/* SPDX-License-Identifier: MIT
 *
 * llimits.c - moonwatch.limits, and for the host who uses them and how to set them.
 */
#include "bind/llimits.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "bind/bind.h"
#include "loop/loop.h"
#include "os/limits.h"

/* limits() -> { max_queued_events=, max_user_instances=, max_user_watches= } */
static int l_limits(lua_State *L)
{
	Limits limits;
	int error = limits_read(&limits);
	if (error != 0)
		return bind_fail(L, "/proc/sys/fs/inotify", -error);
	lua_createtable(L, 0, LIMIT_COUNT);
	for (int name = 0; name < LIMIT_COUNT; name++) {
		lua_pushinteger(L, limits.values[name]);
		lua_setfield(L, -2, limits_name((LimitName)name));
	}
	return 1;
}

/* --- who uses them: { instances=, watches=, partial=, { pid=, uid=, name=, instances=, watches= }, ... } -------- */

static void set_integer(lua_State *L, const char *key, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

static void push_process(lua_State *L, const LimitsProcess *process)
{
	lua_createtable(L, 0, 5);
	set_integer(L, "pid", process->pid);
	set_integer(L, "uid", process->uid);
	set_integer(L, "instances", (lua_Integer)process->instances);
	set_integer(L, "watches", (lua_Integer)process->watches);
	lua_pushstring(L, process->name);
	lua_setfield(L, -2, "name");
}

/* Protected: the usage behind the light userdata must be cleared whatever happens. */
static int push_usage(lua_State *L)
{
	const LimitsUsage *usage = lua_touserdata(L, 1);
	lua_createtable(L, (int)usage->count, 3);
	set_integer(L, "instances", (lua_Integer)usage->instances);
	set_integer(L, "watches", (lua_Integer)usage->watches);
	lua_pushboolean(L, usage->partial);
	lua_setfield(L, -2, "partial");
	for (size_t i = 0; i < usage->count; i++) {
		push_process(L, &usage->processes[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* limits_usage([uid]) */
static int l_usage(lua_State *L)
{
	LimitsUsage usage;
	uid_t user = (uid_t)luaL_optinteger(L, 1, LIMITS_ANY_USER);
	lua_pushcfunction(L, push_usage);
	int error = limits_usage(&usage, user);
	if (error != 0)
		return bind_fail(L, "/proc", -error);
	lua_pushlightuserdata(L, &usage);
	int status = lua_pcall(L, 1, 1, 0);
	limits_usage_clear(&usage);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* limits_set(name, value) -> true */
static int l_set(lua_State *L)
{
	const char *wanted = luaL_checkstring(L, 1);
	lua_Integer value = luaL_checkinteger(L, 2);
	for (int name = 0; name < LIMIT_COUNT; name++) {
		if (strcmp(wanted, limits_name((LimitName)name)) != 0)
			continue;
		int error = limits_write((LimitName)name, (long)value);
		if (error != 0)
			return bind_fail(L, wanted, -error);
		lua_pushboolean(L, true);
		return 1;
	}
	return bind_misuse(L, "unknown limit '%s'", wanted);
}

static const luaL_Reg functions[] = {
	{"limits", l_limits},
	{"limits_usage", l_usage},
	{"limits_set", l_set},
	{NULL, NULL},
};

int limits_open_failed(lua_State *L, int error)
{
	char text[512];
	if (error == ENFILE)
		return bind_failf(L, EMFILE,
			"inotify: this process has as many descriptors open as it may (see ulimit -n)");
	if (error != EMFILE)
		return bind_fail(L, "inotify", error);
	limits_explain(text, sizeof text, LIMIT_USER_INSTANCES, 1, loop_now());
	return bind_failf(L, EMFILE, "inotify: %s", text);
}

int open_limits(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
	return 0;
}
