/* SPDX-License-Identifier: MIT
 *
 * seconds.h - where the second halves of renames are among the records that were read and not yet handed on, by cookie.
 *
 * A second half nearly always comes right behind its first. Where it does not, thousands of first halves may stand in a
 * row (files that were moved out of the tree), and looking through all that follows for each of them takes for ever.
 */
#ifndef MOONWATCH_TREE_SECONDS_H
#define MOONWATCH_TREE_SECONDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECONDS_NONE UINT64_MAX

typedef struct Second {
	uint32_t cookie;
	uint64_t begin; /* position of the record */
} Second;

/* Open addressing, at most half full; begin SECONDS_NONE: free. Zeroed it is empty. */
typedef struct Seconds {
	Second *slots;
	size_t size, count;
	uint64_t noted; /* position up to which the records have been looked at */
} Seconds;

/* False out of memory. Records up to the position `done` have been handed on: they are forgotten where room is needed. */
bool seconds_note(Seconds *seconds, uint32_t cookie, uint64_t begin, uint64_t done);
uint64_t seconds_find(const Seconds *seconds, uint32_t cookie); /* or SECONDS_NONE */
void seconds_clear(Seconds *seconds); /* none are noted, and nothing is kept */

#endif
