/* SPDX-License-Identifier: MIT
 *
 * scan.c - brings the index of one directory into agreement with the disk, and tells each difference.
 *
 * Watch first, then list. The one function for every case in which the kernel cannot be believed: the first look, a
 * directory that was filled before it was watched, a tree moved in, an overflow, a root that came back, polling.
 *
 * A directory is opened by the path the index has for it and proven by device and inode. Where another or none is
 * there, either a record that says so is still unread (then the scan waits for it) or the parent is listed again.
 */
#include "tree/tree.h"

#include "tree/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/notify.h"

#define RETRY_DELAY 1.0 /* seconds */

enum { TRAIL_MOST = 32, LISTINGS_MOST = 8 };

static const uint32_t needed_mask = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE |
	NOTIFY_CLOSE_WRITE | NOTIFY_ATTRIB | NOTIFY_EXCL_UNLINK | NOTIFY_ONLYDIR;
static const uint32_t top_mask = NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF;

/* --- the lists of directories that wait -------------------------------------------------------------------------- */

static bool push(Dir ***list, size_t *count, size_t *size, Dir *dir)
{
	if (*count == *size) {
		size_t grown_size = *size ? *size * 2 : 64;
		Dir **grown = realloc(*list, grown_size * sizeof(Dir *));
		if (grown == NULL)
			return false;
		*list = grown;
		*size = grown_size;
	}
	(*list)[(*count)++] = dir;
	return true;
}

void tree_scan_later(Tree *tree, Dir *dir, unsigned how)
{
	if (dir->pruned || dir->dead)
		return;
	dir->deep |= (how & SCAN_DEEP) != 0;
	dir->rewatch |= (how & SCAN_REWATCH) != 0;
	dir->compare |= (how & SCAN_COMPARE) != 0;
	if (!dir->pending)
		dir->pending = push(&tree->pending, &tree->pending_count, &tree->pending_size, dir);
	if (!dir->pending)
		tree->starved = true;
}

static void defer(Tree *tree, Dir *dir)
{
	if (dir->pending || dir->dead)
		return;
	dir->pending = push(&tree->deferred, &tree->deferred_count, &tree->deferred_size, dir);
	if (!dir->pending)
		tree->starved = true;
}

void tree_retry(Tree *tree, Dir *dir)
{
	defer(tree, dir);
	if (tree->retry_at == 0)
		tree->retry_at = tree->hub->now + RETRY_DELAY;
}

/* The directory is not where the index has it, and records that may say why are still unread. */
static void wait_for_records(Tree *tree, Dir *dir)
{
	defer(tree, dir);
	tree->deferred_until = hub_position(tree->hub);
}

static void resume_deferred(Tree *tree)
{
	if (tree->deferred_count == 0 || tree->hub->done < tree->deferred_until)
		return;
	if (tree->retry_at != 0 && tree->hub->now < tree->retry_at)
		return;
	tree->retry_at = 0;
	while (tree->deferred_count > 0) {
		Dir *dir = tree->deferred[--tree->deferred_count];
		dir->pending = false;
		if (dir->dead)
			node_free(&tree->pool, &dir->entry);
		else
			tree_scan_later(tree, dir, 0);
	}
}

static void free_dead(Tree *tree, Dir **list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i]->dead)
			node_free(&tree->pool, &list[i]->entry);
	}
}

void tree_drop_dead(Tree *tree)
{
	free_dead(tree, tree->pending, tree->pending_count);
	free_dead(tree, tree->deferred, tree->deferred_count);
	tree->pending_count = tree->deferred_count = 0;
}

/* --- descriptors of one branch -------------------------------------------------------------------------------------- */

void tree_close_trail(Tree *tree)
{
	while (tree->trail_depth > 0)
		close(tree->trail_fds[--tree->trail_depth]);
	tree->trail_stale = false;
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
	for (const Dir *d = dir; d->entry.parent != NULL; d = d->entry.parent)
		length += d->entry.name_length + 1u;
	Text *path = text_new(length - 1);
	if (path == NULL)
		return NULL;
	size_t at = length - 1;
	for (const Dir *d = dir; d->entry.parent != NULL; d = d->entry.parent) {
		at -= d->entry.name_length;
		memcpy(path->bytes + at, node_name(&d->entry), d->entry.name_length);
		if (at > 0)
			path->bytes[--at] = '/';
	}
	return path;
}

/* By the whole path, without the trail; the caller closes. */
static int open_whole(const Dir *dir)
{
	int top = open_top(tree_root_of(dir));
	if (top < 0 || dir->entry.parent == NULL)
		return top;
	Text *path = relative_path(dir);
	bool follow = tree_root_of(dir)->tree->options.follow;
	int fd = path != NULL ? dir_open_below(top, path->bytes, path->length, follow) : -ENOMEM;
	text_free(path);
	close(top);
	return fd;
}

static int open_in_parent(int parent_fd, const Dir *dir)
{
	char name[256];
	memcpy(name, node_name(&dir->entry), dir->entry.name_length);
	name[dir->entry.name_length] = '\0';
	return dir->linked ? dir_open_follow(parent_fd, name) : dir_open(parent_fd, name);
}

static Identity identity_of(const Dir *dir)
{
	return (Identity){.dev = dir->dev, .ino = dir->entry.ino};
}

/* 0 where the descriptor is the directory; one never seen before is whatever is found. */
static int prove(Dir *dir, int fd)
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
	return identity_equal(found, identity_of(dir)) ? 0 : -ESTALE;
}

static int open_on_trail(Tree *tree, Dir *dir)
{
	const Dir *parent = dir->entry.parent;
	while (tree->trail_depth > 0 && tree->trail_dirs[tree->trail_depth - 1] != parent)
		close(tree->trail_fds[--tree->trail_depth]);
	if (tree->trail_depth > 0)
		return open_in_parent(tree->trail_fds[tree->trail_depth - 1], dir);
	return open_whole(dir);
}

int tree_open_dir(Tree *tree, Dir *dir)
{
	if (tree->trail_stale)
		tree_close_trail(tree);
	for (size_t i = tree->trail_depth; i > 0; i--) {
		if (tree->trail_dirs[i - 1] == dir)
			return tree->trail_fds[i - 1];
	}
	int fd = open_on_trail(tree, dir);
	if (fd < 0)
		return fd;
	int error = prove(dir, fd);
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

static bool is_at_its_place(const Dir *dir)
{
	Identity found;
	int fd = open_whole(dir);
	if (fd < 0)
		return false;
	bool same = dir_identify(fd, &found) == 0 && identity_equal(found, identity_of(dir));
	close(fd);
	return same;
}

/* --- all directories ------------------------------------------------------------------------------------------------ */

void tree_visit_dirs(Tree *tree, Dir *top, TreeVisit *visit, uint64_t argument)
{
	Dir **stack = NULL;
	size_t count = 0, size = 0;
	Dir *dir = top;
	do {
		ChildCursor cursor;
		visit(tree, dir, argument);
		for (Node *node = children_start(dir, &cursor); node != NULL;
			 node = children_next(dir, &cursor)) {
			if (node_is_dir(node) && !push(&stack, &count, &size, dir_of(node)))
				tree_visit_dirs(tree, dir_of(node), visit, argument);
		}
		dir = count > 0 ? stack[--count] : NULL;
	} while (dir != NULL);
	free(stack);
}

/* --- watches --------------------------------------------------------------------------------------------------------- */

static void tell_unwatched(Tree *tree, Dir *dir, int error)
{
	Told told = {.synthetic = true, .error = -error};
	if (!dir->unreadable)
		tree_tell(tree, OP_UNWATCHED, dir, NULL, &told);
	dir->unreadable = true;
}

static void set_polled(Tree *tree, Dir *dir, bool polled)
{
	if (dir->polled == polled)
		return;
	dir->polled = polled;
	tree->polled += polled ? 1 : (size_t)-1;
	if (polled && tree->poll_at == 0)
		tree->poll_at = tree->hub->now + tree->options.interval;
}

static int claim(Tree *tree, Dir *dir, int fd)
{
	const TreeOptions *options = &tree->options;
	bool had = dir->claim.wd >= 0;
	bool spent = options->most_watches > 0 && tree->watches >= options->most_watches && !had;
	if (spent || tree->full)
		return -ENOSPC;
	bool alone = dir->entry.parent == NULL || dir->linked;
	uint32_t mask = needed_mask | options->mask | (alone ? top_mask : 0);
	int error = hub_claim(tree->hub, fd, mask, &dir->claim);
	tree->watches += (dir->claim.wd >= 0) - (size_t)had;
	return error;
}

static FilesystemKind kind_of(const Tree *tree, const Dir *dir, int fd)
{
	return tree->options.automatic ? hub_filesystem(tree->hub, dir->dev, fd) : FILESYSTEM_LOCAL;
}

static bool is_across(const Tree *tree, const Dir *dir)
{
	const Root *root = tree_root_of(dir);
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
		set_polled(tree, dir, true);
		return 0;
	}
	int error = tree->options.poll ? -ENOSPC : claim(tree, dir, fd);
	if (error != -ENOSPC) {
		if (error == 0)
			dir->was_polled = dir->polled;
		set_polled(tree, dir, false);
		return error;
	}
	set_polled(tree, dir, true);
	if (!tree->options.poll) {
		tree->full = true;
		tree->limit_reached = true;
	}
	return 0;
}

/* A new look at everything that has no watch; where there is one to be had by now, it is taken. */
static void look_again(Tree *tree, Dir *dir, uint64_t argument)
{
	(void)argument;
	if (dir->polled)
		tree_scan_later(tree, dir, SCAN_COMPARE);
}

void tree_poll(Tree *tree)
{
	tree->full = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->unsure || tree->options.poll)
			root->check = tree->checks = true;
		if (root->top != NULL && tree->polled > 0)
			tree_visit_dirs(tree, root->top, look_again, 0);
	}
}

static bool has_unsure_root(const Tree *tree)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->unsure || tree->options.poll)
			return true;
	}
	return false;
}

static void poll_if_due(Tree *tree)
{
	if (tree->poll_at == 0 || tree->hub->now < tree->poll_at)
		return;
	tree_poll(tree);
	bool again = tree->polled > 0 || has_unsure_root(tree);
	tree->poll_at = again ? tree->hub->now + tree->options.interval : 0;
}

/* --- new directories -------------------------------------------------------------------------------------------------- */

/* Another directory of this tree that has the same watch and is no longer where the index has it: it was moved here,
 * and the record that says so is unread or lost. */
static Dir *find_stale_twin(Tree *tree, const Dir *dir, const Dir *parent)
{
	if (dir->claim.wd < 0)
		return NULL;
	for (Claim *claim = hub_claims(tree->hub, dir->claim.wd); claim != NULL; claim = claim->next) {
		Dir *other = (Dir *)(void *)claim;
		if (claim->kind != CLAIM_DIR || other == dir || other->tree != dir->tree)
			continue;
		if (other->entry.parent == NULL || tree_is_below(parent, other))
			continue;
		if (!is_at_its_place(other))
			return other;
	}
	return NULL;
}

static void clear_seen(const Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		node->seen = false;
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
	clear_seen(dir);
	while (read && dir_list_next(&listing, &entry)) {
		Node *node = children_find(dir, entry.name, entry.name_length);
		if (node != NULL)
			node->seen = is_entry(node, &entry);
	}
	dir_list_clear(&listing);
	return read;
}

/* What a directory of which records were lost has lost is told before its move: under the new path it may never have
 * been. */
static void tell_losses(Tree *tree, Dir *dir, int fd)
{
	const Told like = {.synthetic = true};
	ChildCursor cursor;
	if (!mark_seen(dir, fd))
		return;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (!node->seen) {
			tree_delete(tree, dir, node, &like);
			continue;
		}
		int child = node_is_dir(node) ? open_in_parent(fd, dir_of(node)) : -1;
		if (child < 0)
			continue;
		tell_losses(tree, dir_of(node), child);
		close(child);
	}
}

static void tell_all_lost(Tree *tree, Dir *dir)
{
	const Told like = {.synthetic = true};
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		tree_delete(tree, dir, node, &like);
}

void tree_before_move(Tree *tree, Dir *dir, Dir *to, const char *name, size_t length)
{
	char buffer[256];
	Identity found;
	if (!dir->rewatch)
		return;
	memcpy(buffer, name, length);
	buffer[length] = '\0';
	int parent = tree_open_dir(tree, to);
	int fd = parent >= 0 ? dir_open(parent, buffer) : -1;
	bool same = fd >= 0 && dir_identify(fd, &found) == 0 && identity_equal(found, identity_of(dir));
	if (same)
		tell_losses(tree, dir, fd);
	else
		tell_all_lost(tree, dir);
	if (fd >= 0)
		close(fd);
	tree_scan_later(tree, dir, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
}

static Node *take_moved(
	Tree *tree, Dir *twin, int twin_fd, Dir *parent, const DirEntry *entry, const Told *like)
{
	Dir *old_parent = twin->entry.parent;
	if (twin->rewatch) {
		tell_losses(tree, twin, twin_fd);
		tree_scan_later(tree, twin, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
	}
	tree_scan_later(tree, old_parent, 0);
	return tree_move(tree, old_parent, &twin->entry, parent, entry->name, entry->name_length, like);
}

static bool may_enter(Tree *tree, Dir *parent, Node *node)
{
	return tree->sink.enter == NULL || tree->sink.enter(tree->sink.owner, parent, node);
}

/* Is what is found in this directory told? */
static bool tells(const Tree *tree, const Dir *dir)
{
	return tree->options.initial || tree_root_of(dir)->ready;
}

static Node *insert_dir(Tree *tree, Dir *parent, Dir *dir, const Told *like)
{
	tree_insert(tree, parent, &dir->entry);
	if (tells(tree, parent))
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
static bool is_what_was_listed(const Dir *dir, const Dir *parent, const DirEntry *entry)
{
	return entry->linked || dir->dev != parent->dev || dir->entry.ino == entry->ino ||
		hub_caught_up(tree_root_of(parent)->tree->hub);
}

/* Opened and watched. Where that shows that it is known elsewhere, it was moved: told as a move, unless records are
 * unread that may say so themselves. */
static Node *adopt_open(Tree *tree, Dir *parent, Dir *dir, int fd, const DirEntry *entry,
	const Told *like, bool *unsure)
{
	Dir *twin = NULL;
	bool same = prove(dir, fd) == 0 && is_what_was_listed(dir, parent, entry);
	if (same && tree_watch(tree, dir, fd) == 0)
		twin = find_stale_twin(tree, dir, parent);
	if (same && twin == NULL)
		return insert_dir(tree, parent, dir, like);
	if (dir->claim.wd >= 0)
		tree->watches--;
	hub_unclaim(tree->hub, &dir->claim);
	set_polled(tree, dir, false);
	node_free(&tree->pool, &dir->entry);
	*unsure = !same || !hub_caught_up(tree->hub);
	return *unsure ? NULL : take_moved(tree, twin, fd, parent, entry, like);
}

/* A directory that a listing has found and the index does not know at this place. NULL where it is left to the next
 * listing: then *unsure is set. */
static Node *adopt(
	Tree *tree, Dir *parent, int parent_fd, const DirEntry *entry, const Told *like, bool *unsure)
{
	Node *node = node_new(&tree->pool, TYPE_DIRECTORY, entry->name, entry->name_length);
	if (node == NULL) {
		tree_retry(tree, parent);
		return NULL;
	}
	Dir *dir = dir_of(node);
	dir->tree = tree->index;
	dir->linked = entry->linked;
	dir->pruned = !may_enter(tree, parent, node);
	if (dir->pruned || !tree->ready)
		return insert_dir(tree, parent, dir, like);
	int fd = open_in_parent(parent_fd, dir);
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

/* --- listing ---------------------------------------------------------------------------------------------------------- */

typedef struct Scan {
	Tree *tree;
	bool again; /* something was left to the next scan */
	bool tells; /* what is found */
	Dir *dir;
	int fd;
	bool compare;      /* contents changed since they were told are told */
	bool deep;         /* directories below are scanned the same way */
	unsigned how;      /* for them */
	bool captured;     /* who the directory is was learned by opening it just now */
	uint64_t begin;    /* before it was opened */
	uint64_t from, to; /* the position of the listing lies between */
	Told like;
} Scan;

/* A file in a polled directory has no record of changes: what it looked like is kept and compared. */
static uint64_t signature(const FileInfo *info)
{
	uint64_t hash = (uint64_t)info->ctime * 0x9e3779b97f4a7c15u;
	hash = (hash ^ (hash >> 29) ^ (uint64_t)info->mtime) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ (hash >> 32) ^ info->size) * 0x94d049bb133111ebu;
	return (hash ^ (hash >> 31)) & TOLD_MASK;
}

static void sign(const Scan *scan, Node *node, const char *name)
{
	FileInfo info;
	if (scan->dir->polled && dir_look(scan->fd, name, &info) == 0)
		node->told = signature(&info) & TOLD_MASK;
}

static void found_new(Scan *scan, const DirEntry *entry)
{
	Tree *tree = scan->tree;
	if (entry->type == TYPE_DIRECTORY) {
		Node *node = adopt(tree, scan->dir, scan->fd, entry, &scan->like, &scan->again);
		if (node != NULL)
			node->seen = true;
		return;
	}
	Node *node = node_new(&tree->pool, entry->type, entry->name, entry->name_length);
	if (node == NULL) {
		tree_retry(tree, scan->dir);
		return;
	}
	node->ino = entry->ino;
	node->seen = true;
	tree_insert(tree, scan->dir, node);
	sign(scan, node, entry->name);
	if (!scan->tells)
		return;
	tree_tell(tree, OP_CREATE, scan->dir, node, &scan->like);
	tree_tell_content(tree, scan->dir, node, &scan->like);
}

static bool content_changed(const Scan *scan, const Node *node, const FileInfo *info)
{
	if (scan->dir->polled || scan->dir->was_polled)
		return node->told != signature(info);
	if (node->writing)
		return true;
	int64_t told = (int64_t)node->told + scan->tree->hub->epoch;
	return hub_is_since(
		scan->tree->hub, info->ctime, told > scan->tree->gap ? told : scan->tree->gap);
}

static void compare_file(Scan *scan, Node *node, const char *name)
{
	FileInfo info;
	if (dir_look(scan->fd, name, &info) < 0)
		return;
	bool changed = content_changed(scan, node, &info);
	if (scan->dir->polled)
		node->told = signature(&info) & TOLD_MASK;
	else
		tree_stamp(scan->tree, node);
	node->writing = false;
	if (changed)
		tree_tell_content(scan->tree, scan->dir, node, &scan->like);
}

static void sign_or_stamp(const Scan *scan, Node *node, const char *name)
{
	node->writing = false;
	if (scan->dir->polled)
		sign(scan, node, name);
	else
		tree_stamp(scan->tree, node);
}

/* A file that the index has under this name. Another inode: something was renamed onto it. */
static void found_file(Scan *scan, Node *node, const DirEntry *entry)
{
	bool other = node->ino != 0 && node->ino != entry->ino;
	node->ino = entry->ino;
	if (node->type == TYPE_UNKNOWN)
		node->type = entry->type & 7u;
	if (other)
		sign_or_stamp(scan, node, entry->name);
	if (other && scan->tells)
		tree_tell_content(scan->tree, scan->dir, node, &scan->like);
	else if (scan->compare && !other)
		compare_file(scan, node, entry->name);
}

static void replace(Scan *scan, Node *node, const DirEntry *entry)
{
	scan->like.replaced = node->type ? node->type : TYPE_FILE;
	tree_leave(scan->tree, scan->dir, node, true);
	tree_delete(scan->tree, scan->dir, node, NULL);
	found_new(scan, entry);
	scan->like.replaced = 0;
}

static bool is_same_dir(const Scan *scan, const Dir *dir)
{
	Identity found = {0, 0};
	int fd = open_in_parent(scan->fd, dir);
	if (fd < 0)
		return fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP;
	int error = dir_identify(fd, &found);
	close(fd);
	return error < 0 || identity_equal(found, identity_of(dir));
}

static void found_dir(Scan *scan, Node *node, const DirEntry *entry)
{
	Dir *dir = dir_of(node);
	bool doubtful = node->ino != 0 && (node->ino != entry->ino || (dir->rewatch && !scan->deep));
	if (doubtful && !is_same_dir(scan, dir)) {
		tree_delete(scan->tree, scan->dir, node, &scan->like);
		found_new(scan, entry);
		return;
	}
	dir->linked = entry->linked;
	if (scan->deep)
		tree_scan_later(scan->tree, dir, scan->how);
	else if (!dir->listed || dir->rewatch)
		tree_scan_later(scan->tree, dir, 0);
}

/* A link into a directory that it lies in is a link and nothing more. */
static bool is_loop(const Dir *dir, Identity target)
{
	while (dir != NULL && !(dir->dev == (uint32_t)target.dev && dir->entry.ino == target.ino))
		dir = dir->entry.parent;
	return dir != NULL;
}

/* Fills what the listing leaves open, and follows links to directories where that was asked for. */
static void resolve(const Scan *scan, DirEntry *entry)
{
	FileInfo info;
	if (entry->type == TYPE_UNKNOWN && dir_look(scan->fd, entry->name, &info) == 0)
		entry->type = info.type;
	if (!scan->tree->options.follow || entry->type != TYPE_LINK ||
		dir_look_follow(scan->fd, entry->name, &info) < 0 || info.type != TYPE_DIRECTORY ||
		is_loop(scan->dir, info.identity))
		return;
	entry->type = TYPE_DIRECTORY;
	entry->ino = info.identity.ino;
	entry->linked = true;
}

static bool differs_in_type(const Node *node, const DirEntry *entry)
{
	bool is_dir = entry->type == TYPE_DIRECTORY;
	return node_is_dir(node) != is_dir ||
		(!is_dir && node->type != TYPE_UNKNOWN && node->type != entry->type);
}

/* Does the listing say otherwise than the index about a name that the index has? While records are unread they may
 * explain it, and the directory is left as it is. */
static bool contradicts(Scan *scan)
{
	DirEntry entry;
	uint32_t known = 0;
	while (dir_list_next(&scan->tree->hub->listing, &entry)) {
		const Node *node = children_find(scan->dir, entry.name, entry.name_length);
		if (node == NULL)
			continue;
		known++;
		resolve(scan, &entry);
		if (differs_in_type(node, &entry))
			return true;
		bool other = node->ino != 0 && node->ino != entry.ino;
		if (node_is_dir(node) && other && !is_same_dir(scan, dir_of(node)))
			return true;
	}
	return known < scan->dir->count;
}

static void found(Scan *scan, DirEntry *entry)
{
	resolve(scan, entry);
	Node *node = children_find(scan->dir, entry->name, entry->name_length);
	if (node == NULL) {
		found_new(scan, entry);
		return;
	}
	node->seen = true;
	bool is_dir = entry->type == TYPE_DIRECTORY;
	if (differs_in_type(node, entry))
		replace(scan, node, entry);
	else if (is_dir)
		found_dir(scan, node, entry);
	else
		found_file(scan, node, entry);
}

static void drop_unseen(Scan *scan)
{
	ChildCursor cursor;
	for (Node *node = children_start(scan->dir, &cursor); node != NULL;
		 node = children_next(scan->dir, &cursor)) {
		if (!node->seen)
			tree_delete(scan->tree, scan->dir, node, &scan->like);
	}
}

/* Reads the names so that no record about this directory came meanwhile: then the listing has one position. Gives up
 * under a writer that never pauses; such records are checked. */
static int read_names(Scan *scan)
{
	Dir *dir = scan->dir;
	Hub *hub = scan->tree->hub;
	DirListing *listing = &hub->listing;
	for (int i = 0; i < LISTINGS_MOST; i++) {
		scan->from = hub_read_position(hub);
		if (i > 0 && lseek(scan->fd, 0, SEEK_SET) < 0)
			return -errno;
		int error = dir_list_read(listing, scan->fd);
		if (error < 0)
			return error;
		if (dir->claim.wd < 0 || !hub_heard(hub, dir->claim.wd, scan->from)) {
			scan->from = scan->to = hub_read_position(hub);
			return 0;
		}
	}
	scan->to = hub_read_position(hub);
	return dir->listed && !dir->rewatch ? -EAGAIN : 0;
}

/* What is told must have existed under the path that is told: so after the listing the directory must still be where
 * the index has it. */
static int list_all(Scan *scan)
{
	DirListing *listing = &scan->tree->hub->listing;
	DirEntry entry;
	int error = read_names(scan);
	if (error < 0)
		return error;
	if (scan->captured && hub_heard_of_directories(scan->tree->hub, scan->begin))
		return -EAGAIN;
	if (scan->tells && !is_at_its_place(scan->dir))
		return -ESTALE;
	if (scan->tree->ready && !hub_caught_up(scan->tree->hub) && contradicts(scan))
		return -EAGAIN;
	if (scan->tree->sink.list != NULL)
		scan->tree->sink.list(scan->tree->sink.owner, scan->dir, scan->fd);
	/* Records that are part of this listing will be dropped: what they say of contents is found by comparing. */
	scan->compare |= !scan->dir->listed || scan->to != scan->begin;
	listing->position = 0;
	while (dir_list_next(listing, &entry))
		found(scan, &entry);
	drop_unseen(scan);
	return 0;
}

/* The listing of a single file is a look at its name. */
static int look_single(Scan *scan, const Root *root)
{
	FileInfo info;
	int error = dir_look(scan->fd, root->leaf->bytes, &info);
	if (error == -ENOENT) {
		drop_unseen(scan);
		return 0;
	}
	if (error < 0)
		return error;
	DirEntry entry = {
		.name = root->name->bytes,
		.name_length = root->name->length,
		.ino = info.identity.ino,
		.type = info.type,
	};
	found(scan, &entry);
	drop_unseen(scan);
	return 0;
}

static bool is_single(const Dir *dir)
{
	return dir->entry.parent == NULL && dir->entry.root->single;
}

static int list(Scan *scan)
{
	Dir *dir = scan->dir;
	Tree *tree = scan->tree;
	tree->stamp = dir_clock();
	clear_seen(dir);
	scan->from = scan->to = hub_read_position(tree->hub);
	int error = is_single(dir) ? look_single(scan, dir->entry.root) : list_all(scan);
	if (error < 0)
		return error;
	dir->listed_from = scan->from;
	dir->listed_to = scan->to;
	dir->listed = true;
	dir->rewatch = false;
	if (scan->again)
		wait_for_records(tree, dir);
	return 0;
}

/* --- one scan, and all that wait -------------------------------------------------------------------------------------- */

static bool is_lost(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -ESTALE;
}

static void scan_failed(Tree *tree, Dir *dir, int error)
{
	if (error == -EAGAIN) {
		wait_for_records(tree, dir);
		return;
	}
	if (!is_lost(error)) {
		if (error == -EACCES || error == -EPERM || error == -EOPNOTSUPP)
			tell_unwatched(tree, dir, error);
		else if (error == -EXDEV)
			tree_prune(tree, dir, true);
		else
			tree_retry(tree, dir);
		return;
	}
	dir->rewatch = true;
	if (dir->entry.parent == NULL) {
		dir->entry.root->check = tree->checks = true;
	} else if (tree->hub->done < hub_position(tree->hub)) {
		wait_for_records(tree, dir);
	} else {
		tree_scan_later(tree, dir->entry.parent, 0);
	}
}

/* It may have been another that had the name for a moment. */
static void forget_identity(Tree *tree, Dir *dir)
{
	if (dir->claim.wd >= 0)
		tree->watches--;
	hub_unclaim(tree->hub, &dir->claim);
	dir->entry.ino = 0;
	tree_leave_trail(tree);
}

static void scan_one(Tree *tree, Dir *dir)
{
	Scan scan = {
		.tree = tree,
		.dir = dir,
		.compare = dir->compare,
		.deep = dir->deep,
		.tells = tells(tree, dir),
		.like = {.synthetic = true},
	};
	scan.how = (scan.deep ? SCAN_DEEP | SCAN_REWATCH : 0) | (scan.compare ? SCAN_COMPARE : 0);
	dir->deep = dir->compare = false;
	scan.captured = dir->entry.ino == 0;
	scan.begin = hub_read_position(tree->hub);
	scan.fd = tree_open_dir(tree, dir);
	int error = scan.fd < 0 ? scan.fd : 0;
	if (error == 0 && is_across(tree, dir))
		error = -EXDEV;
	if (error == 0 && (dir->claim.wd < 0 || dir->rewatch))
		error = tree_watch(tree, dir, scan.fd);
	scan.compare |= dir->polled || dir->was_polled;
	if (error == 0)
		error = list(&scan);
	if (error == 0) {
		dir->unreadable = dir->was_polled = false;
		tree->rescans++;
		return;
	}
	dir->deep |= scan.deep;
	dir->compare |= scan.compare;
	if (scan.captured && error != -EXDEV)
		forget_identity(tree, dir);
	scan_failed(tree, dir, error);
}

static double monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void tree_check_roots(Tree *tree)
{
	tree->checks = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->check)
			way_check(tree->roots[i]);
	}
}

static void settled(Tree *tree)
{
	tree->gap = 0;
	recovery_ended(tree);
	if (tree->limit_reached && !tree->limit_told && tree->root_count > 0) {
		tree->limit_told = true;
		tree_tell_root(tree, OP_UNWATCHED, tree->roots[0], ENOSPC);
	}
	if (tree->polled == 0 && !tree->options.poll)
		tree->limit_reached = tree->limit_told = false;
	if (tree->poll_at == 0 && has_unsure_root(tree))
		tree->poll_at = tree->hub->now + tree->options.interval;
}

/* Something could not be noted for later, for want of memory: so everything is looked at again. */
static void recover_starved(Tree *tree)
{
	if (tree->retry_at == 0)
		tree->retry_at = tree->hub->now + RETRY_DELAY;
	if (tree->hub->now < tree->retry_at)
		return;
	tree->starved = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tree_scan_later(tree, tree->roots[i]->top, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
	}
}

bool tree_work(Tree *tree, double until)
{
	if (tree->starved)
		recover_starved(tree);
	if (tree->checks)
		tree_check_roots(tree);
	resume_deferred(tree);
	poll_if_due(tree);
	tree->behind = false;
	if (recovery_waits(tree))
		return false;
	double began = tree->recovery.running ? monotonic() : 0;
	while (tree->pending_count > 0) {
		if (tree->ready && !hub_caught_up(tree->hub)) {
			tree->behind = true;
			break;
		}
		Dir *dir = tree->pending[--tree->pending_count];
		dir->pending = false;
		if (dir->dead)
			node_free(&tree->pool, &dir->entry);
		else if (!dir->pruned)
			scan_one(tree, dir);
		if (monotonic() >= until)
			break;
	}
	tree_close_trail(tree);
	if (tree->recovery.running)
		tree->recovery.spent += monotonic() - began;
	if (tree_is_settled(tree))
		settled(tree);
	return tree->pending_count > 0 || tree->checks;
}

bool tree_is_settled(const Tree *tree)
{
	return tree->pending_count == 0 && tree->deferred_count == 0 && !tree->checks &&
		tree->recovery.due_at == 0;
}

static double earlier(double a, double b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

double tree_deadline(const Tree *tree)
{
	return earlier(tree->recovery.due_at, earlier(tree->retry_at, tree->poll_at));
}
