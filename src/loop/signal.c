/* SPDX-License-Identifier: MIT
 *
 * signal.c - signals as sources of a loop.
 *
 * ev_signal aborts the process when a second loop asks for the same signal, and the default loop alone takes SIGCHLD; so
 * neither is used. The handler counts, and writes to the eventfd of the loop that has the signal; nothing else is touched
 * in it. The tables are the one thing here that all loops of a process share.
 */
#include "loop/signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One loop's signals; lives while it has any. */
struct SignalSet {
	Loop *loop;
	int eventfd;
	LoopIo io;
	size_t watched;
	List signals; /* of LoopSignal.link */
	List link;    /* in sets */
};

/* One signal number. */
typedef struct Slot {
	SignalSet *set; /* whose it is; NULL free */
	size_t uses;
	struct sigaction before;
} Slot;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static List sets = {&sets, &sets};
static Slot slots[NSIG];
static atomic_uint raised[NSIG];
static atomic_int eventfds[NSIG]; /* descriptor + 1; 0 none */

static void on_signal(int number)
{
	static const uint64_t one = 1;
	int error = errno, fd = atomic_load(&eventfds[number]) - 1;
	atomic_fetch_add(&raised[number], 1);
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		errno = error; /* full: it is readable already */
	errno = error;
}

/* --- the set of a loop ---------------------------------------------------------------------------------------- */

static bool has_news(const LoopSignal *signal)
{
	return signal->watched && atomic_load(&raised[signal->number]) != signal->seen;
}

/* `fire` may stop the signal that it is called for, no other. */
static void on_eventfd(LoopIo *io, uint32_t events)
{
	SignalSet *set = list_item(io, SignalSet, io);
	uint64_t count;
	(void)events;
	if (read(set->eventfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	for (List *link = set->signals.next, *next; link != &set->signals; link = next) {
		LoopSignal *signal = list_item(link, LoopSignal, link);
		next = link->next;
		if (has_news(signal))
			signal->fire(signal);
	}
}

static SignalSet *find_set(const Loop *loop)
{
	for (List *link = sets.next; link != &sets; link = link->next)
		if (list_item(link, SignalSet, link)->loop == loop)
			return list_item(link, SignalSet, link);
	return NULL;
}

static int get_set(Loop *loop, SignalSet **out)
{
	if ((*out = find_set(loop)) != NULL)
		return 0;
	SignalSet *set = calloc(1, sizeof(*set));
	if (set == NULL)
		return -ENOMEM;
	set->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (set->eventfd < 0) {
		int error = -errno;
		free(set);
		return error;
	}
	set->loop = loop;
	set->io.ready = on_eventfd;
	list_init(&set->signals);
	list_append(&sets, &set->link);
	*out = set;
	return 0;
}

static void release_set(SignalSet *set)
{
	if (!list_empty(&set->signals))
		return;
	loop_io_stop(&set->io);
	list_remove(&set->link);
	close(set->eventfd);
	free(set);
}

/* --- dispositions --------------------------------------------------------------------------------------------- */

/* A handler that returns from a fault of the program's own would meet it again, for ever. */
static bool is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
		number == SIGTRAP;
}

static int occupy(Slot *slot, SignalSet *set, int number)
{
	struct sigaction action;
	if (slot->set != NULL && slot->set != set)
		return -EBUSY;
	if (slot->uses == 0) {
		memset(&action, 0, sizeof(action));
		action.sa_handler = on_signal;
		action.sa_flags = SA_RESTART;
		sigfillset(&action.sa_mask);
		atomic_store(&eventfds[number], set->eventfd + 1);
		if (sigaction(number, &action, &slot->before) < 0) {
			atomic_store(&eventfds[number], 0);
			return -EINVAL;
		}
	}
	slot->set = set;
	slot->uses++;
	return 0;
}

/* Whoever has put his own handler over ours meanwhile keeps it. */
static void vacate(Slot *slot, int number)
{
	struct sigaction now;
	if (--slot->uses > 0)
		return;
	if (sigaction(number, NULL, &now) == 0 && now.sa_handler == on_signal)
		sigaction(number, &slot->before, NULL);
	atomic_store(&eventfds[number], 0);
	slot->set = NULL;
}

/* --- public --------------------------------------------------------------------------------------------------- */

static int start_locked(Loop *loop, LoopSignal *signal, int number)
{
	SignalSet *set;
	int error = get_set(loop, &set);
	if (error < 0)
		return error;
	error = occupy(&slots[number], set, number);
	if (error < 0) {
		release_set(set);
		return error;
	}
	signal->set = set;
	signal->number = number;
	signal->seen = atomic_load(&raised[number]);
	signal->watched = false;
	list_append(&set->signals, &signal->link);
	return 0;
}

int loop_signal_start(Loop *loop, LoopSignal *signal, int number)
{
	if (number <= 0 || number >= NSIG || is_fault(number))
		return -EINVAL;
	pthread_mutex_lock(&lock);
	int error = start_locked(loop, signal, number);
	pthread_mutex_unlock(&lock);
	return error;
}

void loop_signal_stop(LoopSignal *signal)
{
	if (signal->set == NULL)
		return;
	loop_signal_watch(signal, false);
	pthread_mutex_lock(&lock);
	list_remove(&signal->link);
	vacate(&slots[signal->number], signal->number);
	release_set(signal->set);
	signal->set = NULL;
	pthread_mutex_unlock(&lock);
}

int loop_signal_watch(LoopSignal *signal, bool on)
{
	SignalSet *set = signal->set;
	if (set == NULL || signal->watched == on)
		return 0;
	if (!on) {
		signal->watched = false;
		if (--set->watched == 0)
			loop_io_stop(&set->io);
		return 0;
	}
	int error = loop_io_start(set->loop, &set->io, set->eventfd, EPOLLIN);
	if (error < 0)
		return error;
	signal->watched = true;
	set->watched++;
	return 0;
}

unsigned loop_signal_take(LoopSignal *signal)
{
	unsigned now = atomic_load(&raised[signal->number]), count = now - signal->seen;
	signal->seen = now;
	return count;
}
