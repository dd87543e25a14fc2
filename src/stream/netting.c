/* SPDX-License-Identifier: MIT
 *
 * netting.c - from two trees to the list of changes that leads from the one to the other.
 *
 * A. Names live on: where both sides are files of one type the change is `modify`, and whatever was renamed onto or
 *    away from that name loses that end of its move (split_continued). After this every entry that is in both trees
 *    and not in the same place is a move, and whatever is dead was removed.
 * B. What is gone and not replaced is removed, children first; but a directory from which something survives waits.
 * C. What is new or moved is put in its place. Before that the directory must be in *its* place, so that each path
 *    told is the final one, and whoever has the place must have left it. This is a walk over dependencies with a stack
 *    that is linked through the places.
 *    A ring of names that wait for each other's leaving is told by exchanges. A ring that goes through a directory's
 *    inside (d/e becomes d, and d becomes d/e) has no such steps: a file in it is told as delete and create, a
 *    directory is moved to a temporary name first.
 * D. The directories that waited in B are removed.
 * E. What kept its name and has new content or attributes.
 */
#include "stream/netting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/eventop.h"

enum { WAITS_FOR_PARENT, WAITS_FOR_LEAVING, WAITS_FOR_SURVIVOR };

/* One batch being told. */
typedef struct Netting {
	Overlay *o;
	Picks *picks;
	Batch *batch;
	uint32_t serial;
} Netting;

/* --- what is to be told ------------------------------------------------------------------------------------------ */

int picks_add(Picks *picks, Place *place)
{
	if (place->picked)
		return 0;
	if (picks->count == picks->capacity) {
		size_t capacity = picks->capacity == 0 ? 16 : picks->capacity * 2;
		Place **places = realloc(picks->places, capacity * sizeof *places);
		if (places == NULL)
			return -ENOMEM;
		picks->places = places;
		picks->capacity = capacity;
	}
	place->picked = true;
	picks->places[picks->count++] = place;
	return 0;
}

void picks_clear(Picks *picks)
{
	for (size_t i = 0; i < picks->count; i++)
		picks->places[i]->picked = false;
	free(picks->places);
	*picks = (Picks){0};
}

static bool is_dead(const Entry *entry)
{
	return entry->now == NULL;
}

static bool is_dead_dir(const Entry *entry)
{
	return entry != NULL && !entry->ghost && is_dead(entry) && entry_is_dir(entry);
}

/* Where the directory above was made or moved, it must be told as well. */
static int add_above(Picks *picks, const Place *place)
{
	for (Place *up = place->parent->now; up != NULL; up = up->parent->now)
		if (up->was != up->now && picks_add(picks, up) < 0)
			return -ENOMEM;
	return 0;
}

/* What lay in a directory that is gone: told as removed or moved before it. */
static int add_below(Picks *picks, const Entry *dir)
{
	for (List *link = dir->places.next; link != &dir->places; link = link->next)
		if (picks_add(picks, list_item(link, Place, sibling)) < 0)
			return -ENOMEM;
	return 0;
}

/* Its new name lives on or is still held: the old one is told as removed. */
static void leave_behind(Overlay *o, Place *place)
{
	Entry *held = place->was;
	place->was = &o->ghosts[held->type];
	held->was = NULL;
}

/* The picks while they are made complete. */
typedef struct Completion {
	Overlay *o;
	Picks *picks;
	bool (*must_wait)(void *asker, Place *place);
	void *asker;
} Completion;

static bool is_kept_back(const Completion *c, Place *place)
{
	return !place->picked && c->must_wait(c->asker, place);
}

static int add_leaver(const Completion *c, Place *place)
{
	Entry *was = place->was;
	if (was == NULL || was == place->now || was->ghost)
		return 0;
	if (is_dead(was))
		return add_below(c->picks, was);
	if (!place_is_continued(was->now) && !is_kept_back(c, was->now))
		return picks_add(c->picks, was->now);
	leave_behind(c->o, place);
	return 0;
}

static int add_comer(const Completion *c, const Place *place)
{
	const Entry *now = place->now;
	if (now == NULL)
		return 0;
	if (add_above(c->picks, place) < 0)
		return -ENOMEM;
	if (now->was == NULL || now->was == place || place_is_continued(now->was) ||
		is_kept_back(c, now->was))
		return 0;
	return picks_add(c->picks, now->was);
}

int netting_complete(
	Overlay *o, Picks *picks, bool (*must_wait)(void *asker, Place *place), void *asker)
{
	const Completion c = {.o = o, .picks = picks, .must_wait = must_wait, .asker = asker};
	for (size_t i = 0; i < picks->count; i++) {
		Place *place = picks->places[i];
		if (place_is_continued(place)) {
			if (add_above(picks, place) < 0)
				return -ENOMEM;
		} else if (add_leaver(&c, place) < 0 || add_comer(&c, place) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* A: the name has a file before and after. */
static void split_continued(Overlay *o, Place *place)
{
	Entry *was = place->was, *now = place->now;
	if (was == now || !place_is_continued(place))
		return;
	if (!was->ghost)
		was->was = NULL;
	if (now->was != NULL)
		now->was->was = &o->ghosts[now->type];
	place->was = now;
	now->was = place;
	now->modified = true;
	now->vague = was->type == TYPE_UNKNOWN || now->type == TYPE_UNKNOWN;
}

/* --- words ------------------------------------------------------------------------------------------------------- */

static int put_root(Netting *n, uint32_t root, Span *span)
{
	if (root == 0)
		return 0;
	if (n->batch->root != root) {
		const OverlayRoot *text = &n->o->roots[root - 1];
		if (batch_copy(n->batch, text->text, text->length, &n->batch->root_text) < 0)
			return -ENOMEM;
		n->batch->root = root;
	}
	*span = n->batch->root_text;
	return 0;
}

/* The path of a place in the tree before, as far as it has come. */
static int put_path(Netting *n, const Place *place, ChangePath *out)
{
	uint32_t root;
	size_t rel_at;
	char *room = batch_room(n->batch, place_path(n->o, place, false, NULL, NULL, NULL), &out->path);
	if (room == NULL)
		return -ENOMEM;
	place_path(n->o, place, false, room, &rel_at, &root);
	out->rel_at = (uint32_t)rel_at;
	return put_root(n, root, &out->root);
}

/* Appends a change to the batch, or nothing. `from` may be NULL. */
static int tell(Netting *n, Change change, const Place *place, const Place *from)
{
	if (put_path(n, place, &change.to) < 0 || (from != NULL && put_path(n, from, &change.from) < 0))
		return -ENOMEM;
	Change *added = batch_add(n->batch);
	if (added == NULL)
		return -ENOMEM;
	change.count = place->count > 0 ? place->count : 1;
	change.first = place->first;
	change.last = place->last;
	change.give_up = place->give_up;
	*added = change;
	return 0;
}

/* Nobody has the place any more; who had it is dead. */
static void drop(Overlay *o, Place *place)
{
	Entry *was = place->was;
	place->was = NULL;
	if (was == NULL || was->ghost)
		return;
	was->was = NULL;
	entry_settle(o, was);
}

/* --- B and D: what is gone --------------------------------------------------------------------------------------- */

static int tell_removed(Netting *n, Place *place)
{
	Entry *was = place->was;
	Change change = {.op = OP_DELETE, .type = was->type, .whole = was->whole};
	if (!was->absorbed && tell(n, change, place, NULL) < 0)
		return -ENOMEM;
	drop(n->o, place);
	return 0;
}

static bool has_survivors(const Netting *n, const Entry *entry)
{
	return entry->mark == n->serial;
}

/* Marks the dead directories above whatever must be moved out of them. */
static void mark_survivors(Netting *n)
{
	n->serial = ++n->o->serial;
	for (size_t i = 0; i < n->picks->count; i++) {
		const Place *place = n->picks->places[i];
		const Entry *was = place->was;
		if (was == NULL || is_dead(was) || was == place->now)
			continue;
		Entry *dir = place->parent;
		while (dir != &n->o->top && is_dead(dir) && dir->mark != n->serial && dir->was != NULL) {
			dir->mark = n->serial;
			dir = dir->was->parent;
		}
	}
}

static int remove_unless_needed(Netting *n, Place *place)
{
	const Entry *was = place->was;
	if (was == NULL || !is_dead(was) || has_survivors(n, was))
		return 0;
	return tell_removed(n, place);
}

/* Children first, without a stack: down the first links, then to the next sibling or up. */
static int remove_below(Netting *n, Entry *top)
{
	Entry *dir = top;
	List *link = dir->places.next;
	for (;;) {
		while (link == &dir->places) {
			if (dir == top)
				return 0;
			Place *done = dir->was;
			if (remove_unless_needed(n, done) < 0)
				return -ENOMEM;
			dir = done->parent;
			link = done->sibling.next;
		}
		Place *place = list_item(link, Place, sibling);
		if (is_dead_dir(place->was)) {
			dir = place->was;
			link = dir->places.next;
			continue;
		}
		if (remove_unless_needed(n, place) < 0)
			return -ENOMEM;
		link = link->next;
	}
}

/* The same when all that survives has left: the marks hold no more below this one. */
static int remove_emptied(Netting *n, Entry *top)
{
	uint32_t serial = n->serial;
	n->serial = UINT32_MAX;
	int error = remove_below(n, top);
	n->serial = serial;
	return error;
}

/* Does a directory above take care of it? */
static bool is_below_removed(const Overlay *o, const Place *place)
{
	const Entry *dir = place->parent;
	return dir != &o->top && is_dead(dir) && dir->was != NULL && dir->was->picked;
}

static int remove_dead(Netting *n)
{
	for (size_t i = 0; i < n->picks->count; i++) {
		Place *place = n->picks->places[i];
		Entry *was = place->was;
		if (was == NULL || !is_dead(was) || was->absorbed || is_below_removed(n->o, place))
			continue;
		if (is_dead_dir(was) && remove_below(n, was) < 0)
			return -ENOMEM;
		if (place->now == NULL && remove_unless_needed(n, place) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- C: what is new or moved ------------------------------------------------------------------------------------- */

static void settle_in(Place *place, Entry *entry)
{
	if (entry->was != NULL)
		entry->was->was = NULL;
	place->was = entry;
	entry->was = place;
}

static void forget_flags(Entry *entry)
{
	entry->modified = entry->attrib = entry->vague = false;
}

/* The type of what has to give way. What is no directory and of unknown type is most likely a file. */
static uint8_t type_replaced(const Entry *entry)
{
	if (entry == NULL)
		return TYPE_UNKNOWN;
	return entry->type == TYPE_UNKNOWN ? TYPE_FILE : entry->type;
}

static int put_in_place(Netting *n, Place *place)
{
	Entry *now = place->now, *was = place->was;
	if (is_dead_dir(was) && remove_emptied(n, was) < 0)
		return -ENOMEM;
	Change change = {.op = now->was != NULL ? OP_MOVE : OP_CREATE,
		.type = now->type,
		.replaced = type_replaced(was),
		.modified = now->was != NULL && now->modified,
		.unclosed = now->unclosed};
	if (tell(n, change, place, now->was) < 0)
		return -ENOMEM;
	drop(n->o, place);
	settle_in(place, now);
	forget_flags(now);
	return 0;
}

static int put_by_exchange(Netting *n, Place *place)
{
	Entry *now = place->now, *other = place->was;
	Place *from = now->was;
	Change change = {.op = OP_MOVE,
		.type = now->type,
		.replaced = type_replaced(other),
		.modified = now->modified,
		.unclosed = now->unclosed,
		.exchange = true};
	if (tell(n, change, place, from) < 0)
		return -ENOMEM;
	place->was = now;
	now->was = place;
	from->was = other;
	other->was = from;
	forget_flags(now);
	return 0;
}

/* A name that nobody has, picked like those that are told: where memory runs out, what stands there is told later. */
static Place *temporary_place(Netting *n, const Place *beside)
{
	char name[32];
	for (unsigned number = 1;; number++) {
		int length = snprintf(name, sizeof name, ".moonwatch-%u", number);
		Place *place = overlay_spare_place(n->o, beside->parent, name, (size_t)length);
		if (place == NULL)
			return NULL;
		if (place->known)
			continue;
		place->known = true;
		place->first = beside->first;
		place->last = beside->last;
		if (picks_add(n->picks, place) == 0)
			return place;
		place_release(n->o, place);
		return NULL;
	}
}

/* Breaks a ring: whoever has `place` leaves it for the time being, to a name beside `beside`. */
static int move_aside(Netting *n, Place *place, const Place *beside)
{
	Entry *entry = place->was;
	if (!entry_is_dir(entry)) {
		leave_behind(n->o, place);
		return 0;
	}
	Place *temporary = temporary_place(n, beside);
	if (temporary == NULL)
		return -ENOMEM;
	Change change = {.op = OP_MOVE, .type = entry->type, .temporary = true};
	if (tell(n, change, temporary, place) < 0)
		return -ENOMEM;
	settle_in(temporary, entry);
	return 0;
}

static bool is_in_place(const Place *place)
{
	return place->was == place->now;
}

/* The place of something that lives and must be moved out of a dead directory, or NULL. The search goes on where the
 * last one ended. */
static Place *find_survivor(Entry *top)
{
	Entry *dir = top;
	List *link = dir->places.next;
	for (;;) {
		while (link == &dir->places) {
			if (dir == top)
				return NULL;
			link = dir->was->sibling.next;
			dir = dir->was->parent;
		}
		Place *place = list_item(link, Place, sibling);
		if (is_dead_dir(place->was)) {
			dir = place->was;
			link = dir->places.next;
			continue;
		}
		if (place->was != NULL && !is_dead(place->was))
			return place;
		link = link->next;
	}
}

/* What has to be put in its place before this one; NULL where nothing stands in its way. */
static Place *find_obstacle(Netting *n, Place *place)
{
	Place *nearest = NULL;
	for (Place *up = place->parent->now; up != NULL; up = up->parent->now)
		if (!is_in_place(up))
			nearest = up;
	place->edge = WAITS_FOR_PARENT;
	if (nearest != NULL)
		return nearest;
	Entry *was = place->was;
	if (was == NULL || was->ghost)
		return NULL;
	if (!is_dead(was)) {
		place->edge = WAITS_FOR_LEAVING;
		return was->now;
	}
	place->edge = WAITS_FOR_SURVIVOR;
	Place *survivor = is_dead_dir(was) && has_survivors(n, was) ? find_survivor(was) : NULL;
	return survivor != NULL ? survivor->was->now : NULL;
}

static bool is_ring_of_names(const Place *top, const Place *bottom)
{
	for (const Place *place = top; place->edge == WAITS_FOR_LEAVING; place = place->waiting)
		if (place == bottom)
			return true;
	return false;
}

/* Whoever stands on the stack above `place` came to make room for it, which is no longer needed. */
static void unwind_to(Place **top, const Place *place)
{
	while (*top != place) {
		Place *done = *top;
		*top = done->waiting;
		done->stacked = false;
		done->waiting = NULL;
	}
}

/* The top waits for `bottom`, which is on the stack as well. */
static int break_ring(Netting *n, Place **top, const Place *bottom)
{
	Place *place = *top;
	if (is_ring_of_names(place, bottom))
		return put_by_exchange(n, place);
	while (place->edge == WAITS_FOR_PARENT && place != bottom)
		place = place->waiting;
	unwind_to(top, place);
	return move_aside(
		n, place->edge == WAITS_FOR_LEAVING ? place : find_survivor(place->was), place);
}

/* One step of the walk: puts the top in its place, or something on top of it. Returns the new top. */
static int walk_step(Netting *n, Place **top)
{
	Place *place = *top;
	Place *obstacle = is_in_place(place) ? NULL : find_obstacle(n, place);
	if (obstacle != NULL && obstacle->stacked)
		return break_ring(n, top, obstacle);
	if (obstacle != NULL) {
		obstacle->waiting = place;
		obstacle->stacked = true;
		*top = obstacle;
		return 0;
	}
	if (!is_in_place(place) && put_in_place(n, place) < 0)
		return -ENOMEM;
	place->stacked = false;
	*top = place->waiting;
	place->waiting = NULL;
	return 0;
}

static int put_with_obstacles(Netting *n, Place *top)
{
	top->stacked = true;
	top->waiting = NULL;
	while (top != NULL) {
		if (walk_step(n, &top) < 0) {
			unwind_to(&top, NULL);
			return -ENOMEM;
		}
	}
	return 0;
}

static bool is_emptied_first(const Netting *n, const Place *place)
{
	return is_dead_dir(place->was) && has_survivors(n, place->was);
}

/* Last what takes the place of a directory from which much may have to be moved: by then it mostly has been. */
static int put_all_in_place(Netting *n)
{
	for (int last = 0; last <= 1; last++) {
		for (size_t i = 0; i < n->picks->count; i++) {
			Place *place = n->picks->places[i];
			bool is_due = place->now != NULL && !is_in_place(place);
			if (is_due && (last || !is_emptied_first(n, place)) && put_with_obstacles(n, place) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* --- E: what kept its name --------------------------------------------------------------------------------------- */

static int tell_modified(Netting *n)
{
	for (size_t i = 0; i < n->picks->count; i++) {
		Place *place = n->picks->places[i];
		Entry *entry = place->now;
		if (entry == NULL || !is_in_place(place) || !(entry->modified || entry->attrib))
			continue;
		Change change = {.op = entry->modified ? OP_MODIFY : OP_ATTRIB,
			.type = entry->type,
			.vague = entry->vague,
			.unclosed = entry->unclosed};
		if (tell(n, change, place, NULL) < 0)
			return -ENOMEM;
		forget_flags(entry);
	}
	return 0;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

/* Also what is silent about itself, so that nothing of a dead directory is left over. */
static int pick_dead(Picks *picks)
{
	for (size_t i = 0; i < picks->count; i++)
		if (is_dead_dir(picks->places[i]->was) && add_below(picks, picks->places[i]->was) < 0)
			return -ENOMEM;
	return 0;
}

static int tell_all(Netting *n)
{
	int error = pick_dead(n->picks);
	if (error < 0)
		return error;
	for (size_t i = 0; i < n->picks->count; i++)
		split_continued(n->o, n->picks->places[i]);
	mark_survivors(n);
	if ((error = remove_dead(n)) < 0 || (error = put_all_in_place(n)) < 0)
		return error;
	n->serial = ++n->o->serial; /* all that survives has left */
	if ((error = remove_dead(n)) < 0)
		return error;
	return tell_modified(n);
}

static void release_picks(Overlay *o, Picks *picks)
{
	for (size_t i = 0; i < picks->count; i++) {
		Place *place = picks->places[i];
		place->picked = false;
		if (place->state == PLACE_CLEAN && place_is_dirty(place))
			place_touch(o, place);
		else
			place_release(o, place);
	}
	picks->count = 0;
}

int netting_tell(Overlay *o, Picks *picks, Batch *batch)
{
	Netting n = {.o = o, .picks = picks, .batch = batch};
	int error = tell_all(&n);
	release_picks(o, picks);
	if (o->dirty == 0)
		overlay_forget(o);
	return error;
}
