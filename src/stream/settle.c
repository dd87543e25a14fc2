/* SPDX-License-Identifier: MIT
 *
 * settle.c - net changes: what a burst of events comes down to, once it is over.
 *
 * The algebra is in overlay.c and netting.c; here is the time. With `each` the waiting places stand in two lists, by
 * their first and by their last event: settle and max_wait are the same for all, so the heads are the next to be due.
 * A held file leaves those lists until it is closed, found without a writer, or its time is up.
 *
 * Two batches are made one by telling all that is pending as a batch and feeding both, the older first, as events.
 */
#include "stream/settle.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double first_ask = 2,
					longest_ask = 30; /* seconds between questions about one writer */
/* After so many seconds an open file is quiet, and the word of a close has come. */
static const double moment = 0.1;

void settle_init(Settle *settle, const SettleOptions *options)
{
	*settle =
		(Settle){.options = *options, .opened = INFINITY, .last = -INFINITY, .next_ask = INFINITY};
	if (settle->options.ops == 0)
		settle->options.ops = UINT32_MAX;
	overlay_init(&settle->overlay);
}

void settle_clear(Settle *settle)
{
	overlay_clear(&settle->overlay);
}

size_t settle_pending(const Settle *settle)
{
	return settle->overlay.dirty;
}

/* --- feeding ----------------------------------------------------------------------------------------------------- */

static bool is_wanted(const Settle *settle, const SettleEvent *event)
{
	switch (event->op) {
	case OP_CREATE:
	case OP_MODIFY:
	case OP_CLOSE_WRITE:
	case OP_DELETE:
	case OP_MOVE:
	case OP_GONE:
	case OP_BACK:
		return true;
	case OP_ATTRIB:
		return settle->options.ops & SETTLE_OP(OP_ATTRIB);
	default:
		return false;
	}
}

static uint8_t unclosed_by_create(const SettleEvent *event)
{
	if (event->moved || event->type == TYPE_DIRECTORY)
		return FILE_CLOSED;
	return event->synthetic ? FILE_SUSPECT : FILE_OPEN;
}

static int feed_pair(Overlay *o, const SettleEvent *event, Place *place)
{
	place->picked = true; /* must stay while the other one is looked up */
	Place *from = overlay_place(o, &event->from, 1);
	place->picked = false;
	if (from == NULL)
		return -ENOMEM;
	if (event->exchange)
		return overlay_exchange(o, from, place, event->type, event->replaced);
	return overlay_move(o, from, place, event->type, event->replaced);
}

static int feed_place(Overlay *o, const SettleEvent *event, Place *place)
{
	FileType type = event->type;
	switch (event->op) {
	case OP_CREATE:
		return overlay_create(o, place, type, event->replaced, unclosed_by_create(event));
	case OP_MODIFY:
		return overlay_change(
			o, place, type, true, type == TYPE_DIRECTORY ? FILE_CLOSED : FILE_OPEN);
	case OP_CLOSE_WRITE:
		return overlay_change(o, place, type, true, event->synthetic ? FILE_SUSPECT : FILE_CLOSED);
	case OP_DELETE:
		return overlay_delete(o, place, type, event->whole);
	case OP_MOVE:
		return feed_pair(o, event, place);
	case OP_GONE:
		return overlay_delete(o, place, TYPE_DIRECTORY, true);
	case OP_BACK:
		return overlay_create(o, place, TYPE_DIRECTORY, TYPE_UNKNOWN, FILE_CLOSED);
	default:
		return overlay_change(o, place, type, false, FILE_CLOSED);
	}
}

int settle_feed(Settle *settle, const SettleEvent *event, double now)
{
	Overlay *o = &settle->overlay;
	if (!is_wanted(settle, event))
		return 0;
	Place *place = overlay_place(o, &event->path, 0);
	if (place == NULL)
		return -ENOMEM;
	bool held = place->state == PLACE_HELD;
	o->now = now;
	int error = feed_place(o, event, place);
	/* What goes on in a file that is held is nobody's business until it is closed. */
	if (held && (event->op == OP_MODIFY || event->op == OP_ATTRIB))
		return error;
	if (settle->opened == INFINITY)
		settle->opened = now;
	settle->last = now;
	return error;
}

/* --- when -------------------------------------------------------------------------------------------------------- */

static double earlier(double a, double b)
{
	return a < b ? a : b;
}

static double window_deadline(const Settle *settle)
{
	if (settle->opened < INFINITY)
		return earlier(
			settle->last + settle->options.settle, settle->opened + settle->options.max_wait);
	return settle->ripe ? -INFINITY : INFINITY;
}

static double place_deadline(const Settle *settle, const Place *place)
{
	return earlier(place->last + settle->options.settle, place->first + settle->options.max_wait);
}

static double heads_deadline(const Settle *settle)
{
	const Overlay *o = &settle->overlay;
	if (list_empty(&o->by_first))
		return INFINITY;
	return earlier(place_deadline(settle, list_item(o->by_first.next, Place, by_first)),
		place_deadline(settle, list_item(o->by_last.next, Place, by_last)));
}

double settle_deadline(const Settle *settle)
{
	double due = settle->options.each ? heads_deadline(settle) : window_deadline(settle);
	return earlier(due, settle->next_ask);
}

/* --- files that must be whole ------------------------------------------------------------------------------------ */

static int ask(const Settle *settle, const Place *place, uint64_t *signature)
{
	uint32_t root;
	size_t rel_at, length = place_path(&settle->overlay, place, true, NULL, NULL, NULL);
	char *path = settle->options.writer != NULL ? malloc(length + 1) : NULL;
	if (path == NULL)
		return WRITER_UNKNOWN;
	place_path(&settle->overlay, place, true, path, &rel_at, &root);
	path[length] = '\0';
	int answer = settle->options.writer(settle->options.asker, path, signature);
	free(path);
	return answer;
}

static void look_again(Settle *settle, Place *place, double time)
{
	place->ask_at = time;
	settle->next_ask = earlier(settle->next_ask, time);
}

/* The end of what the kernel told of will be told as well; of what was found by looking it will not. */
static bool is_at_work(const Settle *settle, Place *place)
{
	Entry *entry = place->now;
	uint64_t before = place->signature;
	bool was_told = entry->unclosed == FILE_OPEN;
	switch (ask(settle, place, &place->signature)) {
	case WRITER_NONE:
		/* The kernel's word of the close is there, unread: handed over now, the file would come a second time. */
		if (was_told)
			entry->unclosed = FILE_LEFT;
		return was_told;
	case WRITER_AT_WORK:
		if (entry->unclosed == FILE_LEFT)
			entry->unclosed = FILE_OPEN;
		return true;
	case WRITER_UNSURE:
		return was_told || before != place->signature;
	default:
		return was_told;
	}
}

static void plan_ask(Settle *settle, Place *place)
{
	double step = moment;
	if (place->now->unclosed != FILE_LEFT)
		step = place->ask_step =
			place->ask_step == 0 ? first_ask : fmin(place->ask_step * 2, longest_ask);
	look_again(settle, place, earlier(settle->now + step, place->give_up));
}

/* A file that must be whole: has it still a writer? */
static bool waits_for_writer(Settle *settle, Place *place)
{
	if (place->give_up == 0)
		place->give_up = settle->now + settle->options.complete;
	if (settle->now >= place->give_up || !is_at_work(settle, place))
		return false;
	plan_ask(settle, place);
	return true;
}

/* Any other: a save is one change, however short `settle` is, if it is closed before it has been quiet for a moment. */
static bool waits_for_close(Settle *settle, Place *place)
{
	double until = earlier(place->last + moment, place->first + settle->options.max_wait);
	if (place->now->unclosed != FILE_OPEN || settle->now >= until)
		return false;
	look_again(settle, place, until);
	return true;
}

static bool waits(Settle *settle, Place *place)
{
	return settle->options.complete < 0 ? waits_for_close(settle, place)
										: waits_for_writer(settle, place);
}

/* Due, or to be told with what is, but must it wait for its writer? Then it is parked. */
static bool is_kept_back(Settle *settle, Place *place)
{
	Entry *entry = place->now;
	if (place->state == PLACE_HELD)
		return true;
	if (entry == NULL || entry->unclosed == FILE_CLOSED ||
		(entry->type != TYPE_FILE && entry->type != TYPE_UNKNOWN))
		return false;
	if (waits(settle, place)) {
		place_park(&settle->overlay, place, PLACE_HELD);
		return true;
	}
	entry->unclosed = FILE_CLOSED;
	return false;
}

/* Looks again at what is held; what has become whole waits no longer. */
static void look_at_held(Settle *settle)
{
	Overlay *o = &settle->overlay;
	if (settle->now < settle->next_ask)
		return;
	settle->next_ask = INFINITY;
	for (List *link = o->parked.next, *next; link != &o->parked; link = next) {
		Place *place = list_item(link, Place, by_first);
		next = link->next;
		if (place->state != PLACE_HELD)
			continue;
		if (settle->now < place->ask_at) {
			settle->next_ask = earlier(settle->next_ask, place->ask_at);
		} else if (!waits(settle, place)) {
			place->now->unclosed = FILE_CLOSED;
			place_unpark(o, place, -INFINITY, -INFINITY);
			settle->ripe = true;
		}
	}
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

/* An origin is told with the place that its entry moved to: when that is due, and not before it is whole. */
static bool is_told_elsewhere(Settle *settle, const Place *place)
{
	if (!place_is_origin(place) || place->was->now->picked)
		return false;
	return settle->options.each || is_kept_back(settle, place->was->now);
}

static int pick(Settle *settle, Picks *picks, Place *place)
{
	if (place->picked || is_kept_back(settle, place))
		return 0;
	if (is_told_elsewhere(settle, place)) {
		place_park(&settle->overlay, place, PLACE_ORIGIN);
		return 0;
	}
	return picks_add(picks, place);
}

static int pick_list(Settle *settle, Picks *picks, bool by_last)
{
	const Overlay *o = &settle->overlay;
	const List *head = by_last ? &o->by_last : &o->by_first;
	for (List *link = head->next, *last = link->prev; link != head; link = last->next) {
		Place *place = by_last ? list_item(link, Place, by_last) : list_item(link, Place, by_first);
		if (settle->options.each && settle->now < place_deadline(settle, place))
			return 0;
		if (pick(settle, picks, place) < 0)
			return -ENOMEM;
		if (last->next == link) /* it has not been parked */
			last = link;
	}
	return 0;
}

static int pick_due(Settle *settle, Picks *picks)
{
	if (!settle->options.each && settle->now < window_deadline(settle))
		return 0;
	if (pick_list(settle, picks, false) < 0)
		return -ENOMEM;
	return settle->options.each ? pick_list(settle, picks, true) : 0;
}

/* What nobody asked for is told to the tree before all the same. */
static int drop_unwanted(const Settle *settle, Batch *batch, size_t first)
{
	size_t kept = first;
	for (size_t i = first; i < batch->count; i++)
		if (settle->options.ops & SETTLE_OP(batch->changes[i].op))
			batch->changes[kept++] = batch->changes[i];
	batch->count = kept;
	return (int)(kept - first);
}

static bool waits_alone(void *settle, Place *place)
{
	return is_kept_back(settle, place);
}

static int tell(Settle *settle, Picks *picks, Batch *batch)
{
	Overlay *o = &settle->overlay;
	if (o->dirty > picks->count && netting_complete(o, picks, waits_alone, settle) < 0)
		return -ENOMEM;
	return netting_tell(o, picks, batch);
}

/* All is told or held: the window closes. */
static void close_window(Settle *settle)
{
	settle->opened = INFINITY;
	settle->ripe = false;
}

int settle_take(Settle *settle, double now, Batch *batch)
{
	Picks picks = {0};
	size_t first = batch->count;
	batch->root = 0;
	settle->now = now;
	look_at_held(settle);
	bool due = settle->options.each || now >= window_deadline(settle);
	int error = pick_due(settle, &picks);
	if (error == 0 && picks.count > 0)
		error = tell(settle, &picks, batch);
	picks_clear(&picks);
	if (due)
		close_window(settle);
	if (error < 0)
		settle->ripe = true; /* what is left is due at once */
	if (settle->overlay.dirty == 0)
		settle->next_ask = INFINITY;
	int count = drop_unwanted(settle, batch, first);
	return count > 0 ? count : error;
}

static int pick_all(Settle *settle, Picks *picks)
{
	Overlay *o = &settle->overlay;
	List *heads[] = {&o->by_first, &o->parked};
	for (size_t i = 0; i < 2; i++)
		for (List *link = heads[i]->next; link != heads[i]; link = link->next)
			if (picks_add(picks, list_item(link, Place, by_first)) < 0)
				return -ENOMEM;
	return 0;
}

int settle_drain(Settle *settle, Batch *batch)
{
	Picks picks = {0};
	size_t first = batch->count;
	batch->root = 0;
	int error = pick_all(settle, &picks);
	if (error == 0 && picks.count > 0)
		error = netting_tell(&settle->overlay, &picks, batch);
	picks_clear(&picks);
	if (error < 0)
		return error;
	close_window(settle);
	settle->next_ask = INFINITY;
	return (int)(batch->count - first);
}

/* --- putting back ------------------------------------------------------------------------------------------------ */

static PathRef path_ref(const Batch *batch, const ChangePath *path)
{
	PathRef ref = {.dir = batch_text(batch, path->path),
		.dir_length = path->path.length,
		.rel_at = path->rel_at,
		.root = path->root.length > 0 ? batch_text(batch, path->root) : NULL,
		.root_length = path->root.length};
	return ref;
}

static int feed_change(Overlay *o, const Change *change, const SettleEvent *event, Place *place)
{
	switch (change->op) {
	case OP_CREATE:
		return overlay_create(o, place, change->type, change->replaced, change->unclosed);
	case OP_MODIFY:
		return overlay_change(o, place, change->type, true, change->unclosed);
	case OP_ATTRIB:
		return overlay_change(o, place, change->type, false, FILE_CLOSED);
	case OP_DELETE:
		return overlay_delete(o, place, change->type, change->whole);
	default:
		return feed_pair(o, event, place);
	}
}

static int mark_modified(Overlay *o, const Change *change, const SettleEvent *event)
{
	Place *place = overlay_place(o, &event->path, 0);
	return place != NULL ? overlay_change(o, place, change->type, true, change->unclosed) : -ENOMEM;
}

static int restore_times(Settle *settle, const Change *change, const SettleEvent *event)
{
	Place *place = overlay_place(&settle->overlay, &event->path, 0);
	if (place == NULL)
		return -ENOMEM;
	if (place->state != PLACE_CLEAN) {
		place->first = earlier(place->first, change->first);
		place->last = change->last;
		place->give_up = change->give_up;
		place->count += change->count - 1 - change->modified;
	} else {
		place_release(&settle->overlay, place);
	}
	if (change->last > -INFINITY) {
		settle->opened = earlier(settle->opened, change->first);
		settle->last = fmax(settle->last, change->last);
	} else {
		settle->ripe = true;
	}
	return 0;
}

static int put_back(Settle *settle, const Batch *batch, const Change *change)
{
	Overlay *o = &settle->overlay;
	SettleEvent event = {.path = path_ref(batch, &change->to),
		.from = path_ref(batch, &change->from),
		.type = change->type,
		.replaced = change->replaced,
		.exchange = change->exchange};
	Place *place = overlay_place(o, &event.path, 0);
	if (place == NULL)
		return -ENOMEM;
	o->now = change->last;
	int error = feed_change(o, change, &event, place);
	if (error == 0 && change->op == OP_MOVE && change->modified)
		error = mark_modified(o, change, &event);
	return error == 0 ? restore_times(settle, change, &event) : error;
}

static int put_back_all(Settle *settle, const Batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (put_back(settle, batch, &batch->changes[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int by_first(const void *a, const void *b)
{
	double left = (*(Place *const *)a)->first, right = (*(Place *const *)b)->first;
	return (left > right) - (left < right);
}

static int by_last(const void *a, const void *b)
{
	double left = (*(Place *const *)a)->last, right = (*(Place *const *)b)->last;
	return (left > right) - (left < right);
}

/* Changes were put back in the order of the batch, not of their times. Without memory some come a little late. */
static void sort_lists(Overlay *o)
{
	size_t count = 0;
	Place **places = malloc((o->dirty + 1) * sizeof *places);
	if (places == NULL)
		return;
	for (List *link = o->by_first.next; link != &o->by_first; link = link->next)
		places[count++] = list_item(link, Place, by_first);
	qsort(places, count, sizeof *places, by_first);
	for (size_t i = 0; i < count; i++) {
		list_remove(&places[i]->by_first);
		list_append(&o->by_first, &places[i]->by_first);
	}
	qsort(places, count, sizeof *places, by_last);
	for (size_t i = 0; i < count; i++) {
		list_remove(&places[i]->by_last);
		list_append(&o->by_last, &places[i]->by_last);
	}
	free(places);
}

int settle_merge(Settle *settle, const Batch *batch)
{
	Batch since = {0};
	int error = settle_drain(settle, &since);
	if (error >= 0)
		error = put_back_all(settle, batch);
	if (error == 0)
		error = put_back_all(settle, &since);
	batch_clear(&since);
	sort_lists(&settle->overlay);
	return error;
}
