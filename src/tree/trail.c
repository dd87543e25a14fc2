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

enum { CLIMB_MOST = 4 * TRAIL_MOST };

void trail_close(Trail *trail)
{
	while (trail->depth > 0)
		close(trail->fds[--trail->depth]);
	trail->stale = false;
}

void tree_close_trail(Tree *tree)
{
	trail_close(&tree->trail);
}

void tree_rest_trail(Tree *tree)
{
	if (tree->pending_count == 0 || !tree_looks_first(tree))
		tree_close_trail(tree);
}

/* The trail may be in use further up the stack: it is only marked, and closed at the next opening. */
void tree_leave_trail(Tree *tree)
{
	tree->trail.stale = true;
}

static int open_top(const Root *root)
{
	return root->single ? dir_open_root(root->folder->bytes) : dir_open_root(root->real->bytes);
}

/* The path from another directory that it lies in, or from the root's top (NULL); NULL out of memory. */
static Text *relative_path(const Dir *top, const Dir *dir)
{
	size_t length = 0;
	for (const Dir *d = dir; d != top && d->parent != NULL; d = d->parent)
		length += d->entry.name_length + 1u;
	Text *path = text_new(length - 1);
	if (path == NULL)
		return NULL;
	size_t at = length - 1;
	for (const Dir *d = dir; d != top && d->parent != NULL; d = d->parent) {
		at -= d->entry.name_length;
		memcpy(path->bytes + at, node_name(&d->entry), d->entry.name_length);
		if (at > 0)
			path->bytes[--at] = '/';
	}
	return path;
}

static int open_below(const Tree *tree, const Dir *top, int top_fd, const Dir *dir)
{
	Text *path = relative_path(top, dir);
	int fd = path != NULL ? dir_open_below(top_fd, path->bytes, path->length, tree->options.follow)
						  : -ENOMEM;
	text_free(path);
	return fd;
}

/* By the whole path, without the trail; the caller closes. */
static int open_whole(const Tree *tree, const Dir *dir)
{
	int top = open_top(tree_root_of(tree, dir));
	if (top < 0 || dir->parent == NULL)
		return top;
	int fd = open_below(tree, NULL, top, dir);
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
	} else if (!identity_equal(found, trail_identity(dir))) {
		return -ESTALE;
	}
	dir->mounted = found.mounted;
	return 0;
}

static bool is_proven(const Dir *dir, int fd)
{
	Identity found;
	return dir_identify(fd, &found) == 0 && identity_equal(found, trail_identity(dir));
}

/* The trail goes on from another directory alone. */
static void restart(Trail *trail, const Dir *dir, int fd)
{
	close(trail->fds[0]);
	trail->dirs[0] = dir;
	trail->fds[0] = fd;
	trail->depth = 1;
}

static bool is_near(const Dir *dir, const Dir *ancestor)
{
	for (int i = 0; i < CLIMB_MOST && dir != NULL && dir != ancestor; i++)
		dir = dir->parent;
	return dir == ancestor;
}

/* From the outermost directory up to one of those that it lies in: a branch may be longer than the trail, and opened by
 * its whole path each of its directories would cost as much as it lies deep. */
static bool climb(Trail *trail, const Dir *ancestor)
{
	if (!is_near(trail->dirs[0], ancestor))
		return false;
	while (trail->dirs[0] != ancestor) {
		const Dir *parent = trail->dirs[0]->parent;
		int fd = dir_open(trail->fds[0], "..");
		if (fd < 0)
			return false;
		if (!is_proven(parent, fd)) {
			close(fd);
			return false;
		}
		restart(trail, parent, fd);
	}
	return true;
}

/* The innermost directory of the trail is the parent then. */
static bool reach(Trail *trail, const Dir *parent)
{
	while (trail->depth > 1 && trail->dirs[trail->depth - 1] != parent)
		close(trail->fds[--trail->depth]);
	return trail->depth > 0 && parent != NULL &&
		(trail->dirs[trail->depth - 1] == parent || climb(trail, parent));
}

static int open_on(const Tree *tree, Trail *trail, const Dir *dir)
{
	if (reach(trail, dir->parent))
		return trail_open_child(trail->fds[trail->depth - 1], dir);
	trail_close(trail);
	return trail->base != NULL ? open_below(tree, trail->base, trail->base_fd, dir)
							   : open_whole(tree, dir);
}

/* The outer half of a full one goes. */
static void append(Trail *trail, const Dir *dir, int fd)
{
	const size_t half = TRAIL_MOST / 2;
	if (trail->depth == TRAIL_MOST) {
		for (size_t i = 0; i < half; i++)
			close(trail->fds[i]);
		memmove(trail->dirs, trail->dirs + half, half * sizeof *trail->dirs);
		memmove(trail->fds, trail->fds + half, half * sizeof *trail->fds);
		trail->depth = half;
	}
	trail->dirs[trail->depth] = dir;
	trail->fds[trail->depth++] = fd;
}

/* It may have been listed since it was opened. */
static int rewind_listing(int fd)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd;
}

int trail_open(Tree *tree, Trail *trail, Dir *dir)
{
	if (trail->stale)
		trail_close(trail);
	for (size_t i = trail->depth; i > 0; i--) {
		if (trail->dirs[i - 1] == dir)
			return rewind_listing(trail->fds[i - 1]);
	}
	int fd = open_on(tree, trail, dir);
	if (fd < 0)
		return fd;
	int error = trail_prove(dir, fd);
	if (error < 0) {
		close(fd);
		return error;
	}
	tree->holds_mounts |= dir->mounted && dir->parent != NULL;
	append(trail, dir, fd);
	return fd;
}

int tree_open_dir(Tree *tree, Dir *dir)
{
	return trail_open(tree, &tree->trail, dir);
}

bool trail_is_at_its_place(const Tree *tree, const Dir *dir)
{
	int fd = open_whole(tree, dir);
	bool same = fd >= 0 && is_proven(dir, fd);
	if (fd >= 0)
		close(fd);
	return same;
}
