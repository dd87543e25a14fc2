/* SPDX-License-Identifier: MIT
 *
 * tree.c - the index: each change of it is told.
 *
 * Order of every change: make what may fail, change the index, tell, free. A delete is told first, while the entry and
 * all below it are still whole.
 */
#include "tree/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "os/notify.h"
#include "tree/beside.h"
#include "tree/links.h"
#include "tree/roots.h"

/* --- life ----------------------------------------------------------------------------------------------------- */

static int take_index(Hub *hub, Tree *tree)
{
	size_t index = 0;
	while (index < hub->tree_slots && hub->by_index[index] != NULL)
		index++;
	if (index > UINT16_MAX)
		return -EMFILE;
	if (index == hub->tree_slots) {
		size_t slots = hub->tree_slots ? hub->tree_slots * 2 : 8;
		Tree **grown = realloc(hub->by_index, slots * sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		memset(grown + hub->tree_slots, 0, (slots - hub->tree_slots) * sizeof *grown);
		hub->by_index = grown;
		hub->tree_slots = slots;
	}
	hub->by_index[index] = tree;
	tree->index = (uint16_t)index;
	return 0;
}

int tree_open(Tree **out, Hub *hub, const TreeOptions *options, TreeSink sink)
{
	Tree *tree = calloc(1, sizeof *tree);
	if (tree == NULL)
		return -ENOMEM;
	tree->hub = hub;
	tree->options = *options;
	tree->sink = sink;
	tree->unsure_until = options->initial ? 0 : UINT64_MAX;
	int error = take_index(hub, tree);
	if (error < 0) {
		free(tree);
		return error;
	}
	list_append(&hub->trees, &tree->link);
	tree_wake(tree);
	*out = tree;
	return 0;
}

void tree_hand_over(Tree *tree, TreeSink sink)
{
	tree->sink = sink;
	tree->options.initial = false;
	tree->unsure_until = UINT64_MAX;
}

static void free_root(Root *root)
{
	text_free(root->given);
	text_free(root->prefix);
	text_free(root->real);
	text_free(root->key);
	text_free(root->name);
	text_free(root->folder);
	text_free(root->prefix_folder);
	text_free(root->leaf);
	text_free(root->awaited);
	free(root);
}

void tree_close(Tree *tree)
{
	if (tree == NULL)
		return;
	tree->sink = (TreeSink){0};
	while (tree->root_count > 0)
		tree_remove_root(tree, tree->roots[tree->root_count - 1]);
	tree_close_trail(tree);
	links_forget_all(tree);
	tree_drop_dead(tree);
	list_remove(&tree->link);
	list_remove(&tree->busy);
	tree->hub->by_index[tree->index] = NULL;
	free(tree->roots);
	free(tree->by_path);
	free(tree->pending);
	free(tree->deferred);
	free(tree->linking);
	pool_clear(&tree->pool);
	free(tree);
}

static int fill_root(Root *root, const RootNames *names)
{
	root->given = text_copy(names->given, strlen(names->given));
	root->prefix = text_copy(names->prefix, strlen(names->prefix));
	root->real = text_copy(names->real, strlen(names->real));
	root->key = text_copy(names->key, strlen(names->key));
	return root->given && root->prefix && root->real && root->key ? 0 : -ENOMEM;
}

static int append_root(Tree *tree, Root *root)
{
	Root **roots = realloc(tree->roots, (tree->root_count + 1) * sizeof(Root *));
	if (roots == NULL)
		return -ENOMEM;
	tree->roots = roots;
	root->tree = tree;
	root->index = (uint32_t)tree->root_count;
	tree->roots[tree->root_count++] = root;
	return 0;
}

int tree_add_root(Tree *tree, const RootNames *names, Root **out)
{
	Root *root = calloc(1, sizeof *root);
	if (root == NULL)
		return -ENOMEM;
	int error = fill_root(root, names);
	if (error == 0)
		error = append_root(tree, root);
	if (error < 0) {
		free_root(root);
		return error;
	}
	error = roots_enter(tree, root);
	if (error == 0)
		error = way_start(root);
	if (error < 0) {
		tree_remove_root(tree, root);
		return error;
	}
	*out = root;
	return 0;
}

void tree_remove_root(Tree *tree, Root *root)
{
	way_drop(root);
	beside_drop(root);
	roots_leave(tree, root);
	tree->root_count--;
	for (size_t i = root->index; i < tree->root_count; i++) {
		tree->roots[i] = tree->roots[i + 1];
		tree->roots[i]->index = (uint32_t)i;
	}
	free_root(root);
}

uint64_t tree_end_first_look(Tree *tree)
{
	uint64_t position = hub_position(tree->hub);
	if (tree_looks_first(tree))
		tree->unsure_until = position;
	return position;
}

/* --- paths ---------------------------------------------------------------------------------------------------- */

/* Mostly there is one, and trees may be deep. */
Root *tree_root_of(const Tree *tree, const Dir *dir)
{
	if (tree->root_count == 1)
		return tree->roots[0];
	while (dir->parent != NULL)
		dir = dir->parent;
	return dir->entry.root;
}

/* Is this node at the end of the path, and are its parents before it? */
static bool leads_to(const char *rel, size_t length, const Dir *parent, const Node *node)
{
	while (length >= node->name_length &&
		memcmp(rel + length - node->name_length, node_name(node), node->name_length) == 0) {
		length -= node->name_length;
		node = &parent->entry;
		parent = parent->parent;
		if (parent == NULL)
			return length == 0;
		if (length == 0 || rel[--length] != '/')
			return false;
	}
	return false;
}

Root *tree_root_at(const Tree *tree, const Dir *parent, const Node *node)
{
	const Root *outer = tree_root_of(tree, parent);
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		const char *rel = path_below(root->key->bytes, outer->key->bytes);
		if (root->outer == outer && rel != NULL && leads_to(rel, strlen(rel), parent, node))
			return root;
	}
	return NULL;
}

bool tree_is_below(const Dir *dir, const Dir *ancestor)
{
	while (dir != NULL && dir != ancestor)
		dir = dir->parent;
	return dir != NULL;
}

static Text *top_path(const Root *root)
{
	return root->single ? root->prefix_folder : root->prefix;
}

static bool is_path_known(const Tree *tree, const Dir *dir)
{
	return dir->path != NULL && dir->path_generation == tree->generation;
}

/* Without recursion: trees may be deeper than the stack. */
static Text *compose_path(const Tree *tree, const Dir *dir)
{
	size_t below = 0;
	const Dir *known = dir;
	if (dir->parent == NULL)
		return text_share(top_path(dir->entry.root));
	do {
		below += known->entry.name_length + 1u;
		known = known->parent;
	} while (known->parent != NULL && !is_path_known(tree, known));
	const Text *head = known->parent == NULL ? top_path(known->entry.root) : known->path;
	bool slash = head->length > 0 && head->bytes[head->length - 1] != '/';
	size_t at = head->length + below - !slash;
	Text *path = text_new(at);
	if (path == NULL)
		return NULL;
	for (const Dir *d = dir; d != known; d = d->parent) {
		at -= d->entry.name_length;
		memcpy(path->bytes + at, node_name(&d->entry), d->entry.name_length);
		if (at > head->length)
			path->bytes[--at] = '/';
	}
	memcpy(path->bytes, head->bytes, head->length);
	return path;
}

static bool text_equal(const Text *a, const Text *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

size_t root_rel_at(const Root *root)
{
	const Text *prefix = top_path(root);
	return prefix->length + (prefix->length > 0 && prefix->bytes[prefix->length - 1] != '/');
}

static void forget_long(Tree *tree, const Dir *dir)
{
	for (size_t i = 0; i < LONG_PATHS; i++) {
		if (tree->long_paths[i] == dir)
			tree->long_paths[i] = NULL;
	}
}

/* Kept for every directory of a deep branch, they would take the square of its depth. */
static void keep_long(Tree *tree, Dir *dir)
{
	Dir **place = &tree->long_paths[tree->next_long++ % LONG_PATHS];
	forget_long(tree, dir);
	if (*place != NULL) {
		text_free((*place)->path);
		(*place)->path = NULL;
	}
	*place = dir;
}

Text *tree_path(Tree *tree, Dir *dir)
{
	if (is_path_known(tree, dir))
		return dir->path;
	Text *path = compose_path(tree, dir);
	if (path == NULL)
		return NULL;
	if (dir->path != NULL && text_equal(path, dir->path)) {
		text_free(path);
	} else {
		text_free(dir->path);
		dir->path = path;
		if (path->length >= PATH_MAX)
			keep_long(tree, dir);
	}
	dir->path_generation = tree->generation;
	return dir->path;
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

static void tell(Tree *tree, Told *told)
{
	tree_raise_fate(tree, FATE_FILTERED);
	if (tree->sink.tell != NULL)
		tree->sink.tell(tree->sink.owner, told);
}

void tree_tell(Tree *tree, uint8_t op, Dir *dir, Node *node, const Told *like)
{
	Told told = *like;
	told.op = op;
	told.root = tree_root_of(tree, dir);
	told.dir = dir;
	told.node = node;
	told.initial = !told.root->ready;
	if (node != NULL) {
		told.type = node->type;
		told.name = node_name(node);
		told.name_length = node->name_length;
	} else {
		told.type = TYPE_DIRECTORY;
		told.name = "";
		told.name_length = 0;
	}
	tell(tree, &told);
}

void tree_tell_content(Tree *tree, Dir *dir, Node *node, const Told *like)
{
	Told told = {.synthetic = true, .initial = like != NULL && like->initial};
	if (node->type != TYPE_FILE && node->type != TYPE_UNKNOWN)
		return;
	tree_tell(tree, OP_MODIFY, dir, node, &told);
	tree_tell(tree, OP_CLOSE_WRITE, dir, node, &told);
}

void tree_tell_root(Tree *tree, uint8_t op, Root *root, int error)
{
	bool whole = op == OP_OVERFLOW || op == OP_UNWATCHED;
	Told told = {
		.op = op,
		.type = TYPE_DIRECTORY,
		.root = root,
		.name = "",
		.error = error,
		.initial = !(whole ? tree->ready : root->ready),
	};
	tell(tree, &told);
}

void tree_stamp(Tree *tree, Node *node)
{
	node->told = (uint64_t)(tree->stamp - tree->hub->epoch) & TOLD_MASK;
}

/* Before the epoch where the clock was set back: the sign is the highest of the 48 bits. */
int64_t tree_told_at(const Tree *tree, const Node *node)
{
	const uint64_t sign = (TOLD_MASK >> 1) + 1;
	return (int64_t)((node->told ^ sign) - sign) + tree->hub->epoch;
}

/* --- create ------------------------------------------------------------------------------------------------------ */

static void count_in(Tree *tree, Node *node)
{
	tree->entries++;
	if (node_is_dir(node)) {
		tree->directories++;
		dir_of(node)->claim.tree = tree->index;
	}
}

void tree_insert(Tree *tree, Dir *dir, Node *node)
{
	children_add(dir, node);
	count_in(tree, node);
	if (!(dir->polled && !node_is_dir(node)))
		tree_stamp(tree, node);
}

Node *tree_create(
	Tree *tree, Dir *dir, const char *name, size_t length, FileType type, const Told *like)
{
	Node *node = node_new(&tree->pool, type, name, length);
	if (node == NULL) {
		tree_retry(tree, dir);
		return NULL;
	}
	tree_insert(tree, dir, node);
	tree_tell(tree, OP_CREATE, dir, node, like);
	return node;
}

/* --- delete ------------------------------------------------------------------------------------------------------ */

static void forget_dir(Tree *tree, Dir *dir)
{
	if (tree->sink.forget != NULL)
		tree->sink.forget(tree->sink.owner, dir);
	tree->directories--;
	if (dir->claim.wd >= 0)
		tree->watches--;
	hub_unclaim(tree->hub, &dir->claim);
	if (dir->polled)
		tree->polled--;
	overtaken_forget(&tree->hub->overtaken, dir);
	forget_long(tree, dir);
	tree_leave_trail(tree);
}

void tree_free_dead(Tree *tree, Dir *dir)
{
	if (dir->dead && !dir->pending && !dir->holds_links)
		node_free(&tree->pool, &dir->entry);
}

/* Frees an unlinked node; a directory that stands in a list is freed when its turn comes. */
static void release(Tree *tree, Node *node)
{
	tree->entries--;
	if (node_is_dir(node)) {
		Dir *dir = dir_of(node);
		forget_dir(tree, dir);
		dir->dead = true;
		tree_free_dead(tree, dir);
	} else {
		node_free(&tree->pool, node);
	}
}

/* Frees all below a directory, leaves first, without recursion: trees may be deeper than the stack. */
void tree_empty(Tree *tree, Dir *top)
{
	Dir *dir = top;
	children_flatten(dir);
	for (;;) {
		ChildCursor cursor;
		Node *node = children_start(dir, &cursor);
		if (node == NULL) {
			if (dir == top)
				return;
			Dir *parent = dir->parent;
			children_remove(parent, &dir->entry);
			release(tree, &dir->entry);
			dir = parent;
		} else if (node_is_dir(node)) {
			dir = dir_of(node);
			children_flatten(dir);
		} else {
			children_remove(dir, node);
			release(tree, node);
		}
	}
}

void tree_remove_top(Tree *tree, Dir *top)
{
	tree_empty(tree, top);
	release(tree, &top->entry);
}

void tree_delete(Tree *tree, Dir *dir, Node *node, const Told *like)
{
	if (like != NULL)
		tree_tell(tree, OP_DELETE, dir, node, like);
	if (node_is_dir(node))
		tree_empty(tree, dir_of(node));
	children_remove(dir, node);
	release(tree, node);
}

void tree_prune(Tree *tree, Dir *dir, bool pruned)
{
	if (dir->pruned == pruned)
		return;
	dir->pruned = pruned;
	if (!pruned) {
		tree_scan_later(tree, dir, 0);
		return;
	}
	tree_empty(tree, dir);
	if (dir->claim.wd >= 0)
		tree->watches--;
	hub_unclaim(tree->hub, &dir->claim);
	if (dir->polled)
		tree->polled--;
	dir->polled = dir->listed = false;
}

/* --- move ---------------------------------------------------------------------------------------------------------- */

/* An entry that is in no list, under another name: a directory itself; of a file a copy, since its name is inline. NULL
 * out of memory: the entry is as it was. */
static Node *renamed(Tree *tree, Node *node, const char *name, size_t length)
{
	if (node_is_dir(node))
		return node_rename(&tree->pool, node, name, length) < 0 ? NULL : node;
	Node *copy = node_new(&tree->pool, node->type, name, length);
	if (copy == NULL)
		return NULL;
	copy->ino = node->ino;
	copy->told = node->told;
	copy->writing = node->writing;
	copy->border = node->border;
	return copy;
}

/* A signature says nothing elsewhere, and what was written before the directory had its watch has no record: there the
 * file counts as one that was written since it was told. */
static void drop_signature(Tree *tree, const Dir *from, Node *node, Dir *to)
{
	if (node_is_dir(node) || !dir_signs(from) || dir_signs(to))
		return;
	node->told = 0;
	node->writing = true;
	tree_scan_later(tree, to, SCAN_COMPARE);
}

/* What `node` has been renamed to comes to its new place. */
static void link_renamed(Tree *tree, Dir *to, Node *moved, Node *node)
{
	if (moved != node) {
		node_free(&tree->pool, node);
	} else {
		tree->generation++;
		tree_leave_trail(tree);
	}
	children_add(to, moved);
}

/* NULL out of memory: nothing is done. */
static Node *relink(Tree *tree, Dir *dir, Node *node, Dir *to, const char *name, size_t length)
{
	children_remove(dir, node);
	drop_signature(tree, dir, node, to);
	Node *moved = renamed(tree, node, name, length);
	if (moved != NULL)
		link_renamed(tree, to, moved, node);
	else
		children_add(dir, node);
	return moved;
}

void tree_leave(Tree *tree, Dir *dir, Node *node, bool replaced)
{
	if (tree->sink.leave != NULL)
		tree->sink.leave(tree->sink.owner, dir, node, replaced);
}

static uint8_t drop_old(Tree *tree, Dir *to, const char *name, size_t length)
{
	Node *old = children_find(to, name, length);
	if (old == NULL)
		return 0;
	uint8_t type = (uint8_t)node_likely_type(old);
	tree_leave(tree, to, old, true);
	tree_delete(tree, to, old, NULL);
	return type;
}

Node *tree_move(
	Tree *tree, Dir *dir, Node *node, Dir *to, const char *name, size_t length, const Told *like)
{
	char old_name[256];
	size_t old_length = node->name_length;
	memcpy(old_name, node_name(node), old_length);
	Told told = *like;
	tree_leave(tree, dir, node, false);
	uint8_t dropped = drop_old(tree, to, name, length);
	told.replaced = dropped ? dropped : like->replaced;
	told.from_dir = dir;
	told.from_name = old_name;
	told.from_name_length = old_length;
	Node *moved = relink(tree, dir, node, to, name, length);
	if (moved == NULL) {
		tree_delete(tree, dir, node, like);
		tree_retry(tree, to);
		return NULL;
	}
	tree_tell(tree, OP_MOVE, to, moved, &told);
	links_moved(tree, moved);
	return moved;
}

static void undo_renamed(Tree *tree, Node *moved, Node *node, const char *name, size_t length)
{
	if (moved == node)
		node_rename(&tree->pool, node, name, length); /* the room it had is there */
	else if (moved != NULL)
		node_free(&tree->pool, moved);
}

/* Told as one move of a onto b, before which b's old content went to a's name. */
void tree_exchange(Tree *tree, Dir *a_dir, Node *a, Dir *b_dir, Node *b, const Told *like)
{
	char a_name[256], b_name[256];
	size_t a_length = a->name_length, b_length = b->name_length;
	memcpy(a_name, node_name(a), a_length);
	memcpy(b_name, node_name(b), b_length);
	Told told = *like;
	tree_leave(tree, a_dir, a, false);
	tree_leave(tree, b_dir, b, false);
	told.exchange = true;
	told.replaced = b->type;
	told.from_dir = a_dir;
	told.from_name = a_name;
	told.from_name_length = a_length;
	children_remove(a_dir, a);
	children_remove(b_dir, b);
	drop_signature(tree, a_dir, a, b_dir);
	drop_signature(tree, b_dir, b, a_dir);
	Node *there = renamed(tree, a, b_name, b_length);
	Node *here = there != NULL ? renamed(tree, b, a_name, a_length) : NULL;
	if (here == NULL) {
		undo_renamed(tree, there, a, a_name, a_length);
		children_add(a_dir, a);
		children_add(b_dir, b);
		tree_retry(tree, a_dir);
		tree_retry(tree, b_dir);
		return;
	}
	link_renamed(tree, a_dir, here, b);
	link_renamed(tree, b_dir, there, a);
	tree_tell(tree, OP_MOVE, b_dir, there, &told);
	links_moved(tree, here);
	links_moved(tree, there);
}

/* --- all directories ------------------------------------------------------------------------------------------------ */

Dir *tree_next_dir(const Dir *top, Dir *dir)
{
	ChildCursor cursor;
	Node *node = children_start(dir, &cursor);
	for (;;) {
		while (node != NULL && !node_is_dir(node))
			node = children_next(dir, &cursor);
		if (node != NULL)
			return dir_of(node);
		if (dir == top)
			return NULL;
		children_resume(dir->parent, &cursor, &dir->entry);
		dir = dir->parent;
		node = children_next(dir, &cursor);
	}
}
