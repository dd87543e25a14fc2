/* SPDX-License-Identifier: MIT
 *
 * apply.c - what a record does to the index.
 *
 * A directory's listing has a position; so has each record about one of its names. The record that is older is part of
 * the listing already and is dropped, the younger one is applied: every directory has a clock of its own, and its names
 * pass through their states in order. The two halves of a rename are judged each by its own directory.
 *
 * Where a record does not fit the index, nothing is guessed: the directory is listed again, once all records that exist
 * have been handed on.
 */
#include "tree/tree.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "os/notify.h"
#include "tree/recover.h"
#include "tree/trail.h"

#define TICK_MOST 10000 /* microseconds: of the clock that files are stamped with */
#define EMPTY_DELAY \
	0.05 /* seconds after which an emptied root is looked at: it may be removed next */

typedef enum Zone {
	ZONE_OLD,   /* part of the listing, or of the one that is due */
	ZONE_CHECK, /* came while the listing was made: may be part of it */
	ZONE_TRUE,
} Zone;

/* Below a polled directory the index may have an old path: the rename of what lies on the way was told by nobody. */
static bool is_misplaced(const Tree *tree, const Dir *dir)
{
	const Dir *above = tree->polled > 0 ? dir->parent : NULL;
	while (above != NULL && !above->polled)
		above = above->parent;
	return above != NULL && !trail_is_at_its_place(tree, dir);
}

static Zone zone_of(const Tree *tree, Dir *dir, uint64_t position)
{
	if (!dir->rewatch && is_misplaced(tree, dir))
		dir->rewatch = true;
	if (dir->rewatch || !dir->listed || position <= dir->listed_from)
		return ZONE_OLD;
	bool unsure = position <= dir->listed_to || position <= tree->unsure_until;
	return unsure ? ZONE_CHECK : ZONE_TRUE;
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

/* No listing tells of these. */
static bool is_read(uint32_t mask)
{
	return (mask & NOTIFY_READS) != 0;
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

static void mend(Tree *tree, Dir *dir)
{
	tree_scan_later(tree, dir, SCAN_COMPARE);
}

static bool says_gone(const Record *record)
{
	return (record->mask & (NOTIFY_DELETE | NOTIFY_MOVED_FROM)) != 0;
}

/* Do records tell all that happened in a directory, though a listing of it is due? */
static bool is_told_of(const Tree *tree, const Dir *dir)
{
	if (dir->rewatch)
		return tree->polled == 0 && !recovery_lasts(tree) && !tree->hub->remounted;
	return !dir->listed;
}

/* What the index has in a directory that waits for its listing, earlier records or listings have brought there: what a
 * record takes away again is its to take. A directory that stayed would tell of paths that never were. */
static Zone zone_of_record(const Tree *tree, Dir *dir, const Record *record)
{
	Zone zone = zone_of(tree, dir, record->position);
	bool takes = is_told_of(tree, dir) && says_gone(record) && find(dir, record) != NULL;
	return takes ? ZONE_TRUE : zone;
}

static uint32_t name_hash(const Record *record)
{
	return (uint32_t)hash_bytes(0, record->name, record->name_length);
}

/* --- a look at the disk ---------------------------------------------------------------------------------------------- */

static const char *disk_name(const Dir *dir, const char *name, size_t length, char *buffer)
{
	if (dir->parent == NULL && dir->entry.root->single)
		return dir->entry.root->leaf->bytes;
	memcpy(buffer, name, length);
	buffer[length] = '\0';
	return buffer;
}

/* What a name stands for now, which may be later than the record; type unknown where there is nothing. A negative errno
 * where that cannot be said, e.g. because the directory is not where the index has it. */
static int look(Tree *tree, Dir *dir, const char *name, size_t length, FileInfo *info)
{
	char buffer[256];
	*info = (FileInfo){.type = TYPE_UNKNOWN};
	int fd = tree_open_dir(tree, dir);
	int error = fd < 0 ? fd : dir_look(fd, disk_name(dir, name, length, buffer), info);
	return fd >= 0 && error == -ENOENT ? 0 : error;
}

static FileInfo look_at(Tree *tree, Dir *dir, const char *name, size_t length)
{
	FileInfo info;
	if (look(tree, dir, name, length, &info) < 0)
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

static bool is_other(const Node *node, const FileInfo *info)
{
	bool other_type = node->type != TYPE_UNKNOWN && node->type != info->type;
	return node_is_dir(node) != (info->type == TYPE_DIRECTORY) || other_type ||
		(node->ino != 0 && node->ino != info->identity.ino);
}

static void learn_type(Tree *tree, Node *node, Dir *dir, const char *name, size_t length)
{
	FileInfo info = look_at(tree, dir, name, length);
	if (is_there(&info) && info.type != TYPE_DIRECTORY) {
		node->type = info.type & 7u;
		node->ino = info.identity.ino;
	}
}

void tree_fill_type(Tree *tree, Dir *dir, Node *node)
{
	learn_type(tree, node, dir, node_name(node), node->name_length);
}

/* --- single records ---------------------------------------------------------------------------------------------------- */

static void apply_create(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	Node *node = find(dir, record);
	if (node != NULL) {
		if (node_is_dir(node) != is_dir_record(record))
			mend(tree, dir);
		return;
	}
	if (is_dir_record(record)) {
		tree_create_dir(tree, dir, record->name, record->name_length, &like);
		return;
	}
	node = tree_create(tree, dir, record->name, record->name_length, TYPE_UNKNOWN, &like);
	if (node != NULL)
		node->writing = true;
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
		mend(tree, dir);
	if (dir->count == 0 && dir->parent == NULL)
		tree->empty_at = tree->hub->now + EMPTY_DELAY;
}

/* Moved out. The going of an exchange with an entry outside is told after its coming: see apply_moved_in. The coming may
 * be missing, too: the kernel merges it with that of what was renamed to the name just before. */
static void apply_moved_out(Tree *tree, Dir *dir, const Record *record)
{
	if (tree->last_in.to_dir == dir && tree->last_in.to_hash == name_hash(record))
		mend(tree, dir);
	if (tree->skips && tree->skip_cookie == record->cookie)
		tree_raise_fate(tree, FATE_MERGED);
	else
		apply_delete(tree, dir, record);
}

/* The look may show a later entry than the record is about: only where nothing is unread its type is believed. */
static void put_file(
	Tree *tree, Dir *dir, const Record *record, const FileInfo *info, const Told *like)
{
	bool latest = hub_is_newest(tree->hub, record->position);
	FileType type = latest ? info->type : TYPE_UNKNOWN;
	Node *node = tree_create(tree, dir, record->name, record->name_length, type, like);
	if (node != NULL && (info->type == TYPE_FILE || !is_there(info)))
		tree_tell_content(tree, dir, node, like);
}

/* Moved in from outside: the name is new here, or something was renamed onto it; its content too. */
static void apply_moved_in(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	bool isdir = is_dir_record(record);
	Node *old = find(dir, record);
	FileInfo info = look_at(tree, dir, record->name, record->name_length);
	if (record->out_next && is_there(&info)) {
		tree->skips = true;
		tree->skip_cookie = record->out_cookie;
	}
	tree->last_in = (LastRename){.to_dir = dir, .to_hash = name_hash(record)};
	if (is_there(&info) && (info.type == TYPE_DIRECTORY) != isdir)
		info.type = TYPE_UNKNOWN;
	if (old != NULL) {
		like.replaced = node_likely_type(old);
		tree_leave(tree, dir, old, true);
		tree_delete(tree, dir, old, NULL);
	}
	if (isdir)
		tree_create_dir(tree, dir, record->name, record->name_length, &like);
	else
		put_file(tree, dir, record, &info, &like);
}

/* --- what happens to what keeps its name --------------------------------------------------------------------------------- */

static void tell_done(Tree *tree, Dir *dir, Node *node, const Told *like)
{
	uint8_t op = op_of(like->mask);
	if (is_content(like->mask)) {
		tree_stamp(tree, node);
		node->writing = op == OP_MODIFY;
	}
	tree_tell(tree, op, dir, node, like);
	if (op == OP_ATTRIB && node_is_dir(node) && dir_of(node)->unreadable)
		tree_scan_later(tree, dir_of(node), 0);
}

/* What the record speaks of has another name, or will have this one. */
static void tell_elsewhere(Tree *tree, Dir *dir, const Record *record)
{
	Hub *hub = tree->hub;
	Dir *where = dir;
	Told like = like_of(record);
	Node *node = overtaken_follow(
		&hub->overtaken, name_hash(record), is_dir_record(record), &where, hub->now);
	if (node != NULL)
		tell_done(tree, where, node, &like);
	else
		overtaken_wait(&hub->overtaken, dir, name_hash(record), record->mask, hub->now);
}

/* Something has come to this name. */
static void tell_strays(Tree *tree, Dir *dir, const Record *record)
{
	Hub *hub = tree->hub;
	Told like = {.wd = record->wd};
	Node *node = find(dir, record);
	if (node == NULL || node_is_dir(node))
		return;
	while ((like.mask = overtaken_take(&hub->overtaken, dir, name_hash(record), hub->now)) != 0)
		tell_done(tree, dir, node, &like);
}

static void apply_content(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	Node *node = find(dir, record);
	if (op_of(record->mask) == OP_NONE)
		return;
	if (node != NULL && node_is_dir(node) == is_dir_record(record)) {
		tell_done(tree, dir, node, &like);
		return;
	}
	FileInfo info = look_at(tree, dir, record->name, record->name_length);
	if (node != NULL || is_there(&info))
		tree_scan_later(tree, dir, 0);
	tell_elsewhere(tree, dir, record);
}

/* Whether a link leads to a directory that is entered, or a single file to another place, is for the listing to say; also
 * where nobody can say here whether it is a link. */
static bool may_be_followed(Tree *tree, Dir *dir, const Record *record)
{
	bool follows = tree->options.follow || dir_is_single(dir);
	if (!follows || is_dir_record(record) || !(record->mask & (NOTIFY_CREATE | NOTIFY_MOVED_TO)))
		return false;
	FileInfo info;
	return look(tree, dir, record->name, record->name_length, &info) < 0 || info.type == TYPE_LINK;
}

static void apply(Tree *tree, Dir *dir, const Record *record)
{
	if (may_be_followed(tree, dir, record))
		mend(tree, dir);
	else if (record->mask & NOTIFY_CREATE)
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

/* May be part of the listing. A change of names is applied where index and disk disagree in just that way, and left to
 * another listing where they do not; what happened to a known file's content is told. A directory that is not where the
 * index has it will be moved by a record behind this one: until then what the record says is the best that is known. */
static void check(Tree *tree, Dir *dir, const Record *record)
{
	Node *node = find(dir, record);
	if (op_of(record->mask) != OP_NONE) {
		if (node != NULL)
			apply_content(tree, dir, record);
		else
			tell_elsewhere(tree, dir, record);
		return;
	}
	FileInfo info;
	bool blind = look(tree, dir, record->name, record->name_length, &info) < 0;
	bool gone = says_gone(record), known = node != NULL;
	bool there = blind ? !gone : is_there(&info);
	bool other = known && there && !blind && is_other(node, &info);
	/* Another has the name by now: a directory that stayed known here would tell of paths that never were. */
	bool left = gone && known && (!there || (other && node_is_dir(node)));
	if (left || (!gone && !known && there))
		apply(tree, dir, record);
	else if (known != there || (record->mask & NOTIFY_MOVED_TO))
		mend(tree, dir);
	if (blind || other)
		mend(tree, dir);
}

/* What is dropped here is found by the listing that is due: so it should come soon. */
static void drop(Tree *tree, Dir *dir, const Record *record)
{
	bool due = dir->rewatch || !dir->listed;
	Node *node = find(dir, record);
	if (is_read(record->mask)) {
		Told like = like_of(record);
		if (node != NULL && node_is_dir(node) == is_dir_record(record))
			tell_done(tree, dir, node, &like);
	} else if (is_content(record->mask)) {
		if (node == NULL)
			tell_elsewhere(tree, dir, record);
		else if (due)
			node->writing = true;
	}
	if (due)
		tree_scan_later(tree, dir, dir->rewatch ? SCAN_COMPARE : 0);
}

/* A directory's records about itself come a second time from its parent; only a root has no other. */
static void record_self(Tree *tree, Dir *dir, const Record *record)
{
	Told like = like_of(record);
	if (dir->linked && (record->mask & (NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF)))
		mend(tree, dir->parent);
	tree_raise_fate(tree, FATE_FILTERED);
	if (dir->parent != NULL)
		return;
	if (record->mask & (NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF | NOTIFY_UNMOUNT))
		way_doubt(dir->entry.root);
	else if (op_of(record->mask) != OP_NONE && !dir->entry.root->single)
		tree_tell(tree, op_of(record->mask), dir, NULL, &like);
}

/* Of a single file's directory one name counts; it is told under the name the user gave. */
static bool is_other_name(const Dir *dir, Record *record)
{
	if (!dir_is_single(dir))
		return false;
	const Root *root = dir->entry.root;
	if (record->name_length != root->leaf->length ||
		memcmp(record->name, root->leaf->bytes, record->name_length) != 0)
		return true;
	record->name = root->name->bytes;
	record->name_length = root->name->length;
	return false;
}

void tree_count(Tree *tree, Fate fate)
{
	tree->fates[fate]++;
	tree->hub->fates[fate]++;
}

static void apply_in_zone(Tree *tree, Dir *dir, const Record *given)
{
	Record record = *given;
	if (record.name_length == 0) {
		record_self(tree, dir, &record);
		return;
	}
	if (is_other_name(dir, &record)) {
		tree_raise_fate(tree, FATE_FILTERED);
		return;
	}
	switch (zone_of_record(tree, dir, &record)) {
	case ZONE_OLD:
		drop(tree, dir, &record);
		break;
	case ZONE_CHECK:
		check(tree, dir, &record);
		break;
	case ZONE_TRUE:
		apply(tree, dir, &record);
		break;
	}
}

static void take_record(Tree *tree, Dir *dir, const Record *record)
{
	tree->fate = FATE_DROPPED;
	apply_in_zone(tree, dir, record);
	tree_count(tree, tree->fate);
}

void tree_record(Tree *tree, Dir *dir, const Record *record)
{
	const uint32_t others = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVED_TO;
	Hub *hub = tree->hub;
	tree_wake(tree);
	tree->stamp = hub->stamp;
	if ((record->mask & others) != 0 && overtaken_is_alert(&hub->overtaken, hub->now))
		overtaken_end(&hub->overtaken, dir, name_hash(record), hub->now);
	take_record(tree, dir, record);
}

/* --- renames -------------------------------------------------------------------------------------------------------------- */

/* A plain rename puts a directory onto an empty directory only, and nothing but a directory. */
static bool must_be_exchange(const Node *a, const Node *b)
{
	return node_is_dir(a) != node_is_dir(b) || (node_is_dir(b) && dir_of(b)->count > 0);
}

typedef enum Exchange { EXCHANGE_NOT, EXCHANGE_LIKELY, EXCHANGE_SURE } Exchange;

/* The records of an exchange and of `rename a b; rename b a` are the same. Where the index does not decide, the disk
 * does, if nothing has happened since. */
static Exchange exchange_of(
	Tree *tree, Dir *a_dir, const Node *a, Dir *b_dir, const Node *b, const Pair *pair)
{
	if (b == NULL || !pair->reversed_next)
		return EXCHANGE_NOT;
	if (must_be_exchange(a, b))
		return EXCHANGE_SURE;
	FileInfo at_a = look_at(tree, a_dir, node_name(a), a->name_length);
	FileInfo at_b = look_at(tree, b_dir, node_name(b), b->name_length);
	if (is_node(&at_a, b) || is_node(&at_b, a))
		return EXCHANGE_SURE;
	bool quiet = hub_is_newest(tree->hub, pair->next_end);
	return quiet && is_node(&at_a, a) ? EXCHANGE_NOT : EXCHANGE_LIKELY;
}

static bool keeps_order(const Node *node, const Dir *to, const Node *old, const Dir *from)
{
	bool into_itself = node_is_dir(node) && tree_is_below(to, dir_of(node));
	bool onto_parent = old != NULL && node_is_dir(old) && tree_is_below(from, dir_of(old));
	return !into_itself && !onto_parent;
}

/* An exchange may be cut in two by the end of a read: then the second rename undoes the first, and the disk decides. */
static bool is_last_undone(
	const Tree *tree, const Dir *from_dir, const Dir *to_dir, const Pair *pair)
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

/* May something stand at the new place? In a directory whose names are in doubt it may be one that nobody knows. */
static bool may_be_taken(const Dir *to_dir, const Node *old)
{
	return old != NULL || !to_dir->listed || to_dir->compare;
}

/* What of a file was left to the listing of the directory that it leaves, that of the other one has to find out. */
static void before_move(
	Tree *tree, const Dir *from, const Node *node, Dir *to, const Record *record)
{
	if (node_is_dir(node))
		tree_before_move(tree, dir_of(node), to, record->name, record->name_length);
	else if (node->writing && (from->rewatch || from->pending))
		mend(tree, to);
}

/* Where the first rename met something that nobody knew, the second one, which undoes it, brought that here, and the
 * directory stayed: moved back in the index it would tell what happens below it under a path that never was. Where the
 * disk shows it at neither place, it is found anew. False where it is back indeed. */
static bool apply_crossed(Tree *tree, Dir *from_dir, Node *node, Dir *to_dir, const Pair *pair)
{
	if (!node_is_dir(node) || node->ino == 0)
		return false;
	FileInfo at_to = look_at(tree, to_dir, pair->to.name, pair->to.name_length);
	if (is_node(&at_to, node))
		return false;
	FileInfo at_from = look_at(tree, from_dir, pair->from.name, pair->from.name_length);
	if (!is_node(&at_from, node))
		apply_delete(tree, from_dir, &pair->from);
	apply_moved_in(tree, to_dir, &pair->to);
	return true;
}

/* On the disk the two have changed places; if nothing has happened since, their types can be seen there. */
static void learn_types(Tree *tree, Dir *a_dir, Node *a, Dir *b_dir, Node *b, const Pair *pair)
{
	if (hub_position(tree->hub) != pair->next_end)
		return;
	if (a->type == TYPE_UNKNOWN)
		learn_type(tree, a, b_dir, node_name(b), b->name_length);
	if (b->type == TYPE_UNKNOWN)
		learn_type(tree, b, a_dir, node_name(a), a->name_length);
}

/* What is renamed to the same name next, by a name that nobody watches, has no record: the kernel takes its MOVED_TO for
 * the one before. Then another stands there, as its inode shows, or its birth after the last that was heard of this. */
static bool is_covered(Tree *tree, Dir *dir, const Node *node)
{
	FileInfo info = look_at(tree, dir, node_name(node), node->name_length);
	if (!is_there(&info))
		return false;
	bool born_later = !dir->polled && info.birth > tree_told_at(tree, node) + TICK_MOST;
	return is_other(node, &info) || (node->ino == 0 && born_later);
}

/* A look costs more than the rename: it is taken where nothing has come behind the record, which is then the one that was
 * merged with, and while there are directories that nobody watches yet. */
static void mend_covered(Tree *tree, Dir *dir, Node *node, uint64_t position)
{
	bool likely = tree->pending_count > 0 || hub_is_newest(tree->hub, position);
	if (!likely || node_is_dir(node) || !is_covered(tree, dir, node))
		return;
	if (node->ino == 0)
		node->ino = 1; /* surely another */
	tree_scan_later(tree, dir, 0);
}

static void apply_exchange(Tree *tree, Dir *from_dir, Node *node, Dir *to_dir, Node *old,
	const Pair *pair, const Told *like)
{
	before_move(tree, from_dir, node, to_dir, &pair->to);
	before_move(tree, to_dir, old, from_dir, &pair->from);
	learn_types(tree, from_dir, node, to_dir, old, pair);
	tree->last_in = (LastRename){.to_dir = from_dir, .to_hash = name_hash(&pair->from)};
	tree_exchange(tree, from_dir, node, to_dir, old, like);
	tell_strays(tree, to_dir, &pair->to);
	tell_strays(tree, from_dir, &pair->from);
	Node *last = find(from_dir, &pair->from);
	if (last != NULL)
		mend_covered(tree, from_dir, last, pair->next_end);
	tree->skip_cookie = pair->next_cookie;
	tree->skips = true;
	if (tree->options.follow) { /* either may be a link */
		mend(tree, from_dir);
		mend(tree, to_dir);
	}
}

/* It may be that one of the two was renamed over the other and back: then the names are right once the directories are
 * listed, but whose content is whose nobody knows. */
static void doubt_exchanged(Tree *tree, Dir *dir, const Record *record)
{
	Node *node = find(dir, record);
	if (node != NULL)
		tree_tell_content(tree, dir, node, NULL);
	tree_scan_later(tree, dir, 0);
}

static void apply_move(Tree *tree, Dir *from_dir, Node *node, Dir *to_dir, const Node *old,
	const Pair *pair, const Told *like)
{
	before_move(tree, from_dir, node, to_dir, &pair->to);
	note_last(tree, may_be_taken(to_dir, old) ? from_dir : NULL, to_dir, pair);
	tree->last_in = (LastRename){.to_dir = to_dir, .to_hash = name_hash(&pair->to)};
	node = tree_move(tree, from_dir, node, to_dir, pair->to.name, pair->to.name_length, like);
	tell_strays(tree, to_dir, &pair->to);
	if (node != NULL)
		mend_covered(tree, to_dir, node, pair->to.position);
	if (may_be_followed(tree, to_dir, &pair->to))
		mend(tree, to_dir);
}

static void apply_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	Told like = like_of(&pair->to);
	like.mask |= pair->from.mask;
	Node *node = find(from_dir, &pair->from), *old = find(to_dir, &pair->to);
	bool fits = node != NULL && node_is_dir(node) == is_dir_record(&pair->to) &&
		keeps_order(node, to_dir, old, from_dir);
	bool undone = is_last_undone(tree, from_dir, to_dir, pair);
	if (!fits || undone) {
		mend(tree, from_dir);
		mend(tree, to_dir);
	}
	if (!fits || (undone && apply_crossed(tree, from_dir, node, to_dir, pair)))
		return;
	Exchange exchange = exchange_of(tree, from_dir, node, to_dir, old, pair);
	if (exchange == EXCHANGE_NOT)
		apply_move(tree, from_dir, node, to_dir, old, pair, &like);
	else
		apply_exchange(tree, from_dir, node, to_dir, old, pair, &like);
	if (exchange == EXCHANGE_LIKELY) {
		doubt_exchanged(tree, from_dir, &pair->from);
		doubt_exchanged(tree, to_dir, &pair->to);
	}
}

void tree_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair)
{
	tree_wake(tree);
	tree->stamp = tree->hub->stamp;
	overtaken_note(&tree->hub->overtaken, from_dir, name_hash(&pair->from), to_dir, pair->to.name,
		pair->to.name_length, tree->hub->now);
	if (tree->skips && tree->skip_cookie == pair->from.cookie) {
		tree_count(tree, FATE_MERGED);
		tree_count(tree, FATE_MERGED);
		return;
	}
	Zone from = zone_of_record(tree, from_dir, &pair->from);
	Zone to = zone_of(tree, to_dir, pair->to.position);
	bool unseen = !to_dir->listed && !to_dir->rewatch;
	bool whole = from == ZONE_TRUE && (to == ZONE_TRUE || unseen);
	if (whole && !dir_is_single(from_dir) && !dir_is_single(to_dir)) {
		tree->fate = FATE_DROPPED;
		apply_rename(tree, from_dir, to_dir, pair);
		tree_count(tree, tree->fate == FATE_DELIVERED ? FATE_MERGED : tree->fate);
		tree_count(tree, tree->fate);
		return;
	}
	/* Told as two halves, an exchange would leave one name too few. */
	if (pair->reversed_next) {
		mend(tree, from_dir);
		mend(tree, to_dir);
	}
	note_last(tree, from_dir, to_dir, pair);
	take_record(tree, from_dir, &pair->from);
	if (hub_is_claim(
			tree->hub, pair->to.wd, &to_dir->claim)) /* it may have gone with what was moved out */
		take_record(tree, to_dir, &pair->to);
}

/* --- lost watches ---------------------------------------------------------------------------------------------------- */

void tree_watch_died(Tree *tree, Dir *dir)
{
	tree_wake(tree);
	tree->watches--;
	if (dir->parent == NULL) {
		way_doubt(dir->entry.root);
		return;
	}
	tree_scan_later(tree, dir, SCAN_REWATCH | SCAN_COMPARE);
}
