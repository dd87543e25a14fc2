/* SPDX-License-Identifier: MIT
 *
 * loop.c - one epoll descriptor and one timer heap, shown to libev as one ev_io and one ev_timer.
 *
 *      LoopIo ...    -> epoll descriptor -> ev_io    \
 *      LoopTimer ... -> heap             -> ev_timer  > dispatch -> after (foreign loops only)
 *      LoopJob ...   -> list             -> ev_timer /
 *
 * - libev watches one descriptor, so its own loop is opened with the select backend: it needs no descriptor of its own
 *   and its timeouts are exact to the microsecond, where epoll's and poll's are rounded up to the next millisecond.
 * - The ev_io runs only while an io is started: a foreign loop ends when its program's own work is done.
 * - The ev_timer is counted from libev's own idea of now, which lies in the past: it may fire early, never late. Whoever
 *   is not due yet is simply armed again.
 * - Whoever polls our descriptor from outside is woken by the bell, a timer descriptor among the others, for deadlines too.
 * - A callback may stop or free a later io of the same batch: loop_io_stop strikes it from the batch.
 */
#include "loop/loop.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "os/forked.h"

enum { BATCH = 64 };

/* Long enough not to matter, short enough for every backend. */
static const double far_away = 3600.0;

struct Loop {
	struct ev_loop *ev;
	bool foreign;
	int epoll;
	pid_t owner; /* who opened it */
	ev_io io;
	ev_timer timer;
	size_t ios; /* started */

	LoopTimer **heap; /* heap[1] is the earliest; heap[0] is unused */
	size_t timers, room;
	List jobs;
	List jobs_now; /* those of this turn */

	LoopIo bell;    /* rings at the earliest deadline; fd -1 until someone asks for pollfd */
	double bell_at; /* monotonic seconds; 0: it does not ring, negative: it rings */

	struct epoll_event
		batch[BATCH]; /* being dispatched; data.ptr NULL where the io was stopped meanwhile */
	int batch_at, batch_end;
	int ran; /* callbacks in this turn */

	void (*after)(void *context);
	void *context;
	void *place;
};

void **loop_place(Loop *loop)
{
	return &loop->place;
}

double loop_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --- the heap of deadlines ------------------------------------------------------------------------------------ */

static void heap_place(Loop *loop, LoopTimer *timer, size_t slot)
{
	loop->heap[slot] = timer;
	timer->slot = slot;
}

static void heap_up(Loop *loop, LoopTimer *timer, size_t slot)
{
	for (; slot > 1 && loop->heap[slot / 2]->at > timer->at; slot /= 2)
		heap_place(loop, loop->heap[slot / 2], slot);
	heap_place(loop, timer, slot);
}

static void heap_down(Loop *loop, LoopTimer *timer, size_t slot)
{
	for (size_t child; (child = 2 * slot) <= loop->timers; slot = child) {
		if (child < loop->timers && loop->heap[child + 1]->at < loop->heap[child]->at)
			child++;
		if (timer->at <= loop->heap[child]->at)
			break;
		heap_place(loop, loop->heap[child], slot);
	}
	heap_place(loop, timer, slot);
}

static void heap_settle(Loop *loop, LoopTimer *timer)
{
	if (timer->slot > 1 && loop->heap[timer->slot / 2]->at > timer->at)
		heap_up(loop, timer, timer->slot);
	else
		heap_down(loop, timer, timer->slot);
}

static int heap_grow(Loop *loop)
{
	size_t room = loop->room == 0 ? 16 : loop->room * 2;
	LoopTimer **heap = realloc(loop->heap, (room + 1) * sizeof(LoopTimer *));
	if (heap == NULL)
		return -ENOMEM;
	loop->heap = heap;
	loop->room = room;
	return 0;
}

/* --- what libev sees ------------------------------------------------------------------------------------------ */

double loop_next_timeout(Loop *loop)
{
	if (!list_empty(&loop->jobs))
		return 0;
	if (loop->timers == 0)
		return -1;
	double left = loop->heap[1]->at - loop_now();
	return left > 0 ? left : 0;
}

static void arm(Loop *loop, double timeout)
{
	ev_timer_stop(loop->ev, &loop->timer);
	if (timeout < 0)
		return;
	ev_timer_set(&loop->timer, timeout < far_away ? timeout : far_away, 0.);
	ev_timer_start(loop->ev, &loop->timer);
}

static void ignore_bell(LoopIo *io, uint32_t events)
{
	(void)io, (void)events;
}

/* Negative: for ever, 0: now. */
static void set_bell(Loop *loop, double timeout)
{
	double seconds = timeout < far_away ? timeout : far_away;
	struct itimerspec at = {.it_value.tv_sec = (time_t)seconds};
	at.it_value.tv_nsec = (long)((seconds - (double)at.it_value.tv_sec) * 1e9);
	if (timeout == 0)
		at.it_value.tv_nsec = 1;
	else if (timeout < 0)
		at.it_value = (struct timespec){0};
	timerfd_settime(loop->bell.fd, 0, &at, NULL);
	loop->bell_at = timeout < 0 ? 0 : timeout == 0 ? -1 : loop_now() + seconds;
}

/* Outside of a step, where whoever polls may be asleep already: only what is sooner is news. */
static void hurry_bell(Loop *loop)
{
	double timeout = loop_next_timeout(loop);
	if (timeout < 0 || loop->bell_at < 0)
		return;
	if (loop->bell_at == 0 || loop_now() + timeout < loop->bell_at)
		set_bell(loop, timeout);
}

/* A foreign loop may block at any time, so its timer is always right; our own is armed by loop_step. */
static void deadline_changed(Loop *loop)
{
	if (loop->foreign)
		arm(loop, loop_next_timeout(loop));
	else if (loop->bell.fd >= 0)
		hurry_bell(loop);
}

static void run_due_timers(Loop *loop)
{
	if (loop->timers == 0)
		return;
	double now = loop_now();
	while (loop->timers > 0 && loop->heap[1]->at <= now) {
		LoopTimer *timer = loop->heap[1];
		loop_timer_stop(timer);
		loop->ran++;
		timer->fire(timer);
	}
}

/* Only the jobs that are there now: one that starts itself again runs in the next turn. */
static void run_jobs(Loop *loop)
{
	List *link;
	while ((link = list_pop(&loop->jobs)) != NULL)
		list_append(&loop->jobs_now, link);
	while (!list_empty(&loop->jobs_now)) {
		LoopJob *job = list_item(loop->jobs_now.next, LoopJob, link);
		loop_job_stop(job);
		loop->ran++;
		job->work(job);
	}
}

static void run_ready_ios(Loop *loop)
{
	loop->batch_end = epoll_wait(loop->epoll, loop->batch, BATCH, 0);
	for (loop->batch_at = 0; loop->batch_at < loop->batch_end; loop->batch_at++) {
		struct epoll_event *event = &loop->batch[loop->batch_at];
		LoopIo *io = event->data.ptr;
		if (io == NULL)
			continue;
		loop->ran++;
		io->ready(io, event->events);
	}
	loop->batch_end = 0;
}

static void finish_dispatch(Loop *loop)
{
	if (!loop->foreign)
		return;
	if (loop->after != NULL)
		loop->after(loop->context);
	deadline_changed(loop);
}

static void on_io(struct ev_loop *ev, ev_io *io, int events)
{
	Loop *loop = io->data;
	(void)ev, (void)events;
	run_ready_ios(loop);
	finish_dispatch(loop);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
	Loop *loop = timer->data;
	(void)ev, (void)events;
	if (!loop->foreign)
		return; /* it has ended the wait; loop_step does the rest */
	run_due_timers(loop);
	run_jobs(loop);
	finish_dispatch(loop);
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static struct ev_loop *new_ev_loop(void)
{
	struct ev_loop *ev = ev_loop_new(EVBACKEND_SELECT | EVFLAG_NOENV);
	return ev != NULL ? ev : ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
}

int loop_open(Loop **out, struct ev_loop *foreign)
{
	Loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int error = -errno;
		free(loop);
		return error;
	}
	loop->owner = getpid();
	loop->bell = (LoopIo){.ready = ignore_bell, .fd = -1};
	loop->foreign = foreign != NULL;
	loop->ev = foreign != NULL ? foreign : new_ev_loop();
	if (loop->ev == NULL) {
		close(loop->epoll);
		free(loop);
		return -ENOMEM;
	}
	list_init(&loop->jobs);
	list_init(&loop->jobs_now);
	ev_io_init(&loop->io, on_io, loop->epoll, EV_READ);
	ev_timer_init(&loop->timer, on_timer, 0., 0.);
	loop->io.data = loop->timer.data = loop;
	*out = loop;
	return 0;
}

void loop_close(Loop *loop)
{
	if (loop == NULL)
		return;
	ev_io_stop(loop->ev, &loop->io);
	ev_timer_stop(loop->ev, &loop->timer);
	if (!loop->foreign)
		ev_loop_destroy(loop->ev);
	if (loop->bell.fd >= 0)
		close(loop->bell.fd);
	close(loop->epoll);
	free(loop->heap);
	free(loop);
}

/* --- ios ------------------------------------------------------------------------------------------------------ */

static int enter(Loop *loop, LoopIo *io, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = io};
	if (operation == EPOLL_CTL_DEL && forked_from(loop->owner))
		return 0;
	return epoll_ctl(loop->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

/* epoll knows a descriptor once; for a further io it gets a dup, which is the same open file. */
static int enter_dup(Loop *loop, LoopIo *io, int fd, uint32_t events)
{
	int dup = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (dup < 0)
		return -errno;
	int error = enter(loop, io, EPOLL_CTL_ADD, dup, events);
	if (error < 0)
		close(dup);
	else
		io->polled = dup;
	return error;
}

static int change_io(LoopIo *io, uint32_t events)
{
	int error = io->events == events ? 0 : enter(io->loop, io, EPOLL_CTL_MOD, io->polled, events);
	if (error == 0)
		io->events = events;
	return error;
}

int loop_io_start(Loop *loop, LoopIo *io, int fd, uint32_t events)
{
	if (io->loop == loop && io->fd == fd)
		return change_io(io, events);
	loop_io_stop(io);
	io->polled = fd;
	int error = enter(loop, io, EPOLL_CTL_ADD, fd, events);
	if (error == -EEXIST)
		error = enter_dup(loop, io, fd, events);
	if (error < 0)
		return error;
	io->loop = loop;
	io->fd = fd;
	io->events = events;
	if (loop->ios++ == 0)
		ev_io_start(loop->ev, &loop->io);
	return 0;
}

static void strike_from_batch(Loop *loop, const LoopIo *io)
{
	for (int i = loop->batch_at; i < loop->batch_end; i++)
		if (loop->batch[i].data.ptr == io)
			loop->batch[i].data.ptr = NULL;
}

void loop_io_stop(LoopIo *io)
{
	Loop *loop = io->loop;
	if (loop == NULL)
		return;
	enter(loop, io, EPOLL_CTL_DEL, io->polled, 0);
	if (io->polled != io->fd)
		close(io->polled);
	strike_from_batch(loop, io);
	io->loop = NULL;
	if (--loop->ios == 0)
		ev_io_stop(loop->ev, &loop->io);
}

bool loop_io_is_due(const LoopIo *io)
{
	const Loop *loop = io->loop;
	for (int i = loop != NULL ? loop->batch_at : 0; loop != NULL && i < loop->batch_end; i++) {
		if (loop->batch[i].data.ptr == io)
			return true;
	}
	return false;
}

/* --- timers and jobs ------------------------------------------------------------------------------------------ */

int loop_timer_start(Loop *loop, LoopTimer *timer, double at)
{
	if (timer->loop == NULL) {
		if (loop->timers == loop->room && heap_grow(loop) < 0)
			return -ENOMEM;
		timer->loop = loop;
		timer->at = at;
		heap_up(loop, timer, ++loop->timers);
	} else {
		timer->at = at;
		heap_settle(loop, timer);
	}
	deadline_changed(loop);
	return 0;
}

void loop_timer_stop(LoopTimer *timer)
{
	Loop *loop = timer->loop;
	if (loop == NULL)
		return;
	LoopTimer *last = loop->heap[loop->timers--];
	if (last != timer) {
		heap_place(loop, last, timer->slot);
		heap_settle(loop, last);
	}
	timer->loop = NULL;
	deadline_changed(loop);
}

void loop_job_start(Loop *loop, LoopJob *job)
{
	if (job->loop != NULL)
		return;
	job->loop = loop;
	list_append(&loop->jobs, &job->link);
	deadline_changed(loop);
}

void loop_job_stop(LoopJob *job)
{
	if (job->loop == NULL)
		return;
	list_remove(&job->link);
	job->loop = NULL;
}

/* --- turns ---------------------------------------------------------------------------------------------------- */

static double sooner(double timeout, double next)
{
	if (timeout < 0)
		return next;
	return next >= 0 && next < timeout ? next : timeout;
}

/* The foreign loop dispatches by itself, and runs its own program's callbacks too. A wait for ever still needs a timer,
 * since a loop in which nothing is started does not block. */
static void run_foreign(Loop *loop, double wait)
{
	arm(loop, wait < 0 ? far_away : wait);
	ev_run(loop->ev, wait == 0 ? EVRUN_NOWAIT : EVRUN_ONCE);
	deadline_changed(loop);
}

/* `ev_run` counts a timer from its own last look at the clock. */
static void run_own(Loop *loop, double wait)
{
	if (wait != 0) {
		ev_now_update(loop->ev);
		arm(loop, wait);
	}
	ev_run(loop->ev, wait == 0 ? EVRUN_NOWAIT : EVRUN_ONCE);
	run_due_timers(loop);
	run_jobs(loop);
	if (loop->bell.fd >= 0)
		set_bell(loop, loop_next_timeout(loop));
}

int loop_step(Loop *loop, double timeout)
{
	double wait = sooner(timeout, loop_next_timeout(loop));
	loop->ran = 0;
	if (loop->foreign)
		run_foreign(loop, wait);
	else
		run_own(loop, wait);
	return loop->ran;
}

/* Not among the ios that are counted: it makes no work of its own. Without it deadlines are told by loop_next_timeout. */
static void open_bell(Loop *loop)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return;
	loop->bell.fd = fd;
	if (enter(loop, &loop->bell, EPOLL_CTL_ADD, fd, EPOLLIN) == 0) {
		set_bell(loop, loop_next_timeout(loop));
		return;
	}
	close(fd);
	loop->bell.fd = -1;
}

int loop_pollfd(Loop *loop)
{
	if (loop->bell.fd < 0 && !loop->foreign)
		open_bell(loop);
	return loop->epoll;
}

bool loop_is_idle(Loop *loop)
{
	return loop->ios == 0 && loop->timers == 0 && list_empty(&loop->jobs);
}

bool loop_is_foreign(const Loop *loop)
{
	return loop->foreign;
}

void loop_set_after(Loop *loop, void (*after)(void *context), void *context)
{
	loop->after = after;
	loop->context = context;
}
