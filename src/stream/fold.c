/* SPDX-License-Identifier: MIT
 *
 * fold.c - what waits for a slow reader, folded into net changes.
 */
#include "stream/fold.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/filetype.h"
#include "os/notify.h"

/* --- in ------------------------------------------------------------------------------------------------------------- */

static PathRef path_of(
	const Text *dir, const char *name, size_t length, const Text *root, uint32_t rel_at)
{
	return (PathRef){
		.dir = dir->bytes,
		.dir_length = dir->length,
		.name = name,
		.name_length = length,
		.root = root->bytes,
		.root_length = root->length,
		.rel_at = rel_at,
	};
}

int fold_feed(Settle *settle, const Item *item)
{
	SettleEvent event = {
		.path = path_of(item->dir, item->names, item->name_length, item->root, item->rel_at),
		.op = item->op,
		.type = item->isdir ? TYPE_DIRECTORY : item->type,
		.replaced = item->replaced,
		.exchange = item->exchange,
		.synthetic = item->synthetic,
		.moved = (item->mask & NOTIFY_MOVED_TO) != 0,
		.whole = item->whole,
	};
	if (item->op == OP_MOVE && item->from_dir != NULL)
		event.from =
			path_of(item->from_dir, item->names + item->name_length, item->from_name_length,
				item->from_root != NULL ? item->from_root : item->root, item->from_rel_at);
	return settle_feed(settle, &event, item->time);
}

static int keep(Fold *fold, const Item *item)
{
	Item *copy = queue_push(&fold->kept, item->name_length, 0);
	if (copy == NULL)
		return -ENOMEM;
	*copy = *item;
	copy->from_name_length = 0;
	copy->from_dir = copy->from_root = NULL;
	memcpy(copy->names, item->names, item->name_length);
	text_share(copy->root);
	text_share(copy->dir);
	return 0;
}

static bool is_net(const Item *item)
{
	return (item->op >= OP_CREATE && item->op <= OP_MOVE) || item->op == OP_GONE ||
		item->op == OP_BACK;
}

static void begin(Fold *fold)
{
	const SettleOptions options = {.complete = -1};
	if (fold->active)
		return;
	settle_init(&fold->settle, &options);
	fold->active = true;
	fold->swallowed = 0;
}

/* The first overflow is kept for its place: root and directory of what is told in front. */
static bool is_kept(const Fold *fold, const Item *item)
{
	return item->op == OP_UNWATCHED || (item->op == OP_OVERFLOW && fold->kept.count == 0);
}

int fold_queue(Fold *fold, Queue *queue)
{
	int failed = 0;
	begin(fold);
	while (queue->count > 0) {
		const Item *item = queue_first(queue);
		int error = 0;
		if (is_kept(fold, item))
			error = keep(fold, item);
		else if (is_net(item))
			error = fold_feed(&fold->settle, item);
		failed = error < 0 ? error : failed;
		fold->swallowed++;
		queue_drop(queue);
	}
	return failed;
}

/* --- out ------------------------------------------------------------------------------------------------------------ */

/* What neighbours in the batch share. */
typedef struct Writer {
	Queue *queue;
	const Batch *batch;
	uint32_t ops;
	FoldType *type_of;
	void *owner;
	Text *dir, *root;
	bool failed;
} Writer;

/* A use of a text with these bytes, the last one if it fits. */
static Text *text_like(Text **last, const char *bytes, size_t length)
{
	if (*last == NULL || (*last)->length != length || memcmp((*last)->bytes, bytes, length) != 0) {
		text_free(*last);
		*last = text_copy(bytes, length);
	}
	return text_share(*last);
}

/* A path in two parts: "/" and "a" for "/a", nothing and "a" for "a"; a root is all directory. */
typedef struct Parts {
	const char *path;
	size_t dir_length, name_at, name_length;
} Parts;

static Parts split(const Batch *batch, const ChangePath *place)
{
	const char *path = batch_text(batch, place->path);
	size_t length = place->path.length;
	if (place->rel_at >= length)
		return (Parts){.path = path, .dir_length = length, .name_at = length};
	const char *slash = memrchr(path, '/', length);
	size_t name_at = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	return (Parts){
		.path = path,
		.dir_length = name_at > 1 ? name_at - 1 : name_at,
		.name_at = name_at,
		.name_length = length - name_at,
	};
}

static Item *write_event(Writer *writer, uint8_t op, const Change *change, const Parts *from)
{
	Parts to = split(writer->batch, &change->to);
	if (!(writer->ops >> op & 1))
		return NULL;
	Item *item = queue_push(writer->queue, to.name_length, from != NULL ? from->name_length : 0);
	if (item == NULL) {
		writer->failed = true;
		return NULL;
	}
	const Span root = change->to.root;
	item->op = op;
	item->type = (uint8_t)change->type;
	item->isdir = change->type == TYPE_DIRECTORY;
	item->synthetic = true;
	item->rel_at = change->to.rel_at;
	item->root = text_like(&writer->root, batch_text(writer->batch, root), root.length);
	item->dir = text_like(&writer->dir, to.path, to.dir_length);
	memcpy(item->names, to.path + to.name_at, to.name_length);
	writer->failed |= item->root == NULL || item->dir == NULL;
	return item;
}

static void write_content(Writer *writer, const Change *change)
{
	if (change->type == TYPE_DIRECTORY)
		return;
	write_event(writer, OP_MODIFY, change, NULL);
	write_event(writer, OP_CLOSE_WRITE, change, NULL);
}

static void write_create(Writer *writer, const Change *change)
{
	Item *item = write_event(writer, OP_CREATE, change, NULL);
	if (item != NULL)
		item->replaced = change->replaced;
	if (change->type == TYPE_FILE || change->type == TYPE_UNKNOWN)
		write_content(writer, change);
}

static void write_move(Writer *writer, const Change *change)
{
	Parts from = split(writer->batch, &change->from);
	Item *item = write_event(writer, OP_MOVE, change, &from);
	if (item != NULL) {
		Text *none = NULL;
		const Span root = change->from.root;
		item->replaced = change->replaced;
		item->exchange = change->exchange;
		item->from_rel_at = change->from.rel_at;
		item->from_dir = text_copy(from.path, from.dir_length);
		memcpy(item->names + item->name_length, from.path + from.name_at, from.name_length);
		if (root.length > 0 && root.at != change->to.root.at) {
			item->from_root = text_like(&none, batch_text(writer->batch, root), root.length);
			text_free(none);
		}
		writer->failed |= item->from_dir == NULL;
	}
	if (change->modified)
		write_content(writer, change);
}

static bool is_root(const Change *change)
{
	return change->to.rel_at >= change->to.path.length;
}

static FileType find_type(const Writer *writer, const Change *change)
{
	const ChangePath *to = &change->to;
	const char *path = batch_text(writer->batch, to->path);
	return writer->type_of(writer->owner, batch_text(writer->batch, to->root), to->root.length,
		path + to->rel_at, to->path.length - to->rel_at);
}

static void write_root(Writer *writer, const Change *change)
{
	if (change->op == OP_DELETE || change->replaced != TYPE_UNKNOWN)
		write_event(writer, OP_GONE, change, NULL);
	if (change->op == OP_CREATE)
		write_event(writer, OP_BACK, change, NULL);
}

static void write_delete(Writer *writer, const Change *change)
{
	Item *item = write_event(writer, OP_DELETE, change, NULL);
	if (item != NULL)
		item->whole = change->whole;
}

/* Where another file has taken the name, the type may be another now. */
static void write_modify(Writer *writer, const Change *change)
{
	if (change->vague) {
		write_delete(writer, change);
		write_create(writer, change);
	} else {
		write_content(writer, change);
	}
}

static void write_change(Writer *writer, Change *change)
{
	bool lacks = change->type == TYPE_UNKNOWN || change->vague;
	if (lacks && change->op != OP_DELETE && !is_root(change))
		change->type = (uint8_t)find_type(writer, change);
	if (is_root(change) && (change->op == OP_CREATE || change->op == OP_DELETE)) {
		write_root(writer, change);
		return;
	}
	switch (change->op) {
	case OP_CREATE:
		write_create(writer, change);
		break;
	case OP_MOVE:
		write_move(writer, change);
		break;
	case OP_MODIFY:
		write_modify(writer, change);
		break;
	case OP_DELETE:
		write_delete(writer, change);
		break;
	default:
		write_event(writer, change->op, change, NULL);
	}
}

/* The place of the overflow is the root of the first thing told. */
static void write_overflow(Writer *writer, const Item *kept)
{
	Change change = {.type = TYPE_DIRECTORY};
	Item *item = queue_push(writer->queue, 0, 0);
	if (item == NULL) {
		writer->failed = true;
		return;
	}
	*item = (Item){.op = OP_OVERFLOW, .isdir = true, .type = TYPE_DIRECTORY, .synthetic = true};
	if (kept != NULL) {
		item->root = text_share(kept->root);
		item->dir = text_share(kept->dir);
	} else if (writer->batch->count > 0) {
		change = writer->batch->changes[0];
		const char *path = batch_text(writer->batch, change.to.path);
		size_t at = change.to.rel_at, length = change.to.path.length;
		length = at >= length ? length : at > 1 ? at - 1 : at;
		item->root = text_copy(batch_text(writer->batch, change.to.root), change.to.root.length);
		item->dir = text_copy(path, length);
	}
	if (item->root == NULL)
		item->root = text_copy("", 0);
	if (item->dir == NULL)
		item->dir = text_copy("", 0);
	item->rel_at = item->dir != NULL ? item->dir->length : 0;
	writer->failed |= item->root == NULL || item->dir == NULL;
}

static void write_kept(Writer *writer, Queue *kept)
{
	while (kept->count > 0) {
		const Item *item = queue_first(kept);
		Item *copy =
			item->op == OP_UNWATCHED ? queue_push(writer->queue, item->name_length, 0) : NULL;
		if (copy != NULL) {
			*copy = *item;
			memcpy(copy->names, item->names, item->name_length);
			text_share(copy->root);
			text_share(copy->dir);
		}
		queue_drop(kept);
	}
}

int fold_end(Fold *fold, Queue *queue, uint32_t ops, FoldType *type_of, void *owner)
{
	Batch batch = {0};
	int count = settle_drain(&fold->settle, &batch);
	if (count < 0) {
		batch_clear(&batch);
		return count;
	}
	Writer writer = {
		.queue = queue, .batch = &batch, .ops = ops, .type_of = type_of, .owner = owner};
	if (fold->swallowed > 0)
		write_overflow(&writer, queue_first(&fold->kept));
	write_kept(&writer, &fold->kept);
	for (size_t i = 0; i < batch.count; i++)
		write_change(&writer, &batch.changes[i]);
	text_free(writer.dir);
	text_free(writer.root);
	batch_clear(&batch);
	fold_clear(fold);
	return writer.failed ? -ENOMEM : 0;
}

void fold_clear(Fold *fold)
{
	if (fold->active)
		settle_clear(&fold->settle);
	queue_clear(&fold->kept);
	*fold = (Fold){0};
}

size_t fold_count(const Fold *fold)
{
	return fold->active ? settle_pending(&fold->settle) + 1 : 0;
}
