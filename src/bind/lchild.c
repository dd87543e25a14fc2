/* SPDX-License-Identifier: MIT
 *
 * lchild.c - processes: core.process(argv, options) and its handle.
 *
 * The options come checked from lua/moonwatch/process.lua, in their plainest form. All that may raise is done before
 * the pipes are opened; from there to the running child there is C only, so nothing can be left open half-way.
 */
#include "bind/lchild.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/lpipe.h"
#include "loop/child.h"
#include "os/pipe.h"
#include "os/signame.h"

enum {
	CODES = 256,
	LARGEST_ARGUMENTS = 2 * 1024 * 1024, /* the kernel's own limit is three times that */
	STREAMS = 3,
};

typedef enum StreamMode {
	STREAM_NULL,
	STREAM_INHERIT,
	STREAM_PIPE,  /* lines, or writes, on demand */
	STREAM_LINES, /* the same for a task that calls a function; the result waits for it */
	STREAM_CAPTURE,
	STREAM_STRING, /* standard input: all of it is known */
	STREAM_STDOUT, /* standard error: where standard output goes */
} StreamMode;

static const char *const stream_modes[] = {
	"null", "inherit", "pipe", "lines", "capture", "string", "stdout", NULL};

/* A function that is called for each line. Lines go on when it has returned, be that after a wait or with an error. */
typedef struct Callback {
	Dispatch dispatch; /* first member */
	struct ProcessObject *process;
	int fd;
	bool over;
} Callback;

/* User values, by descriptor: its streams, the functions for lines, the names of these. */
enum {
	VALUE_STREAM = 1,
	VALUE_FUNCTION = VALUE_STREAM + STREAMS,
	VALUE_TITLE = VALUE_FUNCTION + STREAMS,
	VALUE_COUNT = VALUE_TITLE + STREAMS - 1,
};

typedef struct ProcessObject {
	Source source; /* gives the result, again and again */
	Child child;
	Ready over; /* the loop need not keep it any longer */
	StreamMode modes[STREAMS];
	Writer *in; /* NULL where there is none; kept by the user values */
	Reader *out[STREAMS];
	Callback callbacks[STREAMS];
	size_t busy_callbacks; /* whose last line is still to come */
	uint64_t success[CODES / 64];
	char name[]; /* of the command, fit for people */
} ProcessObject;

/* --- the result ----------------------------------------------------------------------------------------------- */

static void set_captured(lua_State *L, const Reader *reader, const char *key)
{
	size_t length;
	const char *bytes = inlet_captured(&reader->inlet, &length);
	lua_pushlstring(L, bytes, length);
	lua_setfield(L, -2, key);
	if (reader->inlet.truncated) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "truncated");
	}
}

static void set_boolean(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

/* `code` or `signal`; returns whether the code counts as success. */
static bool set_status(lua_State *L, const ProcessObject *process)
{
	int status = process->child.status;
	char name[SIGNAME_SIZE];
	if (WIFSIGNALED(status)) {
		lua_pushstring(L, signame_of(WTERMSIG(status), name));
		lua_setfield(L, -2, "signal");
		return false;
	}
	int code = WEXITSTATUS(status);
	lua_pushinteger(L, code);
	lua_setfield(L, -2, "code");
	return (process->success[code / 64] >> (code % 64) & 1) != 0;
}

static void push_result(lua_State *L, const ProcessObject *process)
{
	const Child *child = &process->child;
	lua_createtable(L, 0, 8);
	bool succeeded = set_status(L, process);
	set_boolean(L, "ok", succeeded && !child->timed_out);
	set_boolean(L, "timed_out", child->timed_out);
	lua_pushnumber(L, child->ended_at - child->started_at);
	lua_setfield(L, -2, "seconds");
	set_boolean(L, "truncated", false);
	if (process->modes[STDOUT_FILENO] == STREAM_CAPTURE)
		set_captured(L, process->out[STDOUT_FILENO], "out");
	if (process->modes[STDERR_FILENO] == STREAM_CAPTURE)
		set_captured(L, process->out[STDERR_FILENO], "err");
}

static int take_result(lua_State *L, Source *source)
{
	ProcessObject *process = (ProcessObject *)source;
	if (process->source.closed || process->child.state != CHILD_ENDED ||
		process->busy_callbacks > 0)
		return 0;
	if (process->child.error < 0)
		return bind_failf(L, -process->child.error,
			"%s: its end was taken by another part of the program: %s", process->name,
			strerror(-process->child.error));
	push_result(L, process);
	return 1;
}

/* --- from start to end ---------------------------------------------------------------------------------------- */

static void let_go(lua_State *L, Ready *ready)
{
	bind_unanchor(L, list_item(ready, ProcessObject, over));
}

/* Once the process has ended and each of its lines has been handed over, there is a result and nothing else to do. */
static void settle(ProcessObject *process)
{
	if (process->child.state != CHILD_ENDED || process->busy_callbacks > 0)
		return;
	source_wake(&process->source, SIZE_MAX);
	bind_make_ready(process->source.bind, &process->over);
}

/* Pushes an option of core.process. */
static int push_option(lua_State *L, const char *key)
{
	return lua_getfield(L, 2, key);
}

/* --- lines to a function -------------------------------------------------------------------------------------- */

static void end_callback(Callback *callback)
{
	ProcessObject *process = callback->process;
	if (callback->over)
		return;
	callback->over = true;
	process->busy_callbacks--;
	settle(process);
}

/* While the function has a line the pipe is not looked at: it may wait as long as it likes. */
static int next_call(lua_State *L, Dispatch *dispatch)
{
	Callback *callback = (Callback *)dispatch;
	Inlet *inlet = &callback->process->out[callback->fd]->inlet;
	const char *line;
	size_t length;
	int count = inlet_line(inlet, &line, &length);
	if (count < 0)
		return luaL_error(L, "not enough memory");
	if (count > 0) {
		inlet_listen(inlet, false);
		lua_getiuservalue(L, 1, VALUE_FUNCTION + callback->fd);
		lua_pushlstring(L, line, length);
		return 1;
	}
	if (inlet_listen(inlet, true) < 0)
		inlet_clear(inlet);
	if (inlet_is_over(inlet))
		end_callback(callback);
	return -1;
}

static void on_lines(Inlet *inlet)
{
	dispatch_wake(&((Callback *)inlet->owner)->dispatch);
}

/* The name of the stream is on the top of the stack, the process at index 3, its function in the options. */
static void init_callback(lua_State *L, ProcessObject *process, int fd)
{
	Callback *callback = &process->callbacks[fd];
	const char *title =
		lua_pushfstring(L, "%s of %s", fd == STDOUT_FILENO ? "stdout" : "stderr", process->name);
	lua_setiuservalue(L, 3, VALUE_TITLE + fd);
	push_option(L, fd == STDOUT_FILENO ? "on_stdout" : "on_stderr");
	lua_setiuservalue(L, 3, VALUE_FUNCTION + fd);
	dispatch_init(L, &callback->dispatch, process, title, true, next_call);
	callback->process = process;
	callback->fd = fd;
	process->out[fd]->inlet.owner = callback;
	process->out[fd]->inlet.ready = on_lines;
	process->busy_callbacks++;
}

static void on_ended(Child *child)
{
	ProcessObject *process = list_item(child, ProcessObject, child);
	if (process->in != NULL)
		writer_close(process->in);
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++) {
		if (process->out[fd] == NULL)
			continue;
		inlet_last(&process->out[fd]->inlet);
		if (process->modes[fd] == STREAM_LINES)
			dispatch_wake(&process->callbacks[fd].dispatch);
		else
			source_wake(&process->out[fd]->source, SIZE_MAX);
	}
	settle(process);
}

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

/* --- options -------------------------------------------------------------------------------------------------- */

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

/* The streams become user values of the process, on the top of the stack. */
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
			process->out[fd] = reader_push(L);
		}
		lua_setiuservalue(L, 3, VALUE_STREAM + fd);
		if (mode == STREAM_LINES)
			init_callback(L, process, fd);
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

/* --- the handle ----------------------------------------------------------------------------------------------- */

static const Class process_class;

static ProcessObject *check_process(lua_State *L)
{
	return bind_check(L, 1, &process_class);
}

/* A signal by number or name, or misuse. */
static int check_signal(lua_State *L, int index)
{
	int number = 0;
	if (lua_type(L, index) == LUA_TNUMBER)
		number = lua_isinteger(L, index) ? (int)lua_tointeger(L, index) : 0;
	else
		number = signame_find(luaL_checkstring(L, index));
	if (number <= 0 || number >= NSIG)
		bind_misuse(L, "there is no signal '%s'", luaL_tolstring(L, index, NULL));
	return number;
}

static int l_wait(lua_State *L)
{
	ProcessObject *process = check_process(L);
	return source_get(L, &process->source, bind_opttimeout(L, 2));
}

static int l_kill(lua_State *L)
{
	ProcessObject *process = check_process(L);
	int error = child_signal(&process->child, check_signal(L, 2));
	if (error < 0)
		return bind_failf(L, -error, "%s: %s", process->name, strerror(-error));
	lua_pushboolean(L, true);
	return 1;
}

static int l_stop(lua_State *L)
{
	ProcessObject *process = check_process(L);
	double grace = luaL_optnumber(L, 2, process->child.grace);
	if (!(grace >= 0))
		return bind_misuse(L, "the grace is a number of seconds from 0 up");
	child_stop(&process->child, grace);
	return source_get(L, &process->source, -1);
}

static int l_write(lua_State *L)
{
	ProcessObject *process = check_process(L);
	if (process->modes[STDIN_FILENO] != STREAM_PIPE)
		return bind_misuse(L, "the standard input of this process is not a pipe");
	lua_getiuservalue(L, 1, VALUE_STREAM + STDIN_FILENO);
	lua_replace(L, 1);
	return writer_write(L, process->in);
}

static int l_lines(lua_State *L)
{
	static const char *const names[] = {"stdout", "stderr", NULL};
	ProcessObject *process = check_process(L);
	int fd = luaL_checkoption(L, 2, "stdout", names) + STDOUT_FILENO;
	if (process->modes[fd] != STREAM_PIPE)
		return bind_misuse(L, "the %s of this process is not a pipe", names[fd - STDOUT_FILENO]);
	lua_getiuservalue(L, 1, VALUE_STREAM + fd);
	reader_each(L);
	return 1;
}

static bool is_running(const ProcessObject *process)
{
	return process->child.state != CHILD_NONE && process->child.state != CHILD_ENDED;
}

static void stop_in_background(ProcessObject *process)
{
	child_stop(&process->child, process->child.grace);
	if (process->in != NULL)
		writer_close(process->in);
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++)
		if (process->modes[fd] == STREAM_PIPE ||
			(process->modes[fd] == STREAM_CAPTURE && !is_running(process)))
			reader_close(process->out[fd]);
	source_close(&process->source);
}

/* close() stops the process, close("stdin") is the end of its input. */
static int l_close(lua_State *L)
{
	ProcessObject *process = check_process(L);
	const char *which = luaL_optstring(L, 2, NULL);
	if (which == NULL)
		stop_in_background(process);
	else if (strcmp(which, "stdin") != 0)
		return bind_misuse(L, "close() or close('stdin'), not close('%s')", which);
	else if (process->in != NULL)
		outlet_finish(&process->in->outlet);
	return 0;
}

static int meta_close(lua_State *L)
{
	stop_in_background(check_process(L));
	return 0;
}

/* What runs is anchored, so a running child here means the end of the Lua state: there is no loop to stop it later. */
static int meta_gc(lua_State *L)
{
	ProcessObject *process = check_process(L);
	child_stop_now(&process->child);
	child_clear(&process->child);
	list_remove(&process->over.link);
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++)
		dispatch_stop(&process->callbacks[fd].dispatch);
	source_close(&process->source);
	return 0;
}

static int meta_tostring(lua_State *L)
{
	const ProcessObject *process = check_process(L);
	lua_pushfstring(L, "process %d (%s, %s)", (int)process->child.process.pid, process->name,
		is_running(process) ? "running" : "ended");
	return 1;
}

static int process_field(lua_State *L)
{
	const ProcessObject *process = check_process(L);
	const char *name = lua_tostring(L, 2);
	if (name != NULL && strcmp(name, "pid") == 0)
		lua_pushinteger(L, process->child.process.pid);
	else if (name != NULL && strcmp(name, "running") == 0)
		lua_pushboolean(L, is_running(process));
	else
		lua_pushnil(L);
	return 1;
}

static const luaL_Reg process_methods[] = {
	{"wait", l_wait},
	{"kill", l_kill},
	{"stop", l_stop},
	{"write", l_write},
	{"lines", l_lines},
	{"close", l_close},
	{NULL, NULL},
};

static const luaL_Reg process_meta[] = {
	{"__close", meta_close},
	{"__gc", meta_gc},
	{"__tostring", meta_tostring},
	{NULL, NULL},
};

static const Class process_class = {
	.name = "moonwatch.process",
	.methods = process_methods,
	.meta = process_meta,
	.field = process_field,
	.is_source = true,
};

/* --- start ---------------------------------------------------------------------------------------------------- */

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
static ProcessObject *push_process(lua_State *L)
{
	size_t length;
	lua_rawgeti(L, 1, 1);
	const char *command = lua_tolstring(L, -1, &length);
	bind_pushescaped(L, command, length);
	const char *name = lua_tolstring(L, -1, &length);
	ProcessObject *process = bind_new(L, &process_class, sizeof *process + length + 1, VALUE_COUNT);
	memcpy(process->name, name, length + 1);
	lua_replace(L, 3);
	lua_settop(L, 3);
	source_init(L, &process->source, take_result, NULL);
	process->over.run = let_go;
	process->child.ended = on_ended;
	process->child.process.pidfd = -1;
	process->child.stop_signal = (int)number_option(L, "stop_signal", SIGTERM);
	process->child.grace = number_option(L, "grace", 5);
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
	start.process = push_process(L);
	read_success(L, start.process);
	make_streams(L, start.process);
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

/* --- helpers of process.lua ----------------------------------------------------------------------------------- */

/* core.signal_number(name or number): the number, or nil where there is no such signal. */
static int l_signal_number(lua_State *L)
{
	int number =
		lua_isinteger(L, 1) ? (int)lua_tointeger(L, 1) : signame_find(luaL_checkstring(L, 1));
	if (number <= 0 || number >= NSIG)
		lua_pushnil(L);
	else
		lua_pushinteger(L, number);
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
	{"signal_number", l_signal_number},
	{"argument_room", l_argument_room},
	{NULL, NULL},
};

int open_child(lua_State *L)
{
	open_pipe_classes(L);
	bind_class(L, &process_class);
	bind_class(L, &user_class);
	luaL_setfuncs(L, functions, 0);
	return 0;
}
