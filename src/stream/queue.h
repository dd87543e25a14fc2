/* SPDX-License-Identifier: MIT
 *
 * queue.h - events that wait for their reader: first in, first out, in chunks of bytes.
 */
#ifndef MOONWATCH_STREAM_QUEUE_H
#define MOONWATCH_STREAM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/eventop.h"
#include "base/text.h"

/* One event. path = dir "/" name; rel is the path from byte rel_at on. The texts are counted uses. */
typedef struct Item {
	double time, wall;
	uint64_t seq;
	Text *root, *dir;
	Text *from_dir, *from_root; /* moves; from_root only where it differs from root */
	uint32_t mask, cookie;
	int32_t wd;
	uint32_t rel_at, from_rel_at;
	int32_t error; /* unwatched: errno */
	uint8_t op, type, replaced;
	bool isdir, synthetic, exchange;
	bool whole; /* a directory is gone together with what was in it */
	uint16_t name_length, from_name_length;
	char names[]; /* the name, then the old name; neither ends in NUL */
} Item;

typedef struct Chunk Chunk;

typedef struct Queue {
	Chunk *first, *last; /* read from, written to */
	Chunk *spare;
	Item *newest; /* NULL where it is empty */
	size_t count, bytes;
} Queue;

void queue_clear(Queue *queue);
/* A new last item, with both lengths set and all else zero; NULL out of memory. */
Item *queue_push(Queue *queue, size_t name_length, size_t from_name_length);
Item *queue_first(const Queue *queue); /* NULL where it is empty; valid until queue_drop */
void queue_drop(Queue *queue);         /* the first; frees its texts */

/* All items in order; the queue must not change meanwhile. */
typedef struct QueueCursor {
	const Chunk *chunk;
	size_t at;
} QueueCursor;
const Item *queue_start(const Queue *queue, QueueCursor *cursor); /* NULL where it is empty */
const Item *queue_next(const Queue *queue, QueueCursor *cursor);

#endif
