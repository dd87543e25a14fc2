/* SPDX-License-Identifier: MIT
 *
 * loop.h - when: descriptors, deadlines and work for later, on top of one libev loop.
 *
 * All descriptors are entered in one epoll descriptor, all deadlines in one heap. libev sees a single ev_io and a
 * single ev_timer, a foreign loop sees loop_pollfd() and loop_next_timeout(); all three lead to the same dispatch.
 * Callbacks run C only and may start and stop any io, timer or job, themselves included; they must not free the loop.
 */
#ifndef MOONWATCH_LOOP_LOOP_H
#define MOONWATCH_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct ev_loop;
typedef struct Loop Loop;
typedef struct LoopIo LoopIo;
typedef struct LoopTimer LoopTimer;
typedef struct LoopJob LoopJob;

/* A descriptor that is looked at. Embedded in its owner; zero it, then start. Level-triggered. Several ios may look at
 * one descriptor (the further ones look at a dup of it). A regular file cannot be looked at: -EPERM. */
struct LoopIo {
	void (*ready)(LoopIo *io, uint32_t events); /* EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP */
	Loop *loop;                                 /* NULL while stopped */
	int fd;
	uint32_t events;
	int polled; /* private: what is entered in epoll, `fd` or a dup of it */
};

/* A deadline. Embedded in its owner; zero it, set `fire`, then start. Fires once. */
struct LoopTimer {
	void (*fire)(LoopTimer *timer);
	Loop *loop; /* NULL while stopped */
	double at;  /* monotonic seconds */
	size_t slot;
};

/* Work to be done in this or the next turn without waiting in between (a slice of a scan). Runs once per start. */
struct LoopJob {
	void (*work)(LoopJob *job);
	Loop *loop; /* NULL while stopped */
	List link;
};

/* A loop of our own (foreign NULL) or one that lives in the embedding program's. *out is untouched on failure.
 * Returns 0 or a negative errno. */
int loop_open(Loop **out, struct ev_loop *foreign);
void loop_close(Loop *loop); /* NULL is fine; every io, timer and job must be stopped */

double loop_now(void); /* CLOCK_MONOTONIC in seconds, read afresh */

int loop_io_start(
	Loop *loop, LoopIo *io, int fd, uint32_t events); /* 0 or -errno; again: changes the events */
void loop_io_stop(LoopIo *io);                        /* before the descriptor is closed */
bool loop_io_is_due(const LoopIo *io); /* found ready in this turn, and not called yet */
int loop_timer_start(Loop *loop, LoopTimer *timer, double at); /* 0 or -ENOMEM; again: moves it */
void loop_timer_stop(LoopTimer *timer);
void loop_job_start(Loop *loop, LoopJob *job);
void loop_job_stop(LoopJob *job);

/* One turn: waits at most `timeout` seconds (negative: for ever) unless a job or a due timer is there, then runs what
 * is ready. Never longer than one dispatch; does not wait where nothing is started. Returns how many callbacks ran, or a negative errno. */
int loop_step(Loop *loop, double timeout);
double loop_next_timeout(
	Loop *loop); /* seconds until loop_step has work without a descriptor; negative: none */
int loop_pollfd(
	Loop *loop); /* readable when loop_step has work, deadlines included; owned by the loop */
/* A place for the one thing that this layer keeps per loop (watch.c); NULL at first. */
void **loop_place(Loop *loop);
bool loop_is_idle(Loop *loop); /* nothing is started: waiting would be for ever */

/* In a foreign loop nobody calls loop_step: `after` is then called at the end of each dispatch, so that whoever was made
 * ready can be served. It may do what callbacks may, and call loop_step. Our own loop never calls it. */
bool loop_is_foreign(const Loop *loop);
void loop_set_after(Loop *loop, void (*after)(void *context), void *context);

#endif
