/* SPDX-License-Identifier: MIT
 *
 * lstart.c - core.process(argv, options): what a process is started with.
 *
 * The options come checked from lua/moonwatch/process.lua, in their plainest form. All that may raise is done before
 * the pipes are opened; from there to the running child there is C only, so nothing can be left open half-way.
 */
#include "bind/lchild.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "os/pipe.h"
#include "os/user.h"

enum {
	LARGEST_ARGUMENTS = 2 * 1024 * 1024, /* the kernel's own limit is three times that */
};

static const char *const stream_modes[] = {
	"null", "inherit", "pipe", "lines", "capture", "string", "stdout", NULL};

/* --- options -------------------------------------------------------------------------------------------------- */

static int push_option(lua_State *L, const char *key)
{
	return lua_getfield(L, 2, key);
}

static const char *string_option(lua_State *L, const char *key)
{
	push_option(L, key); /* stays on the stack, and so stays valid */
	return luaL_optstring(L, -1, NULL);
}

static lua_Number number_option(lua_State *L, const char *key, lua_Number otherwise)
{
	push_option(L, key);
	lua_Number number = luaL_optnumber(L, -1, otherwise);
	lua_pop(L, 1);
	return number;
}

static StreamMode mode_option(lua_State *L, const char *key)
{
	push_option(L, key);
	StreamMode mode = (StreamMode)luaL_checkoption(L, -1, "null", stream_modes);
	lua_pop(L, 1);
	return mode;
}

static void read_success(lua_State *L, ProcessObject *process)
{
	if (push_option(L, "success") == LUA_TNIL)
		process->success[0] = 1;
	else
		for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
			unsigned code = (unsigned)lua_tointeger(L, -1) % CODES;
			process->success[code / 64] |= UINT64_C(1) << (code % 64);
			lua_pop(L, 1);
		}
	lua_settop(L, 3);
}

/* The streams become user values of the process, at index 3. */
static void make_streams(lua_State *L, ProcessObject *process)
{
	static const char *const keys[STREAMS] = {"stdin", "stdout", "stderr"};
	for (int fd = 0; fd < STREAMS; fd++) {
		StreamMode mode = process->modes[fd] = mode_option(L, keys[fd]);
		if (mode == STREAM_NULL || mode == STREAM_INHERIT || mode == STREAM_STDOUT)
			continue;
		if (fd == STDIN_FILENO) {
			process->in = writer_push(L, process->name);
			push_option(L, "input");
			writer_keep(L);
		} else {
			process->out[fd] = reader_push(L, process->name);
		}
		lua_setiuservalue(L, 3, VALUE_STREAM + fd);
		if (mode == STREAM_LINES) {
			push_option(L, fd == STDOUT_FILENO ? "on_stdout" : "on_stderr");
			process_call_with_lines(L, 3, fd);
		}
	}
}

/* A list of C strings in a block that Lua frees; `count` places and one for NULL. Stays on the stack. */
static char **push_vector(lua_State *L, size_t count)
{
	char **vector = lua_newuserdatauv(L, (count + 1) * sizeof *vector, 0);
	memset(vector, 0, (count + 1) * sizeof *vector);
	return vector;
}

static char **push_argv(lua_State *L)
{
	size_t count = lua_rawlen(L, 1);
	char **argv = push_vector(L, count);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		argv[i] = (char *)lua_tostring(L, -1); /* the list keeps it */
		lua_pop(L, 1);
	}
	return argv;
}

/* --- the environment ------------------------------------------------------------------------------------------ */

/* What a child's environment is made of. The strings are kept by a table on the stack. */
typedef struct Environment {
	char **vector;
	size_t count;
	int overrides; /* stack index of the option, or of nil */
	int kept;      /* stack index of the table */
} Environment;

static bool is_overridden(lua_State *L, const Environment *environment, const char *entry)
{
	size_t length = strcspn(entry, "=");
	if (length == strlen("NOTIFY_SOCKET") && strncmp(entry, "NOTIFY_SOCKET", length) == 0)
		return true;
	if (lua_isnil(L, environment->overrides))
		return false;
	lua_pushlstring(L, entry, length);
	bool is = lua_rawget(L, environment->overrides) != LUA_TNIL;
	lua_pop(L, 1);
	return is;
}

/* Pops "NAME=VALUE" and puts it into the environment. */
static void add_entry(lua_State *L, Environment *environment)
{
	environment->vector[environment->count++] = (char *)lua_tostring(L, -1);
	lua_rawseti(L, environment->kept, (lua_Integer)environment->count);
}

static void add_ours(lua_State *L, Environment *environment)
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
		if (!is_overridden(L, environment, *entry)) {
			lua_pushstring(L, *entry);
			add_entry(L, environment);
		}
}

static void add_overrides(lua_State *L, Environment *environment)
{
	if (lua_isnil(L, environment->overrides))
		return;
	lua_pushnil(L);
	while (lua_next(L, environment->overrides) != 0) {
		if (lua_type(L, -1) == LUA_TSTRING) {
			lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
			add_entry(L, environment);
		}
		lua_pop(L, 1);
	}
}

static size_t count_entries(lua_State *L, int overrides)
{
	size_t count = 0;
	while (environ != NULL && environ[count] != NULL)
		count++;
	if (lua_isnil(L, overrides))
		return count;
	lua_pushnil(L);
	for (; lua_next(L, overrides) != 0; lua_pop(L, 1))
		count++;
	return count;
}

/* What the user's own wishes do not name. */
static void default_override(lua_State *L, int overrides, const char *name, const char *value)
{
	if (lua_getfield(L, overrides, name) == LUA_TNIL) {
		lua_pushstring(L, value);
		lua_setfield(L, overrides, name);
	}
	lua_pop(L, 1);
}

/* Leaves what keeps it valid on the stack. */
static char **push_environment(lua_State *L, const User *user)
{
	Environment environment = {0};
	if (push_option(L, "env") == LUA_TNIL && user != NULL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	environment.overrides = lua_gettop(L);
	if (user != NULL) {
		default_override(L, environment.overrides, "HOME", user->home);
		default_override(L, environment.overrides, "USER", user->name);
		default_override(L, environment.overrides, "LOGNAME", user->name);
	}
	environment.vector = push_vector(L, count_entries(L, environment.overrides));
	lua_newtable(L);
	environment.kept = lua_gettop(L);
	add_ours(L, &environment);
	add_overrides(L, &environment);
	return environment.vector;
}

static const char *search_path(char *const *environment)
{
	for (; *environment != NULL; environment++)
		if (strncmp(*environment, "PATH=", 5) == 0)
			return *environment + 5;
	return NULL;
}

/* A user that Lua clears. */
static int user_gc(lua_State *L)
{
	user_clear(lua_touserdata(L, 1));
	return 0;
}

static const luaL_Reg user_meta[] = {
	{"__gc", user_gc},
	{NULL, NULL},
};

static const Class user_class = {.name = "moonwatch.user", .meta = user_meta};

/* --- from the options to the running child --------------------------------------------------------------------- */

/* What a start needs and has opened so far. */
typedef struct Start {
	ProcessObject *process;
	Loop *loop;
	Spawn spawn;
	int theirs[STREAMS]; /* the child's ends of the pipes */
	lua_Integer limit;
	double timeout;
	const char *input;
	size_t input_length;
	SpawnStep failed;
} Start;

static int open_stream(Start *start, int fd)
{
	ProcessObject *process = start->process;
	int ends[2], ours = fd == STDIN_FILENO ? PIPE_WRITE : PIPE_READ;
	int error = pipe_open(ends, ours);
	if (error < 0)
		return error;
	start->theirs[fd] = start->spawn.fds[fd] = ends[1 - ours];
	if (fd == STDIN_FILENO)
		outlet_open(&process->in->outlet, start->loop, ends[ours]);
	else
		inlet_open(&process->out[fd]->inlet, start->loop, ends[ours], (size_t)start->limit);
	if (process->modes[fd] == STREAM_CAPTURE)
		return inlet_capture(&process->out[fd]->inlet);
	return process->modes[fd] == STREAM_LINES ? inlet_listen(&process->out[fd]->inlet, true) : 0;
}

static int open_streams(Start *start)
{
	for (int fd = 0; fd < STREAMS; fd++) {
		int error = 0;
		switch (start->process->modes[fd]) {
		case STREAM_NULL:
			start->spawn.fds[fd] = SPAWN_NULL;
			break;
		case STREAM_INHERIT:
			start->spawn.fds[fd] = fd;
			break;
		case STREAM_STDOUT:
			start->spawn.fds[fd] = start->spawn.fds[STDOUT_FILENO];
			break;
		default:
			error = open_stream(start, fd);
		}
		if (error < 0)
			return error;
	}
	return 0;
}

/* After the start only the child holds its ends, so that each side sees the other's end. */
static void close_their_ends(Start *start)
{
	for (int fd = 0; fd < STREAMS; fd++)
		pipe_close(&start->theirs[fd]);
}

static void close_our_ends(ProcessObject *process)
{
	if (process->in != NULL)
		writer_close(process->in);
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++)
		if (process->out[fd] != NULL)
			reader_close(process->out[fd]);
}

/* A child that does not read its input is no failure; one that would get half of it is not left to run. */
static int feed(const Start *start)
{
	ProcessObject *process = start->process;
	int error = outlet_lend(&process->in->outlet, start->input, start->input_length);
	outlet_finish(&process->in->outlet);
	if (error >= 0 || error == -EPIPE)
		return 0;
	process->child.grace = 0;
	child_stop_now(&process->child);
	child_clear(&process->child);
	return error;
}

/* No Lua in here: nothing raises between the first descriptor and the running child. */
static int launch(Start *start)
{
	ProcessObject *process = start->process;
	int error = open_streams(start);
	start->failed = SPAWN_PREPARE;
	if (error == 0)
		error = child_start(
			start->loop, &process->child, &start->spawn, start->timeout, &start->failed);
	close_their_ends(start);
	if (error == 0 && process->modes[STDIN_FILENO] == STREAM_STRING)
		error = feed(start);
	if (error < 0)
		close_our_ends(process);
	return error;
}

/* A file that is there and still not found: its first line names another one that is not. */
static bool lacks_interpreter(const Start *start, int error)
{
	const char *command = start->spawn.argv != NULL ? start->spawn.argv[0] : "";
	return start->failed == SPAWN_EXEC && error == -ENOENT && command[0] == '/' &&
		access(command, F_OK) == 0;
}

static int start_failure(lua_State *L, const Start *start, int error)
{
	const char *name = start->process->name, *reason = strerror(-error);
	if (lacks_interpreter(start, error))
		return bind_failf(L, -error, "%s: its interpreter is missing: %s", name, reason);
	if (start->failed != SPAWN_CWD && start->failed != SPAWN_USER)
		return bind_failf(L, -error, "%s: %s", name, reason);
	const char *what = start->failed == SPAWN_CWD ? "enter" : "become user";
	size_t length;
	push_option(L, start->failed == SPAWN_CWD ? "cwd" : "user");
	const char *whom = lua_tolstring(L, -1, &length);
	bind_pushescaped(L, whom, length);
	return bind_failf(L, -error, "%s: cannot %s %s: %s", name, what, lua_tostring(L, -1), reason);
}

/* The handle, at index 3, with everything in it that needs no system call. */
static ProcessObject *make_process(lua_State *L)
{
	size_t length;
	lua_rawgeti(L, 1, 1);
	const char *command = lua_tolstring(L, -1, &length);
	bind_pushescaped(L, command, length);
	const char *name = lua_tolstring(L, -1, &length);
	ProcessObject *process = process_push(L, name, length);
	lua_replace(L, 3);
	lua_settop(L, 3);
	process->child.stop_signal = (int)number_option(L, "stop_signal", SIGTERM);
	process->child.grace = number_option(L, "grace", 5);
	read_success(L, process);
	make_streams(L, process);
	return process;
}

/* Looks the user up; NULL where none is asked for. Returns 0 or a negative errno. */
static int find_user(lua_State *L, const User **user)
{
	const char *text = string_option(L, "user");
	if (text == NULL)
		return 0;
	User *found = bind_new(L, &user_class, sizeof *found, 0);
	*user = found;
	return user_find(found, text);
}

/* Fills in what the child is to be. What it is made of stays on the stack. */
static int prepare(lua_State *L, Start *start)
{
	Spawn *spawn = &start->spawn;
	const User *user = NULL;
	start->limit = (lua_Integer)number_option(L, "capture_limit", 1024 * 1024);
	start->timeout = number_option(L, "timeout", -1);
	push_option(L, "input");
	start->input = lua_tolstring(L, -1, &start->input_length);
	spawn->argv = push_argv(L);
	spawn->cwd = string_option(L, "cwd");
	push_option(L, "descendants");
	spawn->guarded = lua_toboolean(L, -1);
	start->failed = SPAWN_USER;
	int error = find_user(L, &user);
	if (error < 0)
		return error;
	if (user != NULL && !user_is_current(user))
		spawn->user = user;
	spawn->envp = push_environment(L, user);
	spawn->search = search_path(spawn->envp);
	return 0;
}

/* core.process(argv, options): the handle, or nil, message, errno. */
static int l_process(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	luaL_checkstack(L, 40, NULL);
	lua_pushnil(L);
	/* The loop comes first, so that lua_close takes it last. */
	Start start = {.loop = bind_loop(L), .theirs = {-1, -1, -1}};
	start.process = make_process(L);
	int error = prepare(L, &start);
	if (error == 0) {
		bind_anchor(L, 3, start.process);
		error = launch(&start);
		if (error < 0)
			bind_unanchor(L, start.process);
	}
	if (error < 0)
		return start_failure(L, &start, error);
	lua_settop(L, 3);
	return 1;
}

/* core.argument_room(): bytes that arguments may take beside our environment, their pointers counted. */
static int l_argument_room(lua_State *L)
{
	long room = sysconf(_SC_ARG_MAX);
	if (room < 0 || room > LARGEST_ARGUMENTS)
		room = LARGEST_ARGUMENTS;
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
		room -= (long)(strlen(*entry) + 1 + sizeof(char *));
	lua_pushinteger(L, room);
	return 1;
}

static const luaL_Reg functions[] = {
	{"process", l_process},
	{"argument_room", l_argument_room},
	{NULL, NULL},
};

void open_start(lua_State *L)
{
	bind_class(L, &user_class);
	luaL_setfuncs(L, functions, 0);
}
