/* SPDX-License-Identifier: MIT
 *
 * lfile.c - the little that rules and the host ask of the disk, and Lua's own library does not know.
 *
 *    core.kind("in/a")     --> "file", "directory", "link", ...; nil, message, errno; a link is not followed
 *    core.names("rules.d") --> { "a.lua", "b.lua" }; nil, message, errno; in no order
 *    core.current()        --> the current directory; nil, message, errno
 */
#include "bind/lfile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/filetype.h"
#include "bind/bind.h"

static int l_kind(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	struct stat info;
	if (lstat(path, &info) < 0)
		return bind_fail(L, path, errno);
	lua_pushstring(L, filetype_name(filetype_of_mode(info.st_mode)));
	return 1;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* (list, DIR): fills the list; may raise out of memory, so it runs protected. */
static int fill_names(lua_State *L)
{
	DIR *dir = lua_touserdata(L, 2);
	lua_Integer count = 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (!is_dots(entry->d_name)) {
			lua_pushstring(L, entry->d_name);
			lua_rawseti(L, 1, ++count);
		}
	return 0;
}

static int l_names(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	lua_newtable(L);
	int list = lua_gettop(L);
	lua_pushcfunction(L, fill_names);
	lua_pushvalue(L, list);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return bind_fail(L, path, errno);
	lua_pushlightuserdata(L, dir);
	int status = lua_pcall(L, 2, 0, 0);
	closedir(dir);
	if (status != LUA_OK)
		return lua_error(L);
	lua_settop(L, list);
	return 1;
}

/* A buffer of Lua's own, so that nothing leaks where memory runs out; doubled until the path fits. */
static int l_current(lua_State *L)
{
	for (size_t size = PATH_MAX;; size *= 2) {
		char *buffer = lua_newuserdatauv(L, size, 0);
		if (getcwd(buffer, size) != NULL) {
			lua_pushstring(L, buffer);
			return 1;
		}
		if (errno != ERANGE)
			return bind_fail(L, "the current directory", errno);
		lua_pop(L, 1);
	}
}

int open_file(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"kind", l_kind}, {"names", l_names}, {"current", l_current}, {NULL, NULL}};
	luaL_setfuncs(L, functions, 0);
	return 0;
}
