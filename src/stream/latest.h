/* SPDX-License-Identifier: MIT
 *
 * latest.h - which event was the last to change what a path stands for.
 *
 * An event keeps its path for ever, the disk does not: what is found there later may be another entry. It is the one the
 * event told of where no later event made, moved or removed that path or one above it. Kept by hashes of paths, so a
 * collision errs toward not knowing; so do events that are too old to be remembered.
 */
#ifndef MOONWATCH_STREAM_LATEST_H
#define MOONWATCH_STREAM_LATEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/queue.h"

typedef struct LatestPath {
	uint32_t hash, seq; /* the seq's low half; 0: empty */
} LatestPath;

typedef struct Latest {
	LatestPath *paths; /* a hash table; NULL: nothing is noted */
	size_t size, used; /* size is a power of two */
	uint32_t since;    /* of older events nothing is known */
	bool all;          /* not every end of a name is told: its beginning is noted as well */
	Text *dir;         /* of the last one, since neighbours share it; with its hash */
	uint64_t dir_hash;
} Latest;

/* Begins with what waits in the queue; fine where it has begun. Out of memory nothing is known of any event. `ops`: 1 <<
 * EventOp of what is told. */
void latest_begin(Latest *latest, const Queue *queue, uint32_t ops);
void latest_clear(Latest *latest);
/* An event that was queued. `oldest` is the number of the first that its reader has not had yet. */
void latest_note(Latest *latest, const Item *item, uint64_t oldest);
/* Does the path still stand for what the event with this number told of it? */
bool latest_holds(const Latest *latest, const char *path, size_t length, uint64_t seq);

#endif
