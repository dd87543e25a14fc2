/* SPDX-License-Identifier: MIT
 *
 * lwatcher.c - the watcher object: a tree, watched exactly.
 *
 * User values of a watcher: the path of the directory of the last event and the root of the last event (events of one
 * directory share the strings), the filter function, the thread it is called in, the subscriptions, the event that is
 * handed to them, and the default of its options as a table for Lua.
 */
#include "bind/lwatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/levent.h"
#include "bind/llimits.h"
#include "bind/lpattern.h"
#include "bind/lsettle.h"
#include "bind/lwatcher_state.h"
#include "os/limits.h"
#include "os/notify.h"

enum {
	UV_DIRECTORY = 1,
	UV_ROOT,
	UV_FILTER,
	UV_THREAD,
	UV_SUBSCRIPTIONS,
	UV_EVENT,
	UV_COUNT = UV_EVENT
};

static const Class watcher_class;

static Watcher *watcher_of(Watch *watch)
{
	return list_item(watch, Watcher, watch);
}

Watcher *watcher_of_barrier(Source *source)
{
	return list_item(source, Watcher, barrier);
}

/* A filter is called from the midst of a step, or of a method that goes through the tree. */
static void refuse_inside_filter(lua_State *L, const Watcher *watcher)
{
	if (watch_is_stepping(&watcher->watch))
		bind_misuse(L, "a filter cannot use a watcher");
}

Watcher *watcher_check(lua_State *L)
{
	Watcher *watcher = bind_check(L, 1, &watcher_class);
	refuse_inside_filter(L, watcher);
	return watcher;
}

void watcher_refuse_shared(lua_State *L, const Watcher *watcher, const char *method)
{
	if (watcher->watch.fan != NULL)
		bind_misuse(L, "%s: the watcher shares its tree with others", method);
}

/* --- from the loop ------------------------------------------------------------------------------------------------- */

/* The first look is over when nothing is left to scan, and all records older than that moment are handed on. */
void watcher_advance(Watcher *watcher)
{
	Watch *watch = &watcher->watch;
	if (!watcher->looking || !watcher->opened || !tree_is_settled(watch->tree))
		return;
	if (!watcher->marked) {
		watcher->first = (WatchMark){.position = tree_end_first_look(watch->tree)};
		watcher->marked = true;
	}
	if (!watch_reached(watch, watcher->first))
		return;
	watch_set_ready(watch);
	watcher->looking = false;
	watcher->ready = true;
}

static void on_changed(Watch *watch)
{
	Watcher *watcher = watcher_of(watch);
	watcher_advance(watcher);
	if (watcher->looking)
		watch_stir(watch);
	if (view_waiting(&watch->view) > 0) {
		if (watcher->subscribed)
			dispatch_wake(&watcher->dispatch);
		else
			source_wake(&watcher->source, view_waiting(&watch->view));
	}
	source_wake(&watcher->barrier, SIZE_MAX);
}

/* --- events ------------------------------------------------------------------------------------------------------------ */

/* Pushes a text as a string; the last one is remembered, since neighbours share it. */
static void push_shared(lua_State *L, int uservalue, Text **last, Text *text)
{
	if (*last == text) {
		lua_getiuservalue(L, 1, uservalue);
		return;
	}
	lua_pushlstring(L, text->bytes, text->length);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, uservalue);
	text_free(*last);
	*last = text_share(text);
}

static void push_text(lua_State *L, const Text *text)
{
	lua_pushlstring(L, text->bytes, text->length);
}

/* Which limit it is, and what is needed beyond it. */
static void push_limit(lua_State *L, const Tree *tree)
{
	char text[512];
	size_t most = tree->options.most_watches;
	if (most > 0 && tree->watches >= most)
		snprintf(
			text, sizeof text, "max_watches = %zu reached, %zu more needed", most, tree->polled);
	else
		limits_explain(text, sizeof text, LIMIT_USER_WATCHES, tree->polled);
	lua_pushfstring(L, "%s; %d of %d directories are without a watch", text, (int)tree->polled,
		(int)tree->directories);
}

const char *watcher_reason(int error)
{
	switch (error) {
	case ENOSPC:
		return "no more watches are to be had";
	case EOPNOTSUPP:
		return "proc and sysfs are watched on request only: backend = \"poll\"";
	default:
		return strerror(error);
	}
}

static void push_reason(lua_State *L, const Watcher *watcher, const Item *item)
{
	if (item->error == ENOSPC)
		push_limit(L, watcher->watch.tree);
	else
		lua_pushstring(L, watcher_reason(item->error));
}

static bool lacks_type(const Item *item)
{
	return item->type == TYPE_UNKNOWN && item->dir != NULL && item->name_length > 0;
}

static int uservalues_of(const Item *item)
{
	if (lacks_type(item))
		return EVENT_WATCHER;
	if (item->error != 0)
		return EVENT_REASON;
	if (item->from_root != NULL)
		return EVENT_FROM_ROOT;
	return item->from_dir != NULL ? EVENT_FROM : EVENT_ROOT;
}

static void push_item(lua_State *L, Watcher *watcher, const Item *item)
{
	Event *event = event_push(L, item->name_length, item->from_name_length, uservalues_of(item));
	event->time = item->time;
	event->wall = item->wall;
	event->seq = item->seq;
	event->mask = item->mask;
	event->cookie = item->cookie;
	event->wd = item->wd;
	event->op = item->op;
	event->type = item->type;
	event->replaced = item->replaced;
	event->isdir = item->isdir;
	event->synthetic = item->synthetic;
	event->exchange = item->exchange;
	event->whole = item->whole;
	event->is_watcher_event = true;
	event->rel_at = item->rel_at;
	event->from_rel_at = item->from_rel_at;
	memcpy(event->names, item->names, (size_t)item->name_length + item->from_name_length);
	push_shared(L, UV_DIRECTORY, &watcher->last_dir, item->dir);
	lua_setiuservalue(L, -2, EVENT_DIRECTORY);
	push_shared(L, UV_ROOT, &watcher->last_root, item->root);
	lua_setiuservalue(L, -2, EVENT_ROOT);
	if (item->from_dir != NULL) {
		push_text(L, item->from_dir);
		lua_setiuservalue(L, -2, EVENT_FROM);
	}
	if (item->from_root != NULL) {
		push_text(L, item->from_root);
		lua_setiuservalue(L, -2, EVENT_FROM_ROOT);
	}
	if (lacks_type(item)) {
		latest_begin(&watcher->watch.view.latest, &watcher->watch.view.queue);
		lua_pushvalue(L, 1);
		lua_setiuservalue(L, -2, EVENT_WATCHER);
	}
	if (item->error != 0) {
		push_reason(L, watcher, item);
		lua_setiuservalue(L, -2, EVENT_REASON);
	}
}

/* --- is an event still the latest word ------------------------------------------------------------------------------- */

bool watcher_confirms(lua_State *L, int index, const char *path, size_t length)
{
	if (lua_getiuservalue(L, index, EVENT_WATCHER) != LUA_TUSERDATA) {
		lua_pop(L, 1);
		return true;
	}
	const Watcher *watcher = lua_touserdata(L, -1);
	lua_pop(L, 1);
	const Watch *watch = &watcher->watch;
	const Event *event = event_test(L, index);
	if (watch->shared == NULL)
		return true;
	return !watch->view.fold.active &&
		latest_holds(&watch->view.latest, path, length, event->seq) &&
		!hub_heard_of_name(watch->tree->hub, event->wd, event->names, event->name_length);
}

static const Item *next_item(Watcher *watcher)
{
	Watch *watch = &watcher->watch;
	if (watch->shared == NULL)
		return NULL;
	const Item *item = view_first(&watch->view);
	if (item != NULL)
		return item;
	watch_look(watch);
	return view_first(&watch->view);
}

static int take_event(lua_State *L, Source *source)
{
	Watcher *watcher = (Watcher *)(void *)source;
	const Item *item = next_item(watcher);
	if (item == NULL)
		return 0;
	push_item(L, watcher, item);
	queue_drop(&watcher->watch.view.queue);
	return 1;
}

static const char refusal[] = "the watcher delivers to its subscriptions";

static void refuse_subscribed(lua_State *L, const Watcher *watcher, const char *method)
{
	if (watcher->subscribed)
		bind_misuse(L, "%s: %s", method, refusal);
}

/* _refuse(method): misuse where the watcher has subscriptions */
static int l_refuse(lua_State *L)
{
	refuse_subscribed(L, watcher_check(L), luaL_checkstring(L, 2));
	return 0;
}

static int l_get(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	refuse_subscribed(L, watcher, "get");
	return source_get(L, &watcher->source, bind_opttimeout(L, 2));
}

static int l_each(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	refuse_subscribed(L, watcher, "each");
	return bind_each(L, &watcher->source, bind_opttimeout(L, 2));
}

static bool is_change(const Item *item)
{
	return item != NULL && item->op >= OP_CREATE && item->op <= OP_MOVE;
}

/* _settle(settle, most): feeds what is in the queue to a settle object without making events of it, up to the first one
 * that is no change or to so many. How many. */
static int l_settle(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	Settle *settle = lsettle_check(L, 2);
	lua_Integer most = luaL_checkinteger(L, 3), count = 0;
	if (watcher->watch.shared == NULL)
		return lua_pushinteger(L, 0), 1;
	View *view = &watcher->watch.view;
	for (const Item *item; count < most && is_change(item = view_first(view)); count++) {
		int error = fold_feed(settle, item);
		if (error < 0)
			return luaL_error(L, "not enough memory");
		queue_drop(&view->queue);
	}
	lua_pushinteger(L, count);
	return 1;
}

/* _is_behind(): has something happened that nobody has taken yet? A cheap look, not a barrier: halves of renames and
 * polled parts are not waited for. */
static int l_is_behind(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	lua_pushboolean(L, next_item(watcher) != NULL);
	return 1;
}

/* --- ready and sync ---------------------------------------------------------------------------------------------------- */

static bool is_over_limit(const Tree *tree)
{
	return tree->options.limit_is_error && tree->limit_reached && tree->polled > 0;
}

static int fail_over_limit(lua_State *L, const Tree *tree)
{
	push_limit(L, tree);
	return bind_fail_because(L, tree->roots[0]->given->bytes, ENOSPC, lua_tostring(L, -1));
}

static int take_ready(lua_State *L, Source *source)
{
	Watcher *watcher = watcher_of_barrier(source);
	if (watcher->looking && watcher->watch.shared != NULL) {
		watch_look(&watcher->watch);
		watcher_advance(watcher);
		watch_stir(&watcher->watch);
	}
	if (watcher->looking)
		return 0;
	if (watcher->watch.shared != NULL && is_over_limit(watcher->watch.tree))
		return fail_over_limit(L, watcher->watch.tree);
	lua_pushboolean(L, true);
	return 1;
}

static int l_ready(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	return source_get_with(L, &watcher->barrier, bind_opttimeout(L, 2), take_ready);
}

/* The mark stands at index 3 of the waiting function. */
int watcher_take_synced(lua_State *L, Source *source)
{
	Watcher *watcher = watcher_of_barrier(source);
	WatchMark mark = {.position = (uint64_t)lua_tointeger(L, 3)};
	if (watcher->watch.shared == NULL)
		return 0;
	watch_look(&watcher->watch);
	watcher_advance(watcher);
	if (watcher->looking || !watch_reached(&watcher->watch, mark)) {
		watch_stir(&watcher->watch);
		return 0;
	}
	lua_pushboolean(L, true);
	return 1;
}

int watcher_wait(
	lua_State *L, Watcher *watcher, double timeout, int (*take)(lua_State *L, Source *source))
{
	lua_settop(L, 2);
	WatchMark mark = {0};
	if (watcher->watch.shared != NULL)
		mark = watch_mark(&watcher->watch);
	lua_pushinteger(L, (lua_Integer)mark.position);
	return source_get_with(L, &watcher->barrier, timeout, take);
}

static int l_sync(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	return watcher_wait(L, watcher, bind_opttimeout(L, 2), watcher_take_synced);
}

/* --- in foreign loops ------------------------------------------------------------------------------------------------- */

static int l_pollfd(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	if (watcher->poll_fd < 0)
		watcher->poll_fd = fcntl(watcher->watch.tree->hub->fd, F_DUPFD_CLOEXEC, 0);
	if (watcher->poll_fd < 0)
		return bind_fail(L, "watcher", errno);
	lua_pushinteger(L, watcher->poll_fd);
	return 1;
}

static int l_events(lua_State *L)
{
	watcher_check(L);
	lua_pushliteral(L, "r");
	return 1;
}

static int l_timeout(lua_State *L)
{
	const Watcher *watcher = watcher_check(L);
	double deadline = 0;
	if (watcher->watch.shared == NULL)
		return lua_pushnil(L), 1;
	if (view_waiting(&watcher->watch.view) > 0) {
		lua_pushnumber(L, 0);
	} else if ((deadline = watch_deadline(&watcher->watch)) > 0) {
		double left = deadline - loop_now();
		lua_pushnumber(L, left > 0 ? left : 0);
	} else {
		lua_pushnil(L);
	}
	return 1;
}

/* --- subscriptions -------------------------------------------------------------------------------------------------------
 *
 * UV_SUBSCRIPTIONS is a list of tables { op number = handler }; the handlers of one event are called one after the other
 * until one of them returns true. */

static bool push_handler(lua_State *L, Watcher *watcher)
{
	if (watcher->op_at_hand == OP_NONE || watcher->subscription >= watcher->subscriptions)
		return false;
	lua_getiuservalue(L, 1, UV_SUBSCRIPTIONS);
	while (watcher->subscription < watcher->subscriptions) {
		lua_rawgeti(L, -1, (lua_Integer)++watcher->subscription);
		bool handles = lua_rawgeti(L, -1, watcher->op_at_hand) == LUA_TFUNCTION;
		if (handles)
			lua_replace(L, -3);
		lua_pop(L, handles ? 1 : 2);
		if (handles)
			return true;
	}
	lua_pop(L, 1);
	return false;
}

static void end_event(lua_State *L, Watcher *watcher)
{
	watcher->op_at_hand = OP_NONE;
	watcher->subscription = 0;
	lua_pushnil(L);
	lua_setiuservalue(L, 1, UV_EVENT);
}

static int next_handler(lua_State *L, Dispatch *dispatch)
{
	Watcher *watcher = list_item(dispatch, Watcher, dispatch);
	for (;;) {
		if (push_handler(L, watcher)) {
			lua_getiuservalue(L, 1, UV_EVENT);
			return 1;
		}
		const Item *item = next_item(watcher);
		if (item == NULL || !watcher->subscribed) {
			end_event(L, watcher);
			return -1;
		}
		push_item(L, watcher, item);
		lua_setiuservalue(L, 1, UV_EVENT);
		watcher->op_at_hand = item->op;
		watcher->subscription = 0;
		queue_drop(&watcher->watch.view.queue);
	}
}

static void handler_done(lua_State *L, Dispatch *dispatch)
{
	Watcher *watcher = list_item(dispatch, Watcher, dispatch);
	if (lua_isboolean(L, -1) && lua_toboolean(L, -1))
		end_event(L, watcher);
}

/* _subscribe(handlers): the table is the subscription; its end is _unsubscribe(handlers) */
static int l_subscribe(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	luaL_checktype(L, 2, LUA_TTABLE);
	if (lua_getiuservalue(L, 1, UV_SUBSCRIPTIONS) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, 1, UV_SUBSCRIPTIONS);
	}
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, (lua_Integer)++watcher->subscriptions);
	if (!watcher->subscribed && watcher->watch.shared != NULL) {
		watcher->subscribed = true;
		watcher->source.refusal = refusal;
		bind_anchor(L, 1, &watcher->dispatch);
		dispatch_init(L, &watcher->dispatch, &watcher->dispatch, "watcher", true, next_handler);
		watcher->dispatch.done = handler_done;
		dispatch_wake(&watcher->dispatch);
	}
	return 0;
}

static void stop_dispatch(lua_State *L, Watcher *watcher)
{
	if (!watcher->subscribed)
		return;
	watcher->subscribed = false;
	watcher->source.refusal = NULL;
	dispatch_stop(&watcher->dispatch);
	bind_unanchor(L, &watcher->dispatch);
}

/* _unsubscribe(handlers) */
static int l_unsubscribe(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (lua_getiuservalue(L, 1, UV_SUBSCRIPTIONS) != LUA_TTABLE)
		return 0;
	lua_Integer count = (lua_Integer)watcher->subscriptions, kept = 0;
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, -1, i);
		if (lua_rawequal(L, -1, 2)) {
			lua_pop(L, 1);
			if ((size_t)i <= watcher->subscription)
				watcher->subscription--;
		} else {
			lua_rawseti(L, -2, ++kept);
		}
	}
	for (lua_Integer i = kept + 1; i <= count; i++) {
		lua_pushnil(L);
		lua_rawseti(L, -2, i);
	}
	watcher->subscriptions = (size_t)kept;
	if (kept == 0)
		stop_dispatch(L, watcher);
	return 0;
}

/* --- what is known --------------------------------------------------------------------------------------------------------- */

typedef struct EntryWalk {
	lua_State *L;
	Watcher *watcher;
	lua_Integer count;
} EntryWalk;

static void add_entry(EntryWalk *walk, const char *rel, size_t length, const Node *node)
{
	lua_pushlstring(walk->L, rel, length);
	lua_rawseti(walk->L, -2, ++walk->count);
	lua_pushstring(walk->L, node->type ? filetype_name(node->type) : "unknown");
	lua_rawseti(walk->L, -2, ++walk->count);
}

static void add_entries(EntryWalk *walk, Dir *dir)
{
	View *view = &walk->watcher->watch.view;
	ChildCursor cursor;
	luaL_checkstack(walk->L, 4, "tree too deep");
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		size_t length;
		if (node->type == TYPE_UNKNOWN)
			tree_fill_type(walk->watcher->watch.tree, dir, node);
		bool shown = border_shows(&view->border, dir, node);
		const char *rel =
			border_rel(&view->border, dir, node_name(node), node->name_length, &length);
		if (rel != NULL && shown)
			add_entry(walk, rel, length, node);
		if (node_is_dir(node))
			add_entries(walk, dir_of(node));
	}
}

/* _entries(): a flat list rel, type, rel, type, ... */
static int l_entries(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	EntryWalk walk = {.L = L, .watcher = watcher};
	lua_newtable(L);
	if (watcher->watch.shared == NULL)
		return 1;
	Tree *tree = watcher->watch.tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			add_entries(&walk, tree->roots[i]->top);
	}
	tree_close_trail(tree);
	return 1;
}

/* Into the table on top, a key for each directory that is looked at, the same for all names of one. */
static void add_directories(lua_State *L, Dir *dir)
{
	ChildCursor cursor;
	luaL_checkstack(L, 4, "tree too deep");
	if (dir->claim.wd >= 0 || dir->polled) {
		lua_pushfstring(L, "%I:%I", (LUAI_UACINT)dir->dev, (LUAI_UACINT)dir->entry.ino);
		lua_pushboolean(L, true);
		lua_rawset(L, -3);
	}
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (node_is_dir(node))
			add_directories(L, dir_of(node));
	}
}

/* _directories(set): puts those of this watcher into the set. */
static int l_directories(lua_State *L)
{
	const Watcher *watcher = watcher_check(L);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	const Tree *tree = watcher->watch.tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			add_directories(L, tree->roots[i]->top);
	}
	return 1;
}

/* _watches(): the kernel's watches of all watchers, and how many of them are for directories that are shown. */
static int l_watches(lua_State *L)
{
	const Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	size_t directories;
	lua_pushinteger(L, (lua_Integer)hub_watches(watcher->watch.tree->hub, &directories));
	lua_pushinteger(L, (lua_Integer)directories);
	return 2;
}

/* Without the roots themselves. */
static size_t entry_count(const Tree *tree)
{
	size_t tops = 0;
	for (size_t i = 0; i < tree->root_count; i++)
		tops += tree->roots[i]->top != NULL;
	return tree->entries - tops;
}

enum { FOLDED_BYTES = 230 }; /* a name that was changed, about (doc/changes.md) */

static void set_count(lua_State *L, const char *name, size_t value)
{
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, name);
}

/* Into the table on top. Returns the sum. */
static uint64_t set_fates(lua_State *L, const uint64_t *fates)
{
	set_count(L, "delivered", fates[FATE_DELIVERED]);
	set_count(L, "merged", fates[FATE_MERGED]);
	set_count(L, "filtered", fates[FATE_FILTERED]);
	set_count(L, "dropped", fates[FATE_DROPPED]);
	return fates[FATE_DELIVERED] + fates[FATE_MERGED] + fates[FATE_FILTERED] + fates[FATE_DROPPED];
}

/* The same of all watchers of the loop. */
static void set_all(lua_State *L, const Hub *hub)
{
	lua_createtable(L, 0, 7);
	set_count(L, "records", hub->records);
	set_count(L, "unclaimed", hub->unclaimed);
	set_count(L, "handed", set_fates(L, hub->fates));
	lua_setfield(L, -2, "all");
}

static int l_stats(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	const Watch *watch = &watcher->watch;
	if (watch->shared == NULL)
		return bind_closed(L);
	const Tree *tree = watch->tree;
	uint64_t events = 0;
	lua_createtable(L, 0, 19);
	set_count(L, "records", set_fates(L, tree->fates));
	set_all(L, tree->hub);
	lua_newtable(L);
	for (int op = OP_CREATE; op < OP_COUNT; op++) {
		set_count(L, event_op_name((EventOp)op), watch->view.told[op]);
		events += watch->view.told[op];
	}
	lua_setfield(L, -2, "ops");
	set_count(L, "events", events);
	set_count(L, "synthetic", watch->view.synthetic);
	set_count(L, "directories", tree->directories);
	set_count(L, "entries", entry_count(tree));
	set_count(L, "watches", tree->watches);
	set_count(L, "polled", tree->polled);
	set_count(L, "coalesced", watch->view.coalesced);
	set_count(L, "overflows", watch->view.told[OP_OVERFLOW]);
	set_count(L, "rescans", tree->rescans);
	set_count(L, "queued", view_waiting(&watch->view));
	set_count(L, "memory",
		tree->pool.bytes + watch->view.queue.bytes + FOLDED_BYTES * fold_count(&watch->view.fold));
	return 1;
}

/* _tree(): which tree it has; the same number is the same tree */
static int l_tree(lua_State *L)
{
	const Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	lua_pushinteger(L, watcher->watch.tree->index);
	return 1;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static bool get_flag(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	bool value = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

static double get_number(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	double value = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return value;
}

/* Its index. */
static int push_pattern(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	lpattern_push(L, -1, name);
	lua_remove(L, -2);
	return lua_gettop(L);
}

/* A list of names, or nil. */
static IgnoreSet *get_ignore_files(lua_State *L)
{
	const char *names[64];
	if (lua_getfield(L, 1, "ignore_files") != LUA_TTABLE) {
		lua_pop(L, 1);
		return NULL;
	}
	lua_Integer count = luaL_len(L, -1);
	if (count > (lua_Integer)(sizeof names / sizeof *names))
		bind_misuse(L, "watch: too many ignore_files");
	luaL_checkstack(L, (int)count + 4, NULL);
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, -1 - (int)i, i + 1);
		names[i] = luaL_checkstring(L, -1);
	}
	IgnoreSet *set = ignore_new(names, (size_t)count);
	lua_pop(L, (int)count + 1);
	if (set == NULL)
		luaL_error(L, "not enough memory");
	return set;
}

static uint32_t kernel_mask(uint32_t ops)
{
	static const uint32_t bits[OP_COUNT] = {
		[OP_MODIFY] = NOTIFY_MODIFY,
		[OP_OPEN] = NOTIFY_OPEN,
		[OP_ACCESS] = NOTIFY_ACCESS,
		[OP_CLOSE_NOWRITE] = NOTIFY_CLOSE_NOWRITE,
	};
	uint32_t mask = 0;
	for (int op = 0; op < OP_COUNT; op++)
		mask |= ops >> op & 1 ? bits[op] : 0;
	return mask;
}

/* _widen(ops): these are told as well from now on */
static int l_widen(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	uint32_t ops = (uint32_t)luaL_checkinteger(L, 2);
	if (watcher->watch.shared == NULL)
		return 0;
	watcher_refuse_shared(L, watcher, "changes");
	Tree *tree = watcher->watch.tree;
	uint32_t more = kernel_mask(ops) & ~tree->options.mask;
	watcher->watch.view.options.ops |= ops;
	tree->options.mask |= more;
	for (size_t i = 0; more != 0 && i < tree->root_count; i++)
		if (tree->roots[i]->top != NULL)
			tree_scan_later(tree, tree->roots[i]->top, SCAN_DEEP | SCAN_REWATCH);
	watch_look(&watcher->watch);
	return 0;
}

typedef struct Question {
	const char *rel;
	size_t length;
	bool isdir;
} Question;

/* (filter, question): nothing may be raised into the step, not even by the making of a string. */
static int call_filter(lua_State *L)
{
	const Question *question = lua_touserdata(L, 2);
	lua_settop(L, 1);
	lua_pushlstring(L, question->rel, question->length);
	lua_pushboolean(L, question->isdir);
	lua_call(L, 2, 1);
	return 1;
}

static const char asking_key; /* in the registry: the watcher whose filter is asked, else false */

static bool ask_filter(void *owner, const char *rel, size_t length, bool isdir)
{
	Watcher *watcher = owner;
	lua_State *L = watcher->filter_thread;
	Question question = {.rel = rel, .length = length, .isdir = isdir};
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &asking_key);
	lua_pushcfunction(L, call_filter);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, &question);
	watcher->asking = true;
	bool held = watch_hold(&watcher->watch, true);
	int status = bind_pcall_nowait(L, 2, 1, "filter");
	watch_hold(&watcher->watch, held);
	watcher->asking = false;
	lua_pushboolean(L, false);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &asking_key);
	if (status != LUA_OK) {
		bind_report(L, "filter of a watcher");
		return true;
	}
	bool keep = !lua_isboolean(L, -1) || lua_toboolean(L, -1);
	lua_settop(L, 2);
	return keep;
}

/* The filter runs in a thread of its own, which lives as long as the watcher; its stack holds the function and the
 * watcher. */
static void set_filter(lua_State *L, Watcher *watcher, int object)
{
	if (lua_getfield(L, 1, "filter") != LUA_TFUNCTION) {
		lua_pop(L, 1);
		return;
	}
	watcher->filter_thread = lua_newthread(L);
	lua_setiuservalue(L, object, UV_THREAD);
	lua_pushvalue(L, object);
	lua_xmove(L, watcher->filter_thread, 2);
}

/* watcher{ ops =, recursive =, ... }: the options are checked by moonwatch.watcher; nothing is watched yet */
static int l_watcher(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	Watcher *watcher = bind_new(L, &watcher_class, sizeof *watcher, UV_COUNT);
	int object = lua_gettop(L);
	source_init(L, &watcher->source, take_event, NULL);
	source_init(L, &watcher->barrier, take_ready, NULL);
	watcher->watch.changed = on_changed;
	watcher->watch.latency = get_number(L, "latency");
	watcher->poll_fd = -1;
	watcher->looking = true;
	set_filter(L, watcher, object);
	uint32_t ops = (uint32_t)get_number(L, "ops");
	bool initial = get_flag(L, "initial");
	TreeOptions tree = {
		.mask = kernel_mask(ops),
		.follow = get_flag(L, "follow"),
		.one_filesystem = get_flag(L, "one_filesystem"),
		.poll = get_flag(L, "poll"),
		.automatic = get_flag(L, "auto"),
		.interval = get_number(L, "interval"),
		.most_watches = (size_t)get_number(L, "max_watches"),
		.initial = initial,
		.limit_is_error = get_flag(L, "limit_is_error"),
		.missing_waits = get_flag(L, "missing_waits"),
	};
	ViewOptions view = {
		.ops = ops,
		.initial = initial,
		.most_queued = (size_t)get_number(L, "queue"),
		.rules =
			{
				.flat = get_flag(L, "flat"),
				.depth = (uint32_t)get_number(L, "depth"),
				.filter = watcher->filter_thread != NULL ? ask_filter : NULL,
				.owner = watcher,
			},
	};
	Loop *loop = bind_loop(L);
	int match = push_pattern(L, "match"), ignore = push_pattern(L, "ignore");
	view.rules.ignores = get_ignore_files(L); /* nothing raises from here on */
	view.rules.match = lpattern_take(L, match);
	view.rules.ignore = lpattern_take(L, ignore);
	int error = watch_open(&watcher->watch, loop, &tree, &view);
	if (error < 0)
		return limits_open_failed(L, -error);
	lua_settop(L, object);
	return 1;
}

/* _start([share]): all roots are added; the tree may be shared with other watchers */
static int l_start(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (lua_toboolean(L, 2) && watcher->watch.shared != NULL)
		watch_share(&watcher->watch);
	watcher->opened = true;
	watch_stir(&watcher->watch);
	return 0;
}

static int l_close(lua_State *L)
{
	Watcher *watcher = bind_check(L, 1, &watcher_class);
	if (watcher->asking)
		bind_misuse(L, "a filter cannot close its watcher");
	stop_dispatch(L, watcher);
	watch_close(&watcher->watch);
	text_free(watcher->last_dir);
	text_free(watcher->last_root);
	watcher->last_dir = watcher->last_root = NULL;
	if (watcher->poll_fd >= 0)
		close(watcher->poll_fd);
	watcher->poll_fd = -1;
	source_close(&watcher->source);
	source_close(&watcher->barrier);
	return 0;
}

enum { ROOTS_SHOWN = 3 };

/* The first roots and how many more there are. */
static void push_roots(lua_State *L, const Tree *tree)
{
	luaL_Buffer buffer;
	luaL_buffinit(L, &buffer);
	for (size_t i = 0; i < tree->root_count && i < ROOTS_SHOWN; i++) {
		const Text *given = tree->roots[i]->given;
		if (i > 0)
			luaL_addstring(&buffer, ", ");
		bind_pushescaped(L, given->bytes, given->length);
		luaL_addvalue(&buffer);
	}
	if (tree->root_count > ROOTS_SHOWN) {
		lua_pushfstring(L, " and %d more", (int)(tree->root_count - ROOTS_SHOWN));
		luaL_addvalue(&buffer);
	}
	luaL_pushresult(&buffer);
}

static int l_tostring(lua_State *L)
{
	const Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL) {
		lua_pushliteral(L, "moonwatch.watcher (closed)");
		return 1;
	}
	const Tree *tree = watcher->watch.tree;
	push_roots(L, tree);
	int directories = (int)(tree->watches + tree->polled);
	lua_pushfstring(L, "moonwatch.watcher (%s, %d %s)", lua_tostring(L, -1), directories,
		directories == 1 ? "directory" : "directories");
	return 1;
}

static int l_closed(lua_State *L)
{
	lua_pushboolean(L, watcher_check(L)->watch.shared == NULL);
	return 1;
}

static const char methods_key;

/* Names that are no method here are methods written in Lua: core.watcher_methods. */
static int l_field(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &methods_key);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

/* --- tables -------------------------------------------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {
	{"get", l_get},
	{"each", l_each},
	{"ready", l_ready},
	{"sync", l_sync},
	{"stats", l_stats},
	{"pollfd", l_pollfd},
	{"events", l_events},
	{"timeout", l_timeout},
	{"_entries", l_entries},
	{"_directories", l_directories},
	{"_watches", l_watches},
	{"_refuse", l_refuse},
	{"_subscribe", l_subscribe},
	{"_widen", l_widen},
	{"_settle", l_settle},
	{"_is_behind", l_is_behind},
	{"_unsubscribe", l_unsubscribe},
	{"_start", l_start},
	{"_tree", l_tree},
	{"_closed", l_closed},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__tostring", l_tostring},
	{NULL, NULL},
};

static const Class watcher_class = {
	.name = "moonwatch.watcher",
	.methods = methods,
	.meta = meta,
	.field = l_field,
	.close = l_close,
	.is_source = true,
};

int open_watcher(lua_State *L)
{
	static const luaL_Reg functions[] = {{"watcher", l_watcher}, {NULL, NULL}};
	bind_class(L, &watcher_class);
	lua_pushboolean(L, false);
	lua_rawsetp(
		L, LUA_REGISTRYINDEX, &asking_key); /* there from now on: to set it takes no memory */
	luaL_setfuncs(L, functions, 0);
	lua_newtable(L);
	luaL_setfuncs(L, watcher_root_methods, 0);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
	lua_setfield(L, -2, "watcher_methods");
	return 0;
}
