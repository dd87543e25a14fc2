/* SPDX-License-Identifier: MIT
 *
 * lwatcher_roots.c - methods of a watcher about its roots and about single paths.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "bind/lwatcher_state.h"
#include "tree/spot.h"

enum { PATH_ROOM = 2 * PATH_MAX };

/* --- paths ------------------------------------------------------------------------------------------------------------ */

/* A path in the three forms in which it is used. */
typedef struct Paths {
	char prefix[PATH_ROOM]; /* as given, without slashes at the end */
	char real[PATH_ROOM];   /* absolute */
	char key[PATH_ROOM];    /* absolute and clean */
} Paths;

/* Slashes at the end would be doubled in every path. */
static void copy_prefix(char *prefix, const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	memcpy(prefix, path, length);
	prefix[length] = '\0';
}

static int make_absolute(char *buffer, const char *path)
{
	size_t length = 0;
	if (path[0] != '/') {
		if (getcwd(buffer, PATH_MAX) == NULL)
			return -errno;
		length = strlen(buffer);
		buffer[length++] = '/';
	}
	if (length + strlen(path) >= PATH_ROOM)
		return -ENAMETOOLONG;
	strcpy(buffer + length, path);
	return 0;
}

/* Behind a link ".." is not what it looks like. */
static void make_key(char *key, const char *real)
{
	char resolved[PATH_MAX];
	bool asks = path_climbs(real) && strlen(real) < PATH_MAX;
	strcpy(key, asks && realpath(real, resolved) != NULL ? resolved : real);
	path_clean(key);
}

static int make_paths(Paths *paths, const char *path)
{
	if (path[0] == '\0')
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	copy_prefix(paths->prefix, path);
	int error = make_absolute(paths->real, paths->prefix);
	if (error == 0)
		make_key(paths->key, paths->real);
	return error;
}

/* --- add -------------------------------------------------------------------------------------------------------------- */

/* What a root is called: a path, or a pattern whose literal head is the root. */
typedef struct RootText {
	char *head; /* heap; NULL where the text is a path */
	char *rest; /* in the same block */
} RootText;

static bool exists(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

static int split_root(const char *text, RootText *root)
{
	*root = (RootText){0};
	if (text[0] == '\0' || exists(text))
		return 0;
	int split = pattern_literal_head(text, strlen(text), &root->head, &root->rest);
	return split < 0 ? split : 0;
}

static Pattern *root_pattern(const RootText *root, int *error)
{
	if (root->head == NULL)
		return NULL;
	Pattern *pattern = pattern_new();
	*error = pattern == NULL ? -ENOMEM
							 : pattern_add(pattern, root->rest, strlen(root->rest), PATTERN_BRACES);
	return pattern;
}

static int add_root(Watcher *watcher, const char *given, const RootText *text)
{
	Paths paths;
	Root *root;
	const char *path = text->head != NULL ? text->head : given;
	int error = make_paths(&paths, path);
	if (error < 0)
		return error;
	Pattern *match = root_pattern(text, &error);
	RootNames names = {
		.given = path,
		.prefix = paths.prefix,
		.real = paths.real,
		.key = paths.key,
		.match = match,
	};
	if (error == 0)
		error = tree_add_root(watcher->watch.tree, &names, &root);
	watcher->watch.view.border.active |= match != NULL;
	pattern_free(match);
	return error;
}

/* _add(path or pattern): a root; true or nil, message, errno. It is watched once `ready` says so. */
static int l_add(lua_State *L)
{
	RootText text;
	Watcher *watcher = watcher_check(L);
	const char *given = bind_checkpath(L, 2, NULL);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	int error = split_root(given, &text);
	if (error == 0) {
		error = add_root(watcher, given, &text);
		free(text.head);
	}
	if (error < 0)
		return bind_fail(L, given, -error);
	watcher->looking = true;
	watcher->marked = false;
	watcher->watch.stirred = true;
	lua_pushboolean(L, true);
	return 1;
}

/* roots(): a list, as the user gave them */
static int l_roots(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	const Tree *tree = watcher->watch.tree;
	lua_createtable(L, (int)tree->root_count, 0);
	for (size_t i = 0; i < tree->root_count; i++) {
		lua_pushlstring(L, tree->roots[i]->given->bytes, tree->roots[i]->given->length);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* --- a new look at the disk ---------------------------------------------------------------------------------------------- */

static bool find_spot(Watcher *watcher, const char *path, Paths *paths, Spot *spot)
{
	return make_paths(paths, path) == 0 &&
		spot_find(watcher->watch.tree, paths->prefix, paths->key, spot);
}

static void rescan_all(Tree *tree)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		root->check = tree->checks = true;
		if (root->top != NULL)
			tree_scan_later(tree, root->top, SCAN_DEEP | SCAN_COMPARE);
	}
}

/* _rescan([path [, timeout]]): true once the differences can be had */
static int l_rescan(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	Tree *tree = watcher->watch.tree;
	double timeout = bind_opttimeout(L, 3);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	if (lua_isnoneornil(L, 2)) {
		rescan_all(tree);
	} else {
		Paths paths;
		Spot spot;
		const char *path = bind_checkpath(L, 2, NULL);
		if (!find_spot(watcher, path, &paths, &spot))
			return bind_failf(L, ENOENT, "%s: below no root of the watcher", path);
		spot.root->check = tree->checks = true;
		bool exact = spot.rel[spot.at] == '\0';
		if (spot.dir != NULL)
			tree_scan_later(tree, spot.dir, exact ? SCAN_DEEP | SCAN_COMPARE : SCAN_COMPARE);
	}
	return watcher_wait(L, watcher, timeout, watcher_take_synced);
}

/* --- directories without a watch -------------------------------------------------------------------------------------------- */

typedef struct Lacking {
	Dir **items;
	size_t count, size;
} Lacking;

static void note_lacking(Tree *tree, Dir *dir, uint64_t argument)
{
	Lacking *lacking = (Lacking *)(uintptr_t)argument;
	bool lacks = dir->unreadable || (dir->polled && !tree->options.poll);
	if (!lacks)
		return;
	if (lacking->count == lacking->size) {
		size_t size = lacking->size ? lacking->size * 2 : 16;
		Dir **items = realloc(lacking->items, size * sizeof *items);
		if (items == NULL)
			return;
		lacking->items = items;
		lacking->size = size;
	}
	lacking->items[lacking->count++] = dir;
}

/* Why it cannot be watched is asked of the disk again. */
static int reason_of(Tree *tree, Dir *dir)
{
	if (!dir->unreadable)
		return ENOSPC;
	int fd = tree_open_dir(tree, dir);
	return fd < 0 ? -fd : EACCES;
}

static void push_lacking(lua_State *L, Tree *tree, Dir *dir)
{
	int error = reason_of(tree, dir);
	const Text *path = tree_path(tree, dir);
	lua_createtable(L, 0, 4);
	lua_pushlstring(L, path != NULL ? path->bytes : "", path != NULL ? path->length : 0);
	lua_setfield(L, -2, "path");
	lua_pushstring(L, error == ENOSPC ? "no more watches are to be had" : strerror(error));
	lua_setfield(L, -2, "reason");
	lua_pushinteger(L, error);
	lua_setfield(L, -2, "errno");
	lua_pushboolean(L, dir->polled);
	lua_setfield(L, -2, "polled");
}

/* unwatched(): a list of { path, reason, errno, polled } */
static int l_unwatched(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	Lacking lacking = {0};
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	Tree *tree = watcher->watch.tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tree_visit_dirs(tree, tree->roots[i]->top, note_lacking, (uintptr_t)&lacking);
	}
	void *anchor = lua_newuserdatauv(L, lacking.count * sizeof(Dir *) + 1, 0);
	if (lacking.count > 0)
		memcpy(anchor, lacking.items, lacking.count * sizeof(Dir *));
	free(lacking.items);
	Dir **items = anchor;
	lua_newtable(L);
	for (size_t i = 0; i < lacking.count; i++) {
		push_lacking(L, tree, items[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	tree_close_trail(tree);
	return 1;
}

/* --- pause ---------------------------------------------------------------------------------------------------------------- */

/* pause(): what is there now is still told */
static int l_pause(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	if (!watcher->watch.view.muted)
		watch_look(&watcher->watch);
	watcher->watch.view.muted = true;
	lua_pushboolean(L, true);
	return 1;
}

static int take_resumed(lua_State *L, Source *source)
{
	int count = watcher_take_synced(L, source);
	if (count > 0)
		watcher_of_barrier(source)->watch.view.muted = false;
	return count;
}

/* resume([timeout]): true once all that happened before is known, and forgotten */
static int l_resume(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	double timeout = bind_opttimeout(L, 2);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	if (!watcher->watch.view.muted) {
		lua_pushboolean(L, true);
		return 1;
	}
	return watcher_wait(L, watcher, timeout, take_resumed);
}

/* --- tables ----------------------------------------------------------------------------------------------------------------- */

const luaL_Reg watcher_root_methods[] = {
	{"_add", l_add},
	{"roots", l_roots},
	{"_rescan", l_rescan},
	{"unwatched", l_unwatched},
	{"pause", l_pause},
	{"resume", l_resume},
	{NULL, NULL},
};
