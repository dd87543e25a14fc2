/* SPDX-License-Identifier: MIT
 *
 * lchild.c - the handle of a process: its result, lines to functions, methods.
 */
#include "bind/lchild.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/signame.h"

static const Class process_class;

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

/* --- the end -------------------------------------------------------------------------------------------------- */

/* What waits in a function for lines is cancelled, what it has not taken is dropped. */
static void abandon_lines(lua_State *L, ProcessObject *process)
{
	for (int fd = STDOUT_FILENO; fd < STREAMS; fd++) {
		if (process->modes[fd] != STREAM_LINES)
			continue;
		inlet_clear(&process->out[fd]->inlet);
		dispatch_cancel(L, &process->callbacks[fd].dispatch);
	}
	process->busy_callbacks = 0;
	source_wake(&process->source, SIZE_MAX);
}

static void let_go(lua_State *L, Ready *ready)
{
	ProcessObject *process = list_item(ready, ProcessObject, over);
	loop_timer_stop(&process->patience);
	if (process->busy_callbacks > 0)
		abandon_lines(L, process);
	bind_unanchor(L, process);
}

/* Once the process has ended and each of its lines has been handed over, there is a result and nothing else to do. */
static void settle(ProcessObject *process)
{
	if (process->child.state != CHILD_ENDED || process->busy_callbacks > 0)
		return;
	source_wake(&process->source, SIZE_MAX);
	bind_make_ready(process->source.bind, &process->over);
}

static void on_out_of_patience(LoopTimer *timer)
{
	ProcessObject *process = list_item(timer, ProcessObject, patience);
	bind_make_ready(process->source.bind, &process->over);
}

/* A function that waits for ever would keep from its end what is to be stopped. */
static void lose_patience(ProcessObject *process, double at)
{
	if (process->child.state != CHILD_ENDED || process->busy_callbacks == 0)
		return;
	process->patience.fire = on_out_of_patience;
	if (loop_timer_start(process->child.loop, &process->patience, at) < 0)
		on_out_of_patience(&process->patience);
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

void process_call_with_lines(lua_State *L, int index, int fd)
{
	ProcessObject *process = lua_touserdata(L, index);
	Callback *callback = &process->callbacks[fd];
	lua_setiuservalue(L, index, VALUE_FUNCTION + fd);
	const char *title =
		lua_pushfstring(L, "%s of %s", fd == STDOUT_FILENO ? "stdout" : "stderr", process->name);
	lua_setiuservalue(L, index, VALUE_TITLE + fd);
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
	if (child_was_stopped(child))
		lose_patience(process, child->deadline);
}

/* --- the handle ----------------------------------------------------------------------------------------------- */

static ProcessObject *check_process(lua_State *L)
{
	return bind_check(L, 1, &process_class);
}

static int l_wait(lua_State *L)
{
	ProcessObject *process = check_process(L);
	return bind_wait(L, &process->source);
}

static int l_kill(lua_State *L)
{
	static const char *const targets[] = {"group", "leader", NULL};
	ProcessObject *process = check_process(L);
	int number = bind_checksignal(L, 2);
	bool alone = luaL_checkoption(L, 3, "group", targets) == 1;
	int error = alone ? child_signal_leader(&process->child, number)
					  : child_signal(&process->child, number);
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
	lose_patience(process, loop_now() + grace);
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
	loop_timer_stop(&process->patience);
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

/* --- tables --------------------------------------------------------------------------------------------------- */

ProcessObject *process_push(lua_State *L, const char *name, size_t length)
{
	ProcessObject *process = bind_new(L, &process_class, sizeof *process + length + 1, VALUE_COUNT);
	source_init(L, &process->source, take_result, NULL);
	memcpy(process->name, name, length);
	process->over.run = let_go;
	process->child.ended = on_ended;
	process->child.process.pidfd = -1;
	return process;
}

/* core.signal_number(name or number): the number, or nil where there is no such signal. */
static int l_signal_number(lua_State *L)
{
	int number = bind_findsignal(L, 1);
	if (number == 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, number);
	return 1;
}

static const luaL_Reg functions[] = {
	{"signal_number", l_signal_number},
	{NULL, NULL},
};

int open_child(lua_State *L)
{
	open_pipe_classes(L);
	bind_class(L, &process_class);
	open_start(L);
	luaL_setfuncs(L, functions, 0);
	return 0;
}
