/* SPDX-License-Identifier: MIT
 *
 * lsystem.c - what the program needs of its surroundings, for moonwatch.cli alone: core.system.
 *
 * The module proper never touches process-wide state; what does is here, and called by the program only.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "os/terminal.h"

static int push_done(lua_State *L, const char *subject, int error)
{
	if (error < 0)
		return bind_fail(L, subject, -error);
	lua_pushboolean(L, true);
	return 1;
}

/* --- words ---------------------------------------------------------------------------------------------------- */

/* escape(bytes) -> the same, fit for people */
static int l_escape(lua_State *L)
{
	size_t length;
	const char *bytes = luaL_checklstring(L, 1, &length);
	bind_pushescaped(L, bytes, length);
	return 1;
}

/* kernel() -> "Linux 6.18.0" */
static int l_kernel(lua_State *L)
{
	struct utsname name;
	if (uname(&name) < 0)
		return bind_fail(L, "uname", errno);
	lua_pushfstring(L, "%s %s", name.sysname, name.release);
	return 1;
}

/* --- files ---------------------------------------------------------------------------------------------------- */

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISREG(mode) ? "file" : "other";
}

/* stat(path) -> { type, mode, uid, gid, size }, links followed */
static int l_stat(lua_State *L)
{
	struct stat status;
	const char *path = bind_checkpath(L, 1, NULL);
	if (stat(path, &status) < 0)
		return bind_fail(L, path, errno);
	lua_createtable(L, 0, 5);
	lua_pushstring(L, kind_of(status.st_mode));
	lua_setfield(L, -2, "type");
	set_integer(L, "mode", status.st_mode & 07777);
	set_integer(L, "uid", status.st_uid);
	set_integer(L, "gid", status.st_gid);
	set_integer(L, "size", status.st_size);
	return 1;
}

/* type(path) -> "file", "directory", "other"; nil where there is nothing */
static int l_type(lua_State *L)
{
	struct stat status;
	if (stat(bind_checkpath(L, 1, NULL), &status) < 0)
		lua_pushnil(L);
	else
		lua_pushstring(L, kind_of(status.st_mode));
	return 1;
}

/* Reads the folder in a protected call, so that it is closed whatever happens. */
static int read_names(lua_State *L)
{
	DIR *folder = lua_touserdata(L, 1);
	struct dirent *entry;
	lua_newtable(L);
	for (lua_Integer i = 1; (entry = readdir(folder)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		lua_pushstring(L, entry->d_name);
		lua_rawseti(L, -2, i++);
	}
	return 1;
}

/* list(path) -> the names in a folder, in no order */
static int l_list(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return bind_fail(L, path, errno);
	lua_pushcfunction(L, read_names);
	lua_pushlightuserdata(L, folder);
	int status = lua_pcall(L, 1, 1, 0);
	closedir(folder);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* realpath(path) -> absolute, without links */
static int l_realpath(lua_State *L)
{
	char buffer[PATH_MAX];
	const char *path = bind_checkpath(L, 1, NULL);
	if (realpath(path, buffer) == NULL)
		return bind_fail(L, path, errno);
	lua_pushstring(L, buffer);
	return 1;
}

/* --- the process ---------------------------------------------------------------------------------------------- */

static int l_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

static int l_uid(lua_State *L)
{
	lua_pushinteger(L, geteuid());
	return 1;
}

/* ignore_sigpipe(): a reader who went away is an error of the write. What we start has it as ever. */
static int l_ignore_sigpipe(lua_State *L)
{
	(void)L;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* setenv(name, value | nil) */
static int l_setenv(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const char *value = luaL_optstring(L, 2, NULL);
	int failed = value != NULL ? setenv(name, value, 1) : unsetenv(name);
	return push_done(L, name, failed < 0 ? -errno : 0);
}

/* --- the terminal --------------------------------------------------------------------------------------------- */

/* isatty(fd) */
static int l_isatty(lua_State *L)
{
	lua_pushboolean(L, terminal_is((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* columns(fd) -> width, or 0 */
static int l_columns(lua_State *L)
{
	lua_pushinteger(L, terminal_columns((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* is_foreground(fd): the terminal listens to us */
static int l_is_foreground(lua_State *L)
{
	lua_pushboolean(L, terminal_is_ours((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

int open_system(lua_State *L)
{
	static const luaL_Reg functions[] = {{"escape", l_escape}, {"kernel", l_kernel},
		{"stat", l_stat}, {"type", l_type}, {"list", l_list}, {"realpath", l_realpath},
		{"pid", l_pid}, {"uid", l_uid}, {"ignore_sigpipe", l_ignore_sigpipe}, {"setenv", l_setenv},
		{"isatty", l_isatty}, {"columns", l_columns}, {"is_foreground", l_is_foreground},
		{NULL, NULL}};
	luaL_newlib(L, functions);
	lua_setfield(L, 1, "system");
	return 0;
}
