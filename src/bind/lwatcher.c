/* SPDX-License-Identifier: MIT
 *
 * lwatcher.c - the watcher object: a tree, watched exactly.
 *
 * lwatcher_open.c has how it comes to be, lwatcher_events.c what its events are made of, lwatcher_known.c and
 * lwatcher_roots.c the methods about what is known and about roots and single paths.
 */
#include "bind/lwatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <unistd.h>

#include "bind/lsettle.h"
#include "bind/lwatcher_state.h"

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

void watcher_changed(Watch *watch)
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

int watcher_take_event(lua_State *L, Source *source)
{
	Watcher *watcher = (Watcher *)(void *)source;
	const Item *item = next_item(watcher);
	if (item == NULL)
		return 0;
	watcher_push_item(L, watcher, item);
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
	watcher_push_limit(L, tree);
	return bind_fail_because(L, tree->roots[0]->given->bytes, ENOSPC, lua_tostring(L, -1));
}

int watcher_take_ready(lua_State *L, Source *source)
{
	Watcher *watcher = watcher_of_barrier(source);
	if (watcher->watch.shared == NULL)
		return 0;
	if (watcher->looking) {
		watch_look(&watcher->watch);
		watcher_advance(watcher);
		watch_stir(&watcher->watch);
	}
	if (watcher->looking)
		return 0;
	if (is_over_limit(watcher->watch.tree))
		return fail_over_limit(L, watcher->watch.tree);
	lua_pushboolean(L, true);
	return 1;
}

static int l_ready(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	return source_get_with(L, &watcher->barrier, bind_opttimeout(L, 2), watcher_take_ready);
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
		watcher_push_item(L, watcher, item);
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

/* --- life -------------------------------------------------------------------------------------------------------------------- */

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
	{"pollfd", l_pollfd},
	{"events", l_events},
	{"timeout", l_timeout},
	{"_refuse", l_refuse},
	{"_subscribe", l_subscribe},
	{"_widen", watcher_l_widen},
	{"_settle", l_settle},
	{"_is_behind", l_is_behind},
	{"_unsubscribe", l_unsubscribe},
	{"_start", l_start},
	{"_closed", l_closed},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__tostring", l_tostring},
	{NULL, NULL},
};

const Class watcher_class = {
	.name = "moonwatch.watcher",
	.methods = methods,
	.meta = meta,
	.field = l_field,
	.close = l_close,
	.is_source = true,
};

int open_watcher(lua_State *L)
{
	static const luaL_Reg functions[] = {{"watcher", watcher_l_new}, {NULL, NULL}};
	bind_class(L, &watcher_class);
	watcher_reserve_asking(L);
	luaL_setfuncs(L, functions, 0);
	lua_newtable(L);
	luaL_setfuncs(L, watcher_root_methods, 0);
	luaL_setfuncs(L, watcher_known_methods, 0);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
	lua_setfield(L, -2, "watcher_methods");
	return 0;
}
