/* SPDX-License-Identifier: MIT
 *
 * view.c - what one reader sees of a tree.
 *
 * What an entry's node remembers of the border is what the user was told. Before an entry goes to another place it is
 * judged where it is, afterwards where it has come to, and what is told follows from the two. Of several views of one
 * tree each takes the two verdicts from the old and the new path.
 *
 * view_queue.c queues what is told, view_ready.c says from when on.
 */
#include "stream/view.h"

#include <limits.h>
#include <stdlib.h>

#include "base/path.h"
#include "stream/view_state.h"

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
		view_tell_gone(walk->view, &walk->told, new, type);
	else if (is && !was)
		view_tell_found(walk->view, &walk->told, new, type);
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
			view_tell_found(walk->view, &walk->told, new, node->type);
		return cover;
	}
	if (was && !is) {
		view_tell_gone(walk->view, &walk->told, old, node->type);
		return (Cover){.old = true};
	}
	if (!was || walk->stays)
		return cover;
	if (view_wants(walk->view, &told))
		view_queue_event(walk->view, &told, new, old);
	return (Cover){true, true};
}

/* A directory of the walk, while what is below it is looked at. */
typedef struct Level {
	Dir *dir;
	ChildCursor cursor;
	Node *next;
	Text *old_path, *new_path; /* as in Walk; uses of its own */
	Cover cover;
	bool shut;   /* not entered, as one above it is not */
	bool prunes; /* is to be pruned afterwards, or the other way round */
	bool entered;
} Level;

/* On the heap: trees may be deeper than the stack. */
typedef struct Levels {
	Level *items;
	size_t count, size;
} Levels;

static void leave_level(View *view, const Level *level);

static bool is_long(const Text *path)
{
	return path != NULL && path->length >= PATH_MAX;
}

/* Kept for every directory of a deep branch, paths would take the square of its depth: of long ones only those of the
 * innermost directory are, and those of the one around it made of them when it is left. */
static void drop_long(Text **path)
{
	if (is_long(*path)) {
		text_free(*path);
		*path = NULL;
	}
}

static void restore_long(View *view, Text **path, const Text *inner, const Node *node)
{
	if (*path != NULL || inner == NULL)
		return;
	*path = text_copy(inner->bytes, inner->length - node->name_length - 1u);
	if (*path == NULL)
		view_lose(view);
}

static void enter_level(View *view, Levels *levels, Level level)
{
	if (levels->count == levels->size) {
		size_t size = levels->size ? levels->size * 2 : 16;
		Level *items = realloc(levels->items, size * sizeof *items);
		if (items == NULL) {
			view_lose(view);
			leave_level(view, &level);
			return;
		}
		levels->items = items;
		levels->size = size;
	}
	if (levels->count > 0) {
		drop_long(&levels->items[levels->count - 1].old_path);
		drop_long(&levels->items[levels->count - 1].new_path);
	}
	level.next = children_start(level.dir, &level.cursor);
	levels->items[levels->count++] = level;
}

/* The innermost one has been gone through. */
static void return_from(View *view, Levels *levels, const Level *level)
{
	Level *outer = --levels->count > 0 ? &levels->items[levels->count - 1] : NULL;
	if (outer != NULL && outer->next != NULL) {
		restore_long(view, &outer->old_path, level->old_path, &level->dir->entry);
		restore_long(view, &outer->new_path, level->new_path, &level->dir->entry);
	}
	leave_level(view, level);
}

static Text *path_below_dir(const Walk *walk, Text *dir, const Node *node)
{
	if (dir == NULL)
		return NULL;
	Text *path = text_join(dir->bytes, dir->length, node_name(node), node->name_length);
	if (path == NULL)
		view_lose(walk->view);
	return path;
}

/* What nobody enters of a tree that several look at is for the fan to say. */
static void prune(View *view, Dir *dir, bool pruned)
{
	if (!view->border.by_path)
		tree_prune(view->tree, dir, pruned);
}

static void leave_level(View *view, const Level *level)
{
	text_free(level->old_path);
	text_free(level->new_path);
	if (level->prunes)
		prune(view, level->dir, !level->entered);
}

/* One entry of a directory; all below it comes next. */
static void enter_entry(const Walk *walk, Levels *levels, const Level *in, Node *node)
{
	View *view = walk->view;
	const char *name = node_name(node);
	Where old = {in->old_path, name, node->name_length, walk->old_root};
	Where new = {in->new_path, name, node->name_length, walk->new_root};
	bool told_before = old.dir != NULL && tells_root(view, walk->old_root);
	bool remembers = view->border.active && !view->border.by_path;
	if (told_before && remembers && node->border == BORDER_UNKNOWN)
		border_shows(&view->border, in->dir, node);
	bool was = told_before && was_shown(view, node, &old);
	bool comes = new.dir != NULL && !in->shut;
	bool entered = comes && judge(view, in->dir, node, !walk->stays);
	bool is = comes && tells_root(view, walk->new_root) && was_shown(view, node, &new);
	Cover below = tell_difference(walk, node, &old, &new, was, is, in->cover);
	if (!node_is_dir(node) || (new.dir == NULL &&below.old))
		return;
	enter_level(view, levels,
		(Level){
			.dir = dir_of(node),
			.old_path = path_below_dir(walk, old.dir, node),
			.new_path = path_below_dir(walk, new.dir, node),
			.cover = below,
			.shut = in->shut || !entered,
			.prunes = comes,
			.entered = entered,
		});
}

static void walk_levels(const Walk *walk, Levels *levels)
{
	while (levels->count > 0) {
		Level level = levels->items[levels->count - 1];
		if (level.next == NULL) {
			return_from(walk->view, levels, &level);
			continue;
		}
		Level *here = &levels->items[levels->count - 1];
		here->next = children_next(here->dir, &here->cursor);
		enter_entry(walk, levels, &level, level.next);
	}
	free(levels->items);
}

static Level level_of(Dir *dir, Text *old_path, Text *new_path, Cover cover, bool shut)
{
	return (Level){
		.dir = dir,
		.old_path = text_share(old_path),
		.new_path = text_share(new_path),
		.cover = cover,
		.shut = shut,
	};
}

/* All below a directory. */
static void walk_below(
	const Walk *walk, Dir *dir, Text *old_path, Text *new_path, Cover cover, bool shut)
{
	Levels levels = {0};
	enter_level(walk->view, &levels, level_of(dir, old_path, new_path, cover, shut));
	walk_levels(walk, &levels);
}

/* One entry and all below it. */
static void walk_entry(const Walk *walk, Dir *dir, Node *node, Text *path)
{
	Levels levels = {0};
	Level level = level_of(dir, path, path, (Cover){0}, false);
	enter_entry(walk, &levels, &level, node);
	leave_level(walk->view, &level);
	walk_levels(walk, &levels);
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
		view_lose(view);
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
			view_tell_gone(view, told, place, create.replaced);
	} else if (view_wants(view, &create)) {
		view_queue_event(view, &create, place, NULL);
	}
}

static void tell_delete_of(View *view, const Told *told, Node *node, const Where *place)
{
	Told gone = *told;
	gone.node = node;
	if (was_shown(view, node, place))
		view_tell_gone(view, &gone, place, node->type);
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
	if (was && is && view_wants(view, told))
		view_queue_event(view, told, to, from);
	else if (was && !is)
		view_tell_gone(view, told, from, told->type);
	else if (is && !was)
		view_tell_found(view, told, to, told->type);
}

static void move_of_dir(View *view, const Told *told, const Where *to, const Where *from, bool was,
	bool is, bool entered)
{
	if (was && is && view_wants(view, told))
		view_queue_event(view, told, to, from);
	else if (was && !is)
		view_tell_gone(view, told, from, told->type);
	else if (is && !was)
		view_tell_entry(view, told, OP_CREATE, to, told->type);
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
		view_tell_gone(view, told, to, move.replaced);
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
		view_tell_found(view, &come, place, node->type);
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
		if (view_wants(view, told))
			view_queue_event(view, told, to, from);
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
	Where from = view_place(view, told->from_dir, told->from_name, told->from_name_length);
	Where kept = {text_share(to->dir), to->name, to->length, to->root};
	Told move = *told;
	from.dir = text_share(from.dir);
	move.initial = !from.root->ready && !to->root->ready;
	if (from.dir == NULL || kept.dir == NULL)
		view_lose(view);
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
	if (view_wants(view, told))
		view_queue_event(view, told, &place, NULL);
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
	bool of_file = told->type != TYPE_DIRECTORY || told->exchange;
	if (!(touches >> told->op & 1) || told->synthetic || !of_file)
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
	if (view_is_start(view, told) && !view->border.active && told->op != OP_MOVE)
		return;
	if (view->border.ignored.set != NULL)
		note_ignore_files(view, told);
	Where place = view_place(view, told->dir, told->name, told->name_length);
	if (place.dir == NULL) {
		view_lose(view);
		return;
	}
	if (told->op == OP_MOVE)
		tell_move(view, told, &place);
	else if (told->op == OP_DELETE)
		tell_delete(view, told, &place);
	else if (told->op == OP_CREATE)
		tell_create(view, told, &place);
	else if (view_wants(view, told) && !is_told_by_inner(told) &&
		(told->op == OP_UNWATCHED
				? enters_dir(view, told->dir)
				: told->node == NULL || border_shows(&view->border, told->dir, told->node)))
		view_queue_event(view, told, &place, NULL);
	/* No node remembers what was told against the rules. */
	if (view->border.by_path && view->border.starved)
		view_lose(view);
}

static void tell(void *owner, const Told *told)
{
	view_tell(owner, told);
}

bool view_enters(View *view, Dir *parent, Node *node)
{
	return judge(view, parent, node, false);
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
	Where place = view_place(view, dir, node_name(node), node->name_length);
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
		view_lose(view);
	text_free(path);
	view->muted = muted;
}

void view_reconsider_entry(View *view, Dir *dir, Node *node, bool silently)
{
	bool muted = view->muted;
	Walk walk = walk_in_place(view, dir, silently);
	Text *path = text_share(tree_path(view->tree, dir));
	if (path != NULL)
		walk_entry(&walk, dir, node, path);
	else
		view_lose(view);
	text_free(path);
	view->muted = muted;
}

void view_tell_content(View *view, Root *root)
{
	Text *path = text_share(tree_path(view->tree, root->top));
	Walk walk = walk_in_place(view, root->top, false);
	if (path != NULL)
		walk_below(&walk, root->top, NULL, path, (Cover){0}, false);
	else
		view_lose(view);
	text_free(path);
}

void view_tell_of_root(View *view, uint8_t op, Root *root, int error)
{
	Told told = {.op = op, .type = TYPE_DIRECTORY, .root = root, .name = "", .error = error};
	told.initial = !(op == OP_OVERFLOW ? view->tree->ready : root->ready);
	tell_root(view, &told);
}

static void tell_anew(View *view, Root *root)
{
	view_tell_of_root(view, OP_GONE, root, 0);
	view_tell_of_root(view, OP_BACK, root, 0);
	view_tell_content(view, root);
}

void view_repair(View *view)
{
	Tree *tree = view->tree;
	view->failed = view->border.starved = false;
	if (view->waits)
		return;
	if (tree->root_count > 0)
		view_tell_of_root(view, OP_OVERFLOW, tree->roots[0], 0);
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tell_anew(view, tree->roots[i]);
	}
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
		view_lose(view);
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
