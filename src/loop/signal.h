/* SPDX-License-Identifier: MIT
 *
 * signal.h - signals as sources of a loop: an own sigaction, and one eventfd per loop.
 *
 * A signal belongs to one loop of the process at a time; within it any number of LoopSignals may take it, and each sees
 * every raise. The disposition of before comes back when the last one stops. Raises are counted from loop_signal_start
 * on, whether the loop looks or not.
 */
#ifndef MOONWATCH_LOOP_SIGNAL_H
#define MOONWATCH_LOOP_SIGNAL_H

#include "loop/loop.h"

typedef struct LoopSignal LoopSignal;
typedef struct SignalSet SignalSet;

/* Embedded in its owner; zero it, set `fire`, then start. */
struct LoopSignal {
	/* Raised since the last take; called only while watched. May stop this signal, no other. */
	void (*fire)(LoopSignal *signal);
	int number;
	unsigned seen;
	bool watched;
	SignalSet *set; /* NULL while stopped */
	List link;
};

/* 0, -EBUSY where another loop has the signal, -EINVAL where it cannot be caught, or another negative errno. */
int loop_signal_start(Loop *loop, LoopSignal *signal, int number);
void loop_signal_stop(LoopSignal *signal);
/* While watched the loop looks at the eventfd and calls `fire`. 0 or a negative errno. */
int loop_signal_watch(LoopSignal *signal, bool on);
/* How often it was raised since the last call (signals that are raised together may count as one). */
unsigned loop_signal_take(LoopSignal *signal);

#endif
