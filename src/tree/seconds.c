/* SPDX-License-Identifier: MIT
 *
 * seconds.c - where the second halves of renames are among the records that were read and not yet handed on, by cookie.
 */
#include "tree/seconds.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 64 };

/* Of the cookie, or the free one where it would be. */
static Second *slot_of(const Seconds *seconds, uint32_t cookie)
{
	size_t mask = seconds->size - 1, slot = cookie & mask; /* cookies are counted up */
	while (seconds->slots[slot].begin != SECONDS_NONE && seconds->slots[slot].cookie != cookie)
		slot = (slot + 1) & mask;
	return &seconds->slots[slot];
}

static bool grow(Seconds *seconds)
{
	size_t size = seconds->size > 0 ? seconds->size * 2 : FIRST_SIZE;
	Seconds grown = {.size = size, .count = seconds->count, .noted = seconds->noted};
	grown.slots = malloc(size * sizeof *grown.slots);
	if (grown.slots == NULL)
		return false;
	memset(grown.slots, 0xff, size * sizeof *grown.slots);
	for (size_t i = 0; i < seconds->size; i++) {
		const Second *second = &seconds->slots[i];
		if (second->begin != SECONDS_NONE)
			*slot_of(&grown, second->cookie) = *second;
	}
	free(seconds->slots);
	*seconds = grown;
	return true;
}

bool seconds_note(Seconds *seconds, uint32_t cookie, uint64_t begin)
{
	if (seconds->count * 2 >= seconds->size && !grow(seconds))
		return false;
	Second *slot = slot_of(seconds, cookie);
	seconds->count += slot->begin == SECONDS_NONE;
	*slot = (Second){.cookie = cookie, .begin = begin};
	return true;
}

uint64_t seconds_find(const Seconds *seconds, uint32_t cookie)
{
	return seconds->size > 0 ? slot_of(seconds, cookie)->begin : SECONDS_NONE;
}

void seconds_clear(Seconds *seconds)
{
	free(seconds->slots);
	*seconds = (Seconds){.noted = seconds->noted};
}
