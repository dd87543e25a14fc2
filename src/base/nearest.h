/* SPDX-License-Identifier: MIT
 *
 * nearest.h - which of the valid words did somebody mean who wrote another.
 */
#ifndef MOONWATCH_BASE_NEAREST_H
#define MOONWATCH_BASE_NEAREST_H

#include <stddef.h>

/* Edit distance without regard to case (a swap of neighbours counts one). Words beyond 31 bytes are
 * cut there. */
size_t nearest_distance(const char *a, const char *b);

/* How far from a wrong word one may be to have been meant: a third of its letters, and two in any case. */
size_t nearest_most(const char *wrong);

/* Remembers the best candidate so far. Zero it, offer every word, read `word` (NULL: none is near). */
typedef struct Nearest {
	const char *word;
	size_t distance;
} Nearest;

static inline void nearest_offer(Nearest *nearest, const char *wrong, const char *candidate)
{
	size_t distance = nearest_distance(wrong, candidate);
	if (distance > nearest_most(wrong))
		return;
	if (nearest->word == NULL || distance < nearest->distance)
		*nearest = (Nearest){.word = candidate, .distance = distance};
}

#endif
