/* SPDX-License-Identifier: MIT
 *
 * fold.h - what waits for a slow reader, folded into net changes: one per path (doc/changes.md).
 *
 * Memory goes with the paths that differ from what the reader knows, and no longer with the events.
 */
#ifndef MOONWATCH_STREAM_FOLD_H
#define MOONWATCH_STREAM_FOLD_H

#include "base/filetype.h"
#include "stream/queue.h"
#include "stream/settle.h"

typedef struct Fold {
	bool active;
	Settle settle;
	Queue kept;         /* events that are no changes and must not be lost */
	uint64_t swallowed; /* events since it began */
} Fold;

/* One event of the queue, as settle takes it: 0 or -ENOMEM. */
int fold_feed(Settle *settle, const Item *item);
/* Takes all that is in the queue. 0 or -ENOMEM: something is lost. */
int fold_queue(Fold *fold, Queue *queue);
/* What the index has at a path below the root given, for what is no directory. */
typedef FileType FoldType(
	void *owner, const char *root, size_t root_length, const char *rel, size_t length);
/* Puts what it has come to into the (empty) queue, without time and number: an overflow, what was kept, the changes
 * with an op in `ops`. 0 or -ENOMEM: as before. It is over then. */
int fold_end(Fold *fold, Queue *queue, uint32_t ops, FoldType *type_of, void *owner);
void fold_clear(Fold *fold);
size_t fold_count(const Fold *fold); /* how many changes, about; 0 while it is not active */

#endif
