/* SPDX-License-Identifier: MIT
 *
 * lloop.c - the loop as Lua sees it: run, stop, step; the ready list; errors that nobody asked for; deadlocks.
 *
 * A drive is: drain the ready list, one turn of the loop, and again. Nothing in it raises: every piece of the user's code
 * runs in a coroutine, and what may run out of memory runs in a protected call.
 *
 * An error that nobody has asked for is told when the loop would wait, and not at once: whoever is ready in the same turn
 * may still join the failed task.
 */
#include "bind/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bind/core.h"
#include "bind/state.h"

static const char on_error_key; /* in the registry */

/* --- errors --------------------------------------------------------------------------------------------------- */

static void write_error(const char *where, const char *text)
{
	fprintf(stderr, "moonwatch: error in %s: %s\n", where, text);
	fflush(stderr);
}

/* (error, traceback, where): to standard error. */
static int report_default(lua_State *L)
{
	const char *text = lua_tostring(L, 2);
	write_error(luaL_tolstring(L, 3, NULL), text != NULL ? text : luaL_tolstring(L, 1, NULL));
	return 0;
}

/* (error, traceback, where): to on_error, in a task of its own, so that it may wait. */
static int report(lua_State *L)
{
	lua_settop(L, 3);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &on_error_key) == LUA_TNIL) {
		lua_pop(L, 1);
		return report_default(L);
	}
	lua_insert(L, 1);
	Task *task = task_new(L, "on_error", 3);
	task->is_reporter = true;
	task_run_now(L, task);
	return 0;
}

static void report_with(lua_State *L, lua_CFunction reporter)
{
	lua_pushcfunction(L, reporter);
	lua_insert(L, -4);
	if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
		write_error("the report of an error", luaL_typename(L, -1));
		lua_pop(L, 1);
	}
}

void loop_report(lua_State *L)
{
	report_with(L, report);
}

/* The same where the name is no string of Lua's yet. */
static int report_named(lua_State *L)
{
	lua_pushstring(L, lua_touserdata(L, 3));
	lua_replace(L, 3);
	return report(L);
}

void bind_report(lua_State *L, const char *where)
{
	if (!lua_checkstack(L, 8)) {
		lua_pop(L, 1);
		return;
	}
	lua_pushnil(L);
	lua_pushlightuserdata(L, (void *)where);
	report_with(L, report_named);
}

static void report_failure(lua_State *L, Bind *bind, Task *task)
{
	(void)bind;
	if (!bind_pushanchored(L, task))
		return;
	lua_getiuservalue(L, -1, UV_ERROR);
	lua_getiuservalue(L, -2, UV_TRACEBACK);
	lua_getiuservalue(L, -3, UV_NAME);
	task_ask(L, task);
	report_with(L, task->is_reporter ? report_default : report);
	lua_pop(L, 1);
}

void task_report_failures(lua_State *L, Bind *bind)
{
	while (!list_empty(&bind->failed) && lua_checkstack(L, 12))
		report_failure(L, bind, list_item(bind->failed.next, Task, failed));
}

/* on_error([fn]) -> the function before; nil: standard error again */
static int l_on_error(lua_State *L)
{
	if (!lua_isnoneornil(L, 1))
		luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &on_error_key);
	lua_insert(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &on_error_key);
	return 1;
}

/* --- the ready list ------------------------------------------------------------------------------------------- */

/* So many resumes between two looks at descriptors and deadlines; a batch of handlers counts for several. */
enum { DRAIN_BUDGET = 256 };

static int drain(lua_State *L)
{
	Bind *bind = lua_touserdata(L, 1);
	List *link;
	luaL_checkstack(L, 20, NULL);
	for (bind->drain_left = DRAIN_BUDGET; bind->drain_left > 0; bind->drain_left--) {
		if ((link = list_pop(&bind->ready)) == NULL)
			break;
		Ready *ready = list_item(link, Ready, link);
		ready->run(L, ready);
		lua_settop(L, 1);
	}
	return 0;
}

void task_drain(lua_State *L, Bind *bind)
{
	if (list_empty(&bind->ready) || !lua_checkstack(L, 8))
		return;
	lua_pushcfunction(L, drain);
	lua_pushlightuserdata(L, bind);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		bind_report(L, "the loop");
}

/* Nothing is ready, and neither a deadline nor the outside world nor a handler can make anything so. What is only kept
 * up to date meanwhile (the index of a watcher that nobody waits for) does not count. */
static bool is_dead(Bind *bind)
{
	if (!list_empty(&bind->ready) || loop_is_foreign(bind->loop))
		return false;
	return loop_is_idle(bind->loop) || (bind->external == 0 && bind->anchored == 0);
}

static bool turn(lua_State *L, Bind *bind, double timeout)
{
	if (list_empty(&bind->ready))
		task_report_failures(L, bind);
	if (timeout < 0 && is_dead(bind))
		return false;
	wait_settle_interest(bind);
	loop_step(bind->loop, list_empty(&bind->ready) ? timeout : 0);
	return true;
}

DriveEnd task_drive(
	lua_State *L, Bind *bind, bool (*done)(Bind *bind, void *context), void *context)
{
	DriveEnd end = DRIVE_DEADLOCK;
	bind->driving = true;
	bind->stopping = false;
	do {
		task_drain(L, bind);
		if (done(bind, context))
			end = DRIVE_DONE;
		else if (bind->stopping)
			end = DRIVE_STOPPED;
	} while (end == DRIVE_DEADLOCK && turn(L, bind, -1));
	bind->driving = false;
	return end;
}

/* --- deadlocks ------------------------------------------------------------------------------------------------ */

/* Adds "file:line" of the nearest function of the user's, or "?". */
static void push_place(lua_State *L, lua_State *co)
{
	lua_Debug ar;
	for (lua_State *inside = co; inside != NULL; inside = generator_inside(inside))
		co = inside;
	for (int level = 0; lua_getstack(co, level, &ar); level++) {
		lua_getinfo(co, "Sl", &ar);
		if (ar.currentline > 0 && !bind_is_own_file(L, ar.source)) {
			lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
			return;
		}
	}
	lua_pushliteral(L, "?");
}

static void add_place(lua_State *L, luaL_Buffer *buffer, Task *task)
{
	luaL_addstring(buffer, "\n  ");
	bind_pushanchored(L, task);
	lua_getiuservalue(L, -1, UV_NAME);
	lua_remove(L, -2);
	luaL_addvalue(buffer);
	luaL_addstring(buffer, " waits at ");
	push_place(L, task->co);
	luaL_addvalue(buffer);
}

void task_push_deadlock(lua_State *L, Bind *bind, bool main_waits)
{
	luaL_Buffer buffer;
	luaL_checkstack(L, 10, NULL);
	bind_pushposition(L);
	luaL_buffinit(L, &buffer);
	luaL_addstring(&buffer, "deadlock: every task waits and nothing can wake one");
	if (main_waits)
		luaL_addstring(&buffer, "\n  the main program waits here");
	for (List *link = bind->tasks.next; link != &bind->tasks; link = link->next)
		add_place(L, &buffer, list_item(link, Task, all));
	luaL_pushresult(&buffer);
	lua_concat(L, 2);
}

/* --- run ------------------------------------------------------------------------------------------------------ */

static void check_may_run(lua_State *L, Bind *bind, const char *what)
{
	if (bind->running != NULL)
		bind_misuse(L, "%s inside a task: the loop is already running", what);
	if (bind->driving)
		bind_misuse(L, "%s inside the loop", what);
	if (bind->nowait != NULL)
		bind_misuse(L, "%s inside %s", what, bind->nowait);
}

static bool task_is_done(Bind *bind, void *context)
{
	(void)bind;
	return task_has_ended(context);
}

static bool all_is_done(Bind *bind, void *context)
{
	(void)context;
	return list_empty(&bind->ready) && list_empty(&bind->tasks) && list_empty(&bind->failed) &&
		bind->anchored == 0;
}

static int push_stopped(lua_State *L)
{
	return bind_failf(L, ECANCELED, "stopped");
}

static int run_all(lua_State *L, Bind *bind)
{
	DriveEnd end = task_drive(L, bind, all_is_done, NULL);
	task_report_failures(L, bind);
	if (end == DRIVE_STOPPED)
		return push_stopped(L);
	if (end == DRIVE_DEADLOCK && !list_empty(&bind->tasks)) {
		task_push_deadlock(L, bind, false);
		return lua_error(L);
	}
	lua_pushboolean(L, true);
	return 1;
}

/* The task is at index 1. A string is raised with the traceback of where it came from, another value as it is. */
static int run_results(lua_State *L, Task *task)
{
	int results = task->joined.take(L, &task->joined);
	if (task->state == TASK_DONE)
		return results - 1;
	if (task->state == TASK_CANCELLED)
		return bind_failf(L, ECANCELED, "cancelled");
	if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING)
		return lua_error(L);
	lua_pop(L, 1);
	return lua_error(L);
}

static int run_task_to_end(lua_State *L, Bind *bind)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	bind_spawn(L, "main", lua_gettop(L) - 1);
	Task *task = lua_touserdata(L, 1);
	task->is_awaited = true;
	DriveEnd end = task_drive(L, bind, task_is_done, task);
	task->is_awaited = false;
	task_report_failures(L, bind);
	if (end == DRIVE_STOPPED)
		return push_stopped(L);
	if (end == DRIVE_DEADLOCK) {
		task_push_deadlock(L, bind, false);
		task_cancel(L, task); /* nobody else could ever end it */
		return lua_error(L);
	}
	return run_results(L, task);
}

/* run([fn, ...]) -> fn's results */
static int l_run(lua_State *L)
{
	Bind *bind = bind_get(L);
	check_may_run(L, bind, "run");
	bind_loop(L);
	return lua_isnoneornil(L, 1) ? run_all(L, bind) : run_task_to_end(L, bind);
}

static int l_stop(lua_State *L)
{
	Bind *bind = bind_get(L);
	bind->stopping = bind->driving;
	return 0;
}

/* --- for foreign loops ---------------------------------------------------------------------------------------- */

/* Whoever polls our descriptor shall find it readable while something is ready. */
static void poke_poller(Bind *bind)
{
	if (bind->polled && !list_empty(&bind->ready))
		loop_job_start(bind->loop, &bind->poke);
}

/* step([timeout]) -> true: one turn. nil waits for the next thing to happen. */
static int l_step(lua_State *L)
{
	Bind *bind = bind_get(L);
	double timeout = bind_opttimeout(L, 1);
	check_may_run(L, bind, "step");
	bind_loop(L);
	bind->driving = true;
	turn(L, bind, timeout);
	task_drain(L, bind);
	if (list_empty(&bind->ready))
		task_report_failures(L, bind);
	bind->driving = false;
	poke_poller(bind);
	lua_pushboolean(L, true);
	return 1;
}

static int l_next_timeout(lua_State *L)
{
	Bind *bind = bind_get(L);
	wait_settle_interest(bind);
	bool is_ready = !list_empty(&bind->ready) || !list_empty(&bind->failed);
	double timeout = is_ready ? 0 : bind->loop == NULL ? -1 : loop_next_timeout(bind->loop);
	if (timeout < 0)
		lua_pushnil(L);
	else
		lua_pushnumber(L, timeout);
	return 1;
}

static int l_pollfd(lua_State *L)
{
	Bind *bind = bind_get(L);
	wait_settle_interest(bind);
	lua_pushinteger(L, loop_pollfd(bind_loop(L)));
	bind->polled = true;
	poke_poller(bind);
	return 1;
}

/* --- time, and what the Lua part needs ------------------------------------------------------------------------ */

static int l_sleep(lua_State *L)
{
	luaL_checknumber(L, 1);
	return bind_sleep(L, bind_opttimeout(L, 1));
}

static int l_now(lua_State *L)
{
	lua_pushnumber(L, loop_now());
	return 1;
}

/* living() -> how many tasks and how many other objects the loop keeps alive */
static int l_living(lua_State *L)
{
	Bind *bind = bind_get(L);
	lua_Integer tasks = 0;
	for (List *link = bind->tasks.next; link != &bind->tasks; link = link->next)
		tasks++;
	lua_pushinteger(L, tasks);
	lua_pushinteger(L, (lua_Integer)bind->anchored);
	return 2;
}

/* own_files(prefix): chunks whose names begin so are moonwatch's own */
static int l_own_files(lua_State *L)
{
	bind_set_own_files(L, luaL_checkstring(L, 1));
	return 0;
}

/* misuse(message): raises it with the position of the user's nearest function */
static int l_misuse(lua_State *L)
{
	return bind_misuse(L, "%s", luaL_checkstring(L, 1));
}

int open_loop(lua_State *L)
{
	static const luaL_Reg functions[] = {{"run", l_run}, {"stop", l_stop}, {"step", l_step},
		{"next_timeout", l_next_timeout}, {"pollfd", l_pollfd}, {"sleep", l_sleep}, {"now", l_now},
		{"on_error", l_on_error}, {"own_files", l_own_files}, {"misuse", l_misuse},
		{"living", l_living}, {NULL, NULL}};
	luaL_setfuncs(L, functions, 0);
	return 0;
}
