/* SPDX-License-Identifier: MIT
 *
 * spot.c - where a path lies in the index.
 */
#include "tree/spot.h"

#include <string.h>

#include "base/path.h"

static const char *below(const Root *root, const char *path, const char *absolute)
{
	const char *rel = path_below(absolute, root->key->bytes);
	return rel != NULL ? rel : path_below(path, root->prefix->bytes);
}

static bool is_better(const Root *root, const char *rel, const Spot *best)
{
	if (best->root == NULL || (root->top != NULL) != (best->root->top != NULL))
		return best->root == NULL || root->top != NULL;
	return strlen(rel) < strlen(best->rel);
}

/* The innermost that is there: the one below which least is left. What stands in the place of one that is gone is the
 * outer one's. */
static void find_root(const Tree *tree, const char *path, const char *absolute, Spot *spot)
{
	spot->root = tree_find_root(tree, absolute);
	if (spot->root != NULL) {
		spot->rel = absolute + strlen(absolute);
		if (spot->root->top != NULL)
			return;
	}
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		const char *rel = below(root, path, absolute);
		if (rel == NULL || (root->single && rel[0] != '\0'))
			continue;
		if (is_better(root, rel, spot)) {
			spot->root = root;
			spot->rel = rel;
		}
	}
}

static void find_entry(Spot *spot)
{
	const char *rel = spot->rel;
	if (spot->root->single) {
		const Text *name = spot->root->name;
		spot->node = name ? children_find(spot->dir, name->bytes, name->length) : NULL;
		return;
	}
	while (rel[spot->at] != '\0') {
		const char *name = rel + spot->at;
		size_t length = strcspn(name, "/");
		Node *node = length <= 255 ? children_find(spot->dir, name, length) : NULL;
		if (name[length] == '\0')
			spot->node = node;
		if (node == NULL || !node_is_dir(node))
			return;
		spot->dir = dir_of(node);
		spot->at += length + (name[length] == '/');
	}
}

bool spot_find(const Tree *tree, const char *path, const char *absolute, Spot *spot)
{
	*spot = (Spot){0};
	find_root(tree, path, absolute, spot);
	if (spot->root == NULL)
		return false;
	spot->dir = spot->root->top;
	if (spot->dir != NULL)
		find_entry(spot);
	return true;
}

Dir *spot_parent(const Spot *spot)
{
	return node_is_dir(spot->node) ? dir_of(spot->node)->parent : spot->dir;
}

Root *spot_root(const Tree *tree, const char *path, const char *absolute)
{
	Root *same = tree_find_root(tree, absolute);
	if (same != NULL)
		return same;
	for (size_t i = 0; i < tree->root_count; i++) {
		const char *rel = below(tree->roots[i], path, absolute);
		if (rel != NULL && rel[0] == '\0')
			return tree->roots[i];
	}
	return NULL;
}
