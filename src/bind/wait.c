/* SPDX-License-Identifier: MIT
 *
 * wait.c - sources and waits: who may take what, in which order, and what a suspended function finds when it goes on.
 *
 * - A waiter stays in its source's list while it is woken, so that a newcomer never overtakes it. It leaves the list
 *   for the moment in which `take` runs: take may raise, and nothing must then point at a wait that is no more.
 * - Whoever leaves a source wakes the next one. That one may find nothing; then it waits on, in front.
 * - Between two resumes of a wait its stack holds the source's object at index 1: sources need no anchor for waiters.
 */
#include "bind/bind.h"

#include <errno.h>
#include <string.h>

#include "bind/state.h"

/* --- sources -------------------------------------------------------------------------------------------------- */

void source_init(lua_State *L, Source *source, int (*take)(lua_State *L, Source *source),
	void (*interest)(Source *source, bool on))
{
	source->bind = bind_get(L);
	source->take = take;
	source->interest = interest;
	source->closed = false;
	list_init(&source->waiters);
}

Loop *source_loop(const Source *source)
{
	return source->bind->loop;
}

bool source_has_waiters(const Source *source)
{
	return !list_empty(&source->waiters);
}

static void lose_interest(Source *source)
{
	list_remove(&source->lingering);
	if (source->interest != NULL)
		source->interest(source, false);
}

static void gain_interest(Source *source)
{
	if (list_linked(&source->lingering))
		list_remove(&source->lingering);
	else if (source->interest != NULL)
		source->interest(source, true);
}

/* A foreign loop may look at any time. */
static void last_has_left(Source *source)
{
	if (!source->lingers || source->bind->foreign != NULL)
		lose_interest(source);
	else if (!list_linked(&source->lingering))
		list_append(&source->bind->lingering, &source->lingering);
}

void wait_settle_interest(Bind *bind)
{
	List *link;
	while ((link = list_pop(&bind->lingering)) != NULL)
		lose_interest(list_item(link, Source, lingering));
}

void wait_wake(Waiter *waiter)
{
	waiter->woken = true;
	wait_make_ready(waiter->wait);
}

void source_wake(Source *source, size_t count)
{
	if (list_empty(&source->waiters)) {
		lose_interest(source);
		return;
	}
	for (List *link = source->waiters.next; link != &source->waiters && count > 0; count--) {
		Waiter *waiter = list_item(link, Waiter, link);
		link = link->next;
		wait_wake(waiter);
	}
}

void source_close(Source *source)
{
	if (source->closed || source->bind == NULL)
		return;
	source->closed = true;
	source_wake(source, SIZE_MAX);
	lose_interest(source);
}

static void source_pass_on(Source *source)
{
	if (list_empty(&source->waiters))
		last_has_left(source);
	else if (!list_item(source->waiters.next, Waiter, link)->woken)
		source_wake(source, 1);
}

static void waiter_enter(Waiter *waiter, Wait *wait)
{
	Source *source = waiter->source;
	bool first = list_empty(&source->waiters);
	waiter->wait = wait;
	waiter->woken = false;
	list_append(&source->waiters, &waiter->link);
	if (source->closed)
		wait_wake(waiter);
	else if (first)
		gain_interest(source);
}

static void waiter_leave(Waiter *waiter)
{
	if (!list_linked(&waiter->link))
		return;
	list_remove(&waiter->link);
	source_pass_on(waiter->source);
}

/* --- waits ---------------------------------------------------------------------------------------------------- */

static void poke_foreign(Bind *bind)
{
	if (bind_open_loop(bind) == 0)
		loop_job_start(bind->loop, &bind->poke);
}

void bind_make_ready(Bind *bind, Ready *ready)
{
	if (list_linked(&ready->link))
		return;
	list_append(&bind->ready, &ready->link);
	if (bind->foreign != NULL || (bind->polled && !bind->driving))
		poke_foreign(bind);
}

void wait_make_ready(Wait *wait)
{
	if (wait->active)
		bind_make_ready(wait->bind, &wait->ready);
}

static void expire(LoopTimer *timer)
{
	Wait *wait = list_item(timer, Wait, timer);
	wait->expired = true;
	wait_make_ready(wait);
}

static void note_external(Wait *wait, bool external)
{
	if (external && !wait->external)
		wait->bind->external++;
	else if (!external && wait->external)
		wait->bind->external--;
	wait->external = external;
}

void wait_abandon(Wait *wait)
{
	wait->active = false;
	note_external(wait, false);
	loop_timer_stop(&wait->timer);
	list_remove(&wait->ready.link);
	for (size_t i = 0; i < wait->count; i++)
		waiter_leave(&wait->waiter[i]);
	wait->waiter = NULL;
	wait->count = 0;
}

void wait_begin(lua_State *L, Wait *wait, double timeout)
{
	Loop *loop = bind_loop(L);
	wait_abandon(wait); /* what a take that raised may have left */
	wait->expired = false;
	wait->timer.fire = expire;
	if (timeout >= 0 && loop_timer_start(loop, &wait->timer, loop_now() + timeout) < 0)
		luaL_error(L, "not enough memory");
	note_external(wait, timeout >= 0);
	wait->active = true;
}

void wait_enter(Wait *wait, Waiter *waiters, size_t count)
{
	wait->waiter = waiters;
	wait->count = count;
	for (size_t i = 0; i < count; i++) {
		waiter_enter(&waiters[i], wait);
		if (!waiters[i].source->internal)
			note_external(wait, true);
	}
}

/* Takes what the waiter was woken for: its results; 0: nothing is there. */
static int try_waiter(lua_State *L, Wait *wait, Waiter *waiter)
{
	Source *source = waiter->source;
	waiter->woken = false;
	list_remove(&waiter->link);
	wait->active = false;
	int results = wait->take(L, source);
	if (results == 0 && source->closed)
		results = bind_closed(L);
	wait->active = true;
	if (results > 0)
		source_pass_on(source);
	else
		list_prepend(&source->waiters, &waiter->link);
	return results;
}

static int push_true(lua_State *L)
{
	lua_pushboolean(L, true);
	return 1;
}

/* What a wait that was made ready has come to: its results, or 0 to wait on. */
static int wait_look(lua_State *L, Wait *wait)
{
	int results = 0;
	size_t start = wait->count > 1 ? wait->bind->rotation++ : 0;
	for (size_t i = 0; i < wait->count && results == 0; i++) {
		wait->chosen = (start + i) % wait->count;
		if (wait->waiter[wait->chosen].woken)
			results = try_waiter(L, wait, &wait->waiter[wait->chosen]);
	}
	if (results == 0 && wait->expired)
		results = wait->waiter != NULL ? bind_timeout(L) : push_true(L);
	if (results > 0)
		wait_abandon(wait);
	return results;
}

/* --- where a wait is possible --------------------------------------------------------------------------------- */

/* The nearest C function that is not one of those which can be suspended. */
static const char *blocking_function(lua_State *L, lua_Debug *ar)
{
	for (int level = 1; lua_getstack(L, level, ar); level++) {
		lua_getinfo(L, "Sn", ar);
		if (strcmp(ar->namewhat, "metamethod") == 0 && strcmp(ar->name, "close") != 0)
			return ar->name;
		if (*ar->what == 'C' && ar->name != NULL && strstr(ar->name, "pcall") == NULL)
			return ar->name;
	}
	return NULL;
}

static int cannot_suspend(lua_State *L)
{
	lua_Debug ar;
	const char *name = blocking_function(L, &ar);
	if (name == NULL)
		return bind_misuse(L, "cannot wait here: a C function in between cannot be suspended");
	return bind_misuse(L, "cannot wait inside '%s': it cannot be suspended", name);
}

void wait_check(lua_State *L, Bind *bind)
{
	Task *task = bind->running;
	if (bind->nowait != NULL)
		bind_misuse(L, "cannot wait inside %s", bind->nowait);
	if (task == NULL && bind->driving)
		bind_misuse(L, "cannot wait inside a finalizer or a callback: the loop is at work");
	if (task == NULL)
		return;
	if (task->closing)
		bind_misuse(L, "cannot wait in a __close while its task is being closed");
	if (bind->inner != L)
		bind_misuse(L, "cannot wait inside a foreign coroutine: make it by moonwatch.coroutine");
	if (!lua_isyieldable(L))
		cannot_suspend(L);
}

/* --- suspending ----------------------------------------------------------------------------------------------- */

static int wait_resumed(lua_State *L, int status, lua_KContext context)
{
	Bind *bind = (Bind *)context;
	(void)status;
	if (!bind->waking) /* somebody else's coroutine.resume: it is not his to end our wait */
		return lua_yieldk(L, 0, context, wait_resumed);
	bind->waking = false;
	int results = wait_look(L, &bind->running->wait);
	if (results > 0)
		return results;
	bind->suspended = true;
	return lua_yieldk(L, 0, context, wait_resumed);
}

static bool main_is_ready(Bind *bind, void *context)
{
	(void)context;
	return bind->main_is_ready;
}

static void run_main(lua_State *L, Ready *ready)
{
	(void)L;
	list_item(ready, Wait, ready)->bind->main_is_ready = true;
}

static int wait_drive(lua_State *L, Bind *bind)
{
	for (;;) {
		bind->main_is_ready = false;
		DriveEnd end = task_drive(L, bind, main_is_ready, NULL);
		int results = end == DRIVE_DONE ? wait_look(L, &bind->main_wait) : 0;
		if (results > 0)
			return results;
		if (end == DRIVE_DONE)
			continue;
		wait_abandon(&bind->main_wait);
		if (end == DRIVE_STOPPED)
			return bind_failf(L, ECANCELED, "stopped");
		task_push_deadlock(L, bind, true);
		return lua_error(L);
	}
}

Wait *wait_of(Bind *bind)
{
	if (bind->running != NULL)
		return &bind->running->wait;
	bind->main_wait.bind = bind;
	bind->main_wait.ready.run = run_main;
	return &bind->main_wait;
}

int wait_suspend(lua_State *L, Bind *bind)
{
	if (bind->running == NULL)
		return wait_drive(L, bind);
	bind->suspended = true;
	return lua_yieldk(L, 0, (lua_KContext)bind, wait_resumed);
}

/* --- the calls that wait -------------------------------------------------------------------------------------- */

/* So many values in a row are taken without a yield; then the others get their turn. */
enum { QUICK_TAKES = 1024 };

static int source_wait(lua_State *L, Source *source, double timeout,
	int (*take)(lua_State *L, Source *source), bool is_there)
{
	Bind *bind = source->bind;
	wait_check(L, bind);
	Wait *wait = wait_of(bind);
	wait_begin(L, wait, timeout);
	wait->take = take;
	wait->one.source = source;
	wait_enter(wait, &wait->one, 1);
	if (is_there)
		wait_wake(&wait->one);
	if (is_there && bind->running == NULL) {
		wait_settle_interest(bind);
		loop_step(bind->loop, 0);
	}
	return wait_suspend(L, bind);
}

/* A task that could take for ever without a yield must let the others run now and then. */
bool wait_had_enough(lua_State *L, Bind *bind, double timeout)
{
	if (++bind->quick_takes < QUICK_TAKES || timeout == 0 || bind->nowait != NULL)
		return false;
	bind->quick_takes = 0;
	return bind->running != NULL ? bind->inner == L && lua_isyieldable(L) : !bind->driving;
}

int source_get_with(
	lua_State *L, Source *source, double timeout, int (*take)(lua_State *L, Source *source))
{
	bool enough = false;
	if (list_empty(&source->waiters)) {
		enough = wait_had_enough(L, source->bind, timeout);
		int results = enough ? 0 : take(L, source);
		if (results > 0)
			return results;
		if (source->closed && !enough)
			return bind_closed(L);
	}
	if (timeout == 0)
		return bind_timeout(L);
	return source_wait(L, source, timeout, take, enough);
}

int source_get(lua_State *L, Source *source, double timeout)
{
	return source_get_with(L, source, timeout, source->take);
}

int bind_wait(lua_State *L, Source *source)
{
	double timeout = bind_opttimeout(L, 2);
	lua_settop(L, 1);
	return source_get(L, source, timeout);
}

/* Upvalues: object, its source, timeout. */
static int each_next(lua_State *L)
{
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	return source_get(
		L, lua_touserdata(L, lua_upvalueindex(2)), lua_tonumber(L, lua_upvalueindex(3)));
}

int bind_each(lua_State *L, Source *source, double timeout)
{
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, source);
	lua_pushnumber(L, timeout);
	lua_pushcclosure(L, each_next, 3);
	return 1;
}

int bind_sleep(lua_State *L, double seconds)
{
	Bind *bind = bind_get(L);
	wait_check(L, bind);
	wait_begin(L, wait_of(bind), seconds);
	return wait_suspend(L, bind);
}

int bind_pcall_nowait(lua_State *L, int nargs, int nresults, const char *what)
{
	Bind *bind = bind_get(L);
	const char *before = bind->nowait;
	bind->nowait = what;
	int status = lua_pcall(L, nargs, nresults, 0);
	bind->nowait = before;
	return status;
}
