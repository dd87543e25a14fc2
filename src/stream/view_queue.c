/* SPDX-License-Identifier: MIT
 *
 * view_queue.c - from what a view has to tell to its queue, and what becomes of that where the reader is too slow.
 */
#include <string.h>

#include "stream/view_state.h"

static void stir(View *view)
{
	if (view->stirred)
		return;
	view->stirred = true;
	if (view->stir != NULL)
		view->stir(view);
}

void view_lose(View *view)
{
	view->failed = true;
	stir(view);
}

/* --- a reader that is too slow ----------------------------------------------------------------------------------------- */

/* What the reader never gets has no number. */
static void fold(View *view)
{
	QueueCursor cursor;
	for (const Item *item = queue_start(&view->queue, &cursor); item != NULL;
		 item = queue_next(&view->queue, &cursor)) {
		view->told[item->op]--;
		view->synthetic -= item->synthetic;
	}
	view->folds += !view->fold.active;
	view->sequence -= view->queue.count;
	view->coalesced += view->queue.count;
	latest_clear(&view->latest);
	if (fold_queue(&view->fold, &view->queue) < 0)
		view_lose(view);
}

static void fold_if_full(View *view)
{
	if (view->fold.active || (view->bound > 0 && view->queue.count > view->bound))
		fold(view);
}

static Root *find_root(const Tree *tree, const char *given, size_t length)
{
	for (size_t i = 0; i < tree->root_count; i++) {
		const Text *text = tree->roots[i]->given;
		if (text->length == length && memcmp(text->bytes, given, length) == 0)
			return tree->roots[i];
	}
	return NULL;
}

/* The entry that the index has at a path, with the directory it is in; NULL where there is none. */
static Node *node_at(const View *view, const char *given, size_t given_length, const char *rel,
	size_t length, Dir **in)
{
	const Root *root = find_root(view->tree, given, given_length);
	Dir *dir = root != NULL ? root->top : NULL;
	Node *node = NULL;
	while (dir != NULL && length > 0) {
		const char *slash = memchr(rel, '/', length);
		size_t part = slash != NULL ? (size_t)(slash - rel) : length;
		size_t taken = part + (slash != NULL);
		node = children_find(dir, rel, part);
		rel += taken;
		length -= taken;
		if (length > 0)
			dir = node != NULL && node_is_dir(node) ? dir_of(node) : NULL;
	}
	*in = dir;
	return dir != NULL && length == 0 ? node : NULL;
}

/* The index is what all that was folded has led to. */
static FileType type_at(
	void *owner, const char *given, size_t given_length, const char *rel, size_t length)
{
	View *view = owner;
	Dir *dir;
	Node *node = node_at(view, given, given_length, rel, length, &dir);
	if (node == NULL)
		return TYPE_UNKNOWN;
	if (node->type == TYPE_UNKNOWN)
		tree_fill_type(view->tree, dir, node);
	return (FileType)node->type;
}

void view_learn(
	View *view, const char *given, const char *rel, size_t length, FileType type, uint64_t ino)
{
	Dir *dir;
	Node *node = node_at(view, given, strlen(given), rel, length, &dir);
	if (node == NULL || node_is_dir(node) || node->type != TYPE_UNKNOWN)
		return;
	node->type = type & 7u;
	node->ino = ino;
}

static void number(View *view)
{
	const Hub *hub = view->tree->hub;
	QueueCursor cursor;
	for (const Item *item = queue_start(&view->queue, &cursor); item != NULL;
		 item = queue_next(&view->queue, &cursor)) {
		Item *fresh = (Item *)(uintptr_t)item;
		fresh->time = hub->read_at;
		fresh->wall = hub->read_wall;
		fresh->seq = ++view->sequence;
		view->told[item->op]++;
		view->synthetic += item->synthetic;
	}
}

const Item *view_first(View *view)
{
	if (view->queue.count > 0 || !view->fold.active)
		return queue_first(&view->queue);
	if (fold_end(&view->fold, &view->queue, view->options.ops, type_at, view) < 0)
		view_lose(view);
	tree_close_trail(view->tree);
	number(view);
	size_t most = view->options.most_queued;
	view->bound = view->queue.count > most / 2 ? view->queue.count * 2 : most;
	return queue_first(&view->queue);
}

/* --- queueing -------------------------------------------------------------------------------------------------------- */

/* Was anything known in the directory that is told as deleted? */
static bool takes_content_along(const Told *told)
{
	return told->op == OP_DELETE && told->type == TYPE_DIRECTORY &&
		(told->node == NULL || !node_is_dir(told->node) || dir_of(told->node)->count > 0);
}

static void fill_item(View *view, Item *item, const Told *told, const Where *place)
{
	const Hub *hub = view->tree->hub;
	size_t rel_at = root_rel_at(place->root);
	item->time = hub->read_at;
	item->wall = hub->read_wall;
	item->seq = ++view->sequence;
	item->mask = told->mask;
	item->cookie = told->cookie;
	item->wd = told->wd;
	item->op = told->op;
	item->type = told->type;
	item->replaced = told->replaced;
	item->isdir = told->type == TYPE_DIRECTORY;
	item->synthetic = told->synthetic;
	item->exchange = told->exchange;
	item->error = told->error;
	item->whole = takes_content_along(told);
	item->root = text_share(place->root->given);
	item->dir = text_share(place->dir);
	/* A single file's folder may be ".", which is longer than what stands before the file's name. */
	bool is_root = place->length == 0 && (place->root->single || place->dir->length <= rel_at);
	item->rel_at = (uint32_t)(is_root ? place->dir->length : rel_at);
	memcpy(item->names, place->name, place->length);
}

/* The same again, and nothing in between: as the kernel merges them. */
static bool repeats(const View *view, const Told *told, const Where *place)
{
	const Item *last = view->queue.newest;
	bool merges = told->op == OP_MODIFY || told->op == OP_ATTRIB || told->op == OP_ACCESS;
	return merges && last != NULL && last->op == told->op && last->dir == place->dir &&
		last->name_length == place->length &&
		memcmp(last->names, place->name, place->length) == 0 && last->synthetic == told->synthetic;
}

void view_queue_event(View *view, const Told *told, const Where *to, const Where *from)
{
	if (to->dir == NULL || (from != NULL && from->dir == NULL)) {
		view_lose(view);
		return;
	}
	if (repeats(view, told, to)) {
		view->coalesced++;
		tree_raise_fate(view->tree, FATE_MERGED);
		return;
	}
	Item *item = queue_push(&view->queue, to->length, from != NULL ? from->length : 0);
	if (item == NULL) {
		view_lose(view);
		return;
	}
	fill_item(view, item, told, to);
	stir(view);
	view->told[told->op]++;
	view->synthetic += told->synthetic;
	tree_raise_fate(view->tree, FATE_DELIVERED);
	if (from != NULL) {
		item->from_dir = text_share(from->dir);
		item->from_root = from->root != to->root ? text_share(from->root->given) : NULL;
		item->from_rel_at = (uint32_t)root_rel_at(from->root);
		memcpy(item->names + to->length, from->name, from->length);
	}
	latest_note(&view->latest, item, queue_first(&view->queue)->seq);
	fold_if_full(view);
}

void view_tell_entry(View *view, const Told *told, uint8_t op, const Where *place, FileType type)
{
	Told entry = *told;
	entry.op = op;
	entry.type = (uint8_t)type;
	if (view_wants(view, &entry))
		view_queue_event(view, &entry, place, NULL);
}

void view_tell_gone(View *view, const Told *told, const Where *place, FileType type)
{
	Told gone = *told;
	gone.replaced = 0;
	gone.exchange = false;
	view_tell_entry(view, &gone, OP_DELETE, place, type);
}

void view_tell_found(View *view, const Told *told, const Where *place, FileType type)
{
	Told found = *told;
	found.exchange = false;
	view_tell_entry(view, &found, OP_CREATE, place, type);
	if (type != TYPE_FILE && type != TYPE_UNKNOWN)
		return;
	found.synthetic = true;
	found.mask = found.cookie = 0;
	found.replaced = 0;
	view_tell_entry(view, &found, OP_MODIFY, place, type);
	view_tell_entry(view, &found, OP_CLOSE_WRITE, place, type);
}
