/* SPDX-License-Identifier: MIT
 *
 * linotify_route.c - who gets a record: from the kernel's bytes to events in the hands or the queues of those who want them.
 *
 *      kernel -> buffer -> route: which watches want it? -> the caller, SLOT_QUEUE, or SLOT_HANDLED
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bind/levent.h"
#include "bind/linotify.h"

/* What is held for readers that do not come, where handlers make us read on: the kernel's own bound. */
enum { QUEUE_LIMIT = 65536 };

/* --- queues --------------------------------------------------------------------------------------------------- */

/* Takes the value from the top of the stack to the end of the queue. */
static void fifo_put(lua_State *L, int object, Fifo *fifo)
{
	lua_getiuservalue(L, object, fifo->slot);
	lua_insert(L, -2);
	lua_rawseti(L, -2, fifo->tail);
	fifo->tail++;
	lua_pop(L, 1);
}

void fifo_push(lua_State *L, int object, Fifo *fifo)
{
	lua_getiuservalue(L, object, fifo->slot);
	lua_rawgeti(L, -1, fifo->head);
	lua_pushnil(L);
	lua_rawseti(L, -3, fifo->head);
	lua_remove(L, -2);
	if (++fifo->head == fifo->tail)
		fifo->head = fifo->tail = 1;
}

double inotify_wall_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- events --------------------------------------------------------------------------------------------------- */

Event *inotify_push_event(lua_State *L, const Inotify *self, const NotifyRecord *record)
{
	Event *event = event_push(L, record->name_length, 0, EVENT_DIRECTORY);
	event->time = self->time;
	event->wall = self->wall;
	event->mask = record->mask;
	event->cookie = record->cookie;
	event->wd = record->wd;
	event->isdir = (record->mask & NOTIFY_ISDIR) != 0;
	memcpy(event->names, record->name, record->name_length);
	return event;
}

/* The same for a watch, whose object is at `index`. A directory's own end or move lacks the bit ISDIR. */
static void push_watch_event(
	lua_State *L, const Inotify *self, int index, const Watch *watch, const NotifyRecord *record)
{
	index = lua_absindex(L, index);
	Event *event = inotify_push_event(L, self, record);
	event->isdir |= watch->isdir && record->name_length == 0;
	lua_pushvalue(L, index);
	lua_setiuservalue(L, -2, EVENT_DIRECTORY);
}

static void queue_for_readers(lua_State *L, Inotify *self, int object)
{
	if (self->queue.tail - self->queue.head < QUEUE_LIMIT) {
		fifo_put(L, object, &self->queue);
		self->flooded = false;
		return;
	}
	lua_pop(L, 1);
	if (self->flooded)
		return;
	const NotifyRecord lost = {.wd = -1, .mask = NOTIFY_Q_OVERFLOW, .name = ""};
	inotify_push_event(L, self, &lost);
	fifo_put(L, object, &self->queue);
	self->flooded = true;
}

/* Event on the top of the stack, for the watch at `index`'s handler. Both are queued, or out of memory neither. */
static void queue_for_handler(lua_State *L, Inotify *self, int object, int index)
{
	Fifo *fifo = &self->handled;
	lua_getiuservalue(L, object, fifo->slot);
	lua_insert(L, -2);
	lua_rawseti(L, -2, fifo->tail + 1);
	lua_getiuservalue(L, index, WATCH_HANDLER);
	lua_rawseti(L, -2, fifo->tail);
	lua_pop(L, 1);
	fifo->tail += 2;
	dispatch_wake(&self->dispatch);
}

/* Leaves the event on the top of the stack for its audience (handlers: handler, event) or queues it. True where it
 * was left. `index` is its watch's object. */
static bool hand_over(
	lua_State *L, Inotify *self, int object, int index, const Watch *watch, Audience audience)
{
	if (!watch->handler) {
		if (audience == READER)
			return true;
		queue_for_readers(L, self, object);
		return false;
	}
	if (audience == HANDLER) {
		lua_getiuservalue(L, index, WATCH_HANDLER);
		lua_insert(L, -2);
		return true;
	}
	queue_for_handler(L, self, object, index);
	return false;
}

void inotify_queue(
	lua_State *L, Inotify *self, int object, Watch *watch, const NotifyRecord *record)
{
	watch_push(L, object, watch);
	push_watch_event(L, self, -1, watch, record);
	hand_over(L, self, object, lua_gettop(L) - 1, watch, NOBODY);
	lua_pop(L, 1);
}

/* --- routing: who gets a record ------------------------------------------------------------------------------- */

/* After an event was handed over. */
static void follow_up(lua_State *L, Inotify *self, int object, Watch *watch, uint32_t bits)
{
	if (bits & NOTIFY_IGNORED)
		watch_bury(L, self, object, watch);
	else if ((watch->mask & NOTIFY_ONESHOT) && watch->active)
		watch_spend(L, self, object, watch);
}

/* The one watch of an inode, its object on the top of the stack, which is consumed. */
static bool route_to_one(lua_State *L, Inotify *self, int object, Watch *watch,
	const NotifyRecord *record, Audience audience)
{
	int index = lua_gettop(L);
	uint32_t bits = watch_wants(watch, record);
	if (bits == 0) {
		lua_pop(L, 1);
		return false;
	}
	push_watch_event(L, self, index, watch, record);
	bool left = hand_over(L, self, object, index, watch, audience);
	follow_up(L, self, object, watch, bits);
	lua_remove(L, index);
	return left;
}

/* Each of a chain that wants it, in the order of their adding. A watch that is spent or buried leaves the chain. */
static bool route_to_sharers(lua_State *L, Inotify *self, int object, Watch *watch,
	const NotifyRecord *record, Audience audience)
{
	bool left = false;
	for (Watch *next; watch != NULL; watch = next) {
		next = watch->sharer;
		watch_push(L, object, watch);
		if (route_to_one(L, self, object, watch, record, left ? NOBODY : audience))
			left = true;
	}
	return left;
}

/* An overflow concerns everybody: each handler, and the readers, where there may be one. */
static bool route_overflow(
	lua_State *L, Inotify *self, int object, const NotifyRecord *record, Audience audience)
{
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	int base = lua_gettop(L);
	bool readers = self->handlers == 0;
	self->suspect = true;
	for (List *link = self->watches.next; link != &self->watches; link = link->next) {
		const Watch *watch = list_item(link, Watch, link);
		readers |= !watch->handler;
		if (!watch->handler)
			continue;
		watch_push(L, object, watch);
		inotify_push_event(L, self, record);
		queue_for_handler(L, self, object, base + 1);
		lua_settop(L, base);
	}
	if (!readers)
		return false;
	inotify_push_event(L, self, record);
	if (audience == READER)
		return true;
	queue_for_readers(L, self, object);
	return false;
}

/* The case that must be fast: one watch, which wants the record, goes on living, and belongs to the audience. */
static bool is_plain(const Watch *watch, const NotifyRecord *record, Audience audience)
{
	return watch->sharer == NULL && audience != NOBODY && watch->handler == (audience == HANDLER) &&
		watch->active && (watch->mask & record->mask & NOTIFY_ALL_EVENTS) != 0 &&
		!((record->mask & NOTIFY_UNASKED) | (watch->mask & NOTIFY_ONESHOT));
}

/* Stack: table, watch object; they become the event, or handler and event. */
static void leave_plain(
	lua_State *L, const Inotify *self, const Watch *watch, const NotifyRecord *record)
{
	int index = lua_gettop(L);
	if (watch->handler) {
		lua_getiuservalue(L, index, WATCH_HANDLER);
		lua_replace(L, index - 1);
		push_watch_event(L, self, index, watch, record);
		lua_replace(L, index);
	} else {
		push_watch_event(L, self, index, watch, record);
		lua_replace(L, index - 1);
		lua_settop(L, index - 1);
	}
}

static bool route(
	lua_State *L, Inotify *self, int object, const NotifyRecord *record, Audience audience)
{
	if (record->mask & NOTIFY_Q_OVERFLOW)
		return route_overflow(L, self, object, record, audience);
	lua_getiuservalue(L, object, SLOT_BY_WD);
	lua_rawgeti(L, -1, record->wd);
	Watch *watch = lua_touserdata(L, -1);
	if (watch == NULL) {
		lua_pop(L, 2);
		return false; /* one that was put up for a moment only, to look at an inode */
	}
	if (is_plain(watch, record, audience)) {
		leave_plain(L, self, watch, record);
		return true;
	}
	lua_pop(L, 2);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	return route_to_sharers(L, self, object, watch, record, audience);
}

/* A record is used up only once it has been
 * handed over, so that running out of memory on the way loses none. */
bool inotify_decode(lua_State *L, Inotify *self, int object, Audience audience)
{
	bool left = false;
	while (!left) {
		NotifyReader next = self->reader;
		NotifyRecord record;
		if (notify_next(&next, &record) <= 0)
			return false;
		left = route(L, self, object, &record, audience);
		self->reader = next;
	}
	return true;
}

ssize_t inotify_refill(Inotify *self)
{
	ssize_t size = notify_read(self->fd, self->buffer, NOTIFY_BUFFER_SIZE);
	if (size <= 0)
		return size;
	self->reader = notify_reader(self->buffer, (size_t)size);
	self->bytes_read += (uint64_t)size;
	self->time = loop_now();
	self->wall = inotify_wall_clock();
	return size;
}

void inotify_settle(lua_State *L, Inotify *self, int object)
{
	ssize_t waiting = notify_pending(self->fd);
	inotify_decode(L, self, object, NOBODY);
	while (waiting > 0) {
		ssize_t size = inotify_refill(self);
		if (size <= 0)
			break;
		inotify_decode(L, self, object, NOBODY);
		waiting -= size;
	}
	if (self->interested && !fifo_empty(&self->queue))
		source_wake(&self->source, 1);
}
