/* SPDX-License-Identifier: MIT
 *
 * adopt.c - directories that are new at their place: made, moved in, or known elsewhere and moved here unseen.
 */
#include "tree/adopt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tree/trail.h"
#include "tree/watching.h"

/* Another directory of this tree that has the same watch and is no longer where the index has it: it was moved here,
 * and the record that says so is unread or lost. */
static Dir *find_stale_twin(Tree *tree, const Dir *dir, const Dir *parent)
{
	if (dir->claim.wd < 0)
		return NULL;
	for (Claim *claim = hub_claims(tree->hub, dir->claim.wd); claim != NULL; claim = claim->next) {
		Dir *other = (Dir *)(void *)claim;
		if (claim->kind != CLAIM_DIR || other == dir || claim->tree != dir->claim.tree)
			continue;
		if (other->parent == NULL || tree_is_below(parent, other))
			continue;
		if (!trail_is_at_its_place(tree, other))
			return other;
	}
	return NULL;
}

static bool is_entry(const Node *node, const DirEntry *entry)
{
	bool isdir = entry->type == TYPE_DIRECTORY;
	return node_is_dir(node) == isdir && (node->ino == 0 || node->ino == entry->ino);
}

static bool mark_seen(const Dir *dir, int fd)
{
	DirListing listing = {0};
	DirEntry entry;
	bool read = dir_list_read(&listing, fd) == 0;
	children_clear_seen(dir);
	while (read && dir_list_next(&listing, &entry)) {
		Node *node = children_find(dir, entry.name, entry.name_length);
		if (node != NULL)
			node->seen = is_entry(node, &entry);
	}
	dir_list_clear(&listing);
	return read;
}

/* Of what happened in it no record tells. */
static bool is_doubted(const Dir *dir)
{
	return dir->rewatch || dir->polled;
}

/* Where the directory cannot be looked at any more, all that is doubted counts as lost; what is there is found again. */
void adopt_tell_lost(Tree *tree, Dir *dir)
{
	const Told like = {.synthetic = true};
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		tree_delete(tree, dir, node, &like);
}

static void tell_all_lost(Tree *tree, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (is_doubted(dir))
			adopt_tell_lost(tree, dir);
	}
}

static void tell_unseen(Tree *tree, Dir *dir)
{
	const Told like = {.synthetic = true};
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (!node->seen)
			tree_delete(tree, dir, node, &like);
	}
}

/* What doubted directories have lost is told before a move carries them: under the new path it may never have been.
 * Without recursion: neither the stack nor the number of descriptors is as large as trees may be deep. */
static void tell_losses(Tree *tree, Dir *top, int top_fd)
{
	Trail trail = {.base = top, .base_fd = top_fd};
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (!is_doubted(dir))
			continue;
		int fd = dir == top ? top_fd : trail_open(tree, &trail, dir);
		if (fd >= 0 && mark_seen(dir, fd))
			tell_unseen(tree, dir);
		else
			adopt_tell_lost(tree, dir);
	}
	trail_close(&trail);
}

void tree_before_move(Tree *tree, Dir *dir, Dir *to, const char *name, size_t length)
{
	char buffer[256];
	Identity found;
	if (!dir->rewatch && tree->polled == 0)
		return;
	memcpy(buffer, name, length);
	buffer[length] = '\0';
	int parent = tree_open_dir(tree, to);
	int fd = parent >= 0 ? dir_open(parent, buffer) : -1;
	bool same =
		fd >= 0 && dir_identify(fd, &found) == 0 && identity_equal(found, trail_identity(dir));
	if (same)
		tell_losses(tree, dir, fd);
	else
		tell_all_lost(tree, dir);
	if (fd >= 0)
		close(fd);
	if (dir->rewatch)
		tree_scan_later(tree, dir, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
}

static Node *take_moved(
	Tree *tree, Dir *twin, int twin_fd, Dir *parent, const DirEntry *entry, const Told *like)
{
	Dir *old_parent = twin->parent;
	if (twin->rewatch || tree->polled > 0)
		tell_losses(tree, twin, twin_fd);
	if (twin->rewatch)
		tree_scan_later(tree, twin, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
	tree_scan_later(tree, old_parent, 0);
	twin->linked = entry->linked;
	return tree_move(tree, old_parent, &twin->entry, parent, entry->name, entry->name_length, like);
}

static bool may_enter(Tree *tree, Dir *parent, Node *node)
{
	if (dir_is_single(parent))
		return false;
	return tree->sink.enter == NULL || tree->sink.enter(tree->sink.owner, parent, node);
}

bool adopt_tells(const Tree *tree, const Dir *dir)
{
	return tree->options.initial || tree_root_of(tree, dir)->ready;
}

static Node *insert_dir(Tree *tree, Dir *parent, Dir *dir, const Told *like)
{
	tree_insert(tree, parent, &dir->entry);
	if (adopt_tells(tree, parent))
		tree_tell(tree, OP_CREATE, parent, &dir->entry, like);
	tree_scan_later(tree, dir, 0);
	return &dir->entry;
}

Node *tree_create_dir(Tree *tree, Dir *parent, const char *name, size_t length, const Told *like)
{
	Node *node = node_new(&tree->pool, TYPE_DIRECTORY, name, length);
	if (node == NULL) {
		tree_retry(tree, parent);
		return NULL;
	}
	dir_of(node)->pruned = !may_enter(tree, parent, node);
	return insert_dir(tree, parent, dir_of(node), like);
}

/* A mount point is listed with the inode below the mount. Else another directory has taken the name since, and there is
 * a record that says so. */
static bool is_what_was_listed(
	const Tree *tree, const Dir *dir, const Dir *parent, const DirEntry *entry)
{
	return entry->linked || dir->dev != parent->dev || dir->entry.ino == entry->ino ||
		hub_caught_up(tree->hub);
}

/* Opened and watched. Where that shows that it is known elsewhere, it was moved: told as a move, unless records are
 * unread that may say so themselves. */
static Node *adopt_open(Tree *tree, Dir *parent, Dir *dir, int fd, const DirEntry *entry,
	const Told *like, bool *unsure)
{
	Dir *twin = NULL;
	bool same = trail_prove(dir, fd) == 0 && is_what_was_listed(tree, dir, parent, entry);
	if (same && tree_watch(tree, dir, fd) == 0)
		twin = find_stale_twin(tree, dir, parent);
	tree->holds_mounts |= dir->mounted;
	if (same && twin == NULL)
		return insert_dir(tree, parent, dir, like);
	if (dir->claim.wd >= 0)
		tree->watches--;
	hub_unclaim(tree->hub, &dir->claim);
	watching_set_polled(tree, dir, false);
	node_free(&tree->pool, &dir->entry);
	*unsure = !same || !hub_caught_up(tree->hub);
	return *unsure ? NULL : take_moved(tree, twin, fd, parent, entry, like);
}

/* A directory that a listing has found and the index does not know at this place. NULL where it is left to the next
 * listing: then *unsure is set. */
Node *adopt_found(
	Tree *tree, Dir *parent, int parent_fd, const DirEntry *entry, const Told *like, bool *unsure)
{
	Node *node = node_new(&tree->pool, TYPE_DIRECTORY, entry->name, entry->name_length);
	if (node == NULL) {
		tree_retry(tree, parent);
		return NULL;
	}
	Dir *dir = dir_of(node);
	dir->claim.tree = tree->index;
	dir->linked = entry->linked;
	dir->pruned = !may_enter(tree, parent, node);
	if (dir->pruned || !tree->ready)
		return insert_dir(tree, parent, dir, like);
	int fd = trail_open_child(parent_fd, dir);
	if (fd < 0) {
		node->ino = entry->ino;
		dir->dev = parent->dev;
		return insert_dir(tree, parent, dir, like);
	}
	bool left = false;
	node = adopt_open(tree, parent, dir, fd, entry, like, &left);
	*unsure |= left;
	close(fd);
	return node;
}
