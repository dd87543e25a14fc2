/* SPDX-License-Identifier: MIT
 *
 * remount.c - mounts that came or went: what they hide, and what is seen again.
 *
 * Neither tells a watch anything. What is below such a place is not believed until it has been watched and listed anew:
 * records about it may be of what nobody sees.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tree/recover.h"
#include "tree/trail.h"
#include "tree/tree.h"

/* The rest of `path` below the directory that the descriptor stands for; NULL where it is not below it. */
static const char *path_below(int fd, const char *path)
{
	char link[64], top[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, top, sizeof top);
	if (length <= 0 || length == sizeof top)
		return NULL;
	size_t head = top[length - 1] == '/' ? (size_t)length - 1 : (size_t)length;
	return strncmp(path, top, head) == 0 && path[head] == '/' ? path + head + 1 : NULL;
}

/* A directory mounted over itself is the same, but what was mounted below it is hidden, or seen again. */
static void doubt_dir(Tree *tree, Dir *dir)
{
	recover_disbelieve(dir);
	tree_scan_later(tree, dir, SCAN_DEEP | SCAN_REWATCH);
	tree_scan_later(tree, dir->parent, 0);
}

/* What has that path in the index is no longer what it was; nothing where it is not known. */
static void doubt_path(Tree *tree, Dir *dir, const char *rest)
{
	for (;;) {
		size_t length = strcspn(rest, "/");
		Node *node = children_find(dir, rest, length);
		if (node == NULL || (rest[length] != '\0' && !node_is_dir(node)))
			return;
		if (rest[length] == '\0' && node_is_dir(node)) {
			doubt_dir(tree, dir_of(node));
			return;
		}
		if (rest[length] == '\0') {
			node->ino = 1; /* surely another */
			tree_scan_later(tree, dir, 0);
			return;
		}
		dir = dir_of(node);
		rest += length + 1;
	}
}

void tree_remounted(Tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		int fd = root->top != NULL && !root->single ? tree_open_dir(tree, root->top) : -1;
		const char *rest = fd >= 0 ? path_below(fd, path) : NULL;
		if (rest != NULL && *rest != '\0')
			doubt_path(tree, root->top, rest);
		else
			tree_doubt_root(root);
	}
	tree_close_trail(tree);
}

/* True where one lies below the top. */
static bool verify_below(Tree *tree, Dir *top)
{
	bool found = false;
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (dir == top || !dir->mounted)
			continue;
		found = true;
		if (!trail_is_at_its_place(tree, dir))
			doubt_dir(tree, dir);
	}
	return found;
}

void tree_verify_mounts(Tree *tree)
{
	bool found = false;
	for (size_t i = 0; tree->holds_mounts && i < tree->root_count; i++)
		found |= verify_below(tree, tree->roots[i]->top);
	tree->holds_mounts = found;
}
