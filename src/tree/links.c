/* SPDX-License-Identifier: MIT
 *
 * links.c - `follow`: symbolic links that are entered, or will be once they lead to a directory.
 */
#include "tree/links.h"

#include <string.h>

#include "tree/trail.h"

static bool is_ancestor(const Dir *dir, Identity wanted)
{
	while (dir != NULL && !(dir->dev == (uint32_t)wanted.dev && dir->entry.ino == wanted.ino))
		dir = dir->parent;
	return dir != NULL;
}

bool links_enter(const Dir *dir, int fd, const char *name, FileInfo *info)
{
	return dir_look_follow(fd, name, info) == 0 && info->type == TYPE_DIRECTORY &&
		!is_ancestor(dir, info->identity);
}

bool links_is_loop(const Dir *dir)
{
	return dir->entry.ino != 0 && is_ancestor(dir->parent, trail_identity(dir));
}

void links_note(Tree *tree, Dir *dir)
{
	if (dir->holds_links)
		return;
	dir->holds_links = dirs_push(&tree->linking, &tree->linking_count, &tree->linking_size, dir);
	if (!dir->holds_links)
		tree->starved = true;
}

static void forget(Tree *tree, size_t at)
{
	Dir *dir = tree->linking[at];
	tree->linking[at] = tree->linking[--tree->linking_count];
	dir->holds_links = false;
	tree_free_dead(tree, dir);
}

void links_forget_all(Tree *tree)
{
	while (tree->linking_count > 0)
		forget(tree, tree->linking_count - 1);
}

static bool leads_elsewhere(const Dir *dir, int fd, const Node *node)
{
	char name[256];
	FileInfo info;
	memcpy(name, node_name(node), node->name_length);
	name[node->name_length] = '\0';
	bool enters = links_enter(dir, fd, name, &info);
	if (!node_is_dir(node))
		return enters;
	return !enters ||
		(node->ino != 0 && !identity_equal(info.identity, trail_identity(dir_of(node))));
}

enum { NONE, SAME, ELSEWHERE };

static int look_into(Tree *tree, Dir *dir)
{
	int fd = tree_open_dir(tree, dir), found = NONE;
	ChildCursor cursor;
	if (fd < 0)
		return ELSEWHERE;
	for (Node *node = children_start(dir, &cursor); node != NULL && found != ELSEWHERE;
		 node = children_next(dir, &cursor)) {
		if (node->type == TYPE_LINK || (node_is_dir(node) && dir_of(node)->linked))
			found = leads_elsewhere(dir, fd, node) ? ELSEWHERE : SAME;
	}
	return found;
}

void links_look(Tree *tree)
{
	for (size_t i = tree->linking_count; i > 0; i--) {
		Dir *dir = tree->linking[i - 1];
		int found = dir->dead ? NONE : look_into(tree, dir);
		if (found == ELSEWHERE)
			tree_scan_later(tree, dir, 0);
		else if (found == NONE)
			forget(tree, i - 1);
	}
	tree_close_trail(tree);
}

static void enter_again(Tree *tree, Dir *dir)
{
	const TreeSink *sink = &tree->sink;
	if (dir->pruned && (sink->enter == NULL || sink->enter(sink->owner, dir->parent, &dir->entry)))
		tree_prune(tree, dir, false);
}

void links_moved(Tree *tree, Node *node)
{
	if (!tree->options.follow || !node_is_dir(node))
		return;
	Dir *top = dir_of(node);
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		enter_again(tree, dir);
		/* Links may lead to what holds them by now, or no longer. */
		if (dir->holds_links || links_is_loop(dir))
			tree_scan_later(tree, dir, 0);
	}
}
