/* SPDX-License-Identifier: MIT
 *
 * lselect.c - select: the first of several sources that has a value.
 *
 * One wait stands in the queue of each source. Whichever wakes it is asked; the places in the other queues are given up
 * when one has given a value, and their wake-ups passed on. Objects that only know the polling protocol (pollfd, events,
 * timeout) are wrapped in a source made for this one call.
 *
 * Stack while it waits: 1 the argument, 2 the objects as given, 3 their sources, 4 the set.
 */
#include "bind/bind.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "bind/core.h"
#include "bind/state.h"

enum { GIVEN = 2, SOURCES, SET };

typedef struct Set {
	size_t count;
	Waiter waiters[];
} Set;

/* --- objects with the polling protocol ------------------------------------------------------------------------- */

typedef struct Pollable {
	Source source; /* first member */
	LoopIo io;
	LoopTimer timer;
	int fd; /* -1: only the deadline counts */
	short events;
	double deadline; /* HUGE_VAL: none */
	int error;
} Pollable;

static const Class pollable_class;

static void pollable_stop(Pollable *pollable)
{
	loop_io_stop(&pollable->io);
	loop_timer_stop(&pollable->timer);
}

static void pollable_start(Pollable *pollable)
{
	Loop *loop = source_loop(&pollable->source);
	uint32_t events = (pollable->events & POLLIN ? EPOLLIN : 0u) |
		(pollable->events & POLLOUT ? EPOLLOUT : 0u) | (pollable->events & POLLPRI ? EPOLLPRI : 0u);
	if (pollable->fd >= 0)
		pollable->error = loop_io_start(loop, &pollable->io, pollable->fd, events);
	if (pollable->error == 0 && pollable->deadline < HUGE_VAL)
		pollable->error = loop_timer_start(loop, &pollable->timer, pollable->deadline);
	if (pollable->error < 0)
		source_wake(&pollable->source, 1);
}

static void pollable_interest(Source *source, bool on)
{
	Pollable *pollable = (Pollable *)source;
	if (on)
		pollable_start(pollable);
	else
		pollable_stop(pollable);
}

static void pollable_ready(LoopIo *io, uint32_t events)
{
	(void)events;
	source_wake(&list_item(io, Pollable, io)->source, 1);
}

static void pollable_expired(LoopTimer *timer)
{
	source_wake(&list_item(timer, Pollable, timer)->source, 1);
}

/* The value is what it is ready for: "r", "w", "p" or several; "" when its deadline has passed. */
static int pollable_take(lua_State *L, Source *source)
{
	Pollable *pollable = (Pollable *)source;
	struct pollfd poll_fd = {.fd = pollable->fd, .events = pollable->events};
	if (pollable->error < 0)
		return bind_fail(L, "select", -pollable->error);
	if (poll(&poll_fd, 1, 0) <= 0) {
		if (loop_now() < pollable->deadline)
			return 0;
		lua_pushliteral(L, "");
		return 1;
	}
	bool broken = poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL);
	short ready = broken ? (short)(poll_fd.revents | poll_fd.events) : poll_fd.revents;
	lua_pushfstring(L, "%s%s%s", ready & POLLIN ? "r" : "", ready & POLLOUT ? "w" : "",
		ready & POLLPRI ? "p" : "");
	return 1;
}

static int pollable_close(lua_State *L)
{
	pollable_stop(bind_check(L, 1, &pollable_class));
	return 0;
}

static const Class pollable_class = {
	.name = "moonwatch.pollable",
	.close = pollable_close,
	.is_source = true,
};

/* --- what may be selected -------------------------------------------------------------------------------------- */

/* Pushes what the object's method gives, nil where it has none. */
static void push_answer(lua_State *L, int object, const char *method)
{
	lua_getfield(L, object, method);
	if (!lua_isfunction(L, -1))
		return;
	lua_pushvalue(L, object);
	lua_call(L, 1, 1);
}

static short events_of(lua_State *L, int index)
{
	if (lua_isinteger(L, index))
		return (short)lua_tointeger(L, index);
	const char *letters = luaL_optstring(L, index, "r");
	return (short)((strchr(letters, 'r') ? POLLIN : 0) | (strchr(letters, 'w') ? POLLOUT : 0) |
		(strchr(letters, 'p') ? POLLPRI : 0));
}

/* cqueues lets pollfd() give another object that knows the descriptor. */
static int fd_of(lua_State *L, int object)
{
	push_answer(L, object, "pollfd");
	for (int depth = 0; depth < 8 && !lua_isinteger(L, -1) && !lua_isnil(L, -1); depth++) {
		push_answer(L, lua_gettop(L), "pollfd");
		lua_remove(L, -2);
	}
	lua_Integer fd = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
	lua_pop(L, 1);
	return fd >= 0 && fd <= INT_MAX ? (int)fd : -1;
}

static void push_pollable(lua_State *L, int object)
{
	Pollable *pollable = bind_new(L, &pollable_class, sizeof(*pollable), 0);
	source_init(L, &pollable->source, pollable_take, pollable_interest);
	pollable->io.ready = pollable_ready;
	pollable->timer.fire = pollable_expired;
	pollable->fd = fd_of(L, object);
	push_answer(L, object, "events");
	pollable->events = events_of(L, -1);
	push_answer(L, object, "timeout");
	pollable->deadline = lua_isnumber(L, -1) ? loop_now() + lua_tonumber(L, -1) : HUGE_VAL;
	lua_pop(L, 2);
}

static bool has_pollfd(lua_State *L, int object)
{
	if (!lua_istable(L, object) && luaL_getmetafield(L, object, "__index") == LUA_TNIL)
		return false;
	if (!lua_istable(L, object))
		lua_pop(L, 1);
	bool has = lua_getfield(L, object, "pollfd") == LUA_TFUNCTION;
	lua_pop(L, 1);
	return has;
}

/* Pushes the source object that stands for the value at `object`: itself, what its __waitable gives, or a wrapper. */
static void push_source(lua_State *L, int object, int number)
{
	const Source *source = bind_testsource(L, object);
	if (source != NULL) {
		if (source->refusal != NULL)
			bind_misuse(L, "select: #%d: %s", number, source->refusal);
		lua_pushvalue(L, object);
	} else if (luaL_getmetafield(L, object, "__waitable") != LUA_TNIL) {
		lua_pushvalue(L, object);
		lua_call(L, 1, 1);
		if (bind_testsource(L, -1) == NULL)
			bind_misuse(L, "select: the __waitable of #%d gave no source", number);
	} else if (has_pollfd(L, object)) {
		push_pollable(L, object);
	} else {
		bind_misuse(L, "select: #%d is a %s and nothing that can be waited for", number,
			luaL_typename(L, object));
	}
}

/* --- taking ---------------------------------------------------------------------------------------------------- */

/* (source object, source): `take` finds its object at index 1. */
static int take_one(lua_State *L)
{
	Source *source = lua_touserdata(L, 2);
	lua_settop(L, 1);
	int results = source->take(L, source);
	return results == 0 && source->closed ? bind_closed(L) : results;
}

/* Pushes the object and its value; 0: nothing there. */
static int take_from(lua_State *L, lua_Integer number, Source *source)
{
	lua_settop(L, SET);
	lua_rawgeti(L, GIVEN, number);
	lua_pushcfunction(L, take_one);
	lua_rawgeti(L, SOURCES, number);
	lua_pushlightuserdata(L, source);
	if (lua_pcall(L, 2, LUA_MULTRET, 0) != LUA_OK) {
		wait_abandon(wait_of(source->bind));
		return lua_error(L);
	}
	int results = lua_gettop(L) - SET;
	return results > 1 ? results : 0;
}

static int take_woken(lua_State *L, Source *source)
{
	return take_from(L, (lua_Integer)wait_of(source->bind)->chosen + 1, source);
}

/* Starts at another one each time, so that none is starved by a busy one before it. */
static int take_any(lua_State *L, Bind *bind, Set *set)
{
	size_t start = bind->rotation++;
	int results = 0;
	for (size_t i = 0; i < set->count && results == 0; i++) {
		size_t which = (start + i) % set->count;
		Source *source = set->waiters[which].source;
		if (!source_has_waiters(source))
			results = take_from(L, (lua_Integer)which + 1, source);
	}
	return results;
}

/* --- select ---------------------------------------------------------------------------------------------------- */

static double read_timeout(lua_State *L)
{
	lua_getfield(L, 1, "timeout");
	if (!lua_isnil(L, -1) && !(lua_isnumber(L, -1) && lua_tonumber(L, -1) >= 0))
		bind_misuse(L, "select: timeout is a number of seconds from 0 up");
	double timeout = bind_opttimeout(L, -1);
	lua_pop(L, 1);
	return timeout;
}

/* Is the key at -2 that of a source, or of the only option? */
static bool is_known(lua_State *L, lua_Integer count)
{
	if (lua_isinteger(L, -2))
		return lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= count;
	return lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "timeout") == 0;
}

/* A misspelt timeout would wait for ever, and a source behind a hole in the list never be looked at. */
static void check_keys(lua_State *L, lua_Integer count)
{
	for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1))
		if (!is_known(L, count))
			bind_misuse(L, "select: unknown key '%s': there are sources and 'timeout'",
				luaL_tolstring(L, -2, NULL));
}

static Set *push_set(lua_State *L)
{
	lua_Integer count = luaL_len(L, 1);
	check_keys(L, count);
	lua_createtable(L, (int)count, 0);
	lua_createtable(L, (int)count, 0);
	Set *set = lua_newuserdatauv(L, sizeof(*set) + (size_t)count * sizeof(Waiter), 0);
	memset(set, 0, sizeof(*set) + (size_t)count * sizeof(Waiter));
	for (lua_Integer i = 1; i <= count; i++) {
		lua_geti(L, 1, i);
		push_source(L, SET + 1, (int)i);
		set->waiters[i - 1].source = lua_touserdata(L, -1);
		lua_rawseti(L, SOURCES, i);
		lua_rawseti(L, GIVEN, i);
		lua_settop(L, SET);
	}
	set->count = (size_t)count;
	return set;
}

static int wait_for_any(lua_State *L, Bind *bind, Set *set, double timeout, bool at_once)
{
	wait_check(L, bind);
	Wait *wait = wait_of(bind);
	wait_begin(L, wait, timeout);
	wait->take = take_woken;
	wait_enter(wait, set->waiters, set->count);
	for (size_t i = 0; at_once && i < set->count; i++)
		wait_wake(&set->waiters[i]);
	return wait_suspend(L, bind);
}

/* select{ a, b, ..., timeout = s } -> source, value... | nil, "timeout", ETIMEDOUT */
static int l_select(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	Bind *bind = bind_get(L);
	double timeout = read_timeout(L);
	Set *set = push_set(L);
	if (set->count == 0 && timeout < 0)
		return bind_misuse(L, "select: nothing to wait for");
	bool enough = wait_had_enough(L, bind, timeout);
	int results = enough ? 0 : take_any(L, bind, set);
	if (results > 0)
		return results;
	if (timeout == 0)
		return bind_timeout(L);
	lua_settop(L, SET);
	return wait_for_any(L, bind, set, timeout, enough);
}

int open_select(lua_State *L)
{
	bind_class(L, &pollable_class);
	lua_pushcfunction(L, l_select);
	lua_setfield(L, 1, "select");
	return 0;
}
