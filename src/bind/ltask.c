/* SPDX-License-Identifier: MIT
 *
 * ltask.c - tasks, groups of them, handlers' batches; the one place that resumes.
 *
 *      new -> (running <-> waiting) -> done | failed | cancelled
 *
 * A task is anchored while it lives, and beyond while its error waits for someone to ask or its group has not taken it.
 * Its results stay on its coroutine's stack, where `join` finds them as often as it is asked.
 *
 * Cancel closes the coroutine from outside (lua_resetthread): no pcall sees it. That is possible only while the coroutine
 * is suspended; a task that is above us on the C stack is marked, and closed when it waits next.
 */
#include "bind/bind.h"

#include <string.h>

#include "bind/core.h"
#include "bind/state.h"

static const Class task_class, group_class;

/* --- a task's life -------------------------------------------------------------------------------------------- */

bool task_has_ended(const Task *task)
{
	return task->state >= TASK_DONE;
}

static void push_task(lua_State *L, Task *task)
{
	if (!bind_pushanchored(L, task))
		lua_pushnil(L);
}

void task_ask(lua_State *L, Task *task)
{
	if (!list_linked(&task->failed))
		return;
	list_remove(&task->failed);
	bind_release(L, task);
}

static void give_to_group(Task *task)
{
	Group *group = task->group;
	list_remove(&task->member);
	list_append(&group->ended, &task->member);
	source_wake(&group->source, 1);
}

/* The userdata stays on the caller's stack, or it might be gone when this returns. */
static void task_end(lua_State *L, Task *task, TaskState state)
{
	bool is_asked = task->is_awaited || source_has_waiters(&task->joined);
	task->state = state;
	wait_abandon(&task->wait);
	list_remove(&task->all);
	source_wake(&task->joined, SIZE_MAX);
	if (task->group != NULL)
		give_to_group(task);
	else if (state == TASK_FAILED && !is_asked)
		list_append(&task->joined.bind->failed, &task->failed);
	else
		bind_release(L, task);
}

/* (coroutine, error, may its __tostring be asked) */
static int traceback(lua_State *L)
{
	lua_State *co = lua_touserdata(L, 1);
	const char *message = lua_tostring(L, 2);
	if (message == NULL && lua_toboolean(L, 3) && luaL_callmeta(L, 2, "__tostring"))
		message = lua_tostring(L, -1);
	if (message == NULL)
		message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 2));
	luaL_traceback(L, co, message, 0);
	return 1;
}

/* Pushes the traceback of a coroutine that has failed with the value on the top of the stack; nil out of memory. */
static void push_traceback(lua_State *L, lua_State *co)
{
	for (int asks = 1; asks >= 0; asks--) { /* a __tostring may fail, too */
		lua_pushcfunction(L, traceback);
		lua_pushlightuserdata(L, co);
		lua_pushvalue(L, -3);
		lua_pushboolean(L, asks);
		if (lua_pcall(L, 3, 1, 0) == LUA_OK)
			return;
		lua_pop(L, 1);
	}
	lua_pushnil(L);
}

/* First the traceback, then the <close> variables: the other way round the one is empty and the others stay open.
 * Leaves error and traceback on the stack. */
static void close_failed(lua_State *L, lua_State *co)
{
	lua_pushvalue(co, -1);
	lua_xmove(co, L, 1);
	push_traceback(L, co);
	lua_resetthread(co);
	lua_settop(co, 0);
}

static void task_fail(lua_State *L, Task *task)
{
	push_task(L, task);
	close_failed(L, task->co);
	lua_setiuservalue(L, -3, UV_TRACEBACK);
	lua_setiuservalue(L, -2, UV_ERROR);
	task_end(L, task, TASK_FAILED);
	lua_pop(L, 1);
}

static void close_coroutine(lua_State *L, lua_State *co)
{
	lua_State *inside = generator_inside(co);
	if (inside != NULL)
		close_coroutine(L, inside);
	bool failed = lua_resetthread(co) != LUA_OK;
	if (failed && lua_checkstack(L, 4)) {
		lua_xmove(co, L, 1);
		bind_report(L, "a __close under cancel");
	}
	lua_settop(co, 0);
}

static void task_close(lua_State *L, Task *task)
{
	Bind *bind = task->joined.bind;
	Task *running = bind->running;
	lua_State *inner = bind->inner;
	push_task(L, task);
	wait_abandon(&task->wait);
	bind->running = task;
	bind->inner = NULL;
	task->closing = true;
	close_coroutine(L, task->co);
	generators_close(L);
	task->closing = false;
	bind->running = running;
	bind->inner = inner;
	task_end(L, task, TASK_CANCELLED);
	lua_pop(L, 1);
}

bool task_cancel(lua_State *L, Task *task)
{
	if (task_has_ended(task) || task->closing)
		return false;
	task->cancelled = true;
	if (task->state != TASK_RUNNING)
		task_close(L, task);
	return true;
}

/* --- resuming ------------------------------------------------------------------------------------------------- */

int task_resume_coroutine(
	lua_State *L, Bind *bind, lua_State *co, int nargs, int *results, lua_State *inner)
{
	lua_State *before = bind->inner;
	bind->inner = inner;
	int status = lua_resume(co, L, nargs, results);
	bind->inner = before;
	return status;
}

static void worker_ended(lua_State *L, Task *worker);
static void worker_failed(lua_State *L, Task *worker);
static void worker_waits(Task *worker);

static void task_stopped(lua_State *L, Task *task, int status, int results)
{
	if (status == LUA_YIELD)
		task->cancelled ? task_close(L, task) : worker_waits(task);
	else if (status != LUA_OK)
		task->is_worker ? worker_failed(L, task) : task_fail(L, task);
	else if (task->is_worker)
		worker_ended(L, task);
	else {
		task->values = results;
		push_task(L, task);
		task_end(L, task, TASK_DONE);
		lua_pop(L, 1);
	}
}

static void task_run(lua_State *L, Task *task)
{
	Bind *bind = task->joined.bind;
	Task *running = bind->running;
	const char *nowait = bind->nowait;
	bool strict = bind->strict;
	int results = 0, nargs = task->state == TASK_NEW ? task->values : 0;
	bind->waking = task->state == TASK_WAITING;
	bind->running = task;
	bind->nowait = NULL;
	bind->quick_takes = 0;
	bind->strict = task->strict;
	task->state = TASK_RUNNING;
	int status = task_resume_coroutine(L, bind, task->co, nargs, &results, task->co);
	task->strict = bind->strict;
	bind->strict = strict;
	bind->running = running;
	bind->nowait = nowait;
	if (status == LUA_YIELD && !bind->suspended) {
		lua_settop(task->co, lua_gettop(task->co) - results);
		lua_pushliteral(task->co, "stray coroutine.yield in a task: nobody resumes it");
		status = LUA_ERRRUN;
	}
	bind->suspended = false;
	task->state = TASK_WAITING;
	task_stopped(L, task, status, results);
}

static void run_task(lua_State *L, Ready *ready)
{
	Wait *wait = list_item(ready, Wait, ready);
	task_run(L, wait->task);
}

/* --- starting ------------------------------------------------------------------------------------------------- */

static void init_task(lua_State *L, Task *task);

/* Pushes a task without a function. */
static Task *push_new_task(lua_State *L)
{
	Task *task = bind_new(L, &task_class, sizeof(*task), TASK_UVS);
	init_task(L, task);
	task->co = lua_newthread(L);
	lua_setiuservalue(L, -2, UV_THREAD);
	return task;
}

static void set_name(lua_State *L, const char *name, int function)
{
	lua_Debug ar;
	if (name != NULL) {
		lua_pushstring(L, name);
	} else {
		lua_pushvalue(L, function);
		lua_getinfo(L, ">S", &ar);
		lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
	}
	lua_setiuservalue(L, -2, UV_NAME);
}

Task *task_new(lua_State *L, const char *name, int nargs)
{
	luaL_checkstack(L, 8, NULL);
	int function = lua_gettop(L) - nargs;
	Task *task = push_new_task(L);
	set_name(L, name, function);
	lua_insert(L, function);
	if (!lua_checkstack(task->co, nargs + 4))
		luaL_error(L, "too many arguments");
	lua_xmove(L, task->co, nargs + 1);
	task->values = nargs;
	return task;
}

/* It is anchored before it may be resumed. */
static Task *task_begin(lua_State *L, Task *task)
{
	bind_keep(L, -1, task);
	list_append(&task->joined.bind->tasks, &task->all);
	return task;
}

void bind_spawn(lua_State *L, const char *name, int nargs)
{
	Task *task = task_begin(L, task_new(L, name, nargs));
	bind_make_ready(task->joined.bind, &task->wait.ready);
}

void task_run_now(lua_State *L, Task *task)
{
	task_run(L, task_begin(L, task));
}

/* --- batches -------------------------------------------------------------------------------------------------- */

enum { BATCH_SIZE = 512, HANDLED_PER_RESUME = 16, IDLE_WORKERS = 8 };

void dispatch_wake(Dispatch *dispatch)
{
	if (dispatch->bind != NULL && dispatch->worker == NULL)
		bind_make_ready(dispatch->bind, &dispatch->ready);
}

static void detach(Dispatch *dispatch)
{
	if (dispatch->worker == NULL)
		return;
	dispatch->worker->dispatch = NULL;
	dispatch->worker = NULL;
}

void dispatch_stop(Dispatch *dispatch)
{
	list_remove(&dispatch->ready.link);
	detach(dispatch);
	dispatch->bind = NULL;
}

void dispatch_cancel(lua_State *L, Dispatch *dispatch)
{
	Task *worker = dispatch->worker;
	dispatch_stop(dispatch);
	if (worker != NULL)
		task_cancel(L, worker);
}

bool dispatch_is_busy(const Dispatch *dispatch)
{
	return dispatch->worker != NULL || list_linked(&dispatch->ready.link);
}

static int worker_handled(lua_State *L, int status, lua_KContext context);

/* Its stack: the object that has the batch. It goes on until the batch is empty, too long, or no longer its own. */
static int worker_work(lua_State *L, Task *worker)
{
	int nargs;
	while (worker->dispatch != NULL && worker->handled++ < BATCH_SIZE) {
		Dispatch *dispatch = worker->dispatch;
		if ((nargs = dispatch->next(L, dispatch)) < 0) {
			detach(dispatch);
			return 0;
		}
		int results = dispatch->done != NULL;
		lua_callk(L, nargs, results, (lua_KContext)worker, worker_handled);
		if (worker->dispatch != NULL && results)
			dispatch->done(L, dispatch);
		lua_settop(L, 1);
	}
	if (worker->dispatch != NULL) {
		Dispatch *dispatch = worker->dispatch;
		detach(dispatch);
		dispatch_wake(dispatch);
	}
	return 0;
}

/* The handler had waited and is done. */
static int worker_handled(lua_State *L, int status, lua_KContext context)
{
	Task *worker = (Task *)context;
	(void)status;
	if (worker->dispatch != NULL && worker->dispatch->done != NULL)
		worker->dispatch->done(L, worker->dispatch);
	lua_settop(L, 1);
	return worker_work(L, worker);
}

static int worker_main(lua_State *L)
{
	return worker_work(L, bind_get(L)->running);
}

/* Pushes an idle worker, or a new one. */
static Task *push_worker(lua_State *L, Bind *bind)
{
	List *link = list_pop(&bind->workers);
	if (link != NULL) {
		bind->idle_workers--;
		push_task(L, list_item(link, Task, idle));
		return lua_touserdata(L, -1);
	}
	Task *worker = push_new_task(L);
	worker->is_worker = true;
	bind_keep(L, -1, worker);
	return worker;
}

/* Nothing is lost where memory runs out: the batch stays on the ready list until a worker is there. The worker stays on
 * the stack, since it may be given up when it has ended. */
static void run_dispatch(lua_State *L, Ready *ready)
{
	Dispatch *dispatch = list_item(ready, Dispatch, ready);
	Bind *bind = dispatch->bind;
	if (dispatch->worker != NULL || !bind_pushanchored(L, dispatch->key))
		return;
	bind_make_ready(bind, ready);
	lua_pushstring(L, dispatch->name);
	Task *worker = push_worker(L, bind);
	list_remove(&ready->link);
	lua_insert(L, -3);
	lua_setiuservalue(L, -3, UV_NAME);
	lua_pushcfunction(worker->co, worker_main);
	lua_xmove(L, worker->co, 1);
	worker->state = TASK_NEW;
	worker->values = 1;
	worker->handled = 0;
	worker->dispatch = dispatch;
	dispatch->worker = worker;
	list_append(&bind->tasks, &worker->all);
	task_run(L, worker);
	bind->drain_left -= worker->handled / HANDLED_PER_RESUME;
}

void dispatch_init(lua_State *L, Dispatch *dispatch, const void *key, const char *name, bool serial,
	int (*next)(lua_State *L, Dispatch *dispatch))
{
	memset(dispatch, 0, sizeof(*dispatch));
	dispatch->ready.run = run_dispatch;
	dispatch->bind = bind_get(L);
	dispatch->key = key;
	dispatch->name = name;
	dispatch->serial = serial;
	dispatch->next = next;
}

static void worker_waits(Task *worker)
{
	Dispatch *dispatch = worker->dispatch;
	if (dispatch == NULL || dispatch->serial)
		return;
	detach(dispatch);
	dispatch_wake(dispatch);
}

static void worker_ended(lua_State *L, Task *worker)
{
	Bind *bind = worker->joined.bind;
	wait_abandon(&worker->wait);
	list_remove(&worker->all);
	lua_settop(worker->co, 0);
	if (bind->idle_workers < IDLE_WORKERS) {
		list_prepend(&bind->workers, &worker->idle);
		bind->idle_workers++;
	} else {
		bind_release(L, worker);
	}
}

static void worker_failed(lua_State *L, Task *worker)
{
	Dispatch *dispatch = worker->dispatch;
	push_task(L, worker);
	close_failed(L, worker->co);
	lua_getiuservalue(L, -3, UV_NAME);
	if (dispatch != NULL && dispatch->failed != NULL)
		dispatch->failed(dispatch);
	if (dispatch != NULL) {
		detach(dispatch);
		dispatch_wake(dispatch);
	}
	worker_ended(L, worker);
	loop_report(L);
	lua_pop(L, 1);
}

/* --- accessors ------------------------------------------------------------------------------------------------ */

static const char *const state_names[] = {
	[TASK_NEW] = "waiting",
	[TASK_WAITING] = "waiting",
	[TASK_RUNNING] = "running",
	[TASK_DONE] = "done",
	[TASK_FAILED] = "failed",
	[TASK_CANCELLED] = "cancelled",
};

static Task *check_task(lua_State *L)
{
	return bind_check(L, 1, &task_class);
}

static int task_field(lua_State *L)
{
	Task *task = check_task(L);
	const char *name = luaL_tolstring(L, 2, NULL);
	if (strcmp(name, "status") == 0)
		lua_pushstring(L, state_names[task->state]);
	else if (strcmp(name, "name") == 0)
		lua_getiuservalue(L, 1, UV_NAME);
	else
		lua_pushnil(L);
	return 1;
}

static int task_tostring(lua_State *L)
{
	Task *task = check_task(L);
	size_t length;
	lua_getiuservalue(L, 1, UV_NAME);
	const char *name = luaL_tolstring(L, -1, &length);
	bind_pushescaped(L, name, length);
	lua_pushfstring(L, "moonwatch.task %s (%s)", lua_tostring(L, -1), state_names[task->state]);
	return 1;
}

/* --- results -------------------------------------------------------------------------------------------------- */

static int push_results(lua_State *L, Task *task)
{
	lua_pushboolean(L, true);
	luaL_checkstack(L, task->values, "too many results");
	for (int i = 1; i <= task->values; i++) {
		lua_pushvalue(task->co, i);
		lua_xmove(task->co, L, 1);
	}
	return task->values + 1;
}

/* The task is at index 1. */
static int take_result(lua_State *L, Source *source)
{
	Task *task = (Task *)source;
	if (!task_has_ended(task))
		return 0;
	task_ask(L, task);
	if (task->state == TASK_DONE)
		return push_results(L, task);
	lua_pushboolean(L, false);
	if (task->state == TASK_CANCELLED)
		lua_pushliteral(L, "cancelled");
	lua_getiuservalue(L, 1, UV_ERROR);
	if (task->state == TASK_FAILED)
		lua_getiuservalue(L, 1, UV_TRACEBACK);
	return 3;
}

static void init_task(lua_State *L, Task *task)
{
	source_init(L, &task->joined, take_result, NULL);
	task->joined.internal = true;
	task->wait.bind = task->joined.bind;
	task->wait.task = task;
	task->wait.ready.run = run_task;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

/* join([timeout]) -> true, results... | false, error, traceback | false, "cancelled", why */
static int l_join(lua_State *L)
{
	Task *task = check_task(L);
	if (task == task->joined.bind->running)
		return bind_misuse(L, "a task cannot join itself");
	return bind_wait(L, &task->joined);
}

/* cancel([why]) -> whether it was still alive; does not return in the task itself */
static int l_cancel(lua_State *L)
{
	Task *task = check_task(L);
	Bind *bind = task->joined.bind;
	if (task_has_ended(task) || task->closing) {
		lua_pushboolean(L, false);
		return 1;
	}
	lua_settop(L, 2);
	lua_setiuservalue(L, 1, UV_ERROR);
	task_cancel(L, task);
	if (task == bind->running && !task->closing && bind->inner == L && lua_isyieldable(L)) {
		bind->suspended = true;
		return lua_yield(L, 0);
	}
	lua_pushboolean(L, true);
	return 1;
}

/* Checks ([name,] fn, ...) from `first` on, moves nothing: pushes function and arguments, returns how many those are. */
static int push_call(lua_State *L, int first, const char **name)
{
	*name = NULL;
	if (lua_type(L, first) == LUA_TSTRING)
		*name = lua_tostring(L, first++);
	if (!lua_isfunction(L, first))
		bind_misuse(L, "spawn: function expected, got %s", luaL_typename(L, first));
	int nargs = lua_gettop(L) - first;
	luaL_checkstack(L, nargs + 1, NULL);
	for (int i = first; i <= first + nargs; i++)
		lua_pushvalue(L, i);
	return nargs;
}

static int l_spawn(lua_State *L)
{
	const char *name;
	int nargs = push_call(L, 1, &name);
	bind_spawn(L, name, nargs);
	return 1;
}

/* --- groups: what a scope stands on --------------------------------------------------------------------------- */

static Group *check_group(lua_State *L)
{
	return bind_check(L, 1, &group_class);
}

static int take_ended(lua_State *L, Source *source)
{
	Group *group = (Group *)source;
	List *link = list_pop(&group->ended);
	if (link == NULL)
		return 0;
	Task *task = list_item(link, Task, member);
	push_task(L, task);
	task->group = NULL;
	group->count--;
	bind_release(L, task);
	return 1;
}

static int l_group(lua_State *L)
{
	Group *group = bind_new(L, &group_class, sizeof(*group), 0);
	source_init(L, &group->source, take_ended, NULL);
	group->source.internal = true;
	list_init(&group->living);
	list_init(&group->ended);
	return 1;
}

static int group_spawn(lua_State *L)
{
	Group *group = check_group(L);
	const char *name;
	int nargs = push_call(L, 2, &name);
	if (group->source.closed)
		return bind_misuse(L, "spawn: the scope has ended");
	bind_spawn(L, name, nargs);
	Task *task = lua_touserdata(L, -1);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, UV_GROUP);
	task->group = group;
	list_append(&group->living, &task->member);
	group->count++;
	return 1;
}

/* get([timeout]) -> a task that has ended; nothing where there is none any more */
static int group_get(lua_State *L)
{
	Group *group = check_group(L);
	return group->count > 0 ? bind_wait(L, &group->source) : 0;
}

/* cancel([why]): all that live. A member's __close may end others, so the list is looked at anew each time. */
static int group_cancel(lua_State *L)
{
	Group *group = check_group(L);
	lua_settop(L, 2);
	for (List *link = group->living.prev; link != &group->living; link = group->living.prev) {
		Task *task = list_item(link, Task, member);
		push_task(L, task);
		lua_pushvalue(L, 2);
		lua_setiuservalue(L, -2, UV_ERROR);
		task_cancel(L, task);
		lua_pop(L, 1);
		if (task->group == group && !task_has_ended(task))
			break; /* it runs above us; it ends at its next wait */
	}
	return 0;
}

static void forget_members(lua_State *L, List *list, bool release)
{
	List *link;
	while ((link = list_pop(list)) != NULL) {
		Task *task = list_item(link, Task, member);
		task->group = NULL;
		if (release)
			bind_release(L, task);
	}
}

/* Those that live go on as tasks of nobody. */
static int group_close(lua_State *L)
{
	Group *group = check_group(L);
	if (group->source.bind == NULL)
		return 0;
	forget_members(L, &group->living, false);
	forget_members(L, &group->ended, true);
	group->count = 0;
	source_close(&group->source);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class task_class = {
	.name = "moonwatch.task",
	.methods = (const luaL_Reg[]){{"join", l_join}, {"cancel", l_cancel}, {NULL, NULL}},
	.meta = (const luaL_Reg[]){{"__tostring", task_tostring}, {NULL, NULL}},
	.field = task_field,
	.is_source = true,
};

static const Class group_class = {
	.name = "moonwatch.group",
	.methods = (const luaL_Reg[]){{"spawn", group_spawn}, {"get", group_get},
		{"cancel", group_cancel}, {NULL, NULL}},
	.close = group_close,
	.is_source = true,
};

int open_task(lua_State *L)
{
	bind_class(L, &task_class);
	bind_class(L, &group_class);
	luaL_setfuncs(L, (const luaL_Reg[]){{"spawn", l_spawn}, {"group", l_group}, {NULL, NULL}}, 0);
	return 0;
}
