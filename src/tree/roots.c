/* SPDX-License-Identifier: MIT
 *
 * roots.c - the roots of a tree in the order of their paths.
 *
 * A slash comes before any other byte there, so what lies within a root follows it without a gap. What comes before a
 * root lies in whatever holds it, or is that.
 */
#include "tree/roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static int rank(char byte)
{
	return byte == '\0' ? 0 : byte == '/' ? 1 : 2 + (unsigned char)byte;
}

static int compare(const char *a, const char *b)
{
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

/* The first that does not come before the path. */
static size_t place_of(const Tree *tree, const char *key)
{
	size_t low = 0, high = tree->entered;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(tree->by_path[middle]->key->bytes, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

Root *tree_find_root(const Tree *tree, const char *key)
{
	size_t at = place_of(tree, key);
	bool same = at < tree->entered && strcmp(tree->by_path[at]->key->bytes, key) == 0;
	return same ? tree->by_path[at] : NULL;
}

static bool is_below(const Root *root, const Root *outer)
{
	const char *rel = path_below(root->key->bytes, outer->key->bytes);
	return rel != NULL && rel[0] != '\0';
}

static bool holds(const Root *outer, const Root *root)
{
	return !outer->single && is_below(root, outer);
}

static void set_outer(Root *root, Root *outer)
{
	if (root->outer != NULL)
		root->outer->inner_count--;
	root->outer = outer;
	if (outer != NULL)
		outer->inner_count++;
}

/* What was in `from` and lies below `root`, which stands there, goes to `to`. */
static void hand_over(const Tree *tree, size_t at, const Root *root, const Root *from, Root *to)
{
	for (size_t i = at + 1; i < tree->entered && is_below(tree->by_path[i], root); i++) {
		if (tree->by_path[i]->outer == from)
			set_outer(tree->by_path[i], to);
	}
}

int roots_enter(Tree *tree, Root *root)
{
	Root **by_path = realloc(tree->by_path, (tree->entered + 1) * sizeof(Root *));
	if (by_path == NULL)
		return -ENOMEM;
	tree->by_path = by_path;
	size_t at = place_of(tree, root->key->bytes);
	memmove(by_path + at + 1, by_path + at, (tree->entered - at) * sizeof(Root *));
	by_path[at] = root;
	tree->entered++;
	Root *outer = at > 0 ? by_path[at - 1] : NULL;
	while (outer != NULL && !holds(outer, root))
		outer = outer->outer;
	set_outer(root, outer);
	if (!root->single)
		hand_over(tree, at, root, outer, root);
	return 0;
}

void roots_leave(Tree *tree, Root *root)
{
	size_t at = place_of(tree, root->key->bytes);
	while (at < tree->entered && tree->by_path[at] != root)
		at++;
	if (at == tree->entered)
		return;
	if (root->inner_count > 0)
		hand_over(tree, at, root, root, root->outer);
	set_outer(root, NULL);
	tree->entered--;
	memmove(tree->by_path + at, tree->by_path + at + 1, (tree->entered - at) * sizeof(Root *));
}
