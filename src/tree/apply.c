/* SPDX-License-Identifier: MIT
 *
 * apply.c - what a record does to the index.
 *
 * A record that is younger than the last listing of its directory is applied. One that the listing includes is dropped.
 * One that came while the listing was made is settled: its name is looked at on the disk, and the index follows. What
 * does not fit the index (a name that should be known, a type that differs) is settled as well.
 */
#include "tree/tree.h"

#include <errno.h>
#include <string.h>

#include "os/notify.h"

typedef enum Zone { ZONE_OLD, ZONE_CHECK, ZONE_TRUE } Zone;

static Zone zone_of(const Dir *dir, uint64_t position)
{
	if (dir->rewatch || !dir->listed || position <= dir->listed_from)
		return ZONE_OLD;
	return position <= dir->listed_to ? ZONE_CHECK : ZONE_TRUE;
}

static Told like_of(const Record *record)
{
	return (Told){.mask = record->mask, .cookie = record->cookie, .wd = record->wd};
}

static bool is_dir_record(const Record *record)
{
	return (record->mask & NOTIFY_ISDIR) != 0;
}

static bool is_content(uint32_t mask)
{
	return (mask & (NOTIFY_MODIFY | NOTIFY_CLOSE_WRITE)) != 0;
}

static uint8_t op_of(uint32_t mask)
{
	switch (mask & NOTIFY_ALL_EVENTS) {
	case NOTIFY_MODIFY:
		return OP_MODIFY;
	case NOTIFY_CLOSE_WRITE:
		return OP_CLOSE_WRITE;
	case NOTIFY_ATTRIB:
		return OP_ATTRIB;
	case NOTIFY_OPEN:
		return OP_OPEN;
	case NOTIFY_ACCESS:
		return OP_ACCESS;
	case NOTIFY_CLOSE_NOWRITE:
		return OP_CLOSE_NOWRITE;
	default:
		return OP_NONE;
	}
}

static Node *find(const Dir *dir, const Record *record)
{
	return children_find(dir, record->name, record->name_length);
}

/* --- settling: one name, by the disk ------------------------------------------------------------------------------- */

static const char *disk_name(const Dir *dir, const char *name, size_t length, char *buffer)
{
	if (dir->entry.parent == NULL && dir->entry.root->single)
		return dir->entry.root->leaf->bytes;
	memcpy(buffer, name, length);
	buffer[length] = '\0';
	return buffer;
}

static void create_file(Tree *tree, Dir *dir, const char *name, size_t length, const FileInfo *info,
	const Told *like)
{
	Node *node = tree_create(tree, dir, name, length, info->type, like);
	if (node == NULL)
		return;
	node->ino = info->identity.ino;
	tree_tell_content(tree, dir, node, like);
}

static uint8_t replaced_type(const Node *node)
{
	return node->type ? node->type : TYPE_FILE;
}

static void settle_dir(Tree *tree, Dir *dir, int fd, Node *node, const char *name, size_t length,
	const FileInfo *info, Told like)
{
	if (node != NULL && node_is_dir(node)) {
		Dir *known = dir_of(node);
		Identity identity = {.dev = known->dev, .ino = node->ino};
		if (node->ino == 0 || identity_equal(identity, info->identity)) {
			if (!known->listed)
				tree_scan_later(tree, known, 0);
			return;
		}
		tree_delete(tree, dir, node, &like);
	} else if (node != NULL) {
		like.replaced = replaced_type(node);
		tree_delete(tree, dir, node, NULL);
	}
	tree_adopt(tree, dir, fd, name, length, &like);
}

static void settle_file(Tree *tree, Dir *dir, Node *node, const char *name, size_t length,
	const FileInfo *info, Told like)
{
	bool replaced = node != NULL &&
		(node_is_dir(node) || (node->type != TYPE_UNKNOWN && node->type != info->type));
	if (replaced) {
		like.replaced = replaced_type(node);
		tree_delete(tree, dir, node, NULL);
		node = NULL;
	}
	if (node == NULL) {
		create_file(tree, dir, name, length, info, &like);
		return;
	}
	bool renamed = (like.mask & NOTIFY_MOVE) != 0;
	bool other = node->ino != 0 ? node->ino != info->identity.ino : renamed;
	node->ino = info->identity.ino;
	node->type = info->type & 7u;
	if (other)
		tree_tell_content(tree, dir, node, &like);
}

void tree_settle(Tree *tree, Dir *dir, const char *name, size_t length, const Told *how)
{
	char buffer[256];
	FileInfo info;
	Told like = *how;
	like.synthetic = true;
	int fd = tree_open_dir(tree, dir);
	if (fd < 0) {
		tree_scan_later(tree, dir, SCAN_COMPARE);
		return;
	}
	int error = dir_look(fd, disk_name(dir, name, length, buffer), &info);
	Node *node = children_find(dir, name, length);
	if (error == 0 && info.type == TYPE_DIRECTORY)
		settle_dir(tree, dir, fd, node, name, length, &info, like);
	else if (error == 0)
		settle_file(tree, dir, node, name, length, &info, like);
	else if (error != -ENOENT)
		tree_scan_later(tree, dir, SCAN_COMPARE);
	else if (node != NULL)
		tree_delete(tree, dir, node, &like);
}

void tree_fill_type(Tree *tree, Dir *dir, Node *node)
{
	char buffer[256];
	FileInfo info;
	int fd = tree_open_dir(tree, dir);
	const char *name = disk_name(dir, node_name(node), node->name_length, buffer);
	if (fd < 0 || dir_look(fd, name, &info) < 0 || info.type == TYPE_DIRECTORY)
		return;
	node->type = info.type & 7u;
	node->ino = info.identity.ino;
}

static void settle_record(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	Node *known = find(dir, record);
	tree_settle(tree, dir, record->name, record->name_length, &like);
	if (known == NULL || op_of(record->mask) == OP_NONE)
		return;
	Node *node = find(dir, record);
	if (node != NULL)
		tree_tell(tree, op_of(record->mask), dir, node, &like);
}

/* --- single records ---------------------------------------------------------------------------------------------------- */

static void apply_create(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	Node *node = find(dir, record);
	if (node != NULL) {
		if (node_is_dir(node) != is_dir_record(record))
			settle_record(tree, dir, record);
		return;
	}
	if (!is_dir_record(record)) {
		node = tree_create(tree, dir, record->name, record->name_length, TYPE_UNKNOWN, &like);
		if (node != NULL)
			node->writing = true;
		return;
	}
	tree_create_dir(tree, dir, record->name, record->name_length, &like);
}

static void apply_delete(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	Node *node = find(dir, record);
	if (node == NULL)
		return;
	if (node_is_dir(node) == is_dir_record(record))
		tree_delete(tree, dir, node, &like);
	else
		settle_record(tree, dir, record);
}

/* Moved out; but an exchange with an entry outside tells its coming first and its going afterwards. */
static void apply_moved_out(Tree *tree, Dir *dir, const Record *record)
{
	if (find(dir, record) != NULL)
		settle_record(tree, dir, record);
}

/* Moved in from outside: the name is new here, or something was renamed onto it; its content too. */
static void apply_moved_in(Tree *tree, Dir *dir, const Record *record)
{
	char buffer[256];
	FileInfo info;
	Told like = like_of(record);
	int fd = tree_open_dir(tree, dir);
	if (fd < 0) {
		tree_scan_later(tree, dir, SCAN_COMPARE);
		return;
	}
	Node *old = find(dir, record);
	int error = dir_look(fd, disk_name(dir, record->name, record->name_length, buffer), &info);
	if (error == 0 && old != NULL && old->ino == info.identity.ino && !node_is_dir(old))
		return;
	if (error < 0)
		info = (FileInfo){.type = is_dir_record(record) ? TYPE_DIRECTORY : TYPE_UNKNOWN};
	if ((info.type == TYPE_DIRECTORY) != is_dir_record(record) ||
		(old != NULL && node_is_dir(old))) {
		settle_record(tree, dir, record);
		return;
	}
	if (old != NULL) {
		like.replaced = replaced_type(old);
		tree_delete(tree, dir, old, NULL);
	}
	if (info.type == TYPE_DIRECTORY)
		tree_adopt(tree, dir, fd, record->name, record->name_length, &like);
	else
		create_file(tree, dir, record->name, record->name_length, &info, &like);
}

static void apply_content(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	uint8_t op = op_of(record->mask);
	Node *node = find(dir, record);
	if (op == OP_NONE)
		return;
	if (node == NULL || node_is_dir(node) != is_dir_record(record)) {
		settle_record(tree, dir, record);
		return;
	}
	if (is_content(record->mask)) {
		tree_stamp(tree, node);
		node->writing = op == OP_MODIFY;
		if (node->type == TYPE_UNKNOWN)
			node->type = TYPE_FILE;
	}
	tree_tell(tree, op, dir, node, &like);
	if (op == OP_ATTRIB && node_is_dir(node) && dir_of(node)->unreadable)
		tree_scan_later(tree, dir_of(node), 0);
}

static void apply(Tree *tree, Dir *dir, const Record *record)
{
	if (record->mask & NOTIFY_CREATE)
		apply_create(tree, dir, record);
	else if (record->mask & NOTIFY_DELETE)
		apply_delete(tree, dir, record);
	else if (record->mask & NOTIFY_MOVED_FROM)
		apply_moved_out(tree, dir, record);
	else if (record->mask & NOTIFY_MOVED_TO)
		apply_moved_in(tree, dir, record);
	else
		apply_content(tree, dir, record);
}

/* A directory's records about itself come a second time from its parent; only a root has no other. */
static void record_self(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	if (dir->entry.parent != NULL)
		return;
	if (record->mask & (NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF | NOTIFY_UNMOUNT))
		dir->entry.root->check = tree->checks = true;
	else if (op_of(record->mask) != OP_NONE && !dir->entry.root->single)
		tree_tell(tree, op_of(record->mask), dir, NULL, &like);
}

static bool is_other_name(const Dir *dir, Record *record)
{
	if (dir->entry.parent != NULL || !dir->entry.root->single)
		return false;
	const Root *root = dir->entry.root;
	if (record->name_length != root->leaf->length ||
		memcmp(record->name, root->leaf->bytes, record->name_length) != 0)
		return true;
	record->name = root->name->bytes;
	record->name_length = root->name->length;
	return false;
}

/* What is dropped here is found by the listing that is due: so it should come soon. */
static void doubt(Tree *tree, Dir *dir, const Record *record)
{
	Node *node = is_content(record->mask) ? find(dir, record) : NULL;
	if (node != NULL)
		node->writing = true;
	if (dir->rewatch)
		tree_scan_later(tree, dir, SCAN_COMPARE);
	else if (!dir->listed)
		tree_scan_later(tree, dir, 0);
}

void tree_record(Tree *tree, Dir *dir, const Record *given)
{
	Record record = *given;
	tree->stamp = tree->hub->stamp;
	if (record.name_length == 0) {
		record_self(tree, dir, &record);
		return;
	}
	if (is_other_name(dir, &record))
		return;
	switch (zone_of(dir, record.position)) {
	case ZONE_OLD:
		doubt(tree, dir, &record);
		break;
	case ZONE_CHECK:
		settle_record(tree, dir, &record);
		break;
	case ZONE_TRUE:
		apply(tree, dir, &record);
		break;
	}
}

/* --- renames -------------------------------------------------------------------------------------------------------------- */

/* What a name stands for now; type unknown where nothing (or no look) is to be had. */
static FileInfo look_at(Tree *tree, Dir *dir, const Record *record)
{
	char buffer[256];
	FileInfo info = {.type = TYPE_UNKNOWN};
	int fd = tree_open_dir(tree, dir);
	if (fd >= 0 && dir_look(fd, disk_name(dir, record->name, record->name_length, buffer), &info) < 0)
		info = (FileInfo){.type = TYPE_UNKNOWN};
	return info;
}

static bool is_there(const FileInfo *info)
{
	return info->type != TYPE_UNKNOWN;
}

static bool is_node(const FileInfo *info, const Node *node)
{
	return is_there(info) && node->ino != 0 && node->ino == info->identity.ino;
}

/* The records of an exchange and of `rename a b; rename b a` are the same: only the disk can tell. */
static bool is_exchange(Tree *tree, Dir *a_dir, const Record *a, Dir *b_dir, const Record *b)
{
	const Node *at_a = find(a_dir, a), *at_b = find(b_dir, b);
	FileInfo info_a = look_at(tree, a_dir, a), info_b = look_at(tree, b_dir, b);
	if (is_node(&info_a, at_b) || is_node(&info_b, at_a))
		return true;
	if (is_node(&info_a, at_a))
		return false;
	return is_there(&info_a) && is_there(&info_b);
}

static uint32_t name_hash(const Record *record)
{
	return (uint32_t)children_hash(record->name, record->name_length);
}

static bool keeps_order(const Node *node, const Dir *to, const Node *old, const Dir *from)
{
	bool into_itself = node_is_dir(node) && tree_is_below(to, dir_of(node));
	bool onto_parent = old != NULL && node_is_dir(old) && tree_is_below(from, dir_of(old));
	return !into_itself && !onto_parent;
}

static void settle_both(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	Told like = like_of(&pair->to);
	tree_settle(tree, to_dir, pair->to.name, pair->to.name_length, &like);
	like = like_of(&pair->from);
	tree_settle(tree, from_dir, pair->from.name, pair->from.name_length, &like);
}

/* An exchange may be cut in two by the end of a read: then the second rename undoes the first, and the disk decides. */
static bool is_last_undone(const Tree *tree, const Dir *from_dir, const Dir *to_dir, const Pair *pair)
{
	const LastRename *last = &tree->last;
	return last->from_dir == to_dir && last->to_dir == from_dir &&
		last->from_hash == name_hash(&pair->to) && last->to_hash == name_hash(&pair->from);
}

static void note_last(Tree *tree, const Dir *from_dir, const Dir *to_dir, const Pair *pair)
{
	tree->last = (LastRename){
		.from_dir = from_dir,
		.to_dir = to_dir,
		.from_hash = name_hash(&pair->from),
		.to_hash = name_hash(&pair->to),
	};
}

static void apply_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	Told like = like_of(&pair->to);
	like.mask |= pair->from.mask;
	Node *node = find(from_dir, &pair->from), *old = find(to_dir, &pair->to);
	bool fits = node != NULL && node_is_dir(node) == is_dir_record(&pair->to) &&
		keeps_order(node, to_dir, old, from_dir);
	if (!fits) {
		settle_both(tree, from_dir, to_dir, pair);
		return;
	}
	if (old != NULL && pair->reversed_next &&
		is_exchange(tree, from_dir, &pair->from, to_dir, &pair->to)) {
		if (tree_exchange(tree, from_dir, node, to_dir, old, &like) == 0) {
			tree->skip_cookie = pair->next_cookie;
			tree->skips = true;
		}
		return;
	}
	bool undone = is_last_undone(tree, from_dir, to_dir, pair);
	note_last(tree, old != NULL ? from_dir : NULL, to_dir, pair);
	tree_move(tree, from_dir, node, to_dir, pair->to.name, pair->to.name_length, &like);
	if (undone)
		settle_both(tree, from_dir, to_dir, pair);
}

/* While one of the listings may include the rename: a file keeps its identity if the disk shows that it was moved; a
 * directory is known by its watch (tree_adopt). */
static void check_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	Told like = like_of(&pair->to);
	like.synthetic = true;
	Node *node = find(from_dir, &pair->from), *old = find(to_dir, &pair->to);
	FileInfo info = look_at(tree, to_dir, &pair->to), left = look_at(tree, from_dir, &pair->from);
	bool moved = node != NULL && !node_is_dir(node) && (old == NULL || !node_is_dir(old)) &&
		is_there(&info) && info.type != TYPE_DIRECTORY && !is_there(&left) &&
		(node->ino == 0 || is_node(&info, node));
	if (!moved) {
		settle_both(tree, from_dir, to_dir, pair);
		return;
	}
	Node *there = tree_move(tree, from_dir, node, to_dir, pair->to.name, pair->to.name_length, &like);
	if (there != NULL)
		there->ino = info.identity.ino;
}

static bool is_single(const Dir *dir)
{
	return dir->entry.parent == NULL && dir->entry.root->single;
}

void tree_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	tree->stamp = tree->hub->stamp;
	if (tree->skips && tree->skip_cookie == pair->from.cookie) {
		tree->skips = false;
		return;
	}
	if (is_single(from_dir) || is_single(to_dir)) {
		tree_record(tree, from_dir, &pair->from);
		tree_record(tree, to_dir, &pair->to);
		return;
	}
	Zone from = zone_of(from_dir, pair->from.position), to = zone_of(to_dir, pair->to.position);
	bool unseen = !to_dir->listed && !to_dir->rewatch;
	if (from == ZONE_TRUE && (to == ZONE_TRUE || unseen)) {
		apply_rename(tree, from_dir, to_dir, pair);
	} else if (from == ZONE_CHECK || to == ZONE_CHECK) {
		check_rename(tree, from_dir, to_dir, pair);
	} else {
		tree_record(tree, from_dir, &pair->from);
		tree_record(tree, to_dir, &pair->to);
	}
}

/* --- lost records ------------------------------------------------------------------------------------------------------------ */

static void disbelieve(Tree *tree, Dir *dir, uint64_t argument)
{
	(void)tree;
	(void)argument;
	dir->rewatch = true;
}

void tree_overflow(Tree *tree)
{
	if (tree_is_settled(tree) || tree->gap == 0)
		tree->gap = tree->hub->drained;
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->top != NULL) {
			tree_visit_dirs(tree, root->top, disbelieve, 0);
			tree_scan_later(tree, root->top, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
		}
		root->check = tree->checks = true;
	}
	if (tree->root_count > 0)
		tree_tell_root(tree, OP_OVERFLOW, tree->roots[0], 0);
}

void tree_watch_died(Tree *tree, Dir *dir)
{
	tree->watches--;
	if (dir->entry.parent == NULL) {
		dir->entry.root->check = tree->checks = true;
		return;
	}
	tree_scan_later(tree, dir, SCAN_REWATCH | SCAN_COMPARE);
}
