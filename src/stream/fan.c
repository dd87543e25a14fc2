/* SPDX-License-Identifier: MIT
 *
 * fan.c - one tree and all the views of it.
 */
#include "stream/fan.h"

#include <stdlib.h>
#include <string.h>

static View *view_of(List *link)
{
	return list_item(link, View, link);
}

/* --- what is in the tree ----------------------------------------------------------------------------------------- */

static bool enters(void *owner, Dir *parent, Node *node)
{
	Fan *fan = owner;
	for (List *link = fan->views.next; link != &fan->views; link = link->next) {
		if (view_enters(view_of(link), parent, node))
			return true;
	}
	return false;
}

/* In or out of the tree, as the views look now. What is out has nothing below it. */
static void prune_one(Fan *fan, Dir *parent, Node *node)
{
	tree_prune(fan->tree, dir_of(node), !enters(fan, parent, node));
}

static void prune_children(Fan *fan, Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (node_is_dir(node))
			prune_one(fan, dir, node);
	}
}

static void prune_below(Fan *fan, Dir *top)
{
	if (dir_is_single(top))
		return;
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		prune_children(fan, dir);
}

static void prune(Fan *fan, Dir *parent, Node *node)
{
	prune_one(fan, parent, node);
	prune_below(fan, dir_of(node));
}

static void prune_all(Fan *fan)
{
	for (size_t i = 0; i < fan->tree->root_count; i++) {
		if (fan->tree->roots[i]->top != NULL)
			prune_below(fan, fan->tree->roots[i]->top);
	}
}

/* What nobody has entered so far, and this one does. */
static void open_children(Fan *fan, View *view, Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (node_is_dir(node) && dir_of(node)->pruned && view_enters(view, dir, node))
			tree_prune(fan->tree, dir_of(node), false);
	}
}

static void open_for(Fan *fan, View *view)
{
	for (size_t i = 0; i < fan->tree->root_count; i++) {
		Dir *top = fan->tree->roots[i]->top;
		if (top == NULL || dir_is_single(top))
			continue;
		for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
			open_children(fan, view, dir);
	}
}

/* --- what the tree tells ------------------------------------------------------------------------------------------- */

/* Of one entry and nothing else: most views are not concerned, as its path says, which is put together once. What a file
 * is renamed onto is a file, and shown where that is. */
static bool is_plain(const Told *told)
{
	if (told->dir == NULL || told->node == NULL)
		return false;
	if (told->op == OP_MOVE)
		return told->type != TYPE_DIRECTORY && told->replaced != TYPE_DIRECTORY && !told->exchange;
	return told->replaced == 0 && !(told->op == OP_DELETE && told->type == TYPE_DIRECTORY);
}

static bool see(Sight *sight, Border *paths, Dir *dir, const char *name, size_t length)
{
	sight->root = tree_root_of(paths->tree, dir);
	sight->rel = border_rel(paths, dir, name, length, &sight->length);
	return sight->rel != NULL;
}

/* False: out of memory, or it is not so plain. */
static bool tell_listeners(Fan *fan, const Told *told)
{
	Sight at, from;
	bool moves = told->op == OP_MOVE;
	if (!is_plain(told) || !see(&at, &fan->paths, told->dir, told->name, told->name_length))
		return false;
	if (moves &&
		!see(&from, &fan->old_paths, told->from_dir, told->from_name, told->from_name_length))
		return false;
	for (List *link = fan->views.next; link != &fan->views; link = link->next) {
		if (view_listens(view_of(link), told, &at, moves ? &from : NULL))
			view_tell(view_of(link), told);
	}
	return true;
}

static void tell_all(Fan *fan, const Told *told)
{
	for (List *link = fan->views.next; link != &fan->views; link = link->next)
		view_tell(view_of(link), told);
}

/* Some view looks into everything, now and wherever it may be moved. */
static bool is_whole(Fan *fan)
{
	for (List *link = fan->views.next; link != &fan->views; link = link->next) {
		if (!view_of(link)->border.active)
			return true;
	}
	return false;
}

static void prune_moved(Fan *fan, const Told *told)
{
	Node *back = told->exchange
		? children_find(told->from_dir, told->from_name, told->from_name_length)
		: NULL;
	if (is_whole(fan))
		return;
	if (node_is_dir(told->node))
		prune(fan, told->dir, told->node);
	if (back != NULL && node_is_dir(back))
		prune(fan, told->from_dir, back);
}

static void tell(void *owner, const Told *told)
{
	Fan *fan = owner;
	if (!tell_listeners(fan, told))
		tell_all(fan, told);
	if (told->op == OP_MOVE)
		prune_moved(fan, told);
}

static void leave(void *owner, Dir *dir, Node *node, bool replaced)
{
	Fan *fan = owner;
	for (List *link = fan->views.next; link != &fan->views; link = link->next)
		view_leave(view_of(link), dir, node, replaced);
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static void add(Fan *fan, View *view)
{
	view_share(view);
	view_set_tree(view, fan->tree);
	list_append(&fan->views, &view->link);
}

Fan *fan_new(View *view)
{
	Fan *fan = view_may_share(view) ? calloc(1, sizeof *fan) : NULL;
	if (fan == NULL)
		return NULL;
	fan->tree = fan->paths.tree = fan->old_paths.tree = view->tree;
	list_init(&fan->views);
	tree_hand_over(
		fan->tree, (TreeSink){.owner = fan, .tell = tell, .enter = enters, .leave = leave});
	add(fan, view);
	return fan;
}

static bool is_same(const Text *a, const Text *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool are_alike(const Root *a, const Root *b)
{
	return is_same(a->given, b->given) && is_same(a->prefix, b->prefix) &&
		is_same(a->real, b->real) && is_same(a->key, b->key);
}

/* What counts only when a root is added or looked at first does not count here. */
static bool are_equal(const TreeOptions *a, const TreeOptions *b)
{
	return a->mask == b->mask && a->flat == b->flat && a->follow == b->follow &&
		a->one_filesystem == b->one_filesystem && a->poll == b->poll &&
		a->automatic == b->automatic && a->interval == b->interval &&
		a->most_watches == b->most_watches && a->limit_is_error == b->limit_is_error;
}

bool fan_fits(const Fan *fan, const View *view)
{
	const Tree *ours = fan->tree, *other = view->tree;
	if (!view_may_share(view) || ours->root_count != other->root_count ||
		!are_equal(&ours->options, &other->options))
		return false;
	for (size_t i = 0; i < ours->root_count; i++) {
		if (!are_alike(ours->roots[i], other->roots[i]))
			return false;
	}
	return true;
}

void fan_join(Fan *fan, View *view)
{
	tree_close(view->tree);
	add(fan, view);
	open_for(fan, view);
}

Tree *fan_leave(Fan *fan, View *view)
{
	Tree *tree = fan->tree;
	list_remove(&view->link);
	fan->stale = true;
	if (!list_empty(&fan->views))
		return NULL;
	tree_hand_over(tree, (TreeSink){0});
	list_remove(&fan->link);
	border_clear(&fan->paths);
	border_clear(&fan->old_paths);
	free(fan);
	return tree;
}

void fan_tidy(Fan *fan)
{
	fan->stale = false;
	if (!is_whole(fan))
		prune_all(fan);
}
