/* SPDX-License-Identifier: MIT
 *
 * ignore.h - which ignore files are obeyed, and what they say about a path, as git does.
 *
 * A name without a slash (".gitignore") is looked for in every directory; what it says holds below that directory, and
 * inner files win over outer ones. In one directory a later name of the set wins over an earlier one. A name with a
 * slash (".git/info/exclude") is a single file, relative to the root; it is obeyed at the root and loses against every
 * nested file. Where ".gitignore" is among the names, directories called ".git" are ignored too.
 *
 * The caller reads the files and keeps per directory one Pattern of all its files: ignore_add for each name that is
 * there, in the order of the set. The single files make one more Pattern in the same way. Files in an ignored directory
 * are not obeyed: ignore_verdict does not ask for them.
 */
#ifndef MOONWATCH_TREE_IGNORE_H
#define MOONWATCH_TREE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "tree/pattern.h"

typedef struct IgnoreSet IgnoreSet;

IgnoreSet *ignore_new(
	const char *const *names, size_t count); /* the names are copied; NULL out of memory */
void ignore_free(IgnoreSet *set);            /* NULL is fine */

size_t ignore_count(const IgnoreSet *set);
const char *ignore_name(const IgnoreSet *set, size_t index);
bool ignore_is_single(const IgnoreSet *set, size_t index);
/* Is an entry of this name in some directory an ignore file, or is the path below the root a single one? Its index,
 * or -1: that is what to read again where it changes. */
int ignore_find(const IgnoreSet *set, const char *name, size_t length);
int ignore_find_single(const IgnoreSet *set, const char *rel, size_t length);

/* Appends the content of file `index` of the set; *patterns may be NULL before. 0 or -ENOMEM. */
int ignore_add(size_t index, const char *bytes, size_t length, Pattern **patterns);

/* The patterns of a directory, NULL where it has none. Level 0 is the directory that holds the path asked about, 1 the
 * one around it, and so on to the root (level = the number of slashes in the path); one more are the single files. */
typedef const Pattern *IgnoreAt(void *context, size_t level);

/* What decided. */
typedef struct IgnoreHit {
	const Pattern *pattern; /* NULL: that it is ".git" */
	int verdict;    /* as in pattern.h, for pattern_origin; its `file` is the index in the set */
	size_t base;    /* length of the directory whose file it is, as a head of the path */
	size_t decided; /* length of what was matched: the path, or an ignored directory above it */
} IgnoreHit;

/* The verdict on exactly this path, given that no directory above it is ignored: positive ignored, negative
 * re-included, 0 nothing said. `hit` (may be NULL) is filled where the result is not 0. */
int ignore_match(const IgnoreSet *set, IgnoreAt *at, void *context, const char *rel, size_t length,
	bool isdir, IgnoreHit *hit);
/* The same for any path: an ignored directory holds for all below it. */
int ignore_verdict(const IgnoreSet *set, IgnoreAt *at, void *context, const char *rel,
	size_t length, bool isdir, IgnoreHit *hit);

/* "src/.gitignore:3: *.o", as snprintf: the length it has, or would have. */
size_t ignore_describe(
	const IgnoreSet *set, const IgnoreHit *hit, const char *rel, char *buffer, size_t size);

#endif
