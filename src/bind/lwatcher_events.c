/* SPDX-License-Identifier: MIT
 *
 * lwatcher_events.c - from what waits in a view to events in Lua, and whether one is still the latest word.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/filetype.h"
#include "bind/levent.h"
#include "bind/lwatcher.h"
#include "bind/lwatcher_state.h"
#include "os/limits.h"

/* --- events ----------------------------------------------------------------------------------------------------------- */

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

void watcher_push_limit(lua_State *L, const Tree *tree)
{
	char text[512];
	size_t most = tree->options.most_watches;
	if (most > 0 && tree->watches >= most)
		snprintf(
			text, sizeof text, "max_watches = %zu reached, %zu more needed", most, tree->polled);
	else
		limits_explain(text, sizeof text, LIMIT_USER_WATCHES, tree->polled, loop_now());
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
		watcher_push_limit(L, watcher->watch.tree);
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

void watcher_push_item(lua_State *L, Watcher *watcher, const Item *item)
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
		View *view = &watcher->watch.view;
		latest_begin(&view->latest, &view->queue, view->options.ops);
		lua_pushvalue(L, 1);
		lua_setiuservalue(L, -2, EVENT_WATCHER);
	}
	if (item->error != 0) {
		push_reason(L, watcher, item);
		lua_setiuservalue(L, -2, EVENT_REASON);
	}
}

/* --- is an event still the latest word ------------------------------------------------------------------------------- */

static bool is_latest(const Watcher *watcher, const Event *event, const char *path, size_t length)
{
	const Watch *watch = &watcher->watch;
	return !watch->view.fold.active &&
		latest_holds(&watch->view.latest, path, length, event->seq) &&
		!hub_heard_of_name(watch->tree->hub, event->wd, event->names, event->name_length);
}

bool watcher_confirms(
	lua_State *L, int index, const char *path, size_t length, const struct stat *status)
{
	if (lua_getiuservalue(L, index, EVENT_WATCHER) != LUA_TUSERDATA) {
		lua_pop(L, 1);
		return true;
	}
	Watcher *watcher = lua_touserdata(L, -1);
	lua_pop(L, 1);
	const Event *event = event_test(L, index);
	if (watcher->watch.shared == NULL)
		return true;
	if (!is_latest(watcher, event, path, length))
		return false;
	lua_getiuservalue(L, index, EVENT_ROOT);
	view_learn(&watcher->watch.view, lua_tostring(L, -1), path + event->rel_at,
		length - event->rel_at, filetype_of_mode(status->st_mode), status->st_ino);
	lua_pop(L, 1);
	return true;
}
