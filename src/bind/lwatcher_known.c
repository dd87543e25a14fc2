/* SPDX-License-Identifier: MIT
 *
 * lwatcher_known.c - methods of a watcher about what it knows: entries, directories, counts.
 */
#include <lauxlib.h>

#include "bind/levent.h"
#include "bind/lwatcher_state.h"

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

static void add_children(EntryWalk *walk, Dir *dir)
{
	View *view = &walk->watcher->watch.view;
	ChildCursor cursor;
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
	}
}

static void add_entries(EntryWalk *walk, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		add_children(walk, dir);
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
static void add_directories(lua_State *L, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (dir->claim.wd < 0 && !dir->polled)
			continue;
		lua_pushfstring(L, "%I:%I", (LUAI_UACINT)dir->dev, (LUAI_UACINT)dir->entry.ino);
		lua_pushboolean(L, true);
		lua_rawset(L, -3);
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
	set_count(L, "overflows", tree->overflows + watch->view.folds);
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

const luaL_Reg watcher_known_methods[] = {
	{"_entries", l_entries},
	{"_directories", l_directories},
	{"_watches", l_watches},
	{"stats", l_stats},
	{"_tree", l_tree},
	{NULL, NULL},
};
