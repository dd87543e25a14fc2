/* SPDX-License-Identifier: MIT
 *
 * linotify.c - the inotify object: one to one with a kernel descriptor.
 *
 * Events are read 64 KiB at a time and decoded one by one, when they are asked for: an event that nobody takes costs
 * nothing but its bytes. The descriptor is in the loop only while somebody waits or a handler lives.
 */
#include "bind/linotify.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/nearest.h"
#include "bind/levent.h"
#include "bind/llimits.h"

static Inotify *check(lua_State *L)
{
	return bind_check(L, 1, &inotify_class);
}

static void check_suspects(lua_State *L, Inotify *self, int object)
{
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	self->suspect = false;
	watch_check_all(L, self, object);
}

/* --- taking --------------------------------------------------------------------------------------------------- */

/* One event, or 0. */
static int take(lua_State *L, Source *source)
{
	Inotify *self = (Inotify *)source;
	int object = 1;
	if (!self->open)
		return 0;
	if (self->suspect)
		check_suspects(L, self, object);
	if (!fifo_empty(&self->queue)) {
		fifo_push(L, object, &self->queue);
		return 1;
	}
	bool found = inotify_decode(L, self, object, READER);
	while (!found && fifo_empty(&self->queue) && inotify_refill(self) > 0)
		found = inotify_decode(L, self, object, READER);
	if (self->handlers > 0 && self->reader.at != self->reader.end)
		dispatch_wake(&self->dispatch);
	return found;
}

/* True where the event on the top of the stack says again what the table at `seen` remembers. */
static bool is_repeat(lua_State *L, int seen)
{
	static const uint32_t repeatable =
		NOTIFY_MODIFY | NOTIFY_ATTRIB | NOTIFY_ACCESS | NOTIFY_OPEN | NOTIFY_CLOSE;
	const Event *event = event_test(L, -1);
	char key[sizeof(void *) + NAME_MAX];
	size_t length = event->name_length < NAME_MAX ? event->name_length : NAME_MAX;
	lua_getiuservalue(L, -1, EVENT_DIRECTORY);
	const void *watch = lua_topointer(L, -1);
	memcpy(key, &watch, sizeof watch);
	memcpy(key + sizeof watch, event->names, length);
	lua_pushlstring(L, key, sizeof watch + length);
	lua_replace(L, -2);
	lua_pushvalue(L, -1);
	lua_rawget(L, seen);
	uint32_t before = (uint32_t)lua_tointeger(L, -1), bits = event->mask & repeatable;
	lua_pop(L, 1);
	/* Another thing under the same name: its changes are news. */
	lua_pushinteger(L, bits == 0 ? 0 : before | bits);
	lua_rawset(L, seen);
	return bits != 0 && (before & bits) == bits;
}

static bool in_hand(const Inotify *self)
{
	return !fifo_empty(&self->queue) || self->reader.at != self->reader.end;
}

static bool is_anything_there(const Inotify *self)
{
	return self->open && (in_hand(self) || notify_pending(self->fd) > 0);
}

/* About how many records wait: most take 32 bytes. */
static int expected_count(const Inotify *self, int waiting)
{
	ptrdiff_t bytes = (self->reader.end - self->reader.at) + (waiting > 0 ? waiting : 0);
	return (int)(bytes / (2 * NOTIFY_RECORD_SIZE)) + (int)(self->queue.tail - self->queue.head);
}

/* A list of all that is there, or 0. What comes while it is made is left for the next. */
static int take_all(lua_State *L, Source *source)
{
	Inotify *self = (Inotify *)source;
	lua_Integer count = 0;
	if (!is_anything_there(self))
		return 0;
	int waiting = notify_pending(self->fd);
	uint64_t end = self->bytes_read + (uint64_t)(waiting > 0 ? waiting : 0);
	lua_createtable(L, expected_count(self, waiting), 0);
	lua_newtable(L);
	int list = lua_gettop(L) - 1, seen = list + 1;
	while ((in_hand(self) || self->bytes_read < end) && take(L, source) > 0) {
		if (self->coalesce && is_repeat(L, seen))
			lua_pop(L, 1);
		else
			lua_rawseti(L, list, ++count);
	}
	lua_settop(L, count > 0 ? list : list - 1);
	return count > 0;
}

/* --- in the loop ---------------------------------------------------------------------------------------------- */

int inotify_look(Inotify *self)
{
	bool wanted = self->open && (self->handlers > 0 || (self->interested && !self->gather.loop));
	if (!wanted) {
		loop_io_stop(&self->io);
		return 0;
	}
	if (self->io.loop != NULL)
		return 0;
	Loop *loop = bind_loop_of(self->source.bind);
	return loop == NULL ? -ENOMEM : loop_io_start(loop, &self->io, self->fd, EPOLLIN);
}

static void on_readable(LoopIo *io, uint32_t events)
{
	(void)events;
	Inotify *self = list_item(io, Inotify, io);
	if (self->handlers > 0)
		dispatch_wake(&self->dispatch);
	else
		source_wake(&self->source, 1);
}

/* The first waiter has come, or the last one gone. */
static void on_interest(Source *source, bool on)
{
	Inotify *self = (Inotify *)source;
	self->interested = on;
	if (!on)
		loop_timer_stop(&self->gather);
	inotify_look(self);
}

static void on_gathered(LoopTimer *timer)
{
	Inotify *self = list_item(timer, Inotify, gather);
	inotify_look(self);
	source_wake(&self->source, 1);
}

/* Lets the kernel pile events up until then: the descriptor is not looked at meanwhile. */
static void gather_until(lua_State *L, Inotify *self, double at)
{
	if (loop_timer_start(bind_loop(L), &self->gather, at) < 0)
		luaL_error(L, "not enough memory");
	inotify_look(self);
}

/* `take` of a read with a delay, whose stack is: object, timeout, delay, and when the delay ends (nil: nobody has
 * looked yet; false: nothing was there). */
static int take_gathered(lua_State *L, Source *source)
{
	enum { DELAY = 3, UNTIL = 4 };
	Inotify *self = (Inotify *)source;
	if (!is_anything_there(self)) {
		lua_pushboolean(L, false);
		lua_replace(L, UNTIL);
		return 0;
	}
	if (lua_isboolean(L, UNTIL)) {
		lua_pushnumber(L, loop_now() + lua_tonumber(L, DELAY));
		lua_replace(L, UNTIL);
	}
	if (lua_isnumber(L, UNTIL) && loop_now() < lua_tonumber(L, UNTIL)) {
		gather_until(L, self, lua_tonumber(L, UNTIL));
		return 0;
	}
	return take_all(L, source);
}

/* --- handlers ------------------------------------------------------------------------------------------------- */

/* The last handler's watch is dead and its IGNORED handed over. */
static void let_go(lua_State *L, Inotify *self)
{
	if (!self->anchored || self->handlers > 0 || !fifo_empty(&self->handled))
		return;
	self->anchored = false;
	dispatch_stop(&self->dispatch);
	inotify_look(self);
	bind_unanchor(L, self);
}

/* The next event for a handler, with it; -1: none in this turn. One read of the kernel a turn, so that a steady writer
 * does not hold up the loop. */
static int next_handled(lua_State *L, Dispatch *dispatch)
{
	Inotify *self = list_item(dispatch, Inotify, dispatch);
	int object = 1;
	bool found = false;
	if (!self->open)
		return -1;
	if (self->suspect)
		check_suspects(L, self, object);
	if (fifo_empty(&self->handled))
		found = inotify_decode(L, self, object, HANDLER);
	if (!found && fifo_empty(&self->handled) && !self->refilled) {
		self->refilled = true;
		inotify_refill(self);
		found = inotify_decode(L, self, object, HANDLER);
	}
	if (self->interested && !fifo_empty(&self->queue))
		source_wake(&self->source, 1);
	if (found)
		return 1;
	if (!fifo_empty(&self->handled)) {
		fifo_push(L, object, &self->handled);
		fifo_push(L, object, &self->handled);
		return 1;
	}
	self->refilled = false;
	let_go(L, self);
	return -1;
}

int inotify_handle(lua_State *L, Inotify *self, int object)
{
	if (!self->anchored) {
		bind_anchor(L, object, self);
		self->anchored = true;
	}
	if (in_hand(self))
		dispatch_wake(&self->dispatch);
	return inotify_look(self);
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

static int option_unknown(lua_State *L, const char *key)
{
	Nearest nearest = {0};
	nearest_offer(&nearest, key, "inheritable");
	nearest_offer(&nearest, key, "coalesce");
	bind_pushescaped(L, key, strlen(key));
	if (nearest.word == NULL)
		return bind_misuse(L,
			"unknown option '%s' of moonwatch.inotify: there are 'inheritable' and 'coalesce'",
			lua_tostring(L, -1));
	return bind_misuse(L, "unknown option '%s' of moonwatch.inotify; did you mean '%s'?",
		lua_tostring(L, -1), nearest.word);
}

/* Where the option of that name is to be put; NULL for an unknown one. */
static bool *find_option(const char *key, bool *inheritable, bool *coalesce)
{
	if (strcmp(key, "inheritable") == 0)
		return inheritable;
	return strcmp(key, "coalesce") == 0 ? coalesce : NULL;
}

/* One option: its key and value are on the top of the stack. */
static int read_option(lua_State *L, bool *inheritable, bool *coalesce)
{
	if (lua_type(L, -2) != LUA_TSTRING)
		return bind_misuse(
			L, "the options of moonwatch.inotify have names, not %s", luaL_tolstring(L, -2, NULL));
	const char *key = lua_tostring(L, -2);
	bool *option = find_option(key, inheritable, coalesce);
	if (option == NULL)
		return option_unknown(L, key);
	if (!lua_isboolean(L, -1))
		return bind_misuse(L, "option '%s' of moonwatch.inotify is true or false, not a %s", key,
			luaL_typename(L, -1));
	*option = lua_toboolean(L, -1);
	return 0;
}

static void read_options(lua_State *L, int index, bool *inheritable, bool *coalesce)
{
	if (lua_isnoneornil(L, index))
		return;
	if (!lua_istable(L, index))
		bind_misuse(
			L, "moonwatch.inotify takes a table of options, not a %s", luaL_typename(L, index));
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		read_option(L, inheritable, coalesce);
		lua_pop(L, 1);
	}
}

static void prepare(lua_State *L, Inotify *self, int object)
{
	self->fd = self->poll_fd = -1;
	self->io.ready = on_readable;
	self->gather.fire = on_gathered;
	self->queue = (Fifo){.head = 1, .tail = 1, .slot = SLOT_QUEUE};
	self->handled = (Fifo){.head = 1, .tail = 1, .slot = SLOT_HANDLED};
	list_init(&self->watches);
	for (int slot = 1; slot <= SLOT_COUNT; slot++) {
		lua_newtable(L);
		lua_setiuservalue(L, object, slot);
	}
	source_init(L, &self->source, take, on_interest);
	self->source.lingers = true;
	dispatch_init(L, &self->dispatch, self, "inotify handler", false, next_handled);
}

static int l_inotify(lua_State *L)
{
	bool inheritable = false, coalesce = false;
	lua_settop(L, 1);
	read_options(L, 1, &inheritable, &coalesce);
	Inotify *self = bind_new(L, &inotify_class, sizeof *self, SLOT_COUNT);
	prepare(L, self, 2);
	self->coalesce = coalesce;
	self->buffer = malloc(NOTIFY_BUFFER_SIZE);
	if (self->buffer == NULL)
		return luaL_error(L, "not enough memory");
	self->fd = notify_open(inheritable);
	self->owner = getpid();
	if (self->fd < 0)
		return limits_open_failed(L, -self->fd);
	self->open = true;
	return 1;
}

static int push_raw_event(lua_State *L, const NotifyRecord *record, double now, double wall)
{
	const Inotify stamps = {.time = now, .wall = wall};
	inotify_push_event(L, &stamps, record);
	return 1;
}

/* moonwatch.parse(bytes) */
static int l_parse(lua_State *L)
{
	size_t size;
	NotifyRecord record;
	lua_Integer count = 0;
	int found;
	if (lua_type(L, 1) != LUA_TSTRING)
		return bind_misuse(L, "moonwatch.parse takes a string of bytes, not a %s",
			lua_isnone(L, 1) ? "missing value" : luaL_typename(L, 1));
	const char *bytes = lua_tolstring(L, 1, &size);
	NotifyReader reader = notify_reader(bytes, size);
	double now = loop_now(), wall = inotify_wall_clock();
	lua_newtable(L);
	while ((found = notify_next(&reader, &record)) > 0) {
		push_raw_event(L, &record, now, wall);
		lua_rawseti(L, -2, ++count);
	}
	if (found < 0)
		return bind_failf(L, -found, "truncated record at byte %d of %d",
			(int)((const char *)reader.at - bytes) + 1, (int)size);
	return 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

static int l_get(lua_State *L)
{
	Inotify *self = check(L);
	return source_get(L, &self->source, bind_opttimeout(L, 2));
}

static int l_each(lua_State *L)
{
	Inotify *self = check(L);
	return bind_each(L, &self->source, bind_opttimeout(L, 2));
}

/* The waiting part of read: object, timeout, delay, and a place for take_gathered. */
static int l_read_wait(lua_State *L)
{
	Inotify *self = lua_touserdata(L, 1);
	bool gathers = lua_tonumber(L, 3) > 0;
	return source_get_with(
		L, &self->source, bind_opttimeout(L, 2), gathers ? take_gathered : take_all);
}

/* An expired read gives an empty list before the reason, or what the delay had gathered. */
static int read_done(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	Inotify *self = lua_touserdata(L, 1);
	int results = lua_gettop(L) - 3;
	if (results < 3 || lua_tointeger(L, -1) != ETIMEDOUT)
		return results;
	if (!source_has_waiters(&self->source) && take_all(L, &self->source) > 0)
		return 1;
	lua_newtable(L);
	lua_replace(L, -4);
	return 3;
}

static int l_read(lua_State *L)
{
	check(L);
	bind_opttimeout(L, 2);
	bind_opttimeout(L, 3);
	lua_settop(L, 3);
	lua_pushcfunction(L, l_read_wait);
	for (int argument = 1; argument <= 3; argument++)
		lua_pushvalue(L, argument);
	lua_pushnil(L);
	lua_callk(L, 4, LUA_MULTRET, 0, read_done);
	return read_done(L, LUA_OK, 0);
}

static int l_fileno(lua_State *L)
{
	Inotify *self = check(L);
	if (!self->open)
		return bind_closed(L);
	lua_pushinteger(L, self->fd);
	return 1;
}

static int l_pending(lua_State *L)
{
	Inotify *self = check(L);
	if (!self->open)
		return bind_closed(L);
	int bytes = notify_pending(self->fd);
	if (bytes < 0)
		return bind_fail(L, "inotify", -bytes);
	lua_pushinteger(L, bytes);
	return 1;
}

/* A descriptor of its own: two polls on one fail in some loops. */
static int l_pollfd(lua_State *L)
{
	Inotify *self = check(L);
	if (!self->open)
		return bind_closed(L);
	if (self->poll_fd < 0)
		self->poll_fd = fcntl(self->fd, F_DUPFD_CLOEXEC, 0);
	if (self->poll_fd < 0)
		return bind_fail(L, "inotify", errno);
	lua_pushinteger(L, self->poll_fd);
	return 1;
}

static int l_events(lua_State *L)
{
	check(L);
	lua_pushliteral(L, "r");
	return 1;
}

/* Nothing has to be polled for what is already here. */
static int l_timeout(lua_State *L)
{
	Inotify *self = check(L);
	if (self->open && in_hand(self))
		lua_pushnumber(L, 0);
	else
		lua_pushnil(L);
	return 1;
}

static int l_length(lua_State *L)
{
	Inotify *self = check(L);
	lua_pushinteger(L, (lua_Integer)self->active);
	return 1;
}

static int l_tostring(lua_State *L)
{
	Inotify *self = check(L);
	if (self->open)
		lua_pushfstring(
			L, "moonwatch.inotify (descriptor %d, %d watches)", self->fd, (int)self->active);
	else
		lua_pushliteral(L, "moonwatch.inotify (closed)");
	return 1;
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int l_close(lua_State *L)
{
	Inotify *self = check(L);
	bool anchored = self->anchored;
	self->open = self->anchored = false;
	loop_io_stop(&self->io);
	loop_timer_stop(&self->gather);
	source_close(&self->source);
	if (anchored)
		dispatch_stop(&self->dispatch);
	watch_clear(self);
	close_descriptor(&self->poll_fd);
	close_descriptor(&self->fd);
	free(self->buffer);
	free(self->listed);
	self->buffer = NULL;
	self->listed = NULL;
	self->reader = notify_reader(NULL, 0);
	if (anchored)
		bind_unanchor(L, self);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {
	{"add", watch_l_add},
	{"remove", watch_l_remove},
	{"find", watch_l_find},
	{"watches", watch_l_watches},
	{"get", l_get},
	{"read", l_read},
	{"each", l_each},
	{"fileno", l_fileno},
	{"pending", l_pending},
	{"pollfd", l_pollfd},
	{"events", l_events},
	{"timeout", l_timeout},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__len", l_length},
	{"__tostring", l_tostring},
	{NULL, NULL},
};

const Class inotify_class = {
	.name = "moonwatch.inotify",
	.methods = methods,
	.meta = meta,
	.close = l_close,
	.is_source = true,
};

static const luaL_Reg functions[] = {
	{"inotify", l_inotify},
	{"parse", l_parse},
	{NULL, NULL},
};

int open_inotify(lua_State *L)
{
	bind_class(L, &inotify_class);
	watch_open_class(L);
	luaL_setfuncs(L, functions, 0);
	return 0;
}
