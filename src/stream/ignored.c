/* SPDX-License-Identifier: MIT
 *
 * ignored.c - the ignore files of the directories of a tree.
 */
#include "stream/ignored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/dir.h"
#include "tree/beside.h"

enum { FIRST_SLOTS = 16, IGNORE_SINGLES_MOST = 64 };

/* --- the table ---------------------------------------------------------------------------------------------------- */

static size_t slot_of(const Ignored *ignored, const Dir *dir)
{
	size_t mask = ignored->slot_count - 1;
	size_t slot = (size_t)((uintptr_t)dir >> 4) * 2654435769u & mask;
	while (ignored->slots[slot].dir != NULL && ignored->slots[slot].dir != dir)
		slot = (slot + 1) & mask;
	return slot;
}

static IgnoredDir *find(const Ignored *ignored, const Dir *dir)
{
	if (ignored->count == 0)
		return NULL;
	IgnoredDir *found = &ignored->slots[slot_of(ignored, dir)];
	return found->dir != NULL ? found : NULL;
}

static int grow(Ignored *ignored)
{
	IgnoredDir *old = ignored->slots;
	size_t old_count = ignored->slot_count;
	size_t slots = old_count ? old_count * 2 : FIRST_SLOTS;
	IgnoredDir *grown = calloc(slots, sizeof *grown);
	if (grown == NULL)
		return -ENOMEM;
	ignored->slots = grown;
	ignored->slot_count = slots;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].dir != NULL)
			ignored->slots[slot_of(ignored, old[i].dir)] = old[i];
	}
	free(old);
	return 0;
}

static void empty_slot(Ignored *ignored, size_t slot)
{
	size_t mask = ignored->slot_count - 1;
	ignored->slots[slot] = (IgnoredDir){0};
	for (size_t next = (slot + 1) & mask; ignored->slots[next].dir; next = (next + 1) & mask) {
		IgnoredDir moved = ignored->slots[next];
		ignored->slots[next] = (IgnoredDir){0};
		ignored->slots[slot_of(ignored, moved.dir)] = moved;
	}
	ignored->count--;
}

static void free_patterns(IgnoredDir *known)
{
	pattern_free(known->files);
	pattern_free(known->singles);
}

void ignored_clear(Ignored *ignored)
{
	for (size_t i = 0; i < ignored->slot_count; i++)
		free_patterns(&ignored->slots[i]);
	free(ignored->slots);
	ignore_free(ignored->set);
	*ignored = (Ignored){0};
}

void ignored_forget(Ignored *ignored, const Dir *dir)
{
	IgnoredDir *known = find(ignored, dir);
	if (known == NULL)
		return;
	free_patterns(known);
	empty_slot(ignored, (size_t)(known - ignored->slots));
}

int ignored_put(Ignored *ignored, const IgnoredDir *fresh)
{
	ignored_forget(ignored, fresh->dir);
	if (fresh->files == NULL && fresh->singles == NULL)
		return 0;
	if (ignored->count * 4 >= ignored->slot_count * 3 && grow(ignored) < 0) {
		IgnoredDir lost = *fresh;
		free_patterns(&lost);
		return -ENOMEM;
	}
	ignored->slots[slot_of(ignored, fresh->dir)] = *fresh;
	ignored->count++;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ (hash >> 31);
}

static bool is_top(const Dir *dir)
{
	return dir->parent == NULL;
}

static bool is_obeyed_here(const Ignored *ignored, const Dir *dir, size_t index)
{
	return is_top(dir) || !ignore_is_single(ignored->set, index);
}

/* Like git, an ignore file that is a link is not followed; a single one is. */
static uint64_t signature_of(const Ignored *ignored, const Dir *dir, int fd)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < ignore_count(ignored->set); i++) {
		FileInfo info;
		const char *name = ignore_name(ignored->set, i);
		if (!is_obeyed_here(ignored, dir, i))
			continue;
		int error = ignore_is_single(ignored->set, i) ? dir_look_follow(fd, name, &info)
													  : dir_look(fd, name, &info);
		if (error < 0 || info.type != TYPE_FILE)
			continue;
		hash = mix(hash + i + 1, info.identity.ino);
		hash = mix(mix(mix(hash, (uint64_t)info.ctime), (uint64_t)info.mtime), info.size);
	}
	return hash;
}

static void read_files(const Ignored *ignored, const Dir *dir, int fd, IgnoredDir *fresh)
{
	for (size_t i = 0; i < ignore_count(ignored->set); i++) {
		bool single = ignore_is_single(ignored->set, i);
		char *bytes;
		size_t length;
		if (!is_obeyed_here(ignored, dir, i) ||
			dir_read_file(fd, ignore_name(ignored->set, i), single, &bytes, &length) < 0)
			continue;
		ignore_add(i, bytes, length, single ? &fresh->singles : &fresh->files);
		free(bytes);
	}
}

bool ignored_read(const Ignored *ignored, const Dir *dir, int fd, IgnoredDir *fresh)
{
	const IgnoredDir *known = find(ignored, dir);
	*fresh = (IgnoredDir){.dir = dir, .signature = signature_of(ignored, dir, fd)};
	uint64_t before = known != NULL ? known->signature : 0;
	if (fresh->signature == before && !(known != NULL && known->stale))
		return false;
	read_files(ignored, dir, fd, fresh);
	return true;
}

void ignored_watch_singles(const Ignored *ignored, const Dir *top, int fd)
{
	const char *files[IGNORE_SINGLES_MOST];
	size_t count = 0;
	for (size_t i = 0; i < ignore_count(ignored->set) && count < IGNORE_SINGLES_MOST; i++) {
		if (ignore_is_single(ignored->set, i))
			files[count++] = ignore_name(ignored->set, i);
	}
	beside_watch(top->entry.root, fd, files, count);
}

static Dir *top_of(Dir *dir)
{
	while (dir->parent != NULL)
		dir = dir->parent;
	return dir;
}

Dir *ignored_touch(
	Ignored *ignored, Dir *dir, const char *name, size_t length, const char *rel, size_t rel_length)
{
	Dir *touched = NULL;
	if (ignore_find(ignored->set, name, length) >= 0)
		touched = dir;
	else if (ignore_find_single(ignored->set, rel, rel_length) >= 0)
		touched = top_of(dir);
	IgnoredDir *known = touched != NULL ? find(ignored, touched) : NULL;
	if (known != NULL)
		known->stale = true;
	return touched;
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

typedef struct Ask {
	const Ignored *ignored;
	const Dir *dir;
} Ask;

static const Pattern *patterns_at(void *context, size_t level)
{
	const Ask *ask = context;
	const Dir *dir = ask->dir;
	for (; level > 0 && !is_top(dir); level--)
		dir = dir->parent;
	const IgnoredDir *known = find(ask->ignored, dir);
	if (known == NULL)
		return NULL;
	return level > 0 ? known->singles : known->files;
}

int ignored_match(const Ignored *ignored, const Dir *dir, const char *rel, size_t length,
	bool isdir, IgnoreHit *hit)
{
	Ask ask = {.ignored = ignored, .dir = dir};
	return ignore_match(ignored->set, patterns_at, &ask, rel, length, isdir, hit);
}
