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

static bool is_waiting(const Second *second, uint64_t done)
{
	return second->begin != SECONDS_NONE && second->begin >= done;
}

/* Under a steady stream of files that are moved out the table is never cleared: so those handed on go here. */
static bool make_room(Seconds *seconds, uint64_t done)
{
	Seconds fresh = {.size = FIRST_SIZE, .noted = seconds->noted};
	for (size_t i = 0; i < seconds->size; i++)
		fresh.count += is_waiting(&seconds->slots[i], done);
	while (fresh.count * 4 > fresh.size)
		fresh.size *= 2;
	fresh.slots = malloc(fresh.size * sizeof *fresh.slots);
	if (fresh.slots == NULL)
		return false;
	memset(fresh.slots, 0xff, fresh.size * sizeof *fresh.slots);
	for (size_t i = 0; i < seconds->size; i++) {
		const Second *second = &seconds->slots[i];
		if (is_waiting(second, done))
			*slot_of(&fresh, second->cookie) = *second;
	}
	free(seconds->slots);
	*seconds = fresh;
	return true;
}

bool seconds_note(Seconds *seconds, uint32_t cookie, uint64_t begin, uint64_t done)
{
	if (seconds->count * 2 >= seconds->size && !make_room(seconds, done))
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
