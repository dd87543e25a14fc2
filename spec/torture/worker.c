/* SPDX-License-Identifier: MIT
 *
 * worker.c - seeded random file-system work, for the torture runs.
 *
 * One coordinator and N writers (forked), all on the same tree R and on a folder O outside of it.
 * The coordinator takes one command a line on standard input and answers "done" when every writer
 * has done its share and rests:
 *
 *     go PROFILE OPS [freeze NOISE]
 *
 * With `freeze` the process of --freeze-pid is stopped while they work, and NOISE renames of one
 * file are put somewhere between the operations, so that its inotify queue overflows there.
 *
 * Each writer works from its own picture of the tree (struct Entry), taken from the disk at the
 * start of a round when there are several of them and kept by its own operations: a single writer's
 * work depends on its seed alone. Whatever fails because another writer was there first is simply
 * not done.
 *
 * Everything that was done is logged (one file per writer), three NUL-ended fields a record:
 *
 *     c PATH TYPE   PATH exists now (f d l p s)        m FROM TO   renamed       x A B   exchanged
 *     r PATH ""     PATH was removed                   a LINK TO   a link to a directory: the same
 * place i INODE ""    has, or had, content under another name or none: its writes need not be told
 *
 * with paths that begin with R, O or E (a folder that links point to) instead of the real ones.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PATH_ROOM = 16384,
	NAME_ROOM = 256,
	MAX_WRITERS = 32,
	MAX_DEPTH = 9,
};

/* One entry as the writer believes it to be; `slot` is its place in the list of all. */
typedef struct Entry {
	struct Entry *parent;
	struct Entry **kids;
	size_t kid_count, kid_room;
	size_t slot;
	char type;
	bool stale;
	char name[];
} Entry;

static struct {
	const char *root, *outside, *elsewhere, *log_prefix;
	uint64_t seed;
	unsigned writers, max_entries, rest;
	bool hostile, truncates, links;
	pid_t freeze_pid;
} option = {.writers = 1, .max_entries = 600, .links = true};

static struct {
	uint64_t random;
	unsigned writer, serial;
	Entry *root, *outside;
	Entry **all;
	size_t count, room;
	unsigned stale;
	FILE *log;
} self;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *must(void *memory)
{
	if (!memory)
		die("worker");
	return memory;
}

/* Random numbers: splitmix64. */

static uint64_t random_next(void)
{
	uint64_t z = self.random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(unsigned limit)
{
	return (unsigned)(random_next() % limit);
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

/* The picture of the tree. */

static Entry *entry_new(Entry *parent, const char *name, char type)
{
	size_t length = strlen(name);
	Entry *entry = must(calloc(1, sizeof *entry + length + 1));

	entry->parent = parent;
	entry->type = type;
	memcpy(entry->name, name, length);
	return entry;
}

static Entry *entry_find(Entry *parent, const char *name)
{
	for (size_t i = 0; i < parent->kid_count; i++)
		if (strcmp(parent->kids[i]->name, name) == 0)
			return parent->kids[i];
	return NULL;
}

static void entry_link(Entry *parent, Entry *entry)
{
	if (parent->kid_count == parent->kid_room) {
		parent->kid_room = parent->kid_room ? 2 * parent->kid_room : 4;
		parent->kids = must(realloc(parent->kids, parent->kid_room * sizeof(Entry *)));
	}
	entry->parent = parent;
	parent->kids[parent->kid_count++] = entry;
}

static void entry_unlink(Entry *entry)
{
	Entry *parent = entry->parent;

	for (size_t i = 0; i < parent->kid_count; i++)
		if (parent->kids[i] == entry) {
			parent->kids[i] = parent->kids[--parent->kid_count];
			return;
		}
}

static void list_remove(Entry *entry)
{
	Entry *last = self.all[--self.count];

	self.all[entry->slot] = last;
	last->slot = entry->slot;
}

static void entry_free(Entry *entry)
{
	for (size_t i = 0; i < entry->kid_count; i++)
		entry_free(entry->kids[i]);
	if (entry->parent)
		list_remove(entry);
	free(entry->kids);
	free(entry);
}

static void entry_drop(Entry *entry)
{
	entry_unlink(entry);
	entry_free(entry);
}

static Entry *entry_add(Entry *parent, const char *name, char type)
{
	Entry *entry = entry_find(parent, name);

	if (entry && entry->type == type)
		return entry;
	if (entry)
		entry_drop(entry);
	entry = entry_new(parent, name, type);
	entry_link(parent, entry);
	if (self.count == self.room) {
		self.room = self.room ? 2 * self.room : 256;
		self.all = must(realloc(self.all, self.room * sizeof(Entry *)));
	}
	entry->slot = self.count;
	self.all[self.count++] = entry;
	return entry;
}

/* Whatever had the new name goes; gives the entry under its new name (names live in the block). */
static Entry *entry_move(Entry *entry, Entry *parent, const char *name)
{
	Entry *old = entry_find(parent, name);
	Entry *moved;

	if (old == entry)
		return entry;
	if (old)
		entry_drop(old);
	entry_unlink(entry);
	moved = entry_new(parent, name, entry->type);
	moved->kids = entry->kids;
	moved->kid_count = entry->kid_count;
	moved->kid_room = entry->kid_room;
	moved->slot = entry->slot;
	self.all[moved->slot] = moved;
	for (size_t i = 0; i < moved->kid_count; i++)
		moved->kids[i]->parent = moved;
	free(entry);
	entry_link(parent, moved);
	return moved;
}

static bool is_below(const Entry *entry, const Entry *top)
{
	for (; entry; entry = entry->parent)
		if (entry == top)
			return true;
	return false;
}

static unsigned depth_of(const Entry *entry)
{
	unsigned depth = 0;

	for (; entry->parent; entry = entry->parent)
		depth++;
	return depth;
}

static Entry *side_of(Entry *entry)
{
	while (entry->parent)
		entry = entry->parent;
	return entry;
}

/* Paths: the real one for the kernel, one that begins with R, O or E for the log. */

typedef struct Path {
	char text[PATH_ROOM];
	size_t length;
} Path;

static void path_put(Path *path, const char *text)
{
	size_t length = strlen(text);

	if (path->length + length + 2 > PATH_ROOM)
		return;
	memcpy(path->text + path->length, text, length + 1);
	path->length += length;
}

static void path_entry(Path *path, const Entry *entry, bool for_log)
{
	if (!entry->parent) {
		const char *top = entry == self.root ? option.root : option.outside;
		path_put(path, for_log ? entry->name : top);
		return;
	}
	path_entry(path, entry->parent, for_log);
	path_put(path, "/");
	path_put(path, entry->name);
}

static const char *path_of(Path *path, const Entry *parent, const char *name)
{
	path->length = 0;
	path_entry(path, parent, false);
	if (name) {
		path_put(path, "/");
		path_put(path, name);
	}
	return path->text;
}

static void log_path(const Entry *parent, const char *name)
{
	Path path = {.length = 0};

	path_entry(&path, parent, true);
	if (name) {
		path_put(&path, "/");
		path_put(&path, name);
	}
	fwrite(path.text, 1, path.length + 1, self.log);
}

static void log_text(const char *text)
{
	fwrite(text, 1, strlen(text) + 1, self.log);
}

static void log_created(const Entry *parent, const char *name, char type)
{
	log_text("c");
	log_path(parent, name);
	log_text((char[]){type, 0});
}

static void log_removed(const Entry *entry)
{
	log_text("r");
	log_path(entry, NULL);
	log_text("");
}

static void log_inode(ino_t inode)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)inode);
	log_text("i");
	log_text(text);
	log_text("");
}

/* Names: a few that come again and again, many that are new, and on request the nasty ones. */

static const char *const common_names[] = {
	"a",
	"b",
	"ab",
	"A",
	"tmp",
	"main.c",
	"main.c~",
	".hidden",
	"x.txt",
	"build",
	"lib",
	"o.o",
};

static const char *const hostile_names[] = {
	"new\nline%u",
	"tab\t%u",
	"\"quote'%u\"",
	"100%%s%%n%u",
	"-rf%u",
	"\xff\xfe%u",
	"$(touch x)%u",
	"; rm x%u",
	" %u ",
	"*%u?",
	"back\\%u",
	"\xc3\xa9%u",
	"\x1b[31m%u",
	"\n",
	" ",
	"-",
	"%%",
	"...",
	"\xc3",
};

static void name_make(char *name)
{
	unsigned serial = self.serial++;

	if (option.hostile && chance(40)) {
		unsigned which = below(1 + sizeof hostile_names / sizeof *hostile_names);
		if (which == 0) {
			memset(name, chance(50) ? 'L' : '\xfc', NAME_ROOM - 1);
			name[NAME_ROOM - 1] = 0;
			int length = snprintf(NULL, 0, "%u", serial);
			snprintf(name + NAME_ROOM - 1 - length, (size_t)length + 1, "%u", serial);
		} else {
			/* The format is one of ours, from the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(name, NAME_ROOM, hostile_names[which - 1], serial);
#pragma GCC diagnostic pop
		}
	} else if (chance(30)) {
		strcpy(name, common_names[below(sizeof common_names / sizeof *common_names)]);
	} else {
		snprintf(name, NAME_ROOM, "%c%u", 'a' + (char)(self.writer % 26), serial);
	}
}

/* Choosing. NULL where nothing fits: the operation is then not done. */

static Entry *pick(Entry *side, const char *types)
{
	for (int tries = 0; tries < 24 && self.count > 0; tries++) {
		Entry *entry = self.all[below((unsigned)self.count)];
		if (strchr(types, entry->type) && (!side || side_of(entry) == side))
			return entry;
	}
	return NULL;
}

static Entry *pick_side(void)
{
	return chance(92) ? self.root : self.outside;
}

static Entry *pick_dir_of(Entry *side)
{
	Entry *entry = chance(12) ? NULL : pick(side, "d");

	return entry && depth_of(entry) < MAX_DEPTH ? entry : side;
}

static Entry *pick_dir(void)
{
	return pick_dir_of(pick_side());
}

static Entry *pick_any(void)
{
	return pick(pick_side(), "fdlps");
}

static Entry *pick_file(void)
{
	return pick(pick_side(), "f");
}

/* Another writer was there first: what is not on the disk any more leaves the picture, but only
 * between operations, which hold pointers into it. */
static void doubt(Entry *entry)
{
	Path path;
	struct stat status;
	int reason = errno;

	if (reason != ENOENT && reason != ENOTDIR)
		return;
	while (entry->parent && lstat(path_of(&path, entry->parent, NULL), &status) < 0)
		entry = entry->parent;
	if (entry->parent && !entry->stale && lstat(path_of(&path, entry, NULL), &status) < 0) {
		entry->stale = true;
		self.stale++;
	}
	errno = reason;
}

static void drop_stale(void)
{
	for (size_t i = 0; self.stale > 0 && i < self.count;) {
		if (self.all[i]->stale) {
			entry_drop(self.all[i]);
			i = 0;
		} else {
			i++;
		}
	}
	self.stale = 0;
}

/* Single operations: the call, the log, the picture. */

static Entry *do_mkdir(Entry *parent, const char *name)
{
	Path path;

	if (mkdir(path_of(&path, parent, name), 0777) < 0) {
		doubt(parent);
		return NULL;
	}
	log_created(parent, name, 'd');
	return entry_add(parent, name, 'd');
}

static void write_some(int fd)
{
	char text[96];
	int length = snprintf(text, sizeof text, "%llu %u %u\n", (unsigned long long)option.seed,
		self.writer, self.serial++);

	if (write(fd, text, (size_t)length) < 0)
		return;
}

static int open_entry(Entry *parent, const char *name, int flags)
{
	Path path;

	return open(path_of(&path, parent, name), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
}

/* Opened for writing, `writes` times written, closed. */
static Entry *do_write(Entry *parent, const char *name, int flags, unsigned writes)
{
	Entry *known = entry_find(parent, name);
	int fd;

	if (known && known->type != 'f')
		return NULL;
	fd = open_entry(parent, name, O_WRONLY | flags);
	if (fd < 0) {
		doubt(known ? known : parent);
		return NULL;
	}
	if (flags & O_CREAT)
		log_created(parent, name, 'f');
	while (writes-- > 0)
		write_some(fd);
	close(fd);
	return entry_add(parent, name, 'f');
}

static Entry *do_create(Entry *parent, const char *name, unsigned writes)
{
	return do_write(parent, name, O_CREAT | O_TRUNC, writes);
}

static bool do_remove(Entry *entry)
{
	Path path;
	const char *text = path_of(&path, entry, NULL);
	int failed = entry->type == 'd' ? rmdir(text) : unlink(text);

	if (failed && errno == ENOTEMPTY)
		return false;
	if (!failed)
		log_removed(entry);
	entry_drop(entry);
	return !failed;
}

static ino_t inode_of(Entry *parent, const char *name)
{
	Path path;
	struct stat status;

	return lstat(path_of(&path, parent, name), &status) < 0 ? 0 : status.st_ino;
}

/* Renaming one name of a file onto another of it does nothing, and succeeds: both names stay. */
static Entry *do_rename(Entry *entry, Entry *parent, const char *name)
{
	Path from, to;
	char kept[NAME_ROOM];
	ino_t there;
	bool same;

	if (!entry->parent || is_below(parent, entry))
		return NULL;
	there = inode_of(parent, name);
	same = there && there == inode_of(entry, NULL);
	if (rename(path_of(&from, entry, NULL), path_of(&to, parent, name)) < 0) {
		doubt(entry);
		doubt(parent);
		return NULL;
	}
	if (same)
		return entry;
	log_text("m");
	log_path(entry, NULL);
	log_path(parent, name);
	strcpy(kept, name);
	return entry_move(entry, parent, kept);
}

static void do_exchange(Entry *a, Entry *b)
{
	Path one, two;
	Entry *parent_a = a->parent, *parent_b = b->parent;
	char name_a[NAME_ROOM], name_b[NAME_ROOM];

	if (a == b || is_below(a, b) || is_below(b, a))
		return;
	if (renameat2(AT_FDCWD, path_of(&one, a, NULL), AT_FDCWD, path_of(&two, b, NULL),
			RENAME_EXCHANGE) < 0)
		return;
	log_text("x");
	log_path(a, NULL);
	log_path(b, NULL);
	strcpy(name_a, a->name);
	strcpy(name_b, b->name);
	a = entry_move(a, parent_a, "//exchange");
	entry_move(b, parent_a, name_a);
	entry_move(a, parent_b, name_b);
}

/* rm -rf as a program does it: by what the disk shows. */
static bool remove_below(Entry *entry);

static bool remove_listed(Entry *entry, const char *name, unsigned char d_type)
{
	char type = d_type == DT_DIR ? 'd' : d_type == DT_REG ? 'f' : 'p';
	Entry *kid = entry_add(entry, name, type);

	return kid->type == 'd' ? remove_below(kid) : do_remove(kid);
}

static bool remove_below(Entry *entry)
{
	Path path;
	struct dirent **list = NULL;
	int count = scandir(path_of(&path, entry, NULL), &list, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
			remove_listed(entry, list[i]->d_name, list[i]->d_type);
		free(list[i]);
	}
	free(list);
	return do_remove(entry);
}

static void do_remove_tree(Entry *entry)
{
	if (entry->type == 'd')
		remove_below(entry);
	else
		do_remove(entry);
}

/* Operations of the table: each does one thing that people or programs do. */

static void op_deep(void)
{
	Entry *dir = pick_dir();
	char name[NAME_ROOM];

	for (unsigned levels = 2 + below(3); dir && levels > 0; levels--) {
		name_make(name);
		dir = do_mkdir(dir, name);
		if (dir && chance(60)) {
			name_make(name);
			do_create(dir, name, below(2));
		}
	}
}

static void op_bush(void)
{
	char name[NAME_ROOM];
	Entry *dir;

	name_make(name);
	dir = do_mkdir(pick_dir(), name);
	for (unsigned files = 1 + below(20); dir && files > 0; files--) {
		name_make(name);
		if (chance(85))
			do_create(dir, name, below(3));
		else
			do_mkdir(dir, name);
	}
}

static void op_mkdir(void)
{
	char name[NAME_ROOM];

	name_make(name);
	do_mkdir(pick_dir(), name);
}

static void op_create(void)
{
	char name[NAME_ROOM];

	name_make(name);
	do_create(pick_dir(), name, 1 + below(3));
}

static void op_empty(void)
{
	char name[NAME_ROOM];

	name_make(name);
	do_create(pick_dir(), name, 0);
}

static void op_rewrite(void)
{
	Entry *file = pick_file();

	if (file)
		do_write(file->parent, file->name, chance(60) ? O_TRUNC : 0, 1 + below(4));
}

static void op_append(void)
{
	Entry *file = pick_file();

	if (file)
		do_write(file->parent, file->name, O_APPEND, 1 + below(2));
}

static void op_truncate(void)
{
	Entry *file = pick_file();
	Path path;
	int fd;

	if (!file)
		return;
	if (option.truncates && chance(50)) {
		if (truncate(path_of(&path, file, NULL), below(8)) < 0)
			doubt(file);
		return;
	}
	fd = open_entry(file->parent, file->name, O_WRONLY);
	if (fd < 0)
		return;
	if (ftruncate(fd, below(8)) == 0 && chance(30))
		write_some(fd);
	close(fd);
}

static void op_rename_file(void)
{
	Entry *file = pick_file();
	char name[NAME_ROOM];

	name_make(name);
	if (file)
		do_rename(file, chance(50) ? file->parent : pick_dir_of(side_of(file)), name);
}

static void op_rename_over(void)
{
	Entry *file = pick(pick_side(), "flps");
	Entry *victim = pick(NULL, "flps");

	if (file && victim && file != victim)
		do_rename(file, victim->parent, victim->name);
}

static void op_rename_tree(void)
{
	Entry *dir = pick(pick_side(), "d");
	char name[NAME_ROOM];
	Entry *to;

	if (!dir)
		return;
	name_make(name);
	to = chance(40) ? dir->parent : pick_dir_of(side_of(dir));
	if (chance(15))
		strcpy(name, dir->name);
	do_rename(dir, to, name);
}

static void op_rename_over_empty(void)
{
	Entry *dir = pick(self.root, "d");
	char name[NAME_ROOM];
	Entry *empty;

	name_make(name);
	empty = do_mkdir(pick_dir_of(self.root), name);
	if (dir && empty && dir != empty)
		do_rename(dir, empty->parent, empty->name);
}

static void op_exchange(void)
{
	Entry *a = pick_any();
	Entry *b = pick(chance(80) ? self.root : NULL, chance(50) ? "d" : "fdlps");

	if (a && b)
		do_exchange(a, b);
}

static void op_swap(void)
{
	Entry *a = pick_any();
	Entry *b = a ? pick(side_of(a), a->type == 'd' ? "d" : "fd") : NULL;
	char name[NAME_ROOM], name_a[NAME_ROOM], name_b[NAME_ROOM];
	Entry *home_a, *home_b;

	if (!a || !b || is_below(a, b) || is_below(b, a))
		return;
	name_make(name);
	strcpy(name_a, a->name);
	strcpy(name_b, b->name);
	home_a = a->parent;
	home_b = b->parent;
	if (entry_find(home_a, name))
		return;
	a = do_rename(a, home_a, name);
	if (!a)
		return;
	do_rename(b, home_a, name_a);
	do_rename(a, home_b, name_b);
}

static void op_rename_chain(void)
{
	Entry *entry = pick_any();
	char name[NAME_ROOM];

	for (unsigned steps = 2 + below(3); entry && steps > 0; steps--) {
		Entry *to = entry->parent;
		name_make(name);
		if (entry_find(to, name))
			return;
		entry = do_rename(entry, to, name);
		if (entry && entry->type == 'd' && chance(60)) {
			name_make(name);
			do_create(entry, name, 1);
		}
	}
}

static void op_rename_back(void)
{
	Entry *entry = pick_any();
	char name[NAME_ROOM], old[NAME_ROOM];
	Entry *home;

	if (!entry)
		return;
	home = entry->parent;
	strcpy(old, entry->name);
	name_make(name);
	if (!entry_find(home, name) && (entry = do_rename(entry, home, name)))
		do_rename(entry, home, old);
}

static void op_rename_case(void)
{
	Entry *entry = pick_any();
	char name[NAME_ROOM];

	if (!entry)
		return;
	strcpy(name, entry->name);
	for (char *at = name; *at; at++)
		if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'))
			*at = (char)(*at ^ 0x20);
	if (!entry_find(entry->parent, name))
		do_rename(entry, entry->parent, name);
}

static void op_move_out(void)
{
	Entry *entry = pick(self.root, "fddlps");
	char name[NAME_ROOM];

	name_make(name);
	if (entry)
		do_rename(entry, pick_dir_of(self.outside), name);
}

static void op_move_in(void)
{
	Entry *entry = pick(self.outside, "fddlps");
	char name[NAME_ROOM];

	name_make(name);
	if (entry)
		do_rename(entry, pick_dir_of(self.root), name);
}

static void op_out_and_in(void)
{
	Entry *entry = pick(self.root, "fdlps");
	char name[NAME_ROOM];

	if (!entry)
		return;
	name_make(name);
	entry = do_rename(entry, self.outside, name);
	if (!entry)
		return;
	if (entry->type == 'd' && chance(50)) {
		name_make(name);
		do_create(entry, name, 1);
	}
	name_make(name);
	do_rename(entry, pick_dir_of(self.root), name);
}

static void op_remove_tree(void)
{
	Entry *entry = pick(pick_side(), "d");

	if (entry && (depth_of(entry) > 1 || chance(30)))
		do_remove_tree(entry);
}

static void op_rmdir(void)
{
	for (int tries = 0; tries < 8; tries++) {
		Entry *entry = pick(NULL, "d");
		if (entry && entry->kid_count == 0) {
			do_remove(entry);
			return;
		}
	}
}

static void op_unlink(void)
{
	Entry *entry = pick(NULL, "flps");

	if (entry)
		do_remove(entry);
}

static void op_link(void)
{
	Entry *file = option.links ? pick(NULL, "f") : NULL;
	Entry *dir = pick_dir();
	char name[NAME_ROOM];
	Path from, to;

	name_make(name);
	if (!file || entry_find(dir, name))
		return;
	log_inode(inode_of(file, NULL));
	if (link(path_of(&from, file, NULL), path_of(&to, dir, name)) < 0)
		return;
	log_inode(inode_of(dir, name));
	log_created(dir, name, 'f');
	entry_add(dir, name, 'f');
}

static void symlink_to(const char *target, Entry *dir, const char *name, Entry *alias)
{
	Path path;

	if (entry_find(dir, name) || symlink(target, path_of(&path, dir, name)) < 0)
		return;
	log_created(dir, name, 'l');
	log_text("a");
	log_path(dir, name);
	if (alias)
		log_path(alias, NULL);
	else
		log_text("E");
	entry_add(dir, name, 'l');
}

static void op_symlink(void)
{
	Entry *dir = pick_dir(), *target = pick_any();
	char name[NAME_ROOM];
	Path path;

	name_make(name);
	switch (below(3)) {
	case 0:
		symlink_to("nowhere/at/all", dir, name, NULL);
		break;
	case 1:
		symlink_to(option.elsewhere, dir, name, NULL);
		break;
	default:
		if (target)
			symlink_to(path_of(&path, target, NULL), dir, name, target);
	}
}

static void make_node(mode_t mode, char type)
{
	Entry *dir = pick_dir();
	char name[NAME_ROOM];
	Path path;

	name_make(name);
	if (mknod(path_of(&path, dir, name), mode | 0666, 0) < 0)
		return;
	log_created(dir, name, type);
	entry_add(dir, name, type);
}

static void op_fifo(void)
{
	make_node(S_IFIFO, 'p');
}

static void op_socket(void)
{
	make_node(S_IFSOCK, 's');
}

static void op_tmpfile(void)
{
	Entry *dir = pick_dir();
	char name[NAME_ROOM], source[64];
	struct stat status;
	Path path;
	int fd = open(path_of(&path, dir, NULL), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);

	if (fd < 0)
		return;
	name_make(name);
	write_some(fd);
	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	if (fstat(fd, &status) == 0)
		log_inode(status.st_ino);
	if (linkat(AT_FDCWD, source, AT_FDCWD, path_of(&path, dir, name), AT_SYMLINK_FOLLOW) == 0) {
		log_created(dir, name, 'f');
		entry_add(dir, name, 'f');
	}
	close(fd);
}

static void op_chmod(void)
{
	Entry *entry = pick(NULL, "fdp");
	Path path;

	if (entry &&
		chmod(path_of(&path, entry, NULL),
			entry->type == 'd' ? 0700 | (mode_t)below(64) : below(512)) < 0)
		return;
}

static void op_touch(void)
{
	Entry *entry = pick(NULL, "fdlps");
	Path path;

	if (entry && utimensat(AT_FDCWD, path_of(&path, entry, NULL), NULL, AT_SYMLINK_NOFOLLOW) < 0)
		return;
}

/* As tar, rsync and cp -p do: the content is new, the mtime old. */
static void op_write_old(void)
{
	Entry *file = pick_file();
	struct stat status;
	Path path;
	int fd;

	if (!file || lstat(path_of(&path, file, NULL), &status) < 0)
		return;
	fd = open_entry(file->parent, file->name, O_WRONLY);
	if (fd < 0)
		return;
	write_some(fd);
	futimens(fd, (struct timespec[]){status.st_atim, status.st_mtim});
	close(fd);
}

static void op_unlink_open(void)
{
	Entry *file = pick_file();
	Entry *parent = file ? file->parent : NULL;
	char name[NAME_ROOM];
	int fd;

	if (!file)
		return;
	strcpy(name, file->name);
	fd = open_entry(parent, name, O_WRONLY);
	if (fd < 0)
		return;
	do_remove(file);
	write_some(fd);
	if (chance(50))
		do_create(parent, name, below(2));
	close(fd);
}

static void op_mkdir_rename(void)
{
	Entry *parent = pick_dir();
	char name[NAME_ROOM], other[NAME_ROOM];
	Entry *dir;

	name_make(name);
	name_make(other);
	dir = do_mkdir(parent, name);
	if (!dir || entry_find(parent, other))
		return;
	dir = do_rename(dir, chance(60) ? parent : pick_dir_of(side_of(parent)), other);
	name_make(name);
	if (dir)
		do_create(dir, name, 1);
}

static void op_mkdir_rmdir(void)
{
	Entry *parent = pick_dir();
	char name[NAME_ROOM];

	name_make(name);
	for (unsigned times = 1 + below(3); times > 0; times--) {
		Entry *dir = do_mkdir(parent, name);
		if (dir)
			do_remove(dir);
	}
}

static void op_change_type(void)
{
	Entry *dir = pick(self.root, "d");
	char name[NAME_ROOM], inner[NAME_ROOM];
	Entry *parent, *file;

	if (!dir || dir->kid_count > 12 || depth_of(dir) < 2)
		return;
	parent = dir->parent;
	strcpy(name, dir->name);
	do_remove_tree(dir);
	if (entry_find(parent, name))
		return;
	file = do_create(parent, name, 1);
	if (!file || chance(40) || !do_remove(file))
		return;
	dir = do_mkdir(parent, name);
	name_make(inner);
	if (dir)
		do_create(dir, inner, 1);
}

static void op_save_by_rename(void)
{
	Entry *file = pick_file();
	char name[NAME_ROOM], temporary[NAME_ROOM];
	Entry *parent;

	if (!file)
		return;
	parent = file->parent;
	strcpy(name, file->name);
	name_make(temporary);
	if (entry_find(parent, temporary))
		return;
	file = do_create(parent, temporary, 2);
	if (file)
		do_rename(file, parent, name);
}

static void op_save_with_backup(void)
{
	Entry *file = pick_file();
	char name[NAME_ROOM], backup[NAME_ROOM + 1];
	Entry *parent;

	if (!file || strlen(file->name) > 250)
		return;
	parent = file->parent;
	strcpy(name, file->name);
	snprintf(backup, sizeof backup, "%s~", name);
	if (do_rename(file, parent, backup))
		do_create(parent, name, 2);
}

static void op_into_new(void)
{
	Entry *tree = pick(self.root, "d");
	char name[NAME_ROOM];
	Entry *dir;

	name_make(name);
	dir = do_mkdir(pick_dir_of(self.root), name);
	if (!dir || !tree || is_below(dir, tree))
		return;
	if (chance(50)) {
		name_make(name);
		dir = do_mkdir(dir, name);
	}
	name_make(name);
	if (dir)
		do_rename(tree, dir, name);
}

static void op_again(void)
{
	Entry *entry = pick(self.root, "fps");
	char name[NAME_ROOM];
	Entry *parent;

	if (!entry)
		return;
	parent = entry->parent;
	strcpy(name, entry->name);
	if (do_remove(entry))
		do_create(parent, name, below(2));
}

static void op_rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000 * (long)(1 + below(2500))}, NULL);
}

/* The table: an operation and its weight in each profile. */

enum { BUILD, MIXED, SAVES, TREES, RENAMES, STORM, PROFILES };

static const char *const profile_names[PROFILES] = {
	"build", "mixed", "saves", "trees", "renames", "storm"};

static const struct Operation {
	void (*run)(void);
	unsigned char weight[PROFILES];
} operations[] = {
	{op_deep, {8, 4, 1, 10, 4, 2}},
	{op_bush, {10, 4, 1, 10, 3, 1}},
	{op_mkdir, {10, 5, 1, 6, 5, 3}},
	{op_create, {20, 10, 12, 6, 6, 10}},
	{op_empty, {5, 4, 3, 2, 3, 8}},
	{op_rewrite, {0, 8, 20, 1, 3, 3}},
	{op_append, {0, 4, 12, 0, 2, 1}},
	{op_truncate, {0, 3, 8, 0, 1, 1}},
	{op_rename_file, {2, 6, 4, 2, 10, 4}},
	{op_rename_over, {0, 4, 4, 1, 8, 3}},
	{op_rename_tree, {1, 5, 0, 8, 12, 4}},
	{op_rename_over_empty, {0, 2, 0, 3, 5, 1}},
	{op_exchange, {0, 3, 1, 3, 8, 2}},
	{op_swap, {0, 2, 0, 3, 6, 2}},
	{op_rename_chain, {0, 3, 1, 3, 8, 4}},
	{op_rename_back, {0, 2, 1, 2, 6, 6}},
	{op_rename_case, {0, 1, 0, 1, 2, 1}},
	{op_move_out, {1, 3, 1, 5, 5, 2}},
	{op_move_in, {0, 4, 1, 6, 6, 2}},
	{op_out_and_in, {0, 2, 0, 4, 6, 3}},
	{op_remove_tree, {0, 3, 0, 7, 3, 1}},
	{op_rmdir, {0, 3, 0, 3, 2, 3}},
	{op_unlink, {0, 8, 6, 3, 4, 8}},
	{op_link, {2, 3, 1, 1, 2, 1}},
	{op_symlink, {2, 3, 1, 2, 2, 1}},
	{op_fifo, {1, 1, 0, 1, 1, 1}},
	{op_socket, {1, 1, 0, 1, 1, 1}},
	{op_tmpfile, {1, 2, 3, 0, 1, 1}},
	{op_chmod, {0, 3, 4, 1, 1, 1}},
	{op_touch, {0, 3, 4, 1, 1, 1}},
	{op_write_old, {0, 2, 6, 0, 1, 1}},
	{op_unlink_open, {0, 2, 3, 0, 1, 3}},
	{op_mkdir_rename, {0, 3, 0, 6, 6, 6}},
	{op_mkdir_rmdir, {0, 2, 0, 4, 3, 10}},
	{op_change_type, {0, 2, 0, 4, 2, 3}},
	{op_save_by_rename, {0, 4, 12, 1, 3, 2}},
	{op_save_with_backup, {0, 2, 6, 0, 2, 1}},
	{op_into_new, {0, 2, 0, 4, 5, 2}},
	{op_again, {0, 3, 3, 1, 2, 8}},
	{op_rest, {0, 1, 1, 1, 1, 1}},
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

static void operation_run(unsigned profile)
{
	unsigned total = 0, at;

	for (size_t i = 0; i < OPERATIONS; i++)
		total += operations[i].weight[profile];
	at = below(total);
	for (size_t i = 0; i < OPERATIONS; i++) {
		if (at < operations[i].weight[profile]) {
			operations[i].run();
			return;
		}
		at -= operations[i].weight[profile];
	}
}

/* The tree stays of one size: what is too much goes, whole trees of it. */
static void keep_size(void)
{
	for (int tries = 0; tries < 20 && self.count > option.max_entries; tries++) {
		Entry *entry = pick(chance(60) ? self.root : self.outside, "d");
		if (entry && (depth_of(entry) > 1 || tries > 10))
			do_remove_tree(entry);
		else
			op_unlink();
	}
}

/* Two records a call, none of which merges with the one before. */
static void make_noise(unsigned renames)
{
	char one[NAME_ROOM], two[NAME_ROOM];
	Entry *file;

	snprintf(one, sizeof one, "noise%u", self.serial++);
	snprintf(two, sizeof two, "noise%u", self.serial++);
	file = do_create(self.root, one, 0);
	for (unsigned i = 0; file && i < renames; i++)
		file = do_rename(file, self.root, i % 2 ? one : two);
	if (file)
		do_remove(file);
}

/* The rules of the profile `ignored` are the driver's. */
static bool is_ours(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, ".gitignore") != 0;
}

static void picture_take(Entry *dir)
{
	Path path;
	struct dirent **list = NULL;
	int count = scandir(path_of(&path, dir, NULL), &list, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const struct dirent *item = list[i];
		if (is_ours(item->d_name)) {
			Entry *entry = entry_add(dir, item->d_name,
				item->d_type == DT_DIR       ? 'd'
					: item->d_type == DT_REG ? 'f'
					: item->d_type == DT_LNK ? 'l'
											 : 'p');
			if (entry->type == 'd')
				picture_take(entry);
		}
		free(list[i]);
	}
	free(list);
}

static void picture_renew(void)
{
	while (self.root->kid_count > 0)
		entry_drop(self.root->kids[0]);
	while (self.outside->kid_count > 0)
		entry_drop(self.outside->kids[0]);
	picture_take(self.root);
	picture_take(self.outside);
}

/* Writers: each waits for its share of a round, does it, and says so. */

typedef struct Round {
	unsigned profile, operations, noise;
} Round;

static void round_run(const Round *round)
{
	unsigned noise_at = round->noise ? below(round->operations + 1) : 0;

	if (option.writers > 1)
		picture_renew();
	for (unsigned i = 0; i < round->operations; i++) {
		if (round->noise && i == noise_at)
			make_noise(round->noise);
		operation_run(round->profile);
		drop_stale();
		keep_size();
		if (option.rest && below(1000) < option.rest)
			op_rest();
	}
	fflush(self.log);
}

static void writer_main(unsigned number, int commands, int answers)
{
	char name[PATH_ROOM];
	Round round;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self.writer = number;
	self.random = option.seed * 1000003u + number;
	self.root = entry_new(NULL, "R", 'd');
	self.outside = entry_new(NULL, "O", 'd');
	snprintf(name, sizeof name, "%s.%u", option.log_prefix, number);
	self.log = must(fopen(name, "we"));
	while (read(commands, &round, sizeof round) == sizeof round) {
		round_run(&round);
		if (write(answers, "", 1) != 1)
			break;
	}
	_exit(0);
}

static struct {
	int commands, answers;
} writers[MAX_WRITERS];

static void writer_start(unsigned number)
{
	int commands[2], answers[2];
	pid_t pid;

	if (pipe2(commands, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		for (unsigned i = 0; i < number; i++)
			close(writers[i].commands);
		close(commands[1]);
		close(answers[0]);
		writer_main(number, commands[0], answers[1]);
	}
	close(commands[0]);
	close(answers[1]);
	writers[number].commands = commands[1];
	writers[number].answers = answers[0];
}

static void freeze(bool frozen)
{
	if (option.freeze_pid > 0)
		kill(option.freeze_pid, frozen ? SIGSTOP : SIGCONT);
}

static void thaw(void)
{
	freeze(false);
}

static void round_share(Round round, unsigned noise)
{
	unsigned total = round.operations;

	for (unsigned i = 0; i < option.writers; i++) {
		round.operations = total / option.writers + (i < total % option.writers);
		round.noise = i == 0 ? noise : 0;
		if (write(writers[i].commands, &round, sizeof round) != sizeof round)
			die("command");
	}
	for (unsigned i = 0; i < option.writers; i++)
		if (read(writers[i].answers, &(char){0}, 1) != 1)
			die("answer");
}

static unsigned profile_find(const char *name)
{
	for (unsigned i = 0; i < PROFILES; i++)
		if (strcmp(profile_names[i], name) == 0)
			return i;
	fprintf(stderr, "worker: no profile '%s'\n", name);
	exit(2);
}

static void command_run(const char *line)
{
	char profile[32];
	Round round = {0};
	unsigned noise = 0;
	int fields = sscanf(line, "go %31s %u freeze %u", profile, &round.operations, &noise);

	if (fields < 2) {
		fprintf(stderr, "worker: cannot read: %s", line);
		exit(2);
	}
	round.profile = profile_find(profile);
	if (fields == 3) {
		op_rest();
		freeze(true);
	}
	round_share(round, noise);
	if (fields == 3)
		freeze(false);
}

static const struct option long_options[] = {
	{"root", required_argument, NULL, 'r'},
	{"outside", required_argument, NULL, 'o'},
	{"elsewhere", required_argument, NULL, 'e'},
	{"log", required_argument, NULL, 'l'},
	{"seed", required_argument, NULL, 's'},
	{"writers", required_argument, NULL, 'w'},
	{"entries", required_argument, NULL, 'n'},
	{"rest", required_argument, NULL, 'p'},
	{"freeze-pid", required_argument, NULL, 'f'},
	{"hostile", no_argument, NULL, 'H'},
	{"truncate", no_argument, NULL, 'T'},
	{"no-links", no_argument, NULL, 'L'},
	{NULL, 0, NULL, 0},
};

static void option_take(int key)
{
	switch (key) {
	case 'r':
		option.root = optarg;
		break;
	case 'o':
		option.outside = optarg;
		break;
	case 'e':
		option.elsewhere = optarg;
		break;
	case 'l':
		option.log_prefix = optarg;
		break;
	case 's':
		option.seed = strtoull(optarg, NULL, 10);
		break;
	case 'w':
		option.writers = (unsigned)atoi(optarg);
		break;
	case 'n':
		option.max_entries = (unsigned)atoi(optarg);
		break;
	case 'p':
		option.rest = (unsigned)atoi(optarg);
		break;
	case 'f':
		option.freeze_pid = (pid_t)atoi(optarg);
		break;
	case 'H':
		option.hostile = true;
		break;
	case 'T':
		option.truncates = true;
		break;
	case 'L':
		option.links = false;
		break;
	default:
		exit(2);
	}
}

int main(int argc, char **argv)
{
	char line[128];

	for (int key; (key = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		option_take(key);
	if (!option.root || !option.outside || !option.elsewhere || !option.log_prefix ||
		option.writers < 1 || option.writers > MAX_WRITERS) {
		fprintf(stderr, "usage: worker --root R --outside O --elsewhere E --log PREFIX [...]\n");
		return 2;
	}
	umask(0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	self.random = option.seed;
	atexit(thaw);
	for (unsigned i = 0; i < option.writers; i++)
		writer_start(i);
	while (fgets(line, sizeof line, stdin)) {
		command_run(line);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
