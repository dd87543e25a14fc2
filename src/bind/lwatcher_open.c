/* SPDX-License-Identifier: MIT
 *
 * lwatcher_open.c - how a watcher comes to be: its options, and the filter that is one of them.
 */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/llimits.h"
#include "bind/lpattern.h"
#include "bind/lwatcher_state.h"
#include "os/notify.h"

/* --- options ---------------------------------------------------------------------------------------------------------- */

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
		bind_misuse(L, "watch: more than %d ignore_files", (int)(sizeof names / sizeof *names));
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
int watcher_l_widen(lua_State *L)
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

/* --- the filter ------------------------------------------------------------------------------------------------------- */

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

/* Since the key is there from now on, to set it takes no memory. */
void watcher_reserve_asking(lua_State *L)
{
	lua_pushboolean(L, false);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &asking_key);
}

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

/* --- constructor ----------------------------------------------------------------------------------------------------- */

static TreeOptions tree_options(lua_State *L, uint32_t ops)
{
	return (TreeOptions){
		.mask = kernel_mask(ops),
		.follow = get_flag(L, "follow"),
		.one_filesystem = get_flag(L, "one_filesystem"),
		.poll = get_flag(L, "poll"),
		.automatic = get_flag(L, "auto"),
		.interval = get_number(L, "interval"),
		.most_watches = (size_t)get_number(L, "max_watches"),
		.initial = get_flag(L, "initial"),
		.limit_is_error = get_flag(L, "limit_is_error"),
		.missing_waits = get_flag(L, "missing_waits"),
	};
}

/* Without its patterns and ignore files. */
static ViewOptions view_options(lua_State *L, Watcher *watcher, uint32_t ops)
{
	return (ViewOptions){
		.ops = ops,
		.initial = get_flag(L, "initial"),
		.most_queued = (size_t)get_number(L, "queue"),
		.rules =
			{
				.flat = get_flag(L, "flat"),
				.depth = (uint32_t)fmin(get_number(L, "depth"), UINT32_MAX),
				.filter = watcher->filter_thread != NULL ? ask_filter : NULL,
				.owner = watcher,
			},
	};
}

/* It may be closed from now on, whatever is raised. */
static Watcher *push_watcher(lua_State *L)
{
	Watcher *watcher = bind_new(L, &watcher_class, sizeof *watcher, UV_COUNT);
	watcher->poll_fd = -1;
	watcher->looking = true;
	watcher->watch.changed = watcher_changed;
	source_init(L, &watcher->source, watcher_take_event, NULL);
	source_init(L, &watcher->barrier, watcher_take_ready, NULL);
	return watcher;
}

/* watcher{ ops =, recursive =, ... }: the options are checked by moonwatch.watcher; nothing is watched yet */
int watcher_l_new(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	Watcher *watcher = push_watcher(L);
	watcher->watch.latency = get_number(L, "latency");
	set_filter(L, watcher, 2);
	uint32_t ops = (uint32_t)get_number(L, "ops");
	TreeOptions tree = tree_options(L, ops);
	ViewOptions view = view_options(L, watcher, ops);
	Loop *loop = bind_loop(L);
	int match = push_pattern(L, "match"), ignore = push_pattern(L, "ignore");
	view.rules.ignores = get_ignore_files(L); /* nothing raises from here on */
	view.rules.match = lpattern_take(L, match);
	view.rules.ignore = lpattern_take(L, ignore);
	int error = watch_open(&watcher->watch, loop, &tree, &view);
	if (error < 0)
		return limits_open_failed(L, -error);
	lua_settop(L, 2);
	return 1;
}
