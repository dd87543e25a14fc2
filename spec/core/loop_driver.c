/* SPDX-License-Identifier: MIT
 *
 * loop_driver.c - shows loop_spec.lua what the loop does with descriptors, deadlines, jobs and signals.
 *
 *     loop_driver SITUATION
 */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/signal.h"

static Loop *loop;
static int ends[2]; /* of a pipe */

static void put(const char *text)
{
	if (write(ends[1], text, strlen(text)) < 0)
		perror("write");
}

/* --- descriptors ---------------------------------------------------------------------------------------------- */

static LoopIo first, second;

static void take_byte(LoopIo *io, uint32_t events)
{
	char byte = '?';
	if (read(io->fd, &byte, 1) < 0)
		byte = '-';
	printf("%s %c%s\n", io == &first ? "first" : "second", byte, events & EPOLLHUP ? " hup" : "");
}

static void stop_both(LoopIo *io, uint32_t events)
{
	(void)events;
	printf("%s stops both\n", io == &first ? "first" : "second");
	loop_io_stop(&first);
	loop_io_stop(&second);
}

static void show_io(void)
{
	first.ready = take_byte;
	printf("start %d\n", loop_io_start(loop, &first, ends[0], EPOLLIN));
	printf("nothing %d\n", loop_step(loop, 0));
	put("ab");
	loop_step(loop, -1);
	loop_step(loop, 0);
	printf("again %d\n", loop_io_start(loop, &first, ends[0], 0));
	put("c");
	printf("muted %d\n", loop_step(loop, 0));
	loop_io_start(loop, &first, ends[0], EPOLLIN);
	loop_step(loop, -1);
	loop_io_stop(&first);
	loop_io_stop(&first);
	printf("idle %d\n", loop_is_idle(loop));
}

static void show_twice(void)
{
	first.ready = second.ready = stop_both;
	loop_io_start(loop, &first, ends[0], EPOLLIN);
	printf("second %d\n", loop_io_start(loop, &second, ends[0], EPOLLIN));
	put("x");
	printf("ran %d\n", loop_step(loop, -1));
	printf("then %d\n", loop_step(loop, 0));
}

static void show_refused(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	printf("file %s\n", strerror(-loop_io_start(loop, &first, fd, EPOLLIN)));
	close(fd);
	printf("closed %s\n", strerror(-loop_io_start(loop, &first, fd, EPOLLIN)));
	printf("idle %d\n", loop_is_idle(loop));
}

/* More descriptors than FD_SETSIZE. */
static void show_many(void)
{
	struct rlimit limit = {4096, 4096};
	setrlimit(RLIMIT_NOFILE, &limit);
	while (dup(ends[0]) < 2000)
		;
	Loop *before = loop;
	int error = loop_open(&loop, NULL);
	loop_close(before);
	printf("open %d, above 1024: %d\n", error, loop_pollfd(loop) > 1024);
	show_io();
}

/* --- deadlines and jobs --------------------------------------------------------------------------------------- */

enum { TIMERS = 2000 };

static LoopTimer timers[TIMERS];
static double last;
static int fired, disordered, early;

static void fire(LoopTimer *timer)
{
	fired++;
	disordered += timer->at < last;
	early += loop_now() < timer->at;
	last = timer->at;
	if (fired == 1)
		for (int i = 0; i < TIMERS; i += 2)
			loop_timer_stop(&timers[i]);
}

static void show_timers(void)
{
	double now = loop_now();
	srand(1);
	for (int i = 0; i < TIMERS; i++) {
		timers[i].fire = fire;
		loop_timer_start(loop, &timers[i], now + 1000);
		loop_timer_start(loop, &timers[i], now + 0.01 + rand() % 1000 * 1e-5);
	}
	while (!loop_is_idle(loop))
		loop_step(loop, -1);
	printf("half %d disordered %d early %d\n", fired >= TIMERS / 2 && fired <= TIMERS / 2 + 1,
		disordered, early);
}

static LoopJob job, other;
static int jobs_done;

static void work(LoopJob *self)
{
	printf("%s %d\n", self == &job ? "job" : "other", ++jobs_done);
	if (jobs_done < 4)
		loop_job_start(loop, self);
	loop_job_stop(&other);
}

static void show_jobs(void)
{
	job.work = other.work = work;
	loop_job_start(loop, &job);
	loop_job_start(loop, &job);
	loop_job_start(loop, &other);
	printf("timeout %g\n", loop_next_timeout(loop));
	while (!loop_is_idle(loop))
		printf("turn %d\n", loop_step(loop, -1));
	printf("timeout %g\n", loop_next_timeout(loop));
}

/* --- polled from outside --------------------------------------------------------------------------------------- */

static bool is_readable(int milliseconds)
{
	struct pollfd poller = {.fd = loop_pollfd(loop), .events = POLLIN};
	return poll(&poller, 1, milliseconds) == 1;
}

static void do_nothing(LoopJob *self)
{
	(void)self;
}

static void tick(LoopTimer *timer)
{
	(void)timer;
	printf("tick\n");
}

static void show_polled(void)
{
	static const int long_enough = 10000;
	printf("quiet %d\n", is_readable(0));
	timers[0].fire = tick;
	loop_timer_start(loop, &timers[0], loop_now() + 1000);
	loop_timer_start(loop, &timers[0], loop_now() + 0.01);
	while (!loop_is_idle(loop)) {
		is_readable(long_enough);
		loop_step(loop, 0);
	}
	printf("quiet %d\n", is_readable(0));
	job.work = do_nothing;
	loop_job_start(loop, &job);
	printf("job %d\n", is_readable(0));
	loop_step(loop, 0);
	printf("quiet %d idle %d\n", is_readable(0), loop_is_idle(loop));
}

/* --- a foreign loop ------------------------------------------------------------------------------------------- */

static void after(void *context)
{
	printf("after %s\n", (const char *)context);
}

static void say(LoopTimer *timer)
{
	(void)timer;
	printf("timer\n");
	put("x");
}

static void read_and_stop(LoopIo *io, uint32_t events)
{
	take_byte(io, events);
	loop_io_stop(io);
}

static void say_job(LoopJob *self)
{
	(void)self;
	printf("job\n");
	loop_timer_start(loop, &timers[0], loop_now() + 0.01);
}

static void show_foreign(void)
{
	struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
	loop_close(loop);
	loop_open(&loop, ev);
	loop_set_after(loop, after, "dispatch");
	timers[0].fire = say;
	first.ready = read_and_stop;
	job.work = say_job;
	loop_io_start(loop, &first, ends[0], EPOLLIN);
	loop_job_start(loop, &job);
	ev_run(ev, 0);
	printf("ended, idle %d\n", loop_is_idle(loop));
	loop_close(loop);
	loop = NULL;
	ev_loop_destroy(ev);
}

/* --- signals -------------------------------------------------------------------------------------------------- */

static LoopSignal a, b;

static void raised(LoopSignal *self)
{
	printf("%s %u\n", self == &a ? "a" : "b", loop_signal_take(self));
}

static void show_signals(void)
{
	Loop *rival;
	loop_open(&rival, NULL);
	a.fire = b.fire = raised;
	printf(
		"a %d b %d\n", loop_signal_start(loop, &a, SIGUSR1), loop_signal_start(loop, &b, SIGUSR1));
	LoopSignal stranger = {0};
	printf("rival %s\n", strerror(-loop_signal_start(rival, &stranger, SIGUSR1)));
	loop_signal_watch(&a, true);
	raise(SIGUSR1);
	raise(SIGUSR1);
	loop_step(loop, -1);
	printf("b takes %u\n", loop_signal_take(&b));
	printf("a takes %u\n", loop_signal_take(&a));
	loop_signal_stop(&a);
	loop_signal_stop(&b);
	printf("rival %d\n", loop_signal_start(rival, &stranger, SIGUSR1));
	loop_signal_stop(&stranger);
	struct sigaction now;
	sigaction(SIGUSR1, NULL, &now);
	printf("default %d\n", now.sa_handler == SIG_DFL);
	loop_close(rival);
}

typedef struct Situation {
	const char *name;
	void (*show)(void);
} Situation;

static const Situation situations[] = {{"io", show_io}, {"twice", show_twice},
	{"refused", show_refused}, {"many", show_many}, {"timers", show_timers}, {"jobs", show_jobs},
	{"polled", show_polled}, {"foreign", show_foreign}, {"signals", show_signals}, {NULL, NULL}};

int main(int argc, char **argv)
{
	if (argc != 2 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 || loop_open(&loop, NULL) < 0)
		return 2;
	for (const Situation *situation = situations; situation->name != NULL; situation++)
		if (strcmp(situation->name, argv[1]) == 0)
			situation->show();
	loop_close(loop);
	return 0;
}
