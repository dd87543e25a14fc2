/* SPDX-License-Identifier: MIT
 *
 * view.c - what one reader sees of a tree.
 *
 * What an entry's node remembers of the border is what the user was told. Before an entry goes to another place it is
 * judged where it is, afterwards where it has come to, and what is told follows from the two. Of several views of one
 * tree each takes the two verdicts from the old and the new path.
 */
#include "stream/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "tree/node.h"
#include "tree/watching.h"

static void stir(View *view)
{
	if (view->stirred)
		return;
	view->stirred = true;
	if (view->stir != NULL)
		view->stir(view);
}

/* An event is lost for want of memory. */
static void lose(View *view)
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
	view->sequence -= view->queue.count;
	view->coalesced += view->queue.count;
	latest_clear(&view->latest);
	if (fold_queue(&view->fold, &view->queue) < 0)
		lose(view);
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

/* The index is what all that was folded has led to. */
static FileType type_at(
	void *owner, const char *given, size_t given_length, const char *rel, size_t length)
{
	View *view = owner;
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
	if (dir == NULL || node == NULL || length > 0)
		return TYPE_UNKNOWN;
	if (node->type == TYPE_UNKNOWN)
		tree_fill_type(view->tree, dir, node);
	return (FileType)node->type;
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
		lose(view);
	tree_close_trail(view->tree);
	number(view);
	size_t most = view->options.most_queued;
	view->bound = view->queue.count > most / 2 ? view->queue.count * 2 : most;
	return queue_first(&view->queue);
}

/* --- queueing -------------------------------------------------------------------------------------------------------- */

/* Where an entry lies: the directory's path is a use of its own once it is in an item. */
typedef struct Where {
	Text *dir;
	const char *name;
	size_t length;
	const Root *root;
} Where;

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
	bool has_rel = place->length > 0 || place->dir->length > rel_at;
	item->rel_at = (uint32_t)(has_rel ? rel_at : place->dir->length);
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

static void queue_event(View *view, const Told *told, const Where *to, const Where *from)
{
	if (to->dir == NULL || (from != NULL && from->dir == NULL)) {
		lose(view);
		return;
	}
	if (repeats(view, told, to)) {
		view->coalesced++;
		tree_raise_fate(view->tree, FATE_MERGED);
		return;
	}
	Item *item = queue_push(&view->queue, to->length, from != NULL ? from->length : 0);
	if (item == NULL) {
		lose(view);
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

/* What was there already; that something cannot be watched is told all the same. */
static bool is_part_of_the_start(const View *view, const Told *told)
{
	return told->initial && !view->options.initial && told->op != OP_UNWATCHED;
}

static bool wants(const View *view, const Told *told)
{
	if (view->muted || view->waits || is_part_of_the_start(view, told))
		return false;
	return (view->options.ops >> told->op & 1) != 0;
}

static Where place_of(const View *view, Dir *dir, const char *name, size_t length)
{
	return (Where){
		.dir = tree_path(view->tree, dir),
		.name = name,
		.length = length,
		.root = tree_root_of(view->tree, dir),
	};
}

/* An event of `op` about one entry, otherwise like `told`. */
static void tell_entry(View *view, const Told *told, uint8_t op, const Where *place, FileType type)
{
	Told entry = *told;
	entry.op = op;
	entry.type = (uint8_t)type;
	if (wants(view, &entry))
		queue_event(view, &entry, place, NULL);
}

static void tell_gone(View *view, const Told *told, const Where *place, FileType type)
{
	Told gone = *told;
	gone.replaced = 0;
	gone.exchange = false;
	tell_entry(view, &gone, OP_DELETE, place, type);
}

/* A create and what content follows it, for what came into the view. */
static void tell_found(View *view, const Told *told, const Where *place, FileType type)
{
	Told found = *told;
	found.exchange = false;
	tell_entry(view, &found, OP_CREATE, place, type);
	if (type != TYPE_FILE && type != TYPE_UNKNOWN)
		return;
	found.synthetic = true;
	found.mask = found.cookie = 0;
	found.replaced = 0;
	tell_entry(view, &found, OP_MODIFY, place, type);
	tell_entry(view, &found, OP_CLOSE_WRITE, place, type);
}

/* --- the border -------------------------------------------------------------------------------------------------------- */

static bool tells_root(const View *view, const Root *root)
{
	return root->ready || view->options.initial;
}

/* What the user was told of an entry at that place; judged before, where the node remembers it. */
static bool was_shown(View *view, const Node *node, const Where *place)
{
	Border *border = &view->border;
	if (!border->active)
		return true;
	if (!border->by_path)
		return node->border == BORDER_SHOWN;
	if (place->dir == NULL)
		return false;
	return border_ask_at(
		border, place->root, place->dir, place->name, place->length, node_is_dir(node))
		.shown;
}

/* At the place it has now; true: it is entered. */
static bool judge(View *view, Dir *dir, Node *node, bool renamed)
{
	return !view->border.active || border_judge(&view->border, dir, node, renamed);
}

static void judge_children(View *view, Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		border_shows(&view->border, dir, node);
}

static void judge_all(View *view, Dir *top)
{
	if (view->border.by_path)
		return;
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		judge_children(view, dir);
}

/* --- what is told entry by entry --------------------------------------------------------------------------------------- */

/* The entries below a directory seen twice: by their old path and by the new one; either may be missing. */
typedef struct Walk {
	View *view;
	Told told;
	const Root *old_root, *new_root;
	bool stays; /* both are the same: the rules have changed */
} Walk;

/* An event about a directory above has said it: that the old entry is gone, that the new one is there. */
typedef struct Cover {
	bool old, new;
} Cover;

static void tell_carried(const Walk *walk, const Where *new, FileType type, bool was, bool is)
{
	if (was && !is)
		tell_gone(walk->view, &walk->told, new, type);
	else if (is && !was)
		tell_found(walk->view, &walk->told, new, type);
}

/* What covers the entries below it. */
static Cover tell_difference(const Walk *walk, const Node *node, const Where *old, const Where *new,
	bool was, bool is, Cover cover)
{
	Told told = walk->told;
	told.op = OP_MOVE;
	told.type = node->type;
	if (cover.old && cover.new) {
		tell_carried(walk, new, node->type, was, is);
		return (Cover){true, !(was && !is)};
	}
	if (cover.old || (!was && is)) {
		if (is)
			tell_found(walk->view, &walk->told, new, node->type);
		return cover;
	}
	if (was && !is) {
		tell_gone(walk->view, &walk->told, old, node->type);
		return (Cover){.old = true};
	}
	if (!was || walk->stays)
		return cover;
	if (wants(walk->view, &told))
		queue_event(walk->view, &told, new, old);
	return (Cover){true, true};
}

static void walk_below(
	const Walk *walk, Dir *dir, Text *old_dir, Text *new_dir, Cover cover, bool shut);

static Text *path_below_dir(const Walk *walk, Text *dir, const Node *node)
{
	if (dir == NULL)
		return NULL;
	Text *path = text_join(dir->bytes, dir->length, node_name(node), node->name_length);
	if (path == NULL)
		lose(walk->view);
	return path;
}

static void walk_into(
	const Walk *walk, Dir *dir, Text *old_dir, Text *new_dir, Cover cover, bool shut)
{
	Text *old_path = path_below_dir(walk, old_dir, &dir->entry);
	Text *new_path = path_below_dir(walk, new_dir, &dir->entry);
	walk_below(walk, dir, old_path, new_path, cover, shut);
	text_free(old_path);
	text_free(new_path);
}

/* What nobody enters of a tree that several look at is for the fan to say. */
static void prune(View *view, Dir *dir, bool pruned)
{
	if (!view->border.by_path)
		tree_prune(view->tree, dir, pruned);
}

/* One entry and all below it. `shut`: the directory it is in is not entered. */
static void walk_entry(
	const Walk *walk, Dir *dir, Node *node, Text *old_dir, Text *new_dir, Cover cover, bool shut)
{
	View *view = walk->view;
	const char *name = node_name(node);
	Where old = {old_dir, name, node->name_length, walk->old_root};
	Where new = {new_dir, name, node->name_length, walk->new_root};
	bool told_before = old_dir != NULL && tells_root(view, walk->old_root);
	bool remembers = view->border.active && !view->border.by_path;
	if (told_before && remembers && node->border == BORDER_UNKNOWN)
		border_shows(&view->border, dir, node);
	bool was = told_before && was_shown(view, node, &old);
	bool comes = new_dir != NULL && !shut;
	bool entered = comes && judge(view, dir, node, !walk->stays);
	bool is = comes && tells_root(view, walk->new_root) && was_shown(view, node, &new);
	Cover below = tell_difference(walk, node, &old, &new, was, is, cover);
	if (!node_is_dir(node))
		return;
	if (new_dir != NULL || !below.old)
		walk_into(walk, dir_of(node), old_dir, new_dir, below, shut || !entered);
	if (comes)
		prune(view, dir_of(node), !entered);
}

static void walk_below(
	const Walk *walk, Dir *dir, Text *old_dir, Text *new_dir, Cover cover, bool shut)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		walk_entry(walk, dir, node, old_dir, new_dir, cover, shut);
}

static Walk walk_of(View *view, const Told *told, const Where *old, const Where *new)
{
	Walk walk = {
		.view = view,
		.told = *told,
		.old_root = old != NULL ? old->root : NULL,
		.new_root = new != NULL ? new->root : NULL,
	};
	walk.told.replaced = 0;
	walk.told.exchange = false;
	return walk;
}

/* All below a directory that has the old and the new place. */
static void walk_dir(View *view, const Told *told, Dir *dir, const Where *old, const Where *new,
	Cover cover, bool entered)
{
	Walk walk = walk_of(view, told, old, new);
	Text *old_path =
		old ? text_join(old->dir->bytes, old->dir->length, old->name, old->length) : NULL;
	Text *new_path =
		new ? text_join(new->dir->bytes, new->dir->length, new->name, new->length) : NULL;
	if ((old != NULL && old_path == NULL) || (new != NULL &&new_path == NULL))
		lose(view);
	walk_below(&walk, dir, old_path, new_path, cover, new != NULL && !entered);
	text_free(old_path);
	text_free(new_path);
	if (new != NULL)
		prune(view, dir, !entered);
}

/* --- create and delete ---------------------------------------------------------------------------------------------------- */

/* What it was put in the place of, as far as the user knew it. */
static uint8_t known_replaced(const View *view, const Told *told)
{
	return view->border.active && view->left_hidden ? 0 : told->replaced;
}

static void tell_create(View *view, const Told *told, const Where *place)
{
	Told create = *told;
	create.replaced = known_replaced(view, told);
	if (!border_shows(&view->border, told->dir, told->node)) {
		if (create.replaced != 0)
			tell_gone(view, told, place, create.replaced);
	} else if (wants(view, &create)) {
		queue_event(view, &create, place, NULL);
	}
}

static void tell_delete_of(View *view, const Told *told, Node *node, const Where *place)
{
	Told gone = *told;
	gone.node = node;
	if (was_shown(view, node, place))
		tell_gone(view, &gone, place, node->type);
	else if (node_is_dir(node))
		walk_dir(view, &gone, dir_of(node), place, NULL, (Cover){0}, false);
}

static void tell_delete(View *view, const Told *told, const Where *place)
{
	border_shows(&view->border, told->dir, told->node);
	tell_delete_of(view, told, told->node, place);
}

/* --- moves ------------------------------------------------------------------------------------------------------------------ */

static void move_of_file(
	View *view, const Told *told, const Where *to, const Where *from, bool was, bool is)
{
	if (was && is && wants(view, told))
		queue_event(view, told, to, from);
	else if (was && !is)
		tell_gone(view, told, from, told->type);
	else if (is && !was)
		tell_found(view, told, to, told->type);
}

static void move_of_dir(View *view, const Told *told, const Where *to, const Where *from, bool was,
	bool is, bool entered)
{
	if (was && is && wants(view, told))
		queue_event(view, told, to, from);
	else if (was && !is)
		tell_gone(view, told, from, told->type);
	else if (is && !was)
		tell_entry(view, told, OP_CREATE, to, told->type);
	if (view->border.active || from->root != to->root)
		walk_dir(view, told, dir_of(told->node), from, to, (Cover){was, was && is}, entered);
}

static void plain_move(View *view, const Told *told, const Where *to, const Where *from)
{
	Told move = *told;
	bool was = tells_root(view, from->root) && was_shown(view, told->node, from);
	bool entered = judge(view, told->dir, told->node, true);
	bool is = tells_root(view, to->root) && was_shown(view, told->node, to);
	move.replaced = known_replaced(view, told);
	if (move.replaced != 0 && !is)
		tell_gone(view, told, to, move.replaced);
	if (!is || !was)
		move.replaced = is ? move.replaced : 0;
	if (told->type == TYPE_DIRECTORY)
		move_of_dir(view, &move, to, from, was, is, entered);
	else
		move_of_file(view, &move, to, from, was, is);
}

static void tell_come(View *view, const Told *told, Node *node, const Where *place, bool entered)
{
	Told come = *told;
	come.node = node;
	come.replaced = 0;
	if (tells_root(view, place->root) && was_shown(view, node, place))
		tell_found(view, &come, place, node->type);
	if (node_is_dir(node))
		walk_dir(view, &come, dir_of(node), NULL, place, (Cover){0}, entered);
}

/* Each of the two may be shown at one place and not at the other: then it is told as two that go and two that come. */
static void exchange(View *view, const Told *told, const Where *to, const Where *from)
{
	Node *here = told->node;
	Node *there = children_find(told->from_dir, told->from_name, told->from_name_length);
	NodeBorder here_was = here->border, there_was = there->border;
	bool was = was_shown(view, here, from) && was_shown(view, there, to);
	bool here_entered = judge(view, told->dir, here, true);
	bool there_entered = judge(view, told->from_dir, there, true);
	bool is = was_shown(view, here, to) && was_shown(view, there, from);
	if (was && is && tells_root(view, to->root) == tells_root(view, from->root)) {
		if (wants(view, told))
			queue_event(view, told, to, from);
		if (node_is_dir(here) && view->border.active)
			walk_dir(view, told, dir_of(here), from, to, (Cover){true, true}, here_entered);
		if (node_is_dir(there) && view->border.active)
			walk_dir(view, told, dir_of(there), to, from, (Cover){true, true}, there_entered);
		return;
	}
	NodeBorder here_is = here->border, there_is = there->border;
	here->border = here_was & 3u;
	there->border = there_was & 3u;
	if (tells_root(view, from->root))
		tell_delete_of(view, told, here, from);
	if (tells_root(view, to->root))
		tell_delete_of(view, told, there, to);
	here->border = here_is & 3u;
	there->border = there_is & 3u;
	tell_come(view, told, here, to, here_entered);
	tell_come(view, told, there, from, there_entered);
}

static void tell_move(View *view, const Told *told, const Where *to)
{
	Where from = place_of(view, told->from_dir, told->from_name, told->from_name_length);
	Where kept = {text_share(to->dir), to->name, to->length, to->root};
	Told move = *told;
	from.dir = text_share(from.dir);
	move.initial = !from.root->ready && !to->root->ready;
	if (from.dir == NULL || kept.dir == NULL)
		lose(view);
	else if (told->exchange)
		exchange(view, &move, &kept, &from);
	else
		plain_move(view, &move, &kept, &from);
	text_free(from.dir);
	text_free(kept.dir);
}

/* --- what a tree tells ---------------------------------------------------------------------------------------------------- */

/* Where a single file lies, as the user would call it. */
static Text *folder_of(const Root *root)
{
	const Text *folder = root->prefix_folder;
	return folder->length > 0 ? text_share(root->prefix_folder) : text_copy(".", 1);
}

/* The coming and going of a single file's folder is told of that. */
static void tell_root(View *view, const Told *told)
{
	const Root *root = told->root;
	Where place = {.dir = text_share(root->prefix), .name = "", .root = root};
	if (root->single) {
		text_free(place.dir);
		place.dir = folder_of(root);
	}
	if (wants(view, told))
		queue_event(view, told, &place, NULL);
	text_free(place.dir);
}

/* An ignore file was touched: its directory is listed again, and so it is read. */
static void note_ignore_file(View *view, Dir *dir, const char *name, size_t length)
{
	size_t rel_length;
	const char *rel = border_rel(&view->border, dir, name, length, &rel_length);
	Dir *touched = rel != NULL
		? ignored_touch(&view->border.ignored, dir, name, length, rel, rel_length)
		: NULL;
	if (touched != NULL)
		tree_scan_later(view->tree, touched, 0);
}

static void note_ignore_files(View *view, const Told *told)
{
	const uint32_t touches =
		1u << OP_CREATE | 1u << OP_MODIFY | 1u << OP_CLOSE_WRITE | 1u << OP_DELETE | 1u << OP_MOVE;
	if (!(touches >> told->op & 1) || told->synthetic || told->type == TYPE_DIRECTORY)
		return;
	note_ignore_file(view, told->dir, told->name, told->name_length);
	if (told->op == OP_MOVE)
		note_ignore_file(view, told->from_dir, told->from_name, told->from_name_length);
}

/* A directory that is a root of its own: what happens to itself is told by that. */
static bool is_told_by_inner(const Told *told)
{
	return told->op != OP_UNWATCHED && told->node != NULL && node_is_dir(told->node) &&
		dir_of(told->node)->pruned && told->root->inner_count > 0 &&
		tree_root_at(told->root->tree, told->dir, told->node) != NULL;
}

/* That something below it cannot be watched concerns who looks into it; alone, that is always so. */
static bool enters_dir(View *view, Dir *dir)
{
	return !view->border.by_path || dir->parent == NULL ||
		view_enters(view, dir->parent, &dir->entry);
}

void view_tell(View *view, const Told *told)
{
	if (view->waits)
		return;
	if (told->dir == NULL) {
		tell_root(view, told);
		return;
	}
	if (is_part_of_the_start(view, told) && !view->border.active && told->op != OP_MOVE)
		return;
	if (view->border.ignored.set != NULL)
		note_ignore_files(view, told);
	Where place = place_of(view, told->dir, told->name, told->name_length);
	if (place.dir == NULL) {
		lose(view);
		return;
	}
	if (told->op == OP_MOVE)
		tell_move(view, told, &place);
	else if (told->op == OP_DELETE)
		tell_delete(view, told, &place);
	else if (told->op == OP_CREATE)
		tell_create(view, told, &place);
	else if (wants(view, told) && !is_told_by_inner(told) &&
		(told->op == OP_UNWATCHED
				? enters_dir(view, told->dir)
				: told->node == NULL || border_shows(&view->border, told->dir, told->node)))
		queue_event(view, told, &place, NULL);
	/* No node remembers what was told against the rules. */
	if (view->border.by_path && view->border.starved)
		lose(view);
}

static void tell(void *owner, const Told *told)
{
	view_tell(owner, told);
}

bool view_enters(View *view, Dir *parent, Node *node)
{
	return judge(view, parent, node, true);
}

static bool enters(void *owner, Dir *parent, Node *node)
{
	return view_enters(owner, parent, node);
}

/* The directory is what the root is, or leads to it. A single file's name may be a directory's: then it only leaves. */
static bool leads_to(const char *inner, const char *rel, const Root *root)
{
	const char *rest = path_below(inner, rel);
	return rest != NULL && !(root->single && rest[0] == '\0');
}

/* Roots within a directory that is renamed are no longer where they were. */
static void lose_inner_roots(View *view, Dir *dir, const Node *node)
{
	Tree *tree = view->tree;
	size_t length;
	const char *rel = border_rel(&view->border, dir, node_name(node), node->name_length, &length);
	const Root *outer = tree_root_of(view->tree, dir);
	for (size_t i = 0; rel != NULL && i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		const char *inner = path_below(root->key->bytes, outer->key->bytes);
		if (root != outer && inner != NULL && leads_to(inner, rel, root) && root->top != NULL)
			way_lose(root);
	}
}

void view_leave(View *view, Dir *dir, Node *node, bool replaced)
{
	bool isdir = node_is_dir(node);
	if (isdir && tree_root_of(view->tree, dir)->inner_count > 0)
		lose_inner_roots(view, dir, node);
	if (!view->border.active || (view->border.by_path && !replaced))
		return;
	bool shown = border_shows(&view->border, dir, node);
	if (isdir && (!replaced || !shown))
		judge_all(view, dir_of(node));
	if (!replaced)
		return;
	view->left_hidden = !shown;
	if (shown || !isdir)
		return;
	Where place = place_of(view, dir, node_name(node), node->name_length);
	Told gone = {.synthetic = true, .root = tree_root_of(view->tree, dir)};
	gone.initial = !gone.root->ready;
	if (place.dir != NULL)
		tell_delete_of(view, &gone, node, &place);
}

static void leave(void *owner, Dir *dir, Node *node, bool replaced)
{
	view_leave(owner, dir, node, replaced);
}

/* --- other rules ------------------------------------------------------------------------------------------------------ */

static Walk walk_in_place(View *view, Dir *dir, bool silently)
{
	Root *root = tree_root_of(view->tree, dir);
	Walk walk = {.view = view, .old_root = root, .new_root = root, .stays = true};
	walk.told = (Told){.synthetic = true, .root = root, .initial = !root->ready};
	view->muted |= silently;
	return walk;
}

void view_reconsider(View *view, Dir *dir, bool silently)
{
	bool muted = view->muted;
	Walk walk = walk_in_place(view, dir, silently);
	Text *path = text_share(tree_path(view->tree, dir));
	if (path != NULL)
		walk_below(&walk, dir, path, path, (Cover){0}, false);
	else
		lose(view);
	text_free(path);
	view->muted = muted;
}

void view_reconsider_entry(View *view, Dir *dir, Node *node, bool silently)
{
	bool muted = view->muted;
	Walk walk = walk_in_place(view, dir, silently);
	Text *path = text_share(tree_path(view->tree, dir));
	if (path != NULL)
		walk_entry(&walk, dir, node, path, path, (Cover){0}, false);
	else
		lose(view);
	text_free(path);
	view->muted = muted;
}

/* All that is known below a root, as found. */
static void tell_content_of(View *view, Root *root)
{
	Text *path = text_share(tree_path(view->tree, root->top));
	Walk walk = walk_in_place(view, root->top, false);
	if (path != NULL)
		walk_below(&walk, root->top, NULL, path, (Cover){0}, false);
	else
		lose(view);
	text_free(path);
}

/* To this view alone. */
static void tell_of_root(View *view, uint8_t op, Root *root, int error)
{
	Told told = {.op = op, .type = TYPE_DIRECTORY, .root = root, .name = "", .error = error};
	told.initial = !(op == OP_OVERFLOW ? view->tree->ready : root->ready);
	tell_root(view, &told);
}

static void tell_anew(View *view, Root *root)
{
	tell_of_root(view, OP_GONE, root, 0);
	tell_of_root(view, OP_BACK, root, 0);
	tell_content_of(view, root);
}

void view_repair(View *view)
{
	Tree *tree = view->tree;
	view->failed = view->border.starved = false;
	if (view->waits)
		return;
	if (tree->root_count > 0)
		tell_of_root(view, OP_OVERFLOW, tree->roots[0], 0);
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tell_anew(view, tree->roots[i]);
	}
}

/* --- one of several ----------------------------------------------------------------------------------------------------- */

bool view_may_share(const View *view)
{
	const BorderRules *rules = &view->options.rules;
	bool nested = false;
	for (size_t i = 0; i < view->tree->root_count; i++)
		nested |= view->tree->roots[i]->outer != NULL;
	return rules->filter == NULL && rules->ignores == NULL && !nested &&
		view->border.removed_count == 0;
}

void view_share(View *view)
{
	view->border.by_path = view->waits = true;
}

static bool sees(const View *view, const Sight *sight, bool isdir)
{
	return border_ask_rel(&view->border, sight->root, sight->rel, sight->length, isdir).shown;
}

/* A rename may be told as a create or a delete. */
bool view_listens(const View *view, const Told *told, const Sight *at, const Sight *from)
{
	bool isdir = told->type == TYPE_DIRECTORY;
	if (from != NULL ? view->muted || view->waits : !wants(view, told))
		return false;
	return !view->border.active || sees(view, at, isdir) ||
		(from != NULL && sees(view, from, isdir));
}

static void fill_types(Tree *tree, Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		if (node->type == TYPE_UNKNOWN)
			tree_fill_type(tree, dir, node);
	}
}

static void fill_all_types(Tree *tree, Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		fill_types(tree, dir);
}

static void tell_start(View *view)
{
	Tree *tree = view->tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top == NULL)
			continue;
		fill_all_types(tree, tree->roots[i]->top);
		tell_content_of(view, tree->roots[i]);
	}
	tree_close_trail(tree);
}

static void tell_unwatched(View *view, Dir *top)
{
	Told told = {.op = OP_UNWATCHED, .type = TYPE_DIRECTORY, .synthetic = true, .name = ""};
	told.root = tree_root_of(view->tree, top);
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir)) {
		if (!dir->unreadable)
			continue;
		told.error = watching_reason(view->tree, dir);
		told.dir = dir;
		view_tell(view, &told);
	}
}

/* Others may have been told long ago what cannot be watched. */
static void catch_up(View *view)
{
	Tree *tree = view->tree;
	view->waits = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tell_unwatched(view, tree->roots[i]->top);
	}
	tree_close_trail(tree);
	if (tree->limit_told)
		tell_of_root(view, OP_UNWATCHED, tree->roots[0], ENOSPC);
	if (view->options.initial)
		tell_start(view);
}

/* --- readiness ------------------------------------------------------------------------------------------------------------ */

/* The entry that a root is in the root around it, and the directory that holds it. */
static Node *entry_of(const Root *root, Dir **parent)
{
	Dir *dir = root->outer->top;
	const char *rel = path_below(root->key->bytes, root->outer->key->bytes);
	Node *node = NULL;
	while (dir != NULL && *rel != '\0') {
		size_t length = strcspn(rel, "/");
		*parent = dir;
		node = length <= 255 ? children_find(dir, rel, length) : NULL;
		rel += length + (rel[length] == '/');
		dir = node != NULL && node_is_dir(node) ? dir_of(node) : NULL;
	}
	return *rel == '\0' ? node : NULL;
}

void view_set_ready(View *view)
{
	Tree *tree = view->tree;
	tree->ready = true;
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->ready)
			continue;
		root->ready = true;
		Dir *parent = NULL;
		Node *node = root->outer != NULL ? entry_of(root, &parent) : NULL;
		view->border.active |= root->outer != NULL;
		if (node != NULL)
			view_reconsider_entry(view, parent, node, true);
	}
	if (view->waits)
		catch_up(view);
}

/* --- ignore files --------------------------------------------------------------------------------------------------------- */

/* What the ignore files say counts from here on; who was not judged yet is judged by what they said before. */
static void list(void *owner, Dir *dir, int fd)
{
	View *view = owner;
	Ignored *ignored = &view->border.ignored;
	IgnoredDir fresh;
	if (dir->parent == NULL)
		ignored_watch_singles(ignored, dir, fd);
	if (!ignored_read(ignored, dir, fd, &fresh))
		return;
	judge_all(view, dir);
	if (ignored_put(ignored, &fresh) < 0)
		lose(view);
	view_reconsider(view, dir, false);
}

static void forget(void *owner, Dir *dir)
{
	View *view = owner;
	if (view->border.ignored.set != NULL)
		ignored_forget(&view->border.ignored, dir);
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

static const uint32_t always_told =
	1u << OP_OVERFLOW | 1u << OP_GONE | 1u << OP_BACK | 1u << OP_UNWATCHED;

void view_init(View *view, const ViewOptions *options)
{
	*view = (View){.options = *options, .bound = options->most_queued};
	view->options.ops |= always_told;
	border_init(&view->border, &options->rules);
}

void view_set_tree(View *view, Tree *tree)
{
	view->tree = view->border.tree = tree;
}

void view_clear(View *view)
{
	queue_clear(&view->queue);
	latest_clear(&view->latest);
	fold_clear(&view->fold);
	border_clear(&view->border);
	*view = (View){0};
}

TreeSink view_sink(View *view)
{
	return (TreeSink){
		.owner = view,
		.tell = tell,
		.enter = enters,
		.leave = leave,
		.list = view->border.ignored.set != NULL ? list : NULL,
		.forget = forget,
	};
}
