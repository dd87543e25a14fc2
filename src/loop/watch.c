/* SPDX-License-Identifier: MIT
 *
 * watch.c - watchers in the loop.
 */
#include "loop/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "os/mounts.h"
#include "tree/hub.h"

#define SLICE 0.005 /* seconds of scanning between two looks at everything else */

struct Shared {
	Loop *loop;
	Hub *hub;
	List watches;
	size_t count;  /* of them */
	List stirring; /* those whose owners are to be told after the next step */
	List fans;     /* trees that may have several watches */
	bool stale;    /* some of them are */
	bool stepping;
	bool abandoned;  /* there are trees to be closed after the step */
	bool telling;    /* owners are told: not to be freed now */
	LoopIo io;       /* stopped while a steady stream is read by time */
	LoopTimer pacer; /* started while io is stopped */
	double latency;  /* the least of the watches' */
	double woken;    /* when records were last read because they were there */
	Mounts *mounts;  /* NULL: there is no mount table to be had */
	bool stirred;    /* it may have changed since it was read */
	LoopIo mounts_io;
	LoopTimer timer;
	LoopJob job;
	LoopJob news; /* started while there is something new that an owner has not been told */
};

static Watch *watch_of(List *link)
{
	return list_item(link, Watch, link);
}

static Watch *stirring_of(List *link)
{
	return list_item(link, Watch, stirring);
}

/* --- one step ------------------------------------------------------------------------------------------------------- */

static Tree *tree_of(List *link)
{
	return list_item(link, Tree, link);
}

static Tree *busy_of(List *link)
{
	return list_item(link, Tree, busy);
}

static Fan *fan_of(List *link)
{
	return list_item(link, Fan, link);
}

/* A thousand trees in which nothing happens cost nothing. */
static bool work(Shared *shared, double until)
{
	bool more = false;
	List *busy = &shared->hub->busy;
	for (List *link = busy->next, *next = link->next; link != busy;
		 link = next, next = link->next) {
		Tree *tree = busy_of(link);
		more |= tree_work(tree, until);
		if (tree_is_idle(tree))
			list_remove(&tree->busy);
	}
	return more;
}

static void tidy(Shared *shared)
{
	if (!shared->stale)
		return;
	shared->stale = false;
	for (List *link = shared->fans.next; link != &shared->fans; link = link->next) {
		Fan *fan = fan_of(link);
		if (fan->stale)
			fan_tidy(fan);
	}
}

/* Nobody looks at this tree any more. A filter, which is asked in the midst of a step, may let go of other watchers: what
 * they had lives on to its end, and tells nobody. The owner of the sink marks it. */
static void close_tree(Shared *shared, Tree *tree)
{
	if (!shared->stepping) {
		tree_close(tree);
		return;
	}
	tree_hand_over(tree, (TreeSink){.owner = shared});
	shared->abandoned = true;
}

static void close_abandoned(Shared *shared)
{
	List *trees = &shared->hub->trees;
	if (!shared->abandoned)
		return;
	shared->abandoned = false;
	for (List *link = trees->next, *next; link != trees; link = next) {
		Tree *tree = tree_of(link);
		next = link->next;
		if (tree->sink.owner == shared)
			tree_close(tree);
	}
}

/* Owners may close their watch in `changed`, and others'. */
static void tell_owners(Shared *shared)
{
	List todo;
	list_init(&todo);
	loop_job_stop(&shared->news);
	while (!list_empty(&shared->stirring))
		list_append(&todo, list_pop(&shared->stirring));
	while (!list_empty(&todo)) {
		Watch *watch = stirring_of(list_pop(&todo));
		watch->view.stirred = false;
		if (watch->view.failed) /* a repair that ran out of memory is tried again */
			watch_stir(watch);
		if (watch->changed != NULL)
			watch->changed(watch);
	}
}

static double earlier(double a, double b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void set_timer(Shared *shared)
{
	double deadline = hub_deadline(shared->hub);
	List *busy = &shared->hub->busy;
	for (List *link = busy->next; link != busy; link = link->next)
		deadline = earlier(deadline, tree_deadline(busy_of(link)));
	if (deadline == 0)
		loop_timer_stop(&shared->timer);
	else
		loop_timer_start(shared->loop, &shared->timer, deadline);
}

static void repair(Shared *shared)
{
	for (List *link = shared->stirring.next; link != &shared->stirring; link = link->next) {
		if (stirring_of(link)->view.failed)
			view_repair(&stirring_of(link)->view);
	}
}

/* --- mounts ------------------------------------------------------------------------------------------------------------ */

static void remounted(void *owner, const char *path)
{
	Shared *shared = owner;
	List *trees = &shared->hub->trees;
	hub_forget_filesystems(shared->hub);
	for (List *link = trees->next; link != trees; link = link->next)
		tree_remounted(tree_of(link), path);
}

static void stir_mounts(Shared *shared)
{
	shared->stirred = shared->hub->remounted = true;
}

static void note_mounts(Shared *shared)
{
	if (shared->mounts != NULL && mounts_stirred(shared->mounts))
		stir_mounts(shared);
}

static int compare_mounts(Shared *shared)
{
	List *trees = &shared->hub->trees;
	int changes = mounts_compare(shared->mounts, remounted, shared);
	for (List *link = trees->next; changes > 0 && link != trees; link = link->next)
		tree_verify_mounts(tree_of(link));
	return changes;
}

/* Before records are handed on that may be about what is hidden by now. */
static void doubt_mounts(Shared *shared)
{
	List *trees = &shared->hub->trees;
	bool doubts = shared->stirred && !hub_caught_up(shared->hub) && compare_mounts(shared) > 0;
	for (List *link = trees->next; doubts && link != trees; link = link->next)
		tree_check_roots(tree_of(link));
	shared->stirred = false;
}

/* The paths in the table are those of now: they fit the index once all renames are handed on that came before. */
static void settle_mounts(Shared *shared)
{
	List *trees = &shared->hub->trees;
	if (!shared->hub->remounted || !hub_caught_up(shared->hub))
		return;
	int changes = compare_mounts(shared);
	if (!hub_caught_up(shared->hub))
		return;
	shared->hub->remounted = false;
	if (changes >= 0)
		mounts_keep(shared->mounts);
	for (List *link = trees->next; changes < 0 && link != trees; link = link->next)
		tree_lack(tree_of(link));
}

/* --- the step itself ---------------------------------------------------------------------------------------------- */

static void step(Shared *shared)
{
	double now = loop_now(), until = now + SLICE;
	bool more;
	if (shared->stepping)
		return;
	shared->stepping = true;
	tidy(shared);
	doubt_mounts(shared);
	do {
		more = hub_step(shared->hub, now) > 0;
		if (!more)
			settle_mounts(shared);
		more = (!more && work(shared, until)) || more || hub_is_behind(shared->hub);
		now = loop_now();
	} while (more && now < until);
	repair(shared);
	shared->stepping = false;
	close_abandoned(shared);
	if (more) {
		loop_job_start(shared->loop, &shared->job);
	} else {
		loop_job_stop(&shared->job);
		if (!list_empty(&shared->stirring))
			loop_job_start(shared->loop, &shared->news);
	}
	set_timer(shared);
}

static void share_close(Shared *shared)
{
	loop_io_stop(&shared->io);
	loop_timer_stop(&shared->pacer);
	loop_io_stop(&shared->mounts_io);
	mounts_close(shared->mounts);
	loop_timer_stop(&shared->timer);
	loop_job_stop(&shared->job);
	loop_job_stop(&shared->news);
	*loop_place(shared->loop) = NULL;
	hub_close(shared->hub);
	free(shared);
}

static void close_if_unused(Shared *shared)
{
	if (shared->count == 0 && !shared->telling)
		share_close(shared);
}

static void tell_all(Shared *shared)
{
	shared->telling = true;
	tell_owners(shared);
	shared->telling = false;
	close_if_unused(shared);
}

static void run(Shared *shared)
{
	step(shared);
	tell_all(shared);
}

/* --- a steady stream ----------------------------------------------------------------------------------------------------
 *
 * Waking up costs more than an event. Where a record comes less than `latency` after the last wake-up, records are read
 * by time from then on, once per `latency`, until a read finds none. The first record of a burst is never late. */

static bool start_pacing(Shared *shared)
{
	if (loop_timer_start(shared->loop, &shared->pacer, shared->woken + shared->latency) < 0)
		return false;
	loop_io_stop(&shared->io);
	return true;
}

static void stop_pacing(Shared *shared)
{
	if (loop_io_start(shared->loop, &shared->io, shared->hub->fd, EPOLLIN) < 0)
		loop_timer_start(shared->loop, &shared->pacer, shared->woken + SLICE);
}

static void on_readable(LoopIo *io, uint32_t events)
{
	Shared *shared = list_item(io, Shared, io);
	double now = loop_now();
	(void)events;
	if (now < shared->woken + shared->latency && start_pacing(shared))
		return;
	shared->woken = now;
	if (loop_io_is_due(&shared->mounts_io))
		stir_mounts(shared);
	run(shared);
}

static void on_pace(LoopTimer *timer)
{
	Shared *shared = list_item(timer, Shared, pacer);
	uint64_t before = hub_read_position(shared->hub);
	shared->woken = loop_now();
	note_mounts(shared);
	step(shared);
	bool streams = hub_read_position(shared->hub) != before;
	if (!streams || shared->latency == 0 || !start_pacing(shared))
		stop_pacing(shared);
	tell_all(shared);
}

static void set_latency(Shared *shared)
{
	double least = -1;
	for (List *link = shared->watches.next; link != &shared->watches; link = link->next) {
		double latency = watch_of(link)->latency;
		least = least < 0 || latency < least ? latency : least;
	}
	shared->latency = least > 0 ? least : 0;
}

/* --- the mount table ------------------------------------------------------------------------------------------------- */

static void on_mounts(LoopIo *io, uint32_t events)
{
	Shared *shared = list_item(io, Shared, mounts_io);
	(void)events;
	stir_mounts(shared);
	run(shared);
}

/* Without the table mounts are found by the next look at the directory. */
static void follow_mounts(Shared *shared)
{
	shared->mounts_io.ready = on_mounts;
	if (mounts_open(&shared->mounts) < 0)
		return;
	if (loop_io_start(
			shared->loop, &shared->mounts_io, mounts_fd(shared->mounts), mounts_events()) == 0)
		return;
	mounts_close(shared->mounts);
	shared->mounts = NULL;
}

static void on_deadline(LoopTimer *timer)
{
	run(list_item(timer, Shared, timer));
}

static void on_work(LoopJob *job)
{
	run(list_item(job, Shared, job));
}

static void on_news(LoopJob *job)
{
	tell_all(list_item(job, Shared, news));
}

/* --- the hub of a loop ------------------------------------------------------------------------------------------------ */

static int share_open(Shared **out, Loop *loop)
{
	Shared *shared = calloc(1, sizeof *shared);
	if (shared == NULL)
		return -ENOMEM;
	list_init(&shared->watches);
	list_init(&shared->stirring);
	list_init(&shared->fans);
	shared->loop = loop;
	shared->io.ready = on_readable;
	shared->timer.fire = on_deadline;
	shared->pacer.fire = on_pace;
	shared->job.work = on_work;
	shared->news.work = on_news;
	int error = hub_open(&shared->hub);
	if (error >= 0)
		error = loop_io_start(loop, &shared->io, shared->hub->fd, EPOLLIN);
	if (error < 0) {
		hub_close(shared->hub);
		free(shared);
		return error;
	}
	follow_mounts(shared);
	*loop_place(loop) = *out = shared;
	return 0;
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

void watch_stir(Watch *watch)
{
	Shared *shared = watch->shared;
	if (shared == NULL)
		return;
	if (!list_linked(&watch->stirring))
		list_append(&shared->stirring, &watch->stirring);
	if (hub_is_behind(shared->hub))
		loop_job_start(shared->loop, &shared->job);
}

/* Who looks by himself (watch_look) reads what is there for others as well, and no record will wake them any more. */
static void on_stir(View *view)
{
	Watch *watch = list_item(view, Watch, view);
	watch_stir(watch);
	if (watch->shared != NULL)
		loop_job_start(watch->shared->loop, &watch->shared->news);
}

int watch_open(Watch *watch, Loop *loop, const TreeOptions *tree, const ViewOptions *view)
{
	Shared *shared = *loop_place(loop);
	view_init(&watch->view, view);
	watch->view.stir = on_stir;
	int error = shared == NULL ? share_open(&shared, loop) : 0;
	if (error == 0)
		error = tree_open(&watch->tree, shared->hub, tree, view_sink(&watch->view));
	if (error < 0) {
		if (shared != NULL)
			close_if_unused(shared);
		view_clear(&watch->view);
		return error;
	}
	watch->loop = loop;
	watch->shared = shared;
	view_set_tree(&watch->view, watch->tree);
	list_append(&shared->watches, &watch->link);
	shared->count++;
	set_latency(shared);
	loop_job_start(loop, &shared->job);
	return 0;
}

static void leave_tree(Watch *watch)
{
	Shared *shared = watch->shared;
	if (watch->fan != NULL) {
		shared->stale = true;
		loop_job_start(shared->loop, &shared->job);
		Tree *tree = fan_leave(watch->fan, &watch->view);
		if (tree != NULL)
			close_tree(shared, tree);
	} else {
		close_tree(shared, watch->tree);
	}
}

void watch_close(Watch *watch)
{
	Shared *shared = watch->shared;
	if (shared == NULL)
		return;
	leave_tree(watch);
	watch->shared = NULL;
	list_remove(&watch->link);
	list_remove(&watch->stirring);
	watch->tree = NULL;
	watch->fan = NULL;
	view_clear(&watch->view);
	shared->count--;
	set_latency(shared);
	if (hub_is_behind(shared->hub))
		loop_job_start(shared->loop, &shared->job);
	close_if_unused(shared);
}

void watch_look(Watch *watch)
{
	if (watch->tree->holds_mounts) /* else only what a mount elsewhere shows could be told of it */
		note_mounts(watch->shared);
	step(watch->shared);
}

bool watch_is_stepping(const Watch *watch)
{
	return watch->shared != NULL && watch->shared->stepping;
}

bool watch_hold(Watch *watch, bool holds)
{
	Shared *shared = watch->shared;
	bool before = shared->stepping;
	shared->stepping = holds;
	if (!holds)
		close_abandoned(shared);
	return before;
}

WatchMark watch_mark(Watch *watch)
{
	if (tree_polls(watch->tree))
		tree_poll(watch->tree);
	note_mounts(watch->shared);
	tree_verify_roots(watch->tree);
	loop_job_start(watch->loop, &watch->shared->job);
	watch_stir(watch);
	return (WatchMark){.position = hub_position(watch->shared->hub)};
}

static Fan *find_fan(const Shared *shared, const View *view)
{
	for (List *link = shared->fans.next; link != &shared->fans; link = link->next) {
		Fan *fan = fan_of(link);
		if (fan_fits(fan, view))
			return fan;
	}
	return NULL;
}

void watch_share(Watch *watch)
{
	Shared *shared = watch->shared;
	watch->fan = find_fan(shared, &watch->view);
	if (watch->fan != NULL) {
		fan_join(watch->fan, &watch->view);
		watch->tree = watch->fan->tree;
		watch_mark(watch);
	} else if ((watch->fan = fan_new(&watch->view)) != NULL) {
		list_append(&shared->fans, &watch->fan->link);
	}
}

bool watch_reached(Watch *watch, WatchMark mark)
{
	const Shared *shared = watch->shared;
	bool reached = shared->hub->done >= mark.position && !shared->hub->remounted &&
		tree_is_settled(watch->tree);
	if (!reached)
		watch_stir(watch);
	return reached;
}

void watch_set_ready(Watch *watch)
{
	view_set_ready(&watch->view);
}

double watch_deadline(const Watch *watch)
{
	const Shared *shared = watch->shared;
	if (shared->job.loop != NULL)
		return loop_now();
	return shared->timer.loop != NULL ? shared->timer.at : 0;
}
