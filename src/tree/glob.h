/* SPDX-License-Identifier: MIT
 *
 * glob.h - one pattern of gitignore's language, compiled.
 *
 * Without a slash (a trailing one aside) it is held against the last component of a path, with one against the whole
 * path. `*` and `?` do not match a slash, `**` between slashes does, `[...]` is a class with ranges, [:names:] and `!`
 * or `^`, a backslash takes the meaning of the next byte. A class that does not end, an unknown [:name:] and a trailing
 * backslash make a pattern that matches nothing. Bytes are compared as they are.
 *
 * Matching never takes more than a product of the lengths: `*` is tried again only up to the next slash and only the
 * last one, `**` only the last one.
 */
#ifndef MOONWATCH_TREE_GLOB_H
#define MOONWATCH_TREE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Glob Glob;

/* Leaves a leading `!` and a comment's `#` to the caller. 0, -E2BIG beyond 256 MiB, or -ENOMEM. */
int glob_new(const char *text, size_t length, Glob **result);
void glob_free(Glob *glob);

/* A path relative to where the pattern is anchored, without slashes at its ends; its last component is at `name_at`.
 * That a pattern may want a directory is for the caller to see. */
bool glob_match(const Glob *glob, const char *rel, size_t length, size_t name_at);
/* Could any path below the directory match? Never says no wrongly. */
bool glob_may_match_below(const Glob *glob, const char *rel, size_t length);

bool glob_directories_only(const Glob *glob); /* written with a slash at its end */
int glob_last_byte(const Glob *glob); /* of every match, for a first look; -1 none in particular */

enum { GLOB_CLASS_BYTES = 32 }; /* a bit per byte value */

/* The end of the class whose bracket is at `at`, and its members where wanted (`set` may be NULL); 0 where there is
 * none. */
size_t glob_class(const char *text, size_t length, size_t at, uint8_t set[GLOB_CLASS_BYTES]);

#endif
