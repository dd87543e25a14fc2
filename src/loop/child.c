/* SPDX-License-Identifier: MIT
 *
 * child.c - one process under supervision.
 *
 * While a group is being stopped its end is more than the leader's: a shell dies of TERM at once, the server that it
 * started needs a moment. So the group is looked at until nothing of it lives. Nothing tells when that is, so it is
 * asked with growing pauses; where the kernel can signal a group whose leader is gone, the leader is reaped first and
 * the first look is usually the last one.
 */
#include "loop/child.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

#include "os/forked.h"

static const double FIRST_PAUSE = 0.001, LONGEST_PAUSE = 0.05;
static const double FAR_AWAY = 1e9;
static const double KILLED_FOR =
	1; /* seconds in which the killed must be gone; what hangs in a driver is left */

/* False where the kernel holds it back from us for now: a debugger on the child sees it first. */
static bool take_status(Child *child)
{
	if (child->process.reaped)
		return true;
	int taken = spawn_reap(&child->process, &child->status);
	if (taken < 0)
		child->error = taken;
	return taken != 0;
}

/* The timer never stops from start to end, so that moving it needs no memory. */
static void look_later(Child *child)
{
	double at = loop_now() + child->pause;
	child->pause = fmin(child->pause * 2, LONGEST_PAUSE);
	loop_timer_start(child->loop, &child->timer, at);
}

static void finish(Child *child)
{
	if (!take_status(child)) {
		look_later(child);
		return;
	}
	loop_timer_stop(&child->timer);
	spawn_clear(&child->process);
	child->state = CHILD_ENDED;
	child->ended_at = loop_now();
	child->ended(child);
}

static void enter(Child *child, ChildState state, double seconds)
{
	child->state = state;
	child->deadline = loop_now() + seconds;
	child->pause = FIRST_PAUSE;
}

static void kill_group(Child *child)
{
	spawn_signal_all(&child->process, SIGKILL);
	enter(child, CHILD_KILLED, KILLED_FOR);
}

/* Who is stopped by job control cannot act on a stop signal. */
static void ask_to_stop(Child *child, double grace)
{
	spawn_signal_all(&child->process, child->stop_signal);
	spawn_signal(&child->process, SIGCONT);
	enter(child, CHILD_STOPPING, grace);
}

/* To be asked once the leader has ended. */
static bool group_is_gone(Child *child)
{
	if (spawn_outlives_reaping(&child->process) && !take_status(child))
		return false;
	return !spawn_group_lives(&child->process);
}

/* The leader has ended in a group that is to be stopped. */
static void look_at_group(Child *child)
{
	bool is_late = loop_now() >= child->deadline;
	if (group_is_gone(child) || (is_late && child->state == CHILD_KILLED)) {
		finish(child);
		return;
	}
	if (is_late)
		kill_group(child);
	look_later(child);
}

static void on_end(LoopIo *io, uint32_t events)
{
	Child *child = list_item(io, Child, io);
	(void)events;
	loop_io_stop(&child->io);
	child->leader_ended = true;
	if (child->state == CHILD_RUNNING) {
		finish(child);
		return;
	}
	if (child->state == CHILD_KILLED)
		enter(child, CHILD_KILLED, KILLED_FOR);
	look_at_group(child);
}

static void on_timer(LoopTimer *timer)
{
	Child *child = list_item(timer, Child, timer);
	if (child->leader_ended && child->state == CHILD_RUNNING) {
		finish(child);
	} else if (child->leader_ended) {
		look_at_group(child);
	} else if (child->state == CHILD_RUNNING) {
		child->timed_out = true;
		child_stop(child, child->grace);
	} else {
		kill_group(child);
		loop_timer_start(child->loop, &child->timer, child->deadline);
	}
}

static int watch(Child *child, double timeout)
{
	child->io.ready = on_end;
	child->timer.fire = on_timer;
	int error = loop_timer_start(
		child->loop, &child->timer, child->started_at + (timeout >= 0 ? timeout : FAR_AWAY));
	if (error == 0)
		error = loop_io_start(child->loop, &child->io, child->process.pidfd, EPOLLIN);
	return error;
}

int child_start(Loop *loop, Child *child, const Spawn *spawn, double timeout, SpawnStep *failed)
{
	child->loop = loop;
	child->started_at = loop_now();
	int error = spawn_start(spawn, &child->process, failed);
	if (error < 0)
		return error;
	child->state = CHILD_RUNNING;
	error = watch(child, timeout);
	if (error < 0) {
		*failed = SPAWN_PREPARE;
		child->grace = 0;
		child_stop_now(child);
		child_clear(child);
	}
	return error;
}

int child_signal(Child *child, int number)
{
	if (child->state == CHILD_NONE || child->state == CHILD_ENDED || child->leader_ended)
		return -ESRCH;
	return spawn_signal(&child->process, number);
}

int child_signal_leader(Child *child, int number)
{
	if (child->state == CHILD_NONE || child->state == CHILD_ENDED || child->leader_ended)
		return -ESRCH;
	return spawn_signal_leader(&child->process, number);
}

void child_stop(Child *child, double grace)
{
	if (child->state != CHILD_RUNNING && child->state != CHILD_STOPPING)
		return;
	if (grace <= 0)
		kill_group(child);
	else if (child->state == CHILD_RUNNING)
		ask_to_stop(child, grace);
	else
		child->deadline = fmin(child->deadline, loop_now() + grace);
	if (child->leader_ended)
		look_later(child);
	else
		loop_timer_start(child->loop, &child->timer, child->deadline);
}

/* Waits a moment, or until the leader has ended. */
static void wait_here(Child *child)
{
	struct pollfd leader = {
		.fd = child->leader_ended ? -1 : child->process.pidfd, .events = POLLIN};
	if (poll(&leader, 1, (int)ceil(child->pause * 1000)) > 0)
		child->leader_ended = true;
	child->pause = fmin(child->pause * 2, LONGEST_PAUSE);
}

static void stop_and_wait(Child *child)
{
	child_stop(child, child->grace);
	while (!child->leader_ended || !group_is_gone(child)) {
		if (loop_now() >= child->deadline) {
			if (child->state == CHILD_KILLED)
				break;
			kill_group(child);
		}
		wait_here(child);
	}
	take_status(child);
}

void child_stop_now(Child *child)
{
	if (child->state == CHILD_NONE || child->state == CHILD_ENDED)
		return;
	if (!forked_from(child->process.owner))
		stop_and_wait(child);
	spawn_clear(&child->process);
	child->state = CHILD_ENDED;
}

bool child_was_stopped(const Child *child)
{
	return child->deadline > 0;
}

void child_clear(Child *child)
{
	if (child->state == CHILD_NONE)
		return;
	loop_io_stop(&child->io);
	loop_timer_stop(&child->timer);
	spawn_clear(&child->process);
	child->state = CHILD_NONE;
}
