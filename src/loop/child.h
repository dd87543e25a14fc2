/* SPDX-License-Identifier: MIT
 *
 * child.h - one process under supervision: its end, its time limit, its orderly stop.
 *
 *     running ----------------------------------------------> ended     (what it left in the background is left alone)
 *        | stop, time limit
 *     stopping: stop signal to the group, wait for all of it -> ended
 *        | grace is over
 *     killed: KILL to the group, wait for all of it ----------> ended
 */
#ifndef MOONWATCH_LOOP_CHILD_H
#define MOONWATCH_LOOP_CHILD_H

#include <stdbool.h>

#include "loop/loop.h"
#include "os/spawn.h"

typedef struct Child Child;

typedef enum ChildState {
	CHILD_NONE,
	CHILD_RUNNING,
	CHILD_STOPPING,
	CHILD_KILLED,
	CHILD_ENDED,
} ChildState;

/* Embedded in its owner; zero it, set `ended`, `stop_signal` and `grace`, then start. */
struct Child {
	void (*ended)(Child *child); /* called once, from the loop; the child may be cleared in it */
	int stop_signal;
	double grace; /* seconds between the stop signal and KILL where the time limit is exceeded */
	Process process;
	ChildState state;
	bool timed_out;
	int status; /* as waitpid gives it */
	int error;  /* -ECHILD: someone else has taken the status; else 0 */
	double started_at, ended_at;
	double deadline; /* once it is being stopped: until when it may take for that */
	/* private */
	Loop *loop;
	LoopIo io;
	LoopTimer timer; /* running: the time limit; stopping: the end of the grace or the next look */
	double pause;    /* between two looks */
	bool leader_ended;
};

/* Starts the process. timeout: seconds until it is stopped, negative: none. Returns 0 or a negative errno; then
 * *failed tells the step, and nothing runs. */
int child_start(Loop *loop, Child *child, const Spawn *spawn, double timeout, SpawnStep *failed);

/* A signal to the whole group; -ESRCH where it has ended. */
int child_signal(Child *child, int number);

/* A signal to the process alone; -ESRCH where it has ended, noticed or not. */
int child_signal_leader(Child *child, int number);

/* Stops the group in an orderly way; `ended` is called when nothing of it is left. Again: a shorter grace counts. */
void child_stop(Child *child, double grace);

/* The same for those whose loop does not turn any more: waits for it, at most `grace` seconds and a moment. */
void child_stop_now(Child *child);

bool child_was_stopped(const Child *child); /* it did not come to its end by itself */

void child_clear(Child *child); /* forgets the process, running or not; a zeroed one is fine */

#endif
