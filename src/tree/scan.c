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
#include "tree/scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tree/adopt.h"
#include "tree/links.h"
#include "tree/trail.h"
#include "tree/watching.h"
#include "tree/work.h"

enum { LISTINGS_MOST = 8 };

/* --- listing ---------------------------------------------------------------------------------------------------------- */

typedef struct Scan {
	Tree *tree;
	bool again;  /* something was left to the next scan */
	bool tells;  /* what is found */
	bool proven; /* the directory was at its place after it was listed */
	int error;   /* -ESTALE: it was not; nothing has been changed */
	Dir *dir;
	int fd;
	bool compare;      /* contents changed since they were told are told */
	bool deep;         /* directories below are scanned the same way */
	unsigned how;      /* for them */
	int64_t told;      /* contents that changed before this (file clock) have been told */
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

/* A single file may have another name where it lies. */
static int look_at(const Scan *scan, const char *name, FileInfo *info)
{
	const Dir *dir = scan->dir;
	return dir_look(scan->fd, dir_is_single(dir) ? dir->entry.root->leaf->bytes : name, info);
}

static void sign(const Scan *scan, Node *node, const char *name)
{
	FileInfo info;
	if (scan->dir->polled && look_at(scan, name, &info) == 0)
		node->told = signature(&info) & TOLD_MASK;
}

/* What is told must have existed under the path that is told: so once it is listed, and before the first difference is
 * told, the directory must still be where the index has it. Most have no difference when all are looked through. */
static bool may_tell(Scan *scan)
{
	if (scan->tells && !scan->proven && scan->error == 0) {
		scan->proven = trail_is_at_its_place(scan->tree, scan->dir);
		scan->error = scan->proven ? 0 : -ESTALE;
	}
	return scan->error == 0;
}

/* False: it is left to the next listing. */
static bool found_new(Scan *scan, const DirEntry *entry)
{
	Tree *tree = scan->tree;
	if (entry->type == TYPE_DIRECTORY) {
		Node *node = adopt_found(tree, scan->dir, scan->fd, entry, &scan->like, &scan->again);
		if (node != NULL)
			node->seen = true;
		return node != NULL;
	}
	Node *node = node_new(&tree->pool, entry->type, entry->name, entry->name_length);
	if (node == NULL) {
		tree_retry(tree, scan->dir);
		return false;
	}
	node->ino = entry->ino;
	node->seen = true;
	tree_insert(tree, scan->dir, node);
	sign(scan, node, entry->name);
	if (!scan->tells)
		return true;
	tree_tell(tree, OP_CREATE, scan->dir, node, &scan->like);
	tree_tell_content(tree, scan->dir, node, &scan->like);
	return true;
}

static bool content_changed(const Scan *scan, const Node *node, const FileInfo *info)
{
	if (dir_signs(scan->dir))
		return node->told != signature(info);
	if (node->writing)
		return true;
	int64_t told = tree_told_at(scan->tree, node);
	return hub_is_since(scan->tree->hub, info->ctime, told > scan->told ? told : scan->told);
}

static void compare_file(Scan *scan, Node *node, const char *name)
{
	FileInfo info;
	if (look_at(scan, name, &info) < 0)
		return;
	bool changed = content_changed(scan, node, &info);
	if (changed && !may_tell(scan))
		return;
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
	if (other && !may_tell(scan))
		return;
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

/* A file in whose place a directory was found: it stays known where that is left to the next listing. */
static void replace_by_dir(Scan *scan, Node *node, const DirEntry *entry)
{
	Tree *tree = scan->tree;
	children_remove(scan->dir, node);
	if (found_new(scan, entry)) {
		tree->entries--;
		node_free(&tree->pool, node);
	} else {
		children_add(scan->dir, node);
		node->seen = true;
	}
}

static void replace(Scan *scan, Node *node, const DirEntry *entry)
{
	scan->like.replaced = node_likely_type(node);
	tree_leave(scan->tree, scan->dir, node, true);
	if (!node_is_dir(node) && entry->type == TYPE_DIRECTORY) {
		replace_by_dir(scan, node, entry);
	} else {
		tree_delete(scan->tree, scan->dir, node, NULL);
		found_new(scan, entry);
	}
	scan->like.replaced = 0;
}

static bool is_same_dir(const Scan *scan, const Dir *dir)
{
	Identity found = {0};
	int fd = trail_open_child(scan->fd, dir);
	if (fd < 0)
		return fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP;
	int error = dir_identify(fd, &found);
	close(fd);
	return error < 0 || identity_equal(found, trail_identity(dir));
}

static void found_dir(Scan *scan, Node *node, const DirEntry *entry)
{
	Dir *dir = dir_of(node);
	bool rewatch = dir->rewatch && (!scan->deep || dir->pruned); /* else its own scan finds out */
	bool doubtful = node->ino != 0 && (node->ino != entry->ino || rewatch);
	if (doubtful && !is_same_dir(scan, dir)) {
		if (!may_tell(scan))
			return;
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

/* Fills what the listing leaves open, and follows links to directories where that was asked for. */
static void resolve(const Scan *scan, DirEntry *entry)
{
	FileInfo info;
	if (entry->type == TYPE_UNKNOWN && dir_look(scan->fd, entry->name, &info) == 0)
		entry->type = info.type;
	if (!scan->tree->options.follow || entry->type != TYPE_LINK)
		return;
	links_note(scan->tree, scan->dir);
	if (!links_enter(scan->dir, scan->fd, entry->name, &info))
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
	bool fits = node != NULL && !differs_in_type(node, entry);
	if (!fits && !may_tell(scan))
		return;
	if (node == NULL) {
		found_new(scan, entry);
		return;
	}
	node->seen = true;
	if (!fits)
		replace(scan, node, entry);
	else if (node_is_dir(node))
		found_dir(scan, node, entry);
	else
		found_file(scan, node, entry);
}

static void drop_unseen(Scan *scan)
{
	ChildCursor cursor;
	for (Node *node = children_start(scan->dir, &cursor); node != NULL;
		 node = children_next(scan->dir, &cursor)) {
		if (!node->seen && may_tell(scan))
			tree_delete(scan->tree, scan->dir, node, &scan->like);
	}
}

/* Reads the names so that no record about this directory came meanwhile: then the listing has one position. Gives up
 * under a writer that never pauses; such records are checked, as those of the first look are. */
static int read_names(Scan *scan)
{
	Dir *dir = scan->dir;
	Hub *hub = scan->tree->hub;
	DirListing *listing = &hub->listing;
	if (tree_looks_first(scan->tree))
		return dir_list_read(listing, scan->fd);
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

static int list_all(Scan *scan)
{
	DirListing *listing = &scan->tree->hub->listing;
	DirEntry entry;
	int error = read_names(scan);
	if (error < 0)
		return error;
	bool watchful = !tree_looks_first(scan->tree);
	/* A first look does not wait for records: who was found here may have come by one that is still unread. */
	if (scan->captured && watchful && hub_heard_of_directories(scan->tree->hub))
		return -EAGAIN;
	if (scan->captured && !may_tell(scan))
		return scan->error;
	if (scan->tree->ready && !hub_caught_up(scan->tree->hub) && contradicts(scan))
		return -EAGAIN;
	if (scan->tree->sink.list != NULL && may_tell(scan))
		scan->tree->sink.list(scan->tree->sink.owner, scan->dir, scan->fd);
	/* Records that are part of this listing will be dropped: what they say of contents is found by comparing. */
	scan->compare |= !scan->dir->listed || scan->to != scan->begin;
	bool knew = scan->dir->count > 0;
	listing->position = 0;
	while (scan->error == 0 && dir_list_next(listing, &entry))
		found(scan, &entry);
	if (scan->error == 0 && knew)
		drop_unseen(scan);
	return scan->error;
}

/* The listing of a single file is a look at its name. A link that has taken it leads on: what the way finds counts. */
static int look_single(Scan *scan, Root *root)
{
	FileInfo info;
	scan->proven = true; /* by name alone */
	int error = look_at(scan, root->name->bytes, &info);
	if (error == -ENOENT) {
		drop_unseen(scan);
		return 0;
	}
	if (error < 0)
		return error;
	if (info.type == TYPE_LINK) {
		way_doubt(root);
		return 0;
	}
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

static int list(Scan *scan)
{
	Dir *dir = scan->dir;
	Tree *tree = scan->tree;
	tree->stamp = dir_clock();
	children_clear_seen(dir);
	scan->from = scan->to = hub_read_position(tree->hub);
	int error = dir_is_single(dir) ? look_single(scan, dir->entry.root) : list_all(scan);
	if (error < 0)
		return error;
	dir->listed_from = scan->from;
	dir->listed_to = scan->to;
	dir->listed = true;
	dir->rewatch = false;
	if (scan->again)
		work_wait_for_records(tree, dir);
	return 0;
}

/* --- one scan ------------------------------------------------------------------------------------------------------------ */

static bool is_lost(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -ESTALE;
}

static bool is_refused(int error)
{
	return error == -EACCES || error == -EPERM || error == -EOPNOTSUPP;
}

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EINTR;
}

/* It is not to be entered, and may have come here with what was known below it. */
static void leave(Tree *tree, Dir *dir)
{
	adopt_tell_lost(tree, dir);
	tree_prune(tree, dir, true);
}

static void scan_failed(Tree *tree, Dir *dir, int error)
{
	if (error == -EAGAIN) {
		work_wait_for_records(tree, dir);
		return;
	}
	if (!is_lost(error)) {
		if (is_refused(error))
			watching_refused(tree, dir, error);
		else if (error == -EXDEV)
			leave(tree, dir);
		else if (is_shortage(error))
			tree_retry(tree, dir);
		else
			watching_failed(tree, dir, error);
		return;
	}
	dir->rewatch = true;
	if (dir->parent == NULL) {
		tree_doubt_root(dir->entry.root);
	} else if (tree->hub->done < hub_position(tree->hub)) {
		work_wait_for_records(tree, dir);
	} else {
		tree_scan_later(tree, dir->parent, 0);
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

/* Where no record was lost and the watch is believed, all have been handed on that were there when the queue was last
 * empty. What its own stamp says of a file is less: mostly it was read in the very tick of its change. */
static int64_t told_before(const Tree *tree, const Dir *dir)
{
	bool is_lossless = tree->gap == 0 && dir->claim.wd >= 0 && !dir->rewatch;
	return is_lossless ? tree->hub->drained : tree->gap;
}

static bool may_enter(const Tree *tree, const Dir *dir)
{
	return !watching_is_across(tree, dir) && !(tree->options.follow && links_is_loop(dir));
}

void scan_dir(Tree *tree, Dir *dir)
{
	Scan scan = {
		.tree = tree,
		.dir = dir,
		.compare = dir->compare,
		.deep = dir->deep,
		.told = told_before(tree, dir),
		.tells = adopt_tells(tree, dir),
		.like = {.synthetic = true},
	};
	scan.how = (scan.deep ? SCAN_DEEP | SCAN_REWATCH : 0) | (scan.compare ? SCAN_COMPARE : 0);
	dir->deep = dir->compare = false;
	scan.captured = dir->entry.ino == 0;
	scan.begin = hub_read_position(tree->hub);
	scan.fd = tree_open_dir(tree, dir);
	int error = scan.fd < 0 ? scan.fd : 0;
	if (error == 0 && !may_enter(tree, dir))
		error = -EXDEV;
	if (error == 0 && (dir->claim.wd < 0 || dir->rewatch))
		error = tree_watch(tree, dir, scan.fd);
	scan.compare |= dir_signs(dir);
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
