/* SPDX-License-Identifier: MIT
 *
 * watching.c - the kernel's watch on a directory, and what is done where none is to be had.
 */
#include "tree/watching.h"

#include <errno.h>

#include "os/notify.h"
#include "tree/links.h"

/* MOVE_SELF keeps the record of a directory's new name from being merged with that of the next one there (notify.c). */
static const uint32_t needed_mask = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE |
	NOTIFY_CLOSE_WRITE | NOTIFY_ATTRIB | NOTIFY_MOVE_SELF | NOTIFY_EXCL_UNLINK | NOTIFY_ONLYDIR;
static const uint32_t top_mask = NOTIFY_DELETE_SELF;

void watching_refused(Tree *tree, Dir *dir, int error)
{
	Told told = {.synthetic = true, .error = -error};
	if (!dir->unreadable)
		tree_tell(tree, OP_UNWATCHED, dir, NULL, &told);
	dir->unreadable = true;
}

int watching_reason(Tree *tree, Dir *dir)
{
	if (!dir->unreadable)
		return ENOSPC;
	int fd = tree_open_dir(tree, dir);
	if (fd < 0)
		return -fd;
	return filesystem_kind(fd) == FILESYSTEM_KERNEL ? EOPNOTSUPP : EACCES;
}

static void poll_from_now_on(Tree *tree)
{
	if (tree->poll_at == 0)
		tree->poll_at = tree->hub->now + tree->options.interval;
}

void watching_failed(Tree *tree, Dir *dir, int error)
{
	watching_refused(tree, dir, error);
	tree->ails = true;
	poll_from_now_on(tree);
}

void watching_set_polled(Tree *tree, Dir *dir, bool polled)
{
	if (dir->polled == polled)
		return;
	dir->polled = polled;
	tree->polled += polled ? 1 : (size_t)-1;
	if (polled)
		poll_from_now_on(tree);
}

static int claim(Tree *tree, Dir *dir, int fd)
{
	const TreeOptions *options = &tree->options;
	bool had = dir->claim.wd >= 0;
	bool spent = options->most_watches > 0 && tree->watches >= options->most_watches;
	if (!had && (spent || tree->full))
		return -ENOSPC;
	bool alone = dir->parent == NULL || dir->linked;
	uint32_t mask = needed_mask | options->mask | (alone ? top_mask : 0);
	int error = hub_claim(tree->hub, fd, mask, &dir->claim);
	if (error == -ENOSPC)
		hub_unclaim(tree->hub, &dir->claim); /* what it had is gone */
	tree->watches += (dir->claim.wd >= 0) - (size_t)had;
	return error;
}

static FilesystemKind kind_of(const Tree *tree, const Dir *dir, int fd)
{
	return tree->options.automatic ? hub_filesystem(tree->hub, dir->dev, fd) : FILESYSTEM_LOCAL;
}

bool watching_is_across(const Tree *tree, const Dir *dir)
{
	const Root *root = tree_root_of(tree, dir);
	return tree->options.one_filesystem && root->top != NULL && dir->dev != root->top->dev;
}

/* 0, or a negative errno that keeps the directory from being looked into. Where no watch is to be had, the directory is
 * polled. */
int tree_watch(Tree *tree, Dir *dir, int fd)
{
	FilesystemKind kind = kind_of(tree, dir, fd);
	if (kind == FILESYSTEM_KERNEL)
		return -EOPNOTSUPP;
	if (kind == FILESYSTEM_REMOTE) {
		watching_set_polled(tree, dir, true);
		return 0;
	}
	int error = tree->options.poll ? -ENOSPC : claim(tree, dir, fd);
	if (error != -ENOSPC) {
		if (error == 0)
			dir->was_polled |= dir->polled;
		watching_set_polled(tree, dir, false);
		return error;
	}
	watching_set_polled(tree, dir, true);
	if (!tree->options.poll) {
		tree->full = true;
		tree->limit_reached = true;
	}
	return 0;
}

/* A new look at everything that has no watch; where there is one to be had by now, it is taken. What could not be read
 * is tried again. */
static void look_again(Tree *tree, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (dir->polled || dir->unreadable)
			tree_scan_later(tree, dir, SCAN_COMPARE);
	}
}

bool tree_polls(const Tree *tree)
{
	return tree->polled > 0 || tree->options.poll || tree->linking_count > 0;
}

void tree_poll(Tree *tree)
{
	bool looks = tree->polled > 0 || tree->ails;
	tree->full = tree->ails = false;
	links_look(tree);
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->unsure || tree->options.poll)
			tree_doubt_root(root);
		if (root->top != NULL && looks)
			look_again(tree, root->top);
	}
}

bool watching_has_unsure_root(const Tree *tree)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->unsure || tree->options.poll)
			return true;
	}
	return false;
}

void watching_poll_if_due(Tree *tree)
{
	if (tree->poll_at == 0 || tree->hub->now < tree->poll_at)
		return;
	/* One that takes longer than the interval is not begun again and again: then nothing would ever be settled. */
	if (tree->pending_count > 0) {
		tree->poll_at = tree->hub->now + tree->options.interval;
		return;
	}
	tree_poll(tree);
	bool again = tree_polls(tree) || watching_has_unsure_root(tree);
	tree->poll_at = again ? tree->hub->now + tree->options.interval : 0;
}
