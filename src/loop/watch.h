/* SPDX-License-Identifier: MIT
 *
 * watch.h - a watcher in the loop: a tree, a view of it, and the hub that all watchers of one loop share.
 *
 * Watchers that would have the same tree may share it (watch_share).
 *
 * The hub's descriptor, its deadlines and the slices of scans are entered in the loop while a watcher is open. A step
 * reads one buffer of records, hands them on and scans for a few milliseconds; nothing blocks.
 */
#ifndef MOONWATCH_LOOP_WATCH_H
#define MOONWATCH_LOOP_WATCH_H

#include "loop/loop.h"
#include "stream/fan.h"

typedef struct Watch Watch;
typedef struct Shared Shared;

/* Embedded in its owner; zero it, set `changed`, then open. */
struct Watch {
	void (*changed)(
		Watch *watch); /* after a step: events may be there, a barrier may have been reached */
	double
		latency; /* seconds a read may be held back in a steady stream; to be set before opening */
	Loop *loop;
	Shared *shared; /* NULL while closed */
	Tree *tree;
	Fan *fan; /* whose tree it is, where that may be shared; else NULL */
	View view;
	List link;
	List stirring; /* `changed` is called after the next step */
};

/* A moment in the stream of records: all that happened before watch_mark. */
typedef struct WatchMark {
	uint64_t position;
} WatchMark;

int watch_open(Watch *watch, Loop *loop, const TreeOptions *tree,
	const ViewOptions *view); /* takes the patterns */
/* After all roots were added and before anything else: from now on the tree is shared with others that have the same
 * roots and options, if that can be (fan.h). Roots cannot be added or removed then. */
void watch_share(Watch *watch);
void watch_close(Watch *watch); /* fine when closed */
/* What is there right now is read, without waiting. */
void watch_look(Watch *watch);
/* Is a step under way further up the stack? Nothing may be done with any watch of the loop then. */
bool watch_is_stepping(const Watch *watch);
/* Says so (or not) of what its owner does outside of a step; what was said before. */
bool watch_hold(Watch *watch, bool holds);
/* `changed` is called after the next step in any case. */
void watch_stir(Watch *watch);
WatchMark watch_mark(Watch *watch);
bool watch_reached(Watch *watch, WatchMark mark);
/* From now on changes below the roots that it has now are told. */
void watch_set_ready(Watch *watch);
/* When watch_look has something to do without a record, which may be now; 0: never. */
double watch_deadline(const Watch *watch);

#endif
