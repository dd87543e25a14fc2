/* SPDX-License-Identifier: MIT
 *
 * way.c - what leads to a root: every directory and symbolic link on its path, watched for being moved or removed.
 *
 * The rename of an ancestor tells a root nothing, and a link that is pointed elsewhere neither. So each inode on the way
 * has a watch for MOVE_SELF and DELETE_SELF; while a component is missing, the directory that should hold it is watched
 * for names as well. Any sign makes the whole way be walked again: the result is compared with what the index has.
 *
 * A single file is a root whose top is the directory that holds it, links followed, of which one name counts.
 */
#include "tree/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/notify.h"
#include "tree/beside.h"

enum { LINKS_MOST = 40, WALKS_MOST = 8 };

static const uint32_t self_bits = NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF;
static const uint32_t name_bits = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE | NOTIFY_ATTRIB;

struct Step {
	Claim claim;
	Root *root;
	bool names;    /* the component after it is awaited */
	bool holds;    /* the directory in which it is awaited may be removed from here */
	uint64_t over; /* by which names the way goes on from here: a bit of 64 for each */
};

typedef enum Found { FOUND_NOTHING, FOUND_DIR, FOUND_FILE, FOUND_FOLDER } Found;

/* One walk. `fd` stands where the walk has come to; `rest` is what is still to go. */
typedef struct Walk {
	Root *root;
	int fd;
	Step *here; /* of where `fd` stands; NULL where that has none */
	char *rest; /* heap */
	int links;
	Found found; /* FOLDER: of a single file that is not there */
	Identity identity, file;
	char leaf[NAME_MAX + 1];
} Walk;

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void drop_step(Root *root, Step *step)
{
	hub_unclaim(root->tree->hub, &step->claim);
	free(step);
}

static void drop_steps(Root *root)
{
	for (size_t i = 0; i < root->step_count; i++)
		drop_step(root, root->steps[i]);
	free(root->steps);
	root->steps = NULL;
	root->step_count = root->old_steps = 0;
	text_free(root->awaited);
	root->awaited = NULL;
}

static void drop_old_steps(Root *root)
{
	if (root->old_steps == 0)
		return;
	for (size_t i = 0; i < root->old_steps; i++)
		drop_step(root, root->steps[i]);
	root->step_count -= root->old_steps;
	memmove(root->steps, root->steps + root->old_steps, root->step_count * sizeof *root->steps);
	root->old_steps = 0;
}

/* Before another walk: a watch that the way still needs then is kept, and not given back to be had again. Not where names
 * were awaited: bits of a watch are never taken away. */
static void outdate_steps(Root *root)
{
	if (root->awaited != NULL)
		drop_steps(root);
	root->old_steps = root->step_count;
}

/* Where watches are short, those of the walk before go first. */
static int claim_step(Root *root, int fd, uint32_t mask, Claim *claim)
{
	int error = hub_claim(root->tree->hub, fd, mask, claim);
	if (error != -ENOSPC || root->old_steps == 0)
		return error;
	drop_old_steps(root);
	return hub_claim(root->tree->hub, fd, mask, claim);
}

static int add_step(Root *root, int fd, uint32_t mask)
{
	struct stat status;
	Tree *tree = root->tree;
	if (tree->options.poll)
		return 0;
	if (tree->options.automatic && fstat(fd, &status) == 0 &&
		hub_filesystem(tree->hub, status.st_dev, fd) == FILESYSTEM_REMOTE)
		root->unsure = true;
	Step **steps = realloc(root->steps, (root->step_count + 1) * sizeof *steps);
	if (steps == NULL)
		return -ENOMEM;
	root->steps = steps;
	Step *step = calloc(1, sizeof *step);
	if (step == NULL)
		return -ENOMEM;
	*step = (Step){.claim = {.wd = -1, .kind = CLAIM_STEP}, .root = root};
	step->names = (mask & NOTIFY_CREATE) != 0;
	step->holds = !step->names && (mask & NOTIFY_DELETE) != 0;
	int error = claim_step(root, fd, mask, &step->claim);
	if (error < 0) {
		free(step);
		root->unsure = true;
		return error == -ENOMEM ? error : 0;
	}
	root->steps[root->step_count++] = step;
	return 0;
}

void way_doubt(Root *root)
{
	tree_doubt_root(root);
	root->tree->hub->doubts = true;
}

Tree *way_record(Claim *claim, const Record *record)
{
	Step *step = (Step *)(void *)claim;
	Root *root = step->root;
	bool ended = (record->mask & (self_bits | NOTIFY_UNMOUNT | NOTIFY_IGNORED)) != 0;
	bool came = step->names && root->awaited != NULL &&
		record->name_length == root->awaited->length &&
		memcmp(record->name, root->awaited->bytes, record->name_length) == 0;
	const uint32_t removed = NOTIFY_DELETE | NOTIFY_ISDIR;
	bool emptied = step->holds && (record->mask & removed) == removed;
	if (ended || came || emptied)
		way_doubt(root);
	return root->tree;
}

static uint64_t name_bit(const char *name, size_t length)
{
	return UINT64_C(1) << (hash_bytes(0, name, length) & 63);
}

Root *way_leads_over(const Claim *claim, const Record *record)
{
	const Step *step = (const Step *)(const void *)claim;
	bool leads = claim->kind == CLAIM_STEP &&
		(step->over & name_bit(record->name, record->name_length)) != 0;
	return leads ? step->root : NULL;
}

/* --- the walk ---------------------------------------------------------------------------------------------------------- */

static int open_component(int fd, const char *name)
{
	int child = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return child < 0 ? -errno : child;
}

/* Takes the next component off the rest; false at the end. */
static bool next_component(Walk *walk, char *name, bool *last)
{
	char *start = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(start, "/");
	if (length == 0)
		return false;
	size_t kept =
		length > NAME_MAX ? NAME_MAX + 1 : length; /* too long is too long for the kernel as well */
	memcpy(name, start, kept);
	name[kept] = '\0';
	char *after = start + length;
	*last = after[strspn(after, "/")] == '\0';
	memmove(walk->rest, after, strlen(after) + 1);
	return true;
}

static void step_into(Walk *walk, int fd, Step *step)
{
	close(walk->fd);
	walk->fd = fd;
	walk->here = step;
}

static int follow_link(Walk *walk, int link)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof target - 1);
	if (length < 0)
		return -errno;
	if (++walk->links > LINKS_MOST)
		return -ELOOP;
	target[length] = '\0';
	char *rest;
	if (asprintf(&rest, "%s/%s", target, walk->rest) < 0)
		return -ENOMEM;
	free(walk->rest);
	walk->rest = rest;
	if (target[0] != '/')
		return 0;
	int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	step_into(walk, top, NULL);
	return 0;
}

/* The directory in which a name is awaited does not say that it was removed while somebody stays in it; the one above
 * says so. */
static int watch_above(Walk *walk)
{
	int above = openat(walk->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return 0;
	int error = add_step(walk->root, above, self_bits | NOTIFY_DELETE | NOTIFY_ONLYDIR);
	close(above);
	return error;
}

/* Watches for the name to come, and looks once more: it may have come before the watch. */
static int await(Walk *walk, const char *name, int error)
{
	Root *root = walk->root;
	text_free(root->awaited);
	root->awaited = text_copy(name, strlen(name));
	if (root->awaited == NULL)
		return -ENOMEM;
	int added = add_step(root, walk->fd, self_bits | name_bits | NOTIFY_ONLYDIR);
	if (added == 0)
		added = watch_above(walk);
	if (added < 0)
		return added;
	int child = open_component(walk->fd, name);
	return child < 0 ? error : child;
}

static void note_file(Walk *walk, const char *name, const struct stat *status)
{
	struct stat folder;
	walk->found = FOUND_FILE;
	if (status == NULL)
		walk->found = FOUND_FOLDER;
	else
		walk->file = (Identity){.dev = status->st_dev, .ino = status->st_ino};
	if (fstat(walk->fd, &folder) == 0)
		walk->identity = (Identity){.dev = folder.st_dev, .ino = folder.st_ino};
	strcpy(walk->leaf, name);
}

static bool wants_file(const Root *root)
{
	return root->known && root->single;
}

static bool wants_dir(const Root *root)
{
	return root->known && !root->single;
}

/* One component: 0 to go on or at the end of the way, or a negative errno. */
static int walk_one(Walk *walk, const char *name, bool last)
{
	struct stat status;
	Root *root = walk->root;
	if (walk->here != NULL)
		walk->here->over |= name_bit(name, strlen(name));
	int child = open_component(walk->fd, name);
	if (child < 0 && last && wants_file(root) && child == -ENOENT) {
		note_file(walk, name, NULL);
		return 0;
	}
	if (child < 0 && (child = await(walk, name, child)) < 0)
		return child;
	size_t steps = root->step_count;
	int error = fstat(child, &status) < 0 ? -errno : 0;
	if (error == 0 && S_ISLNK(status.st_mode)) {
		error = add_step(root, child, self_bits);
		if (error == 0)
			error = follow_link(walk, child);
		close(child);
		return error;
	}
	if (error == 0 && last &&
		(wants_file(root) || (!S_ISDIR(status.st_mode) && !wants_dir(root)))) {
		note_file(walk, name, &status);
		close(child);
		return 0;
	}
	if (error == 0 && !S_ISDIR(status.st_mode))
		error = -ENOTDIR;
	if (error == 0 && last) {
		walk->found = FOUND_DIR;
		walk->identity = (Identity){.dev = status.st_dev, .ino = status.st_ino};
	} else if (error == 0) {
		error = add_step(root, child, self_bits);
	}
	if (error < 0) {
		close(child);
		if (error == -ENOTDIR && (child = await(walk, name, error)) >= 0)
			close(child);
		return error;
	}
	step_into(walk, child, root->step_count > steps ? root->steps[root->step_count - 1] : NULL);
	return 0;
}

static int walk_all(Walk *walk)
{
	char name[NAME_MAX + 2];
	bool last;
	struct stat status;
	while (walk->found == FOUND_NOTHING && next_component(walk, name, &last)) {
		int error = walk_one(walk, name, last);
		if (error < 0)
			return error;
	}
	if (walk->found == FOUND_NOTHING && fstat(walk->fd, &status) == 0) {
		walk->found = FOUND_DIR;
		walk->identity = (Identity){.dev = status.st_dev, .ino = status.st_ino};
	}
	return 0;
}

static int walk_open(Walk *walk, Root *root)
{
	*walk = (Walk){.root = root, .fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	if (walk->fd < 0)
		return -errno;
	walk->rest = strdup(root->real->bytes);
	return walk->rest != NULL ? 0 : -ENOMEM;
}

static void walk_close(Walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	free(walk->rest);
}

/* What the path means now, looked up by the kernel in one go. */
static bool is_still_true(const Walk *walk, int error)
{
	struct stat status;
	const char *path = walk->root->real->bytes;
	if (strlen(path) >= PATH_MAX)
		return true;
	if (stat(path, &status) < 0)
		return error < 0 || walk->found == FOUND_FOLDER;
	Identity now = {.dev = status.st_dev, .ino = status.st_ino};
	if (error < 0)
		return error != -ENOENT;
	return identity_equal(now, walk->found == FOUND_DIR ? walk->identity : walk->file);
}

/* Walks until the way holds still: every inode on it has its watch, and the path still leads along them. */
static int walk_way(Root *root, Walk *walk)
{
	int error = 0;
	for (int i = 0; i < WALKS_MOST; i++) {
		outdate_steps(root);
		error = walk_open(walk, root);
		if (error == 0)
			error = walk_all(walk);
		drop_old_steps(root);
		if (is_still_true(walk, error))
			return error;
		if (i + 1 < WALKS_MOST)
			walk_close(walk);
	}
	tree_doubt_root(root);
	return error;
}

/* --- the top ---------------------------------------------------------------------------------------------------------------- */

static void set_text(Text **place, Text *text)
{
	text_free(*place);
	*place = text;
}

/* The directory a single file lies in, and the name it has there. */
static int note_folder(Root *root, const Walk *walk)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", walk->fd);
	ssize_t length = readlink(link, path, sizeof path);
	if (length < 0)
		return -errno;
	const char *given = root->prefix->bytes, *slash = strrchr(given, '/');
	set_text(&root->folder, text_copy(path, (size_t)length));
	set_text(&root->leaf, text_copy(walk->leaf, strlen(walk->leaf)));
	if (root->name == NULL) {
		const char *name = slash != NULL ? slash + 1 : given;
		size_t head = slash == NULL ? 0 : slash == given ? 1 : (size_t)(slash - given);
		root->name = text_copy(name, strlen(name));
		root->prefix_folder = text_copy(given, head);
	}
	bool whole = root->folder && root->leaf && root->name && root->prefix_folder;
	return whole ? 0 : -ENOMEM;
}

static Dir *new_top(Root *root, const Walk *walk)
{
	Tree *tree = root->tree;
	Node *node = node_new(&tree->pool, TYPE_DIRECTORY, "", 0);
	if (node == NULL)
		return NULL;
	Dir *top = dir_of(node);
	node->root = root;
	node->ino = walk->identity.ino;
	top->dev = (uint32_t)walk->identity.dev;
	top->claim.tree = tree->index;
	tree->entries++;
	tree->directories++;
	return top;
}

/* The file's node goes over to the new folder: what was there is compared with what is. */
static void carry_over(Tree *tree, Dir *old, Dir *top)
{
	ChildCursor cursor;
	Node *node = children_start(old, &cursor);
	if (node == NULL)
		return;
	Node *copy = node_new(&tree->pool, node->type, node_name(node), node->name_length);
	if (copy == NULL)
		return;
	copy->ino = node->ino;
	copy->told = dir_signs(old) && !tree->options.poll ? 0 : node->told;
	children_add(top, copy);
	tree->entries++;
	if (!node_is_dir(copy))
		return;
	dir_of(copy)->pruned = true;
	dir_of(copy)->claim.tree = tree->index;
	tree->directories++;
}

static int set_top(Root *root, const Walk *walk)
{
	Tree *tree = root->tree;
	Dir *top = new_top(root, walk);
	if (top == NULL)
		return -ENOMEM;
	if (root->top != NULL) {
		carry_over(tree, root->top, top);
		tree_remove_top(tree, root->top);
	}
	root->top = top;
	tree_leave_trail(tree);
	tree_scan_later(tree, top, SCAN_COMPARE);
	return 0;
}

static void lose_top(Root *root)
{
	if (root->top == NULL)
		return;
	Dir *top = root->top;
	tree_tell_root(root->tree, OP_GONE, root, 0);
	root->top = NULL;
	beside_drop(root);
	tree_remove_top(root->tree, top);
	tree_leave_trail(root->tree);
}

void way_lose(Root *root)
{
	lose_top(root);
	tree_doubt_root(root);
}

static bool is_same_top(const Root *root, const Walk *walk)
{
	const Dir *top = root->top;
	if (top == NULL || top->dev != (uint32_t)walk->identity.dev ||
		top->entry.ino != walk->identity.ino)
		return false;
	bool alive = top->claim.wd >= 0 || root->tree->options.poll || !top->listed || top->polled;
	bool leaf = !root->single || strcmp(root->leaf->bytes, walk->leaf) == 0;
	return alive && leaf;
}

static int take_walk(Root *root, const Walk *walk)
{
	bool was_known = root->known, single = walk->found != FOUND_DIR;
	if (is_same_top(root, walk)) {
		if (!single)
			return 0;
		tree_scan_later(root->tree, root->top, SCAN_COMPARE);
		return note_folder(root, walk); /* the same folder may lie elsewhere */
	}
	root->single = single;
	int error = single ? note_folder(root, walk) : 0;
	if (error < 0)
		return error;
	root->known = true;
	bool back = root->top == NULL;
	if (!single)
		lose_top(root);
	back = back || root->top == NULL;
	if (back && (was_known || root->waited))
		tree_tell_root(root->tree, OP_BACK, root, 0);
	return set_top(root, walk);
}

static bool is_missing(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* 0 or a negative errno that would keep the top from ever being looked into. */
static int may_look(Root *root)
{
	Tree *tree = root->tree;
	int fd = tree_open_dir(tree, root->top);
	bool made_up = fd >= 0 && tree->options.automatic &&
		hub_filesystem(tree->hub, root->top->dev, fd) == FILESYSTEM_KERNEL;
	tree_close_trail(tree); /* who does not wait may not run the loop for long */
	if (fd == -EACCES || fd == -EPERM)
		return fd;
	return made_up ? -EOPNOTSUPP : 0;
}

int way_start(Root *root)
{
	Walk walk;
	int error = walk_way(root, &walk);
	if (error == 0)
		error = take_walk(root, &walk);
	walk_close(&walk);
	if (error == 0)
		error = may_look(root);
	if (is_missing(error) && root->tree->options.missing_waits) {
		root->waited = true;
		return 0;
	}
	return error;
}

void way_check(Root *root)
{
	Walk walk;
	root->check = false;
	int error = walk_way(root, &walk);
	if (error == 0)
		error = take_walk(root, &walk);
	else if (is_missing(error))
		lose_top(root);
	walk_close(&walk);
	if (error < 0 && !is_missing(error))
		root->unsure = true;
}

/* A removed directory's watch says so when its last user has left it: a shell may stay in it for hours. */
static bool is_at_its_path(const Root *root)
{
	struct stat status;
	const Dir *top = root->top;
	const char *path = root->single ? root->folder->bytes : root->real->bytes;
	if (strlen(path) >= PATH_MAX)
		return true;
	if (stat(path, &status) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return top->entry.ino == 0 ||
		(top->entry.ino == status.st_ino && top->dev == (uint32_t)status.st_dev);
}

static void verify(Root *root)
{
	if (root->top == NULL || !is_at_its_path(root))
		tree_doubt_root(root);
}

void tree_verify_roots(Tree *tree)
{
	for (size_t i = 0; i < tree->root_count; i++)
		verify(tree->roots[i]);
}

void tree_verify_empty(Tree *tree)
{
	if (tree->empty_at == 0 || tree->hub->now < tree->empty_at)
		return;
	tree->empty_at = 0;
	tree_verify_roots(tree);
}

void way_drop(Root *root)
{
	drop_steps(root);
	if (root->top != NULL)
		tree_remove_top(root->tree, root->top);
	root->top = NULL;
}
