/* SPDX-License-Identifier: MIT
 *
 * pattern.h - a list of patterns in gitignore's language, plus `{a,b}`; the last one that matches decides.
 *
 * A list is built once and then only read; it is shared by counting (not for several threads). `rel` is a path relative
 * to the directory the list belongs to: components with single slashes between them and none at the ends; "" is that
 * directory itself, which no pattern matches. Nothing here looks at the disk.
 *
 * A verdict is 0 where no pattern matches, else the number of the deciding pattern: positive where it selects, negative
 * where it begins with `!`. Only its sign and pattern_origin give it a meaning.
 */
#ifndef MOONWATCH_TREE_PATTERN_H
#define MOONWATCH_TREE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Pattern Pattern;

enum {
	PATTERN_BRACES = 1, /* `{a,b}` is written out, at most PATTERN_MOST_EXPANSIONS times */
	PATTERN_LINE = 2,   /* the text is a line of an ignore file: comment, trailing spaces, CR */
	PATTERN_MOST_EXPANSIONS = 4096
};

Pattern *pattern_new(void);                 /* an empty list with one use; NULL out of memory */
Pattern *pattern_share(Pattern *pattern);   /* one use more; NULL is fine */
void pattern_free(Pattern *pattern);        /* one use less; NULL is fine */
bool pattern_empty(const Pattern *pattern); /* nothing can match; true for NULL */

/* Appends one pattern; `!` in front re-includes. 0, -EINVAL for a NUL byte, -E2BIG for braces that stand for too much,
 * or -ENOMEM; after a failure the list is as before. A malformed pattern is taken and matches nothing, as in git. */
int pattern_add(Pattern *pattern, const char *text, size_t length, unsigned flags);
/* Appends the lines of an ignore file as git reads them (no braces). `file` comes back in pattern_origin. 0 or -ENOMEM. */
int pattern_add_ignore_file(Pattern *pattern, unsigned file, const char *bytes, size_t length);
/* The same into a list of its own; NULL out of memory. */
Pattern *pattern_parse_ignore(const char *bytes, size_t length);

/* The verdict on exactly this path. NULL as a list is fine here and below. */
int pattern_match(const Pattern *pattern, const char *rel, size_t length, bool isdir);
/* The verdict on the path where a selected directory holds for all below it, whatever comes later: the outermost one
 * decides. `decided` (may be NULL) gets the length of the path that was matched. */
int pattern_verdict(
	const Pattern *pattern, const char *rel, size_t length, bool isdir, size_t *decided);
/* Could any path at any depth below the directory `rel` be selected? Never says no wrongly; says no rightly for anchored
 * patterns. True below a selected directory. */
bool pattern_may_match_below(const Pattern *pattern, const char *rel, size_t length);

/* Where a pattern was written. */
typedef struct PatternOrigin {
	const char *
		text; /* as written, `!` and trailing slash included; ends in NUL; borrowed from the list */
	size_t length;
	unsigned line; /* in its file, or its place in the list; from 1 */
	unsigned file;
} PatternOrigin;
PatternOrigin pattern_origin(const Pattern *pattern, int verdict); /* the verdict is not 0 */

/* Splits "src/x*" into the directory before the first wildcard or brace, its escapes taken away, and an anchored
 * pattern relative to it: "src" and "/x*"; "*.c" gives "." and "/" + "*.c", "/" + "*.c" gives "/" and the same.
 * Returns 1 and two strings in one block, to be freed by `root`; 0 where the text has no wildcard and no brace, and so
 * is a path as it stands; -E2BIG or -ENOMEM. Add the rest with PATTERN_BRACES. */
int pattern_literal_head(const char *text, size_t length, char **root, char **rest);

#endif
