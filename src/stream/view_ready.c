/* SPDX-License-Identifier: MIT
 *
 * view_ready.c - when a view begins to be told: alone with its tree, or as one of several.
 */
#include <errno.h>
#include <string.h>

#include "base/path.h"
#include "stream/view_state.h"
#include "tree/watching.h"

/* --- one of several ----------------------------------------------------------------------------------------------------- */

bool view_may_share(const View *view)
{
	const BorderRules *rules = &view->options.rules;
	bool nested = false;
	for (size_t i = 0; i < view->tree->root_count; i++)
		nested |= view->tree->roots[i]->outer != NULL;
	return rules->filter == NULL && rules->ignores == NULL && !nested &&
		view->border.removed_count == 0;
}

void view_share(View *view)
{
	view->border.by_path = view->waits = true;
}

static bool sees(const View *view, const Sight *sight, bool isdir)
{
	return border_ask_rel(&view->border, sight->root, sight->rel, sight->length, isdir).shown;
}

/* A rename may be told as a create or a delete. */
bool view_listens(const View *view, const Told *told, const Sight *at, const Sight *from)
{
	bool isdir = told->type == TYPE_DIRECTORY;
	if (from != NULL ? view->muted || view->waits : !view_wants(view, told))
		return false;
	return !view->border.active || sees(view, at, isdir) ||
		(from != NULL && sees(view, from, isdir));
}

static void fill_types(Tree *tree, Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (node->type == TYPE_UNKNOWN)
			tree_fill_type(tree, dir, node);
	}
}

static void fill_all_types(Tree *tree, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		fill_types(tree, dir);
}

static void tell_start(View *view)
{
	Tree *tree = view->tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top == NULL)
			continue;
		fill_all_types(tree, tree->roots[i]->top);
		view_tell_content(view, tree->roots[i]);
	}
	tree_close_trail(tree);
}

static void tell_unwatched(View *view, Dir *top)
{
	Told told = {.op = OP_UNWATCHED, .type = TYPE_DIRECTORY, .synthetic = true, .name = ""};
	told.root = tree_root_of(view->tree, top);
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (!dir->unreadable)
			continue;
		told.error = watching_reason(view->tree, dir);
		told.dir = dir;
		view_tell(view, &told);
	}
}

/* Others may have been told long ago what cannot be watched. */
static void catch_up(View *view)
{
	Tree *tree = view->tree;
	view->waits = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tell_unwatched(view, tree->roots[i]->top);
	}
	tree_close_trail(tree);
	if (tree->limit_told)
		view_tell_of_root(view, OP_UNWATCHED, tree->roots[0], ENOSPC);
	if (view->options.initial)
		tell_start(view);
}

/* --- readiness ------------------------------------------------------------------------------------------------------------ */

/* The entry that a root is in the root around it, and the directory that holds it. */
static Node *entry_of(const Root *root, Dir **parent)
{
	Dir *dir = root->outer->top;
	const char *rel = path_below(root->key->bytes, root->outer->key->bytes);
	Node *node = NULL;
	while (dir != NULL && *rel != '\0') {
		size_t length = strcspn(rel, "/");
		*parent = dir;
		node = length <= 255 ? children_find(dir, rel, length) : NULL;
		rel += length + (rel[length] == '/');
		dir = node != NULL && node_is_dir(node) ? dir_of(node) : NULL;
	}
	return *rel == '\0' ? node : NULL;
}

void view_set_ready(View *view)
{
	Tree *tree = view->tree;
	tree->ready = true;
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->ready)
			continue;
		root->ready = true;
		Dir *parent = NULL;
		Node *node = root->outer != NULL ? entry_of(root, &parent) : NULL;
		view->border.active |= root->outer != NULL;
		if (node != NULL)
			view_reconsider_entry(view, parent, node, true);
	}
	if (view->waits)
		catch_up(view);
}
