/* SPDX-License-Identifier: MIT
 *
 * ignored.h - the ignore files of the directories of a tree, as they were when they were last read.
 *
 * Whenever a directory is listed, its ignore files are looked at, and read where they are not those that were read
 * before. What they say about an entry is asked for the directory it lies in; the directories around it are found
 * through the index, so a directory that moves takes its ignore files along.
 */
#ifndef MOONWATCH_STREAM_IGNORED_H
#define MOONWATCH_STREAM_IGNORED_H

#include "tree/ignore.h"
#include "tree/tree.h"

typedef struct IgnoredDir {
	const Dir *dir;
	Pattern *files;   /* of the ignore files in it; NULL: none */
	Pattern *singles; /* of a top directory: those with a slash in their names */
	uint64_t signature;
	bool stale; /* one of them has changed since, whatever the signature says */
} IgnoredDir;

typedef struct Ignored {
	IgnoreSet *set;    /* NULL: no ignore files are obeyed */
	IgnoredDir *slots; /* open addressing by dir; only directories that have ignore files */
	size_t slot_count, count;
} Ignored;

void ignored_clear(Ignored *ignored); /* frees the set as well */
/* What the files in this directory are now, if that is not what is known: true, and *fresh is what to put in their
 * place. `fd` is the open directory. */
bool ignored_read(const Ignored *ignored, const Dir *dir, int fd, IgnoredDir *fresh);
/* Watches the single files of a top directory, wherever they lie. */
void ignored_watch_singles(const Ignored *ignored, const Dir *top, int fd);
int ignored_put(Ignored *ignored, const IgnoredDir *fresh); /* takes the patterns; 0 or -ENOMEM */
void ignored_forget(Ignored *ignored, const Dir *dir);      /* fine where nothing is known */
/* An entry of this name in `dir` was touched: which directory is to be listed again? NULL: it is no ignore file. */
Dir *ignored_touch(Ignored *ignored, Dir *dir, const char *name, size_t length, const char *rel,
	size_t rel_length);
/* The verdict on an entry of `dir`, which is itself not ignored; as ignore_match. */
int ignored_match(const Ignored *ignored, const Dir *dir, const char *rel, size_t length,
	bool isdir, IgnoreHit *hit);

#endif
