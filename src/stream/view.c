/* SPDX-License-Identifier: MIT
 *
 * view.c - what one reader sees of a tree.
 */
#include "stream/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"

/* --- paths below the root --------------------------------------------------------------------------------------- */

static size_t rel_at(const Root *root)
{
	const Text *prefix = root->single ? root->prefix_folder : root->prefix;
	return prefix->length + (prefix->length > 0 && prefix->bytes[prefix->length - 1] != '/');
}

static bool make_room(View *view, size_t size)
{
	if (size <= view->path_size)
		return true;
	char *grown = realloc(view->path, size * 2);
	if (grown == NULL)
		return false;
	view->path = grown;
	view->path_size = size * 2;
	return true;
}

static const char *join_rel(
	View *view, const Text *dir, size_t at, const char *name, size_t length, size_t *rel_length)
{
	size_t head = dir->length > at ? dir->length - at : 0;
	if (!make_room(view, head + 1 + length + 1))
		return NULL;
	memcpy(view->path, dir->bytes + at, head);
	if (head > 0 && length > 0)
		view->path[head++] = '/';
	memcpy(view->path + head, name, length);
	view->path[head + length] = '\0';
	*rel_length = head + length;
	return view->path;
}

const char *view_rel(View *view, Dir *dir, const char *name, size_t length, size_t *rel_length)
{
	Text *path = tree_path(view->tree, dir);
	if (path == NULL)
		return NULL;
	return join_rel(view, path, rel_at(tree_root_of(dir)), name, length, rel_length);
}

/* --- the filter --------------------------------------------------------------------------------------------------- */

static size_t components(const char *rel, size_t length)
{
	size_t count = 1;
	for (size_t i = 0; i < length; i++)
		count += rel[i] == '/';
	return count;
}

static bool is_ignored(const View *view, const char *rel, size_t length, bool isdir)
{
	return view->options.ignore != NULL &&
		pattern_verdict(view->options.ignore, rel, length, isdir, NULL) > 0;
}

static bool is_matched(const Pattern *match, const char *rel, size_t length, bool isdir)
{
	return match == NULL || pattern_verdict(match, rel, length, isdir, NULL) > 0;
}

static uint32_t depth_of(const View *view)
{
	return view->options.flat ? 1 : view->options.depth;
}

bool view_shows(View *view, const Root *root, const char *rel, size_t length, bool isdir)
{
	if (!view->filtered || length == 0 || root->single)
		return true;
	if (depth_of(view) > 0 && components(rel, length) > depth_of(view))
		return false;
	return !is_ignored(view, rel, length, isdir) && is_matched(root->match, rel, length, isdir) &&
		is_matched(view->options.match, rel, length, isdir);
}

/* Whether a directory is to be looked into: anything below it may be shown. */
static bool enters(void *owner, Root *root, Dir *parent, const char *name, size_t length)
{
	View *view = owner;
	size_t rel_length;
	if (!view->filtered)
		return true;
	const char *rel = view_rel(view, parent, name, length, &rel_length);
	if (rel == NULL)
		return true;
	if (depth_of(view) > 0 && components(rel, rel_length) >= depth_of(view))
		return false;
	return !is_ignored(view, rel, rel_length, true) &&
		(root->match == NULL || pattern_may_match_below(root->match, rel, rel_length)) &&
		(view->options.match == NULL ||
			pattern_may_match_below(view->options.match, rel, rel_length));
}

/* --- queueing -------------------------------------------------------------------------------------------------------- */

/* Where an entry lies: the directory's path is a use of its own once it is in an item. */
typedef struct Place {
	Text *dir;
	const char *name;
	size_t length;
	const Root *root;
} Place;

/* Was anything known in the directory that is told as deleted? */
static bool takes_content_along(const Told *told)
{
	return told->op == OP_DELETE && told->type == TYPE_DIRECTORY &&
		(told->node == NULL || !node_is_dir(told->node) || dir_of(told->node)->count > 0);
}

static void fill_item(View *view, Item *item, const Told *told, const Place *place)
{
	const Hub *hub = view->tree->hub;
	item->time = hub->read_at;
	item->wall = hub->read_wall;
	item->seq = ++view->sequence;
	item->mask = told->mask;
	item->cookie = told->cookie;
	item->wd = told->wd;
	item->op = told->op;
	item->type = told->type;
	item->replaced = told->replaced;
	item->isdir = told->type == TYPE_DIRECTORY;
	item->synthetic = told->synthetic;
	item->exchange = told->exchange;
	item->error = told->error;
	item->whole = takes_content_along(told);
	item->root = text_share(place->root->given);
	item->dir = text_share(place->dir);
	item->rel_at = (uint32_t)(place->length > 0 ? rel_at(place->root) : place->dir->length);
	if (place->length == 0 && place->dir->length > rel_at(place->root))
		item->rel_at = (uint32_t)rel_at(place->root);
	memcpy(item->names, place->name, place->length);
}

static void queue_event(View *view, const Told *told, const Place *to, const Place *from)
{
	if (to->dir == NULL || (from != NULL && from->dir == NULL)) {
		view->failed = true;
		return;
	}
	Item *item = queue_push(&view->queue, to->length, from != NULL ? from->length : 0);
	if (item == NULL) {
		view->failed = true;
		return;
	}
	fill_item(view, item, told, to);
	view->told[told->op]++;
	if (from == NULL)
		return;
	item->from_dir = text_share(from->dir);
	item->from_root = from->root != to->root ? text_share(from->root->given) : NULL;
	item->from_rel_at = (uint32_t)rel_at(from->root);
	memcpy(item->names + to->length, from->name, from->length);
}

/* What was there already; that something cannot be watched is told all the same. */
static bool is_part_of_the_start(const View *view, const Told *told)
{
	return told->initial && !view->options.initial && told->op != OP_UNWATCHED;
}

static bool wants(const View *view, const Told *told)
{
	if (view->muted || is_part_of_the_start(view, told))
		return false;
	return (view->options.ops >> told->op & 1) != 0;
}

static Place place_of(const View *view, Dir *dir, const char *name, size_t length)
{
	return (Place){
		.dir = tree_path(view->tree, dir),
		.name = name,
		.length = length,
		.root = tree_root_of(dir),
	};
}

/* An event of `op` about one entry, otherwise like `told`. */
static void tell_entry(View *view, const Told *told, uint8_t op, const Place *place, FileType type)
{
	Told entry = *told;
	entry.op = op;
	entry.type = (uint8_t)type;
	if (wants(view, &entry))
		queue_event(view, &entry, place, NULL);
}

/* A create and what content follows it, for what came into the view by a rename. */
static void tell_found(View *view, const Told *told, const Place *place, FileType type)
{
	Told found = *told;
	tell_entry(view, &found, OP_CREATE, place, type);
	if (type == TYPE_DIRECTORY || type == TYPE_LINK)
		return;
	found.synthetic = true;
	found.mask = found.cookie = 0;
	found.replaced = 0;
	tell_entry(view, &found, OP_MODIFY, place, type);
	tell_entry(view, &found, OP_CLOSE_WRITE, place, type);
}

/* --- what is told entry by entry --------------------------------------------------------------------------------------- */

/* What an event about a directory above has done to the entries that the reader knows below its old path. */
typedef enum Fate {
	FATE_NONE,  /* nothing: they are there */
	FATE_MOVED, /* they are below the new path */
	FATE_GONE,
} Fate;

/* The same entry seen twice: by its old path and by its new one; either may be missing. */
typedef struct Walk {
	View *view;
	const Told *told;
	const Root *old_root, *new_root;
} Walk;

static bool shows_place(View *view, const Place *place, bool isdir)
{
	size_t rel_length;
	const char *rel =
		join_rel(view, place->dir, rel_at(place->root), place->name, place->length, &rel_length);
	return rel != NULL && view_shows(view, place->root, rel, rel_length, isdir);
}

/* Returns the fate of what lies below the entry. */
static Fate tell_difference(
	const Walk *walk, Fate fate, const Node *node, const Place *old, const Place *new)
{
	View *view = walk->view;
	bool isdir = node_is_dir(node);
	bool was = fate != FATE_GONE && old->dir != NULL && shows_place(view, old, isdir);
	bool is = new->dir != NULL &&shows_place(view, new, isdir);
	Told told = *walk->told;
	if (was && is) {
		told.op = OP_MOVE;
		told.type = node->type;
		if (fate == FATE_NONE && wants(view, &told))
			queue_event(view, &told, new, old);
		return FATE_MOVED;
	}
	if (was) {
		tell_entry(view, &told, OP_DELETE, fate == FATE_MOVED ? new : old, node->type);
		return FATE_GONE;
	}
	if (is)
		tell_found(view, &told, new, node->type);
	return fate;
}

/* All below a directory, parents first. The paths are composed on the way: the index knows only the new ones. */
static void walk_entries(const Walk *walk, Fate fate, const Dir *dir, Text *old_dir, Text *new_dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		const char *name = node_name(node);
		Place old = {old_dir, name, node->name_length, walk->old_root};
		Place new = {new_dir, name, node->name_length, walk->new_root};
		Fate below = tell_difference(walk, fate, node, &old, &new);
		if (!node_is_dir(node))
			continue;
		Text *old_path =
			old_dir ? text_join(old_dir->bytes, old_dir->length, name, old.length) : NULL;
		Text *new_path =
			new_dir ? text_join(new_dir->bytes, new_dir->length, name, new.length) : NULL;
		if ((old_path != NULL) == (old_dir != NULL) && (new_path != NULL) == (new_dir != NULL))
			walk_entries(walk, below, dir_of(node), old_path, new_path);
		else
			walk->view->failed = true;
		text_free(old_path);
		text_free(new_path);
	}
}

static Text *join_place(const Place *place)
{
	if (place == NULL)
		return NULL;
	return text_join(place->dir->bytes, place->dir->length, place->name, place->length);
}

static void walk_below(View *view, const Told *told, Fate fate, const Place *old, const Place *new)
{
	Walk walk = {
		.view = view,
		.told = told,
		.old_root = old != NULL ? old->root : NULL,
		.new_root = new != NULL ? new->root : NULL,
	};
	Text *old_path = join_place(old), *new_path = join_place(new);
	walk_entries(&walk, fate, dir_of(told->node), old_path, new_path);
	text_free(old_path);
	text_free(new_path);
}

/* --- what a tree tells ---------------------------------------------------------------------------------------------------- */

static void tell_delete(View *view, const Told *told, const Place *place)
{
	bool isdir = told->type == TYPE_DIRECTORY;
	if (shows_place(view, place, isdir)) {
		tell_entry(view, told, OP_DELETE, place, told->type);
	} else if (isdir) {
		Told below = *told;
		walk_below(view, &below, FATE_NONE, place, NULL);
	}
}

static void move_of_file(View *view, const Told *told, const Place *to, const Place *from)
{
	bool was = shows_place(view, from, false), is = shows_place(view, to, false);
	if (was && is && wants(view, told))
		queue_event(view, told, to, from);
	else if (was && !is)
		tell_entry(view, told, OP_DELETE, from, told->type);
	else if (is && !was)
		tell_found(view, told, to, told->type);
}

/* Directories that the new place lets in or shuts out. */
static void cover_again(View *view, Dir *top)
{
	ChildCursor cursor;
	for (Node *node = children_start(top, &cursor); node != NULL;
		 node = children_next(top, &cursor)) {
		if (!node_is_dir(node))
			continue;
		bool entered = enters(view, tree_root_of(top), top, node_name(node), node->name_length);
		tree_prune(view->tree, dir_of(node), !entered);
		cover_again(view, dir_of(node));
	}
}

static void move_of_dir(View *view, const Told *told, const Place *to, const Place *from)
{
	bool was = shows_place(view, from, true), is = shows_place(view, to, true);
	if (was && is) {
		if (wants(view, told))
			queue_event(view, told, to, from);
	} else if (was) {
		tell_entry(view, told, OP_DELETE, from, told->type);
	} else if (is) {
		tell_entry(view, told, OP_CREATE, to, told->type);
	}
	if (!view->filtered)
		return;
	Told below = *told;
	below.replaced = 0;
	walk_below(view, &below, was && is ? FATE_MOVED : was ? FATE_GONE : FATE_NONE, from, to);
	Dir *parent = told->dir, *moved = dir_of(told->node);
	tree_prune(view->tree, moved,
		!enters(view, tree_root_of(parent), parent, told->name, told->name_length));
	cover_again(view, moved);
}

static void tell_gone(View *view, const Told *told, const Node *node, const Place *place)
{
	Told gone = *told;
	gone.node = (Node *)(uintptr_t)node;
	gone.type = node->type;
	gone.replaced = 0;
	gone.exchange = false;
	tell_delete(view, &gone, place);
}

static void tell_come(View *view, const Told *told, Node *node, const Place *place)
{
	Told come = *told;
	bool isdir = node_is_dir(node);
	come.node = node;
	come.replaced = 0;
	come.exchange = false;
	if (shows_place(view, place, isdir))
		tell_found(view, &come, place, node->type);
	if (!isdir)
		return;
	walk_below(view, &come, FATE_GONE, NULL, place);
	Dir *parent = node->parent;
	tree_prune(view->tree, dir_of(node),
		!enters(view, tree_root_of(parent), parent, place->name, place->length));
	cover_again(view, dir_of(node));
}

/* With a filter each of the two may be shown at one place and not at the other: told as two that go and two that come. */
static void exchange_filtered(View *view, const Told *told, const Place *to, const Place *from)
{
	Node *here = told->node;
	Node *there = children_find(told->from_dir, told->from_name, told->from_name_length);
	tell_gone(view, told, here, from);
	tell_gone(view, told, there, to);
	tell_come(view, told, here, to);
	tell_come(view, told, there, from);
}

static void tell_move(View *view, const Told *told, const Place *to)
{
	Place from = place_of(view, told->from_dir, told->from_name, told->from_name_length);
	Place kept = {text_share(to->dir), to->name, to->length, to->root};
	from.dir = text_share(from.dir);
	if (from.dir == NULL || kept.dir == NULL)
		view->failed = true;
	else if (told->exchange && view->filtered)
		exchange_filtered(view, told, &kept, &from);
	else if (told->type == TYPE_DIRECTORY)
		move_of_dir(view, told, &kept, &from);
	else
		move_of_file(view, told, &kept, &from);
	text_free(from.dir);
	text_free(kept.dir);
}

/* Where a single file lies, as the user would call it. */
static Text *folder_of(const Root *root)
{
	const Text *folder = root->prefix_folder;
	return folder->length > 0 ? text_share(root->prefix_folder) : text_copy(".", 1);
}

/* The coming and going of a single file's folder is told of that. */
static void tell_root(View *view, const Told *told)
{
	const Root *root = told->root;
	Place place = {.dir = text_share(root->prefix), .name = "", .root = root};
	if (root->single) {
		text_free(place.dir);
		place.dir = folder_of(root);
	}
	if (wants(view, told))
		queue_event(view, told, &place, NULL);
	text_free(place.dir);
}

static void tell(void *owner, const Told *told)
{
	View *view = owner;
	if (is_part_of_the_start(view, told))
		return;
	if (told->dir == NULL) {
		tell_root(view, told);
		return;
	}
	Place place = place_of(view, told->dir, told->name, told->name_length);
	if (place.dir == NULL) {
		view->failed = true;
		return;
	}
	if (told->op == OP_MOVE)
		tell_move(view, told, &place);
	else if (told->op == OP_DELETE)
		tell_delete(view, told, &place);
	else if (wants(view, told) &&
		(told->op == OP_UNWATCHED || shows_place(view, &place, told->type == TYPE_DIRECTORY)))
		queue_event(view, told, &place, NULL);
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

static const uint32_t always_told =
	1u << OP_OVERFLOW | 1u << OP_GONE | 1u << OP_BACK | 1u << OP_UNWATCHED;

void view_init(View *view, const ViewOptions *options)
{
	*view = (View){.options = *options};
	view->options.ops |= always_told;
	view->filtered = options->flat || options->depth > 0 || options->match != NULL ||
		options->ignore != NULL || options->filter != NULL;
}

void view_clear(View *view)
{
	queue_clear(&view->queue);
	pattern_free(view->options.match);
	pattern_free(view->options.ignore);
	free(view->path);
	*view = (View){0};
}

TreeSink view_sink(View *view)
{
	return (TreeSink){.owner = view, .tell = tell, .enter = enters};
}
