/* SPDX-License-Identifier: MIT
 *
 * trail.c - directories opened by the way the index has for them, and proven by device and inode.
 *
 * The descriptors of one branch stay open during a slice of scanning, so that a child is opened relative to its parent;
 * none outlives the slice, since an open descriptor keeps a file system from being unmounted; but the first look goes on
 * where it was.
 */
#include "tree/trail.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { TRAIL_MOST = 32 };

void tree_close_trail(Tree *tree)
{
	while (tree->trail_depth > 0)
		close(tree->trail_fds[--tree->trail_depth]);
	tree->trail_stale = false;
}

void tree_rest_trail(Tree *tree)
{
	if (tree->pending_count == 0 || !tree_looks_first(tree))
		tree_close_trail(tree);
}

/* The trail may be in use further up the stack: it is only marked, and closed at the next opening. */
void tree_leave_trail(Tree *tree)
{
	tree->trail_stale = true;
}

static int open_top(const Root *root)
{
	return root->single ? dir_open_root(root->folder->bytes) : dir_open_root(root->real->bytes);
}

/* The path from the top, as one string in the list buffer's place; NULL out of memory. */
static Text *relative_path(const Dir *dir)
{
	size_t length = 0;
	for (const Dir *d = dir; d->parent != NULL; d = d->parent)
		length += d->entry.name_length + 1u;
	Text *path = text_new(length - 1);
	if (path == NULL)
		return NULL;
	size_t at = length - 1;
	for (const Dir *d = dir; d->parent != NULL; d = d->parent) {
		at -= d->entry.name_length;
		memcpy(path->bytes + at, node_name(&d->entry), d->entry.name_length);
		if (at > 0)
			path->bytes[--at] = '/';
	}
	return path;
}

/* By the whole path, without the trail; the caller closes. */
int trail_open_whole(const Dir *dir)
{
	int top = open_top(tree_root_of(dir));
	if (top < 0 || dir->parent == NULL)
		return top;
	Text *path = relative_path(dir);
	bool follow = tree_root_of(dir)->tree->options.follow;
	int fd = path != NULL ? dir_open_below(top, path->bytes, path->length, follow) : -ENOMEM;
	text_free(path);
	close(top);
	return fd;
}

int trail_open_child(int parent_fd, const Dir *dir)
{
	char name[256];
	memcpy(name, node_name(&dir->entry), dir->entry.name_length);
	name[dir->entry.name_length] = '\0';
	return dir->linked ? dir_open_follow(parent_fd, name) : dir_open(parent_fd, name);
}

Identity trail_identity(const Dir *dir)
{
	return (Identity){.dev = dir->dev, .ino = dir->entry.ino};
}

/* 0 where the descriptor is the directory; one never seen before is whatever is found. */
int trail_prove(Dir *dir, int fd)
{
	Identity found;
	int error = dir_identify(fd, &found);
	if (error < 0)
		return error;
	if (dir->entry.ino == 0) {
		dir->entry.ino = found.ino;
		dir->dev = (uint32_t)found.dev;
		return 0;
	}
	return identity_equal(found, trail_identity(dir)) ? 0 : -ESTALE;
}

static int open_on_trail(Tree *tree, Dir *dir)
{
	const Dir *parent = dir->parent;
	while (tree->trail_depth > 0 && tree->trail_dirs[tree->trail_depth - 1] != parent)
		close(tree->trail_fds[--tree->trail_depth]);
	if (tree->trail_depth > 0)
		return trail_open_child(tree->trail_fds[tree->trail_depth - 1], dir);
	return trail_open_whole(dir);
}

/* It may have been listed since it was opened. */
static int rewind_listing(int fd)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd;
}

int tree_open_dir(Tree *tree, Dir *dir)
{
	if (tree->trail_stale)
		tree_close_trail(tree);
	for (size_t i = tree->trail_depth; i > 0; i--) {
		if (tree->trail_dirs[i - 1] == dir)
			return rewind_listing(tree->trail_fds[i - 1]);
	}
	int fd = open_on_trail(tree, dir);
	if (fd < 0)
		return fd;
	int error = trail_prove(dir, fd);
	if (error < 0) {
		close(fd);
		return error;
	}
	if (tree->trail_depth == TRAIL_MOST)
		tree_close_trail(tree);
	tree->trail_dirs[tree->trail_depth] = dir;
	tree->trail_fds[tree->trail_depth++] = fd;
	return fd;
}

bool trail_is_at_its_place(const Dir *dir)
{
	Identity found;
	int fd = trail_open_whole(dir);
	if (fd < 0)
		return false;
	bool same = dir_identify(fd, &found) == 0 && identity_equal(found, trail_identity(dir));
	close(fd);
	return same;
}
