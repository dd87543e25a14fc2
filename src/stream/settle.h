/* SPDX-License-Identifier: MIT
 *
 * settle.h - net changes: what a burst of events comes down to, once it is over.
 *
 * Feed it the events of one watcher in their order and the time; ask for the deadline; when that has come, take a
 * batch. A batch, applied in its order to the tree before, gives the tree as it is (doc/changes.md has the algebra).
 *
 *     settle_init(&settle, &options);
 *     settle_feed(&settle, &event, now);          for each event
 *     settle_deadline(&settle);                   INFINITY: nothing is pending
 *     settle_take(&settle, now, &batch);          when the deadline has passed
 *     settle_merge(&settle, &batch);              where the batch could not be handled
 *     settle_clear(&settle);
 *
 * No clock, no disk, no loop, no Lua. Whether a file still has a writer is asked through a function that the owner
 * hands in, and only in `complete` mode.
 */
#ifndef MOONWATCH_STREAM_SETTLE_H
#define MOONWATCH_STREAM_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/eventop.h"
#include "stream/batch.h"
#include "stream/netting.h"
#include "stream/overlay.h"

/* Answers of the function that is asked about writers. With WRITER_UNSURE it gives a signature: what was found by
 * looking is whole when that stays the same for two seconds. With WRITER_UNKNOWN (the file cannot be looked at) what
 * has been told decides. */
enum { WRITER_NONE, WRITER_AT_WORK, WRITER_UNSURE, WRITER_UNKNOWN };

typedef struct SettleOptions {
	double settle, max_wait; /* seconds of quiet; seconds at the most */
	double complete;         /* < 0: off; else seconds to wait for a writer, INFINITY: for ever */
	bool each;               /* both times count per path, and each path is told by itself */
	uint32_t ops;            /* SETTLE_OP bits of the changes that are given; 0: all */
	/* Has the file at `path` (NUL-terminated) a writer? May be NULL: always unknown. */
	int (*writer)(void *asker, const char *path, uint64_t *signature);
	void *asker;
} SettleOptions;

#define SETTLE_OP(op) (1u << (op))

typedef struct SettleEvent {
	PathRef path, from; /* from: moves only */
	uint8_t op;         /* EventOp; those that change nothing are ignored */
	uint8_t type;       /* FileType; TYPE_UNKNOWN is no directory */
	uint8_t replaced;   /* FileType; 0 none */
	bool exchange, synthetic;
	bool moved; /* a create by moving in: whole from the start */
	bool whole; /* a delete of a directory that was not empty: moved out, or found missing */
} SettleEvent;

typedef struct Settle {
	Overlay overlay;
	SettleOptions options;
	double opened, last; /* the window: first and last event; opened INFINITY: nothing happened */
	double now;          /* the time of the take under way */
	double next_ask;     /* when something held wants to be looked at, or earlier; INFINITY never */
	bool ripe;           /* something was put back that has had its time */
} Settle;

void settle_init(Settle *settle, const SettleOptions *options);
void settle_clear(Settle *settle);

/* 0; or -ENOMEM: the event is lost, and only a rescan makes the changes right again. */
int settle_feed(Settle *settle, const SettleEvent *event, double now);
double settle_deadline(const Settle *settle); /* may have passed already; INFINITY: none */
/* Appends what is due to the batch: how many changes, 0 where nothing is due, or -ENOMEM. */
int settle_take(Settle *settle, double now, Batch *batch);
/* Appends all that is pending, due, held or not. Count or -ENOMEM. */
int settle_drain(Settle *settle, Batch *batch);
size_t settle_pending(const Settle *settle); /* names that differ */

/* Puts back a batch (or the end of one) that came from settle_take before whatever has been fed since: both become
 * one, as if it had never been taken. Changes whose times are -INFINITY are due at once, unless the window is open.
 * 0; or -ENOMEM, as in settle_feed. */
int settle_merge(Settle *settle, const Batch *batch);

#endif
