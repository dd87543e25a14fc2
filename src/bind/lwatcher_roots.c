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
#include "tree/watching.h"

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

/* The same root again: what either pattern selects is shown. */
static int widen_root(Watcher *watcher, Root *root, const RootText *text)
{
	Border *border = &watcher->watch.view.border;
	Pattern *selection = border_selection(border, root);
	if (selection == NULL)
		return 0;
	int error = text->head == NULL
		? border_select(border, root, NULL)
		: pattern_add(selection, text->rest, strlen(text->rest), PATTERN_BRACES);
	if (error < 0)
		return error;
	if (root->top != NULL && root->ready)
		view_reconsider(&watcher->watch.view, root->top, false);
	return 0;
}

static int add_new_root(Watcher *watcher, const char *given, const Paths *paths, Pattern *selection)
{
	Root *root;
	Border *border = &watcher->watch.view.border;
	RootNames names = {
		.given = given,
		.prefix = paths->prefix,
		.real = paths->real,
		.key = paths->key,
	};
	int error = tree_add_root(watcher->watch.tree, &names, &root);
	if (error < 0)
		return error;
	error = border_select(border, root, selection);
	if (error < 0) {
		tree_remove_root(watcher->watch.tree, root);
		return error;
	}
	border_restore(border, root);
	border->active |= root->outer != NULL || root->inner_count > 0;
	return 0;
}

static int add_root(Watcher *watcher, const char *given, const RootText *text)
{
	Paths paths;
	const char *path = text->head != NULL ? text->head : given;
	int error = make_paths(&paths, path);
	if (error < 0)
		return error;
	Root *same = tree_find_root(watcher->watch.tree, paths.key);
	if (same != NULL)
		return widen_root(watcher, same, text);
	Pattern *selection = root_pattern(text, &error);
	if (error == 0)
		error = add_new_root(watcher, path, &paths, selection);
	pattern_free(selection);
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
	watcher_refuse_shared(L, watcher, "add");
	int error = split_root(given, &text);
	if (error == 0) {
		error = add_root(watcher, given, &text);
		free(text.head);
	}
	if (error == -EOPNOTSUPP)
		return bind_fail_because(L, given, EOPNOTSUPP, watcher_reason(EOPNOTSUPP));
	if (error < 0)
		return bind_fail(L, given, -error);
	watcher->looking = true;
	watcher->marked = false;
	watch_stir(&watcher->watch);
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

/* --- single paths -------------------------------------------------------------------------------------------------------- */

static bool find_spot(Watcher *watcher, const char *path, Paths *paths, Spot *spot)
{
	return make_paths(paths, path) == 0 &&
		spot_find(watcher->watch.tree, paths->prefix, paths->key, spot);
}

/* What is known about a path: the verdict on it, or on the directory above it that keeps it from being looked at. */
typedef struct Answer {
	Paths paths;
	Spot spot; /* .root NULL: below no root */
	Verdict verdict;
	size_t decided; /* length of the part of rel that the verdict is about */
	bool isdir;
	const Node
		*barrier; /* no rule is against it, and nobody can go through it all the same; or NULL */
} Answer;

static bool is_dir_on_disk(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_barrier(const Node *node)
{
	return node != NULL && (!node_is_dir(node) || dir_of(node)->pruned || dir_of(node)->unreadable);
}

/* Down from the root, one component after the other, until one is not entered. */
static void ask_components(Watcher *watcher, Answer *answer)
{
	Border *border = &watcher->watch.view.border;
	Dir *dir = answer->spot.root->top;
	const char *rel = answer->spot.rel, *begin = rel;
	bool last = false;
	while (!last) {
		size_t length = strcspn(rel, "/");
		last = rel[length] == '\0';
		bool known = begin == rel && length <= 255;
		Node *node = known ? children_find(dir, rel, length) : NULL;
		bool isdir = !last || (node != NULL ? node_is_dir(node) : answer->isdir);
		size_t whole = (size_t)(rel + length - begin);
		answer->verdict = border_ask(border, dir, begin, whole, isdir, node);
		answer->decided = (size_t)(rel + length - answer->spot.rel);
		if (!last && answer->verdict.entered && is_barrier(node))
			answer->barrier = node;
		if (last || !answer->verdict.entered || answer->barrier != NULL)
			break;
		rel += length + 1;
		if (node != NULL && node_is_dir(node)) {
			dir = dir_of(node);
			begin = rel;
		}
	}
	if (last)
		return;
	answer->verdict.shown = false;
	if (answer->verdict.closed != REASON_NONE)
		answer->verdict.reason = answer->verdict.closed;
}

static void ask(Watcher *watcher, const char *path, Answer *answer)
{
	*answer = (Answer){.verdict = {.shown = false}};
	if (!find_spot(watcher, path, &answer->paths, &answer->spot))
		return;
	const Root *root = answer->spot.root;
	answer->isdir = is_dir_on_disk(answer->paths.real);
	if (root->top == NULL)
		return;
	if (answer->spot.rel[0] == '\0' || root->single)
		answer->verdict.shown = true;
	else
		ask_components(watcher, answer);
}

/* (watcher, path): NULL where the watcher is closed. */
static Watcher *ask_argument(lua_State *L, Answer *answer)
{
	Watcher *watcher = watcher_check(L);
	const char *path = bind_checkpath(L, 2, NULL);
	if (watcher->watch.shared == NULL)
		return NULL;
	ask(watcher, path, answer);
	return watcher;
}

/* covers(path): is what happens to it told? */
static int l_covers(lua_State *L)
{
	Answer answer;
	if (ask_argument(L, &answer) == NULL)
		return bind_closed(L);
	lua_pushboolean(L, answer.verdict.shown);
	return 1;
}

static void push_pattern(lua_State *L, const Pattern *pattern, int number, const char *option)
{
	PatternOrigin origin = pattern_origin(pattern, number);
	lua_pushfstring(L, "pattern %d of %s, \"%s\"", (int)origin.line, option, origin.text);
}

static void push_ignore_file(lua_State *L, const Watcher *watcher, const Answer *answer)
{
	char line[1024];
	const IgnoreSet *set = watcher->watch.view.border.ignored.set;
	ignore_describe(set, &answer->verdict.hit, answer->spot.rel, line, sizeof line);
	lua_pushstring(L, line);
}

/* Why it is shown: the pattern that selects it, if there is one. */
static void push_why_shown(lua_State *L, const Watcher *watcher, const Answer *answer)
{
	const Border *border = &watcher->watch.view.border;
	const char *rel = answer->spot.rel;
	size_t length = strlen(rel);
	if (length == 0) {
		lua_pushliteral(L, "watched: it is a root");
		return;
	}
	int number = pattern_verdict(border->rules.match, rel, length, answer->isdir, NULL);
	if (number > 0) {
		lua_pushliteral(L, "watched: ");
		push_pattern(L, border->rules.match, number, "match");
		lua_concat(L, 2);
	} else if (border->rules.filter != NULL) {
		lua_pushliteral(L, "watched: the filter says yes");
	} else {
		lua_pushliteral(L, "watched: no rule is against it");
	}
}

static const char *why_barrier(const Tree *tree, const Node *node)
{
	if (!node_is_dir(node))
		return node->type == TYPE_LINK ? "it is a link that is not followed" : "it is no directory";
	if (dir_of(node)->unreadable)
		return "it cannot be looked into";
	return tree->options.one_filesystem ? "it is on another file system" : "it lies in itself";
}

static void push_why_not(lua_State *L, const Watcher *watcher, const Answer *answer)
{
	if (answer->barrier != NULL) {
		lua_pushstring(L, why_barrier(watcher->watch.tree, answer->barrier));
		return;
	}
	const BorderRules *rules = &watcher->watch.view.border.rules;
	switch (answer->verdict.reason) {
	case REASON_REMOVED:
		lua_pushliteral(L, "it was removed");
		return;
	case REASON_NESTED:
		lua_pushliteral(L, "it is a root of its own");
		return;
	case REASON_DEPTH:
		if (rules->flat)
			lua_pushliteral(L, "the watcher is not recursive");
		else
			lua_pushfstring(L, "it is deeper than depth = %d", (int)rules->depth);
		return;
	case REASON_IGNORE:
		push_pattern(L, rules->ignore, answer->verdict.number, "ignore");
		return;
	case REASON_IGNORE_FILE:
		push_ignore_file(L, watcher, answer);
		return;
	case REASON_FILTER:
		lua_pushliteral(L, "the filter says no");
		return;
	case REASON_MATCH:
		lua_pushliteral(L, "no pattern of match selects it");
		return;
	case REASON_ROOT:
		lua_pushliteral(L, "the root's own pattern does not select it");
		return;
	default:
		lua_pushliteral(L, "nothing below can be selected");
		return;
	}
}

/* explain(path): which rule decided, in words */
static int l_explain(lua_State *L)
{
	Answer answer;
	const Watcher *watcher = ask_argument(L, &answer);
	if (watcher == NULL)
		return bind_closed(L);
	if (answer.spot.root == NULL) {
		lua_pushliteral(L, "not watched: below no root of the watcher");
	} else if (answer.spot.root->top == NULL) {
		lua_pushfstring(L, "not watched: the root %s is not there", answer.spot.root->given->bytes);
	} else if (answer.verdict.shown) {
		push_why_shown(L, watcher, &answer);
	} else {
		bool itself = answer.spot.rel[answer.decided] == '\0';
		lua_pushliteral(L, "not watched: ");
		if (!itself) {
			lua_pushlstring(L, answer.spot.rel, answer.decided);
			lua_pushliteral(L, " is not entered: ");
			lua_concat(L, 2);
		} else {
			lua_pushliteral(L, "");
		}
		push_why_not(L, watcher, &answer);
		lua_concat(L, 3);
	}
	return 1;
}

/* --- remove -------------------------------------------------------------------------------------------------------------- */

/* The roots at and below the path. */
static bool remove_roots(Watch *watch, const char *key)
{
	Tree *tree = watch->tree;
	bool removed = false;
	for (size_t i = tree->root_count; i-- > 0;) {
		if (path_below(tree->roots[i]->key->bytes, key) != NULL) {
			border_forget_root(&watch->view.border, tree->roots[i]);
			tree_remove_root(tree, tree->roots[i]);
			removed = true;
		}
	}
	return removed;
}

/* Within a root it is pruned. */
static int prune(Watcher *watcher, const Paths *paths)
{
	Spot spot;
	View *view = &watcher->watch.view;
	if (!spot_find(watcher->watch.tree, paths->prefix, paths->key, &spot))
		return 0;
	Text *key =
		text_join(spot.root->key->bytes, spot.root->key->length, spot.rel, strlen(spot.rel));
	int error = key != NULL ? border_remove(&view->border, key->bytes) : -ENOMEM;
	text_free(key);
	if (error == 0 && spot.node != NULL)
		view_reconsider_entry(view, spot_parent(&spot), spot.node, true);
	return error;
}

/* remove(path): true; false where it was not watched. Nothing is told. */
static int l_remove(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	const char *path = bind_checkpath(L, 2, NULL);
	Answer answer;
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	watcher_refuse_shared(L, watcher, "remove");
	ask(watcher, path, &answer);
	char *key = answer.paths.key;
	if (key[0] == '\0') { /* no path: empty, or longer than one can be */
		lua_pushboolean(L, false);
		return 1;
	}
	if (answer.spot.root != NULL && answer.spot.rel[0] == '\0')
		strcpy(key, answer.spot.root->key->bytes);
	bool removed = remove_roots(&watcher->watch, key);
	bool watched = removed || answer.verdict.shown || answer.verdict.entered;
	int error = watched ? prune(watcher, &answer.paths) : 0;
	watch_stir(&watcher->watch);
	if (error < 0)
		return bind_fail(L, path, -error);
	lua_pushboolean(L, watched);
	return 1;
}

/* --- a new look at the disk ---------------------------------------------------------------------------------------------- */

static void rescan_all(Tree *tree)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		tree_doubt_root(root);
		if (root->top != NULL)
			tree_scan_later(tree, root->top, SCAN_DEEP | SCAN_COMPARE);
	}
}

/* _rescan([path [, timeout]]): true once the differences can be had */
static int l_rescan(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	double timeout = bind_opttimeout(L, 3);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	Tree *tree = watcher->watch.tree;
	if (lua_isnoneornil(L, 2)) {
		rescan_all(tree);
	} else {
		Paths paths;
		Spot spot;
		const char *path = bind_checkpath(L, 2, NULL);
		if (!find_spot(watcher, path, &paths, &spot))
			return bind_fail_because(L, path, ENOENT, "below no root of the watcher");
		tree_doubt_root(spot.root);
		bool exact = spot.rel[spot.at] == '\0';
		if (spot.dir != NULL)
			tree_scan_later(tree, spot.dir, exact ? SCAN_DEEP | SCAN_COMPARE : SCAN_COMPARE);
	}
	return watcher_wait(L, watcher, timeout, watcher_take_synced);
}

/* --- directories without a watch -------------------------------------------------------------------------------------------- */

static void push_lacking(lua_State *L, Tree *tree, Dir *dir)
{
	int error = watching_reason(tree, dir);
	const Text *path = tree_path(tree, dir);
	lua_createtable(L, 0, 4);
	lua_pushlstring(L, path != NULL ? path->bytes : "", path != NULL ? path->length : 0);
	lua_setfield(L, -2, "path");
	lua_pushstring(L, watcher_reason(error));
	lua_setfield(L, -2, "reason");
	lua_pushinteger(L, error);
	lua_setfield(L, -2, "errno");
	lua_pushboolean(L, dir->polled);
	lua_setfield(L, -2, "polled");
}

/* Into the list on top. */
static void push_all_lacking(lua_State *L, Tree *tree, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (!dir->unreadable && (!dir->polled || tree->options.poll))
			continue;
		push_lacking(L, tree, dir);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
}

/* unwatched(): a list of { path, reason, errno, polled } */
static int l_unwatched(lua_State *L)
{
	Watcher *watcher = watcher_check(L);
	if (watcher->watch.shared == NULL)
		return bind_closed(L);
	Tree *tree = watcher->watch.tree;
	lua_newtable(L);
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			push_all_lacking(L, tree, tree->roots[i]->top);
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
	latest_clear(&watcher->watch.view.latest); /* what is not told is not noted */
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
	{"covers", l_covers},
	{"explain", l_explain},
	{"remove", l_remove},
	{"_rescan", l_rescan},
	{"unwatched", l_unwatched},
	{"pause", l_pause},
	{"resume", l_resume},
	{NULL, NULL},
};
