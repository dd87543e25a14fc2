/* SPDX-License-Identifier: MIT
 *
 * lsystem.c - what the program needs of its surroundings, for moonwatch.cli alone: core.system.
 *
 * The module proper never touches process-wide state; what does is here, and called by the program only.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "os/background.h"
#include "os/lockfile.h"
#include "os/pipe.h"
#include "os/terminal.h"
#include "os/user.h"

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

/* mkdir(path, mode) -> true, also where it is there */
static int l_mkdir(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	int failed = mkdir(path, (mode_t)luaL_checkinteger(L, 2));
	return push_done(L, path, failed < 0 && errno != EEXIST ? -errno : 0);
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

/* wall() -> seconds since 1970, with their fraction */
static int l_wall(lua_State *L)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
	return 1;
}

static int l_uid(lua_State *L)
{
	lua_pushinteger(L, geteuid());
	return 1;
}

/* background() -> true in the child that goes on */
static int l_background(lua_State *L)
{
	return push_done(L, "background", background_enter());
}

/* background_ready(): whoever started us may go */
static int l_background_ready(lua_State *L)
{
	(void)L;
	background_ready();
	return 0;
}

/* become("name[:group]") -> true; this process is that user from now on */
static int l_become(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	User user;
	int error = user_find(&user, name);
	if (error == -ENOENT)
		return bind_fail_because(L, name, ENOENT, "no such user or group");
	if (error < 0)
		return bind_fail(L, name, -error);
	if (!user_is_current(&user))
		error = user_become(&user);
	if (error == 0 &&
		(setenv("HOME", user.home, 1) < 0 || setenv("USER", user.name, 1) < 0 ||
			setenv("LOGNAME", user.name, 1) < 0))
		error = -ENOMEM;
	user_clear(&user);
	return push_done(L, name, error);
}

/* own_signals(): as a program of its own needs them, whatever those before us have left: a reader who went away is an
 * error of the write, the ends of children are told, and nothing is held back. What we start has them as ever. */
static int l_own_signals(lua_State *L)
{
	sigset_t none;
	(void)L;
	sigemptyset(&none);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
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

/* --- pid files ------------------------------------------------------------------------------------------------ */

typedef struct PidFile {
	int fd;
	char *path;
} PidFile;

static int pid_file_close(lua_State *L)
{
	PidFile *file = lua_touserdata(L, 1);
	if (file->path != NULL)
		unlink(file->path);
	pipe_close(&file->fd);
	free(file->path);
	file->path = NULL;
	return 0;
}

static const Class pid_file_class = {.name = "moonwatch.pidfile", .close = pid_file_close};

static int open_pid_file(PidFile *file, const char *path, pid_t *holder)
{
	int fd = lockfile_take(path, 0644, holder);
	if (fd < 0)
		return fd;
	file->fd = fd;
	file->path = strdup(path);
	return file->path == NULL ? -ENOMEM : lockfile_write_pid(fd);
}

/* pid_file(path) -> an object that holds the file; nil, message, errno, and the process id of who holds it */
static int l_pid_file(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	PidFile *file = bind_new(L, &pid_file_class, sizeof(*file), 0);
	pid_t holder = 0;
	file->fd = -1;
	int error = open_pid_file(file, path, &holder);
	if (error == 0)
		return 1;
	bind_fail(L, path, -error);
	lua_pushinteger(L, holder);
	return 4;
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
		{"stat", l_stat}, {"mkdir", l_mkdir}, {"realpath", l_realpath}, {"pid", l_pid},
		{"wall", l_wall}, {"uid", l_uid}, {"background", l_background},
		{"background_ready", l_background_ready}, {"become", l_become}, {"pid_file", l_pid_file},
		{"own_signals", l_own_signals}, {"setenv", l_setenv}, {"isatty", l_isatty},
		{"columns", l_columns}, {"is_foreground", l_is_foreground}, {NULL, NULL}};
	bind_class(L, &pid_file_class);
	luaL_newlib(L, functions);
	lua_setfield(L, 1, "system");
	return 0;
}
