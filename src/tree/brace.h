/* SPDX-License-Identifier: MIT
 *
 * brace.h - writes out braces: "a{b,c{d,e}}" stands for "ab", "acd" and "ace".
 *
 * A group needs a comma and its closing brace; everything else, `{}` and `{a}` too, is what it looks like. A backslash
 * takes the meaning of the next byte, and inside a [class] braces and commas are members of the class. Backslashes and
 * classes are handed on as they are.
 */
#ifndef MOONWATCH_TREE_BRACE_H
#define MOONWATCH_TREE_BRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Braces {
	const char *text; /* the caller's, until brace_close */
	size_t length;
	uint32_t *link;  /* of a '{' or ',' the next separator of its group, of a '}' itself; else 0 */
	uint32_t *opens; /* the groups on the way of the last walk */
	uint32_t *picks; /* which alternative was taken in each of them */
	size_t depth;
	bool done;
} Braces;

/* 0, -E2BIG beyond 4 GiB, or -ENOMEM; after a failure there is nothing to close. */
int brace_open(Braces *braces, const char *text, size_t length);
void brace_close(Braces *braces);
/* Writes the next expansion to `out` (as many bytes as the text has) and returns true with its length; false after the
 * last one. */
bool brace_next(Braces *braces, char *out, size_t *length);
bool brace_is_group(const Braces *braces, size_t at); /* does a group begin at this byte? */

#endif
