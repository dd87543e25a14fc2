/* SPDX-License-Identifier: MIT
 *
 * hub.c - one inotify instance for all trees.
 */
#include "tree/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/forked.h"
#include "os/notify.h"
#include "tree/beside.h"
#include "tree/tree.h"

enum { FIRST_SLOTS = 64, CONSUMED = -2, HELD_MOST = 1024 * 1024, ENDS_MOST = 4096 };

/* --- claims: an open-addressing table from wd to the first claim --------------------------------------------- */

static size_t slot_of(const Hub *hub, int wd)
{
	size_t slot = ((uint32_t)wd * 2654435769u) & (hub->claim_slots - 1);
	while (hub->claims[slot] != NULL && hub->claims[slot]->wd != wd)
		slot = (slot + 1) & (hub->claim_slots - 1);
	return slot;
}

static int grow_claims(Hub *hub)
{
	Claim **old = hub->claims;
	size_t old_slots = hub->claim_slots;
	size_t slots = old_slots ? old_slots * 2 : FIRST_SLOTS;
	Claim **claims = calloc(slots, sizeof *claims);
	if (claims == NULL)
		return -ENOMEM;
	hub->claims = claims;
	hub->claim_slots = slots;
	for (size_t i = 0; i < old_slots; i++) {
		if (old[i] != NULL)
			hub->claims[slot_of(hub, old[i]->wd)] = old[i];
	}
	free(old);
	return 0;
}

/* Closes the gap behind a removed slot, so that every probe still ends at its entry. */
static void empty_slot(Hub *hub, size_t slot)
{
	size_t mask = hub->claim_slots - 1;
	hub->claims[slot] = NULL;
	for (size_t next = (slot + 1) & mask; hub->claims[next] != NULL; next = (next + 1) & mask) {
		Claim *claim = hub->claims[next];
		hub->claims[next] = NULL;
		hub->claims[slot_of(hub, claim->wd)] = claim;
	}
	hub->claim_count--;
}

Claim *hub_claims(const Hub *hub, int wd)
{
	return hub->claim_slots == 0 ? NULL : hub->claims[slot_of(hub, wd)];
}

static bool has_directory(const Claim *claim)
{
	while (claim != NULL && claim->kind != CLAIM_DIR)
		claim = claim->next;
	return claim != NULL;
}

size_t hub_watches(const Hub *hub, size_t *directories)
{
	*directories = 0;
	for (size_t i = 0; i < hub->claim_slots; i++)
		*directories += has_directory(hub->claims[i]);
	return hub->claim_count;
}

int hub_claim(Hub *hub, int dir_fd, uint32_t mask, Claim *claim)
{
	if (hub->claim_count * 8 >= hub->claim_slots * 7) { /* numbers that run on hardly collide */
		int grown = grow_claims(hub);
		if (grown < 0)
			return grown;
	}
	int wd = notify_add_many(&hub->fds, hub->fd, dir_fd, mask | NOTIFY_MASK_ADD);
	if (wd < 0)
		return wd;
	if (claim->wd == wd)
		return 0;
	hub_unclaim(hub, claim);
	size_t slot = slot_of(hub, wd);
	if (hub->claims[slot] == NULL)
		hub->claim_count++;
	claim->wd = wd;
	claim->next = hub->claims[slot];
	hub->claims[slot] = claim;
	return 0;
}

static void unlink_claim(Hub *hub, size_t slot, Claim *claim)
{
	Claim **place = &hub->claims[slot];
	while (*place != claim)
		place = &(*place)->next;
	*place = claim->next;
}

/* Those who give up thousands of watches at once would fill the queue with their ends. A record is being handed on, maybe:
 * so the buffer stays as it is. */
static void set_aside(Hub *hub)
{
	ssize_t length = 1;
	hub->ends = 0;
	if (hub->aside.length == 0)
		hub->aside.stamp = dir_clock();
	while (length > 0 && hub->aside.length < HELD_MOST) {
		size_t size = hub->aside.length + HUB_BUFFER;
		char *bytes = size > hub->aside.size ? realloc(hub->aside.bytes, size) : hub->aside.bytes;
		if (bytes == NULL)
			return;
		hub->aside.bytes = bytes;
		hub->aside.size = size > hub->aside.size ? size : hub->aside.size;
		length = notify_read(hub->fd, bytes + hub->aside.length, HUB_BUFFER);
		hub->aside.length += length > 0 ? (size_t)length : 0;
	}
}

void hub_unclaim(Hub *hub, Claim *claim)
{
	if (claim->wd < 0)
		return;
	size_t slot = slot_of(hub, claim->wd);
	hub->releases++;
	unlink_claim(hub, slot, claim);
	if (hub->claims[slot] == NULL) {
		empty_slot(hub, slot);
		if (!forked_from(hub->owner))
			notify_remove(hub->fd, claim->wd);
		hub->ends++;
	}
	claim->wd = -1;
	claim->next = NULL;
	if (hub->ends == ENDS_MOST)
		set_aside(hub);
}

/* --- file systems ----------------------------------------------------------------------------------------------- */

FilesystemKind hub_filesystem(Hub *hub, uint64_t dev, int fd)
{
	for (size_t i = 0; i < KINDS_KNOWN; i++) {
		if (hub->kinds[i].dev == dev && dev != 0)
			return hub->kinds[i].kind;
	}
	FilesystemKind kind = filesystem_kind(fd);
	hub->next_kind = (hub->next_kind + 1) % KINDS_KNOWN;
	hub->kinds[hub->next_kind].dev = dev;
	hub->kinds[hub->next_kind].kind = kind;
	return kind;
}

void hub_forget_filesystems(Hub *hub)
{
	memset(hub->kinds, 0, sizeof hub->kinds);
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static double seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int hub_open(Hub **out)
{
	Hub *hub = calloc(1, sizeof *hub);
	int error = -ENOMEM;
	if (hub == NULL)
		return error;
	list_init(&hub->trees);
	list_init(&hub->busy);
	hub->fd = -1;
	hub->owner = getpid();
	hub->size = HUB_BUFFER;
	hub->buffer = aligned_alloc(8, HUB_BUFFER);
	if (hub->buffer == NULL)
		goto failed;
	error = hub->fd = notify_open(false);
	if (error < 0)
		goto failed;
	hub->epoch = hub->stamp = hub->drained = dir_clock();
	hub->now = hub->read_at = seconds(CLOCK_MONOTONIC);
	hub->read_wall = seconds(CLOCK_REALTIME);
	*out = hub;
	return 0;
failed:
	hub_close(hub);
	return error;
}

void hub_close(Hub *hub)
{
	if (hub == NULL)
		return;
	if (hub->fd >= 0)
		close(hub->fd);
	free(hub->claims);
	free(hub->olds.items);
	free(hub->news.items);
	free(hub->by_index);
	free(hub->buffer);
	free(hub->aside.bytes);
	seconds_clear(&hub->seconds);
	dir_list_clear(&hub->listing);
	free(hub);
}

/* Bytes of records that are not in the buffer yet. */
static size_t waiting(const Hub *hub)
{
	int pending = notify_pending(hub->fd);
	return hub->aside.length + (pending > 0 ? (size_t)pending : 0);
}

uint64_t hub_position(Hub *hub)
{
	return hub_read_position(hub) + waiting(hub);
}

bool hub_is_newest(Hub *hub, uint64_t position)
{
	return hub_read_position(hub) == position && waiting(hub) == 0;
}

/* --- handing on --------------------------------------------------------------------------------------------------- */

static Tree *tree_of(const Hub *hub, const Claim *claim)
{
	return hub->by_index[claim->tree];
}

static Dir *dir_of_claim(Claim *claim)
{
	return claim->kind == CLAIM_DIR ? (Dir *)(void *)claim : NULL;
}

/* The kernel's watch is gone: every claim on it is void. */
static void watch_ended(Hub *hub, int wd)
{
	Claim *claim = hub_claims(hub, wd);
	if (claim == NULL)
		return;
	empty_slot(hub, slot_of(hub, wd));
	hub->releases++;
	while (claim != NULL) {
		Claim *next = claim->next;
		claim->wd = -1;
		claim->next = NULL;
		if (claim->kind == CLAIM_DIR)
			tree_watch_died(tree_of(hub, claim), dir_of_claim(claim));
		claim = next;
	}
}

static void overflow(Hub *hub)
{
	hub->overflows++;
	hub->records++;
	overtaken_end_all(&hub->overtaken);
	hub->unclaimed += list_empty(&hub->trees);
	for (List *link = hub->trees.next; link != &hub->trees; link = link->next) {
		Tree *tree = list_item(link, Tree, link);
		tree->fate = FATE_DROPPED;
		tree_overflow(tree);
		tree_count(tree, tree->fate);
	}
}

/* The claims on one watch as they are now: a tree may give some up while it is told of a record. */
static int collect(const Hub *hub, int wd, ClaimList *list)
{
	list->count = 0;
	for (Claim *claim = hub_claims(hub, wd); claim != NULL; claim = claim->next) {
		if (list->count == list->size) {
			size_t size = list->size ? list->size * 2 : 16;
			Claim **items = realloc(list->items, size * sizeof *items);
			if (items == NULL)
				return -ENOMEM;
			list->items = items;
			list->size = size;
		}
		list->items[list->count++] = claim;
	}
	return 0;
}

bool hub_is_claim(const Hub *hub, int wd, const Claim *wanted)
{
	Claim *claim = hub_claims(hub, wd);
	while (claim != NULL && claim != wanted)
		claim = claim->next;
	return claim != NULL;
}

/* The same of one collected when `releases` was so: thousands may claim one watch. */
static bool still_claims(const Hub *hub, int wd, const Claim *claim, uint64_t releases)
{
	return hub->releases == releases || hub_is_claim(hub, wd, claim);
}

static void hand_to(Hub *hub, Claim *claim, const Record *record)
{
	if (claim->kind == CLAIM_STEP)
		tree_count(way_record(claim, record), FATE_FILTERED);
	else if (claim->kind == CLAIM_BESIDE)
		tree_count(beside_record(claim, record), FATE_FILTERED);
	else
		tree_record(tree_of(hub, claim), dir_of_claim(claim), record);
}

static void hand_on(Hub *hub, const Record *record)
{
	Claim *claim = hub_claims(hub, record->wd);
	if (claim != NULL && claim->next != NULL && collect(hub, record->wd, &hub->olds) < 0) {
		overflow(hub);
		return;
	}
	hub->records++;
	if (claim == NULL) {
		hub->unclaimed++;
		return;
	}
	if (claim->next == NULL) {
		hand_to(hub, claim, record);
		return;
	}
	uint64_t releases = hub->releases;
	for (size_t i = 0; i < hub->olds.count; i++) {
		if (still_claims(hub, record->wd, hub->olds.items[i], releases))
			hand_to(hub, hub->olds.items[i], record);
	}
}

/* The second half's directory in the same tree: the same one if it can be, else of the same root, else any. Claims given
 * up since they were collected may be freed. */
static Claim **partner_of(Hub *hub, const Dir *dir, size_t at, const Record *to, uint64_t releases)
{
	Claim **best = NULL;
	const Tree *tree = hub->by_index[dir->claim.tree];
	if (at < hub->news.count && hub->news.items[at] == &dir->claim)
		return &hub->news.items[at];
	for (size_t i = 0; i < hub->news.count; i++) {
		Claim **place = &hub->news.items[i];
		bool valid = *place != NULL && still_claims(hub, to->wd, *place, releases);
		Dir *other = valid ? dir_of_claim(*place) : NULL;
		if (other == NULL || other->claim.tree != dir->claim.tree)
			continue;
		if (other == dir)
			return place;
		const Root *root = tree_root_of(tree, dir);
		bool fits = tree_root_of(tree, other) == root;
		if (best == NULL || (fits && tree_root_of(tree, dir_of_claim(*best)) != root))
			best = place;
	}
	return best;
}

static void hand_first_half(Hub *hub, size_t at, const Pair *pair, uint64_t releases)
{
	Claim *claim = hub->olds.items[at];
	Dir *dir = dir_of_claim(claim);
	Claim **partner = dir != NULL ? partner_of(hub, dir, at, &pair->to, releases) : NULL;
	if (partner == NULL) {
		hand_to(hub, claim, &pair->from);
		return;
	}
	Dir *to = dir_of_claim(*partner);
	*partner = NULL;
	tree_rename(hub->by_index[dir->claim.tree], dir, to, pair);
}

static bool is_twin(Claim *const *items, size_t count, const Dir *dir)
{
	for (size_t i = 0; i < count; i++) {
		const Dir *other = dir_of_claim(items[i]);
		if (other != NULL && other != dir && other->claim.tree == dir->claim.tree)
			return true;
	}
	return false;
}

/* The two halves of an exchange may find different partners where a directory has several paths: what one of these has
 * lost by that, a listing finds. */
static void look_at_twins(Hub *hub, Claim *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Dir *dir = dir_of_claim(items[i]);
		if (dir != NULL && is_twin(items, count, dir))
			tree_scan_later(hub->by_index[dir->claim.tree], dir, 0);
	}
}

/* A root that was moved away takes its directories along: what happens there from now on is told of no path. */
static void check_ways(Hub *hub)
{
	hub->doubts = false;
	for (List *link = hub->busy.next; link != &hub->busy; link = link->next) {
		Tree *tree = list_item(link, Tree, busy);
		if (tree->checks)
			tree_check_roots(tree);
	}
}

static bool holds_root(const Hub *hub, const ClaimList *list, const Root *root)
{
	for (size_t i = 0; i < list->count; i++) {
		const Dir *dir = dir_of_claim(list->items[i]);
		if (dir != NULL && tree_root_of(tree_of(hub, &dir->claim), dir) == root)
			return true;
	}
	return false;
}

/* The way to a root may lead through the root itself, by a symbolic link: what is renamed on it is at no path any more. */
static void leave_ways(Hub *hub, const Pair *pair)
{
	for (size_t i = 0; i < hub->olds.count; i++) {
		Root *root = way_leads_over(hub->olds.items[i], &pair->from);
		if (root != NULL &&
			(holds_root(hub, &hub->olds, root) || holds_root(hub, &hub->news, root)))
			way_doubt(root);
	}
	if (hub->doubts)
		check_ways(hub);
}

static void hand_on_pair(Hub *hub, const Pair *pair)
{
	if (collect(hub, pair->from.wd, &hub->olds) < 0 || collect(hub, pair->to.wd, &hub->news) < 0) {
		overflow(hub);
		return;
	}
	if (pair->reversed_next) {
		look_at_twins(hub, hub->olds.items, hub->olds.count);
		look_at_twins(hub, hub->news.items, hub->news.count);
	}
	hub->records += 2;
	hub->unclaimed += hub->news.count == 0;
	uint64_t releases = hub->releases;
	leave_ways(hub, pair);
	for (size_t i = 0; i < hub->olds.count; i++) {
		if (still_claims(hub, pair->from.wd, hub->olds.items[i], releases))
			hand_first_half(hub, i, pair, releases);
	}
	for (size_t i = 0; i < hub->news.count; i++) {
		Claim *claim = hub->news.items[i];
		if (claim != NULL && still_claims(hub, pair->to.wd, claim, releases))
			hand_to(hub, claim, &pair->to);
	}
}

/* --- the buffer ------------------------------------------------------------------------------------------------------ */

static uint64_t position_of(const Hub *hub, size_t offset)
{
	return hub->done + (offset - hub->start);
}

/* Decodes the record at `offset`; its size in the buffer is returned, 0 at the end. */
static size_t record_at(const Hub *hub, size_t offset, Record *record)
{
	NotifyReader reader = notify_reader(hub->buffer + offset, hub->end - offset);
	NotifyRecord raw;
	const unsigned char *before = reader.at;
	if (notify_next(&reader, &raw) != 1)
		return 0;
	size_t size = (size_t)(reader.at - before);
	*record = (Record){
		.mask = raw.mask,
		.cookie = raw.cookie,
		.wd = raw.wd,
		.name = raw.name,
		.name_length = raw.name_length,
		.position = position_of(hub, offset) + size,
	};
	return size;
}

static size_t head_at(const Hub *hub, size_t offset, NotifyHead *head)
{
	return notify_head(hub->buffer + offset, hub->end - offset, head);
}

/* Marks a second half that was handed on together with its first. */
static void consume(Hub *hub, size_t offset)
{
	int consumed = CONSUMED;
	memcpy(hub->buffer + offset, &consumed, sizeof consumed);
}

/* False out of memory. */
static bool note_seconds(Hub *hub)
{
	Seconds *seconds = &hub->seconds;
	size_t noted = seconds->noted > hub->done ? seconds->noted - hub->done : 0, size;
	NotifyHead head;
	for (size_t at = hub->start + noted; (size = head_at(hub, at, &head)) > 0; at += size) {
		bool second = head.mask & NOTIFY_MOVED_TO;
		if (second && !seconds_note(seconds, head.cookie, position_of(hub, at), hub->done))
			return false;
		seconds->noted = position_of(hub, at + size);
	}
	return true;
}

static bool is_second(const Record *record, uint32_t cookie)
{
	return record->cookie == cookie && (record->mask & NOTIFY_MOVED_TO) && record->wd >= 0;
}

static size_t search_second(const Hub *hub, size_t offset, uint32_t cookie, Record *second)
{
	size_t size;
	while ((size = record_at(hub, offset, second)) > 0 && !is_second(second, cookie))
		offset += size;
	return size > 0 ? offset : SIZE_MAX;
}

/* The second half of a rename at or behind `offset`; SIZE_MAX where it is not there (yet). */
static size_t find_second(Hub *hub, size_t offset, uint32_t cookie, Record *second)
{
	if (record_at(hub, offset, second) > 0 && is_second(second, cookie))
		return offset; /* nearly always */
	if (!note_seconds(hub))
		return search_second(hub, offset, cookie, second);
	uint64_t begin = seconds_find(&hub->seconds, cookie);
	if (begin == SECONDS_NONE || begin < position_of(hub, offset))
		return SIZE_MAX;
	offset = hub->start + (size_t)(begin - hub->done);
	return record_at(hub, offset, second) > 0 && is_second(second, cookie) ? offset : SIZE_MAX;
}

static bool same_place(const Record *a, const Record *b)
{
	return a->wd == b->wd && a->name_length == b->name_length &&
		memcmp(a->name, b->name, a->name_length) == 0;
}

/* The next change of names in either directory, at or behind `offset`; its size, 0 where there is none. */
static size_t next_of_names(const Hub *hub, size_t *offset, int wd, int other, Record *record)
{
	const uint32_t names = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE;
	NotifyHead head;
	size_t size;
	while ((size = head_at(hub, *offset, &head)) > 0) {
		if ((head.wd == wd || head.wd == other) && (head.mask & names))
			return record_at(hub, *offset, record);
		*offset += size;
	}
	return 0;
}

/* Whether the names are renamed back at once: an exchange, or `rename a b; rename b a`. During an exchange both
 * directories are locked: the next change of names in either of them is its second pair. */
static bool is_reversed(Hub *hub, size_t offset, Pair *pair)
{
	Record first, second;
	size_t size = next_of_names(hub, &offset, pair->from.wd, pair->to.wd, &first);
	if (size == 0 || !(first.mask & NOTIFY_MOVED_FROM) || !same_place(&first, &pair->to))
		return false;
	pair->next_cookie = first.cookie;
	if (find_second(hub, offset + size, first.cookie, &second) == SIZE_MAX)
		return false;
	pair->next_end = second.position;
	return same_place(&second, &pair->from);
}

static bool may_hold(const Hub *hub)
{
	return hub->end - hub->start < HELD_MOST;
}

/* Is it to be waited with? What was there already when another began to wait has waited as long as that: else a steady
 * stream of entries that are moved out would be told at the pace of the waits. */
static bool holds(Hub *hub, const Record *from)
{
	if (from->position <= hub->waited)
		return false;
	if (hub->hold_until == 0) {
		hub->hold_until = hub->read_at + HUB_PAIR_WAIT;
		hub->hold_end = hub_read_position(hub);
	}
	if (hub->now < hub->hold_until)
		return true;
	hub->waited = hub->hold_end;
	return false;
}

/* A first half: handed on with its second, or held until that comes. False: held. */
static bool hand_on_rename(Hub *hub, const Record *from, size_t size)
{
	Pair pair = {.from = *from};
	size_t second = find_second(hub, hub->start + size, from->cookie, &pair.to);
	if (second != SIZE_MAX) {
		Record decoded;
		size_t after = second + record_at(hub, second, &decoded);
		pair.reversed_next = is_reversed(hub, after, &pair);
		pair.to.out_next = pair.reversed_next; /* for who knows that directory alone */
		pair.to.out_cookie = pair.next_cookie;
		consume(hub, second);
		hand_on_pair(hub, &pair);
		return true;
	}
	if (may_hold(hub) && holds(hub, from))
		return false;
	hand_on(hub, from);
	return true;
}

/* What comes from outside may be one side of an exchange. */
static void look_behind(Hub *hub, Record *record, size_t size)
{
	Record next, second;
	size_t offset = hub->start + size;
	size_t next_size = next_of_names(hub, &offset, record->wd, record->wd, &next);
	if (next_size == 0 || !(next.mask & NOTIFY_MOVED_FROM) || !same_place(&next, record))
		return;
	record->out_next = find_second(hub, offset + next_size, next.cookie, &second) == SIZE_MAX;
	record->out_cookie = next.cookie;
}

/* False where the record is held. */
static bool hand_on_any(Hub *hub, Record *record, size_t size)
{
	if (record->mask & NOTIFY_Q_OVERFLOW) {
		overflow(hub);
		return true;
	}
	if (record->wd == CONSUMED)
		return true;
	if ((record->mask & NOTIFY_MOVED_FROM) && hub_claims(hub, record->wd) != NULL)
		return hand_on_rename(hub, record, size);
	if (record->mask & NOTIFY_MOVED_TO)
		look_behind(hub, record, size);
	hand_on(hub, record);
	if (record->mask & NOTIFY_IGNORED)
		watch_ended(hub, record->wd);
	return true;
}

static void hand_on_all(Hub *hub)
{
	Record record;
	size_t size;
	while ((size = record_at(hub, hub->start, &record)) > 0) {
		if (!hand_on_any(hub, &record, size))
			return;
		hub->start += size;
		hub->done += size;
		hub->hold_until = 0;
		if (hub->doubts)
			check_ways(hub);
	}
	hub->start = hub->end = 0;
	seconds_clear(&hub->seconds);
}

/* Room for one more read, or so many bytes, behind what is held. */
static int make_room(Hub *hub, size_t room)
{
	if (hub->start > 0) {
		memmove(hub->buffer, hub->buffer + hub->start, hub->end - hub->start);
		hub->end -= hub->start;
		hub->start = 0;
	}
	size_t size = hub->size;
	room = room > HUB_BUFFER / 2 ? room : HUB_BUFFER / 2;
	while (size - hub->end < room)
		size *= 2;
	char *buffer = size > hub->size ? realloc(hub->buffer, size) : hub->buffer;
	if (buffer == NULL)
		return -ENOMEM;
	hub->buffer = buffer;
	hub->size = size;
	return 0;
}

enum { STEP = 20000 }; /* microseconds; less is slewing, or the coarseness of the clock */

/* A file clock that is set back makes later changes look older than what was told before. Between the samples before and
 * after, it ran from `low` to `high`, in part twice. */
static void note_step(Hub *hub, int64_t offset, int64_t now)
{
	int64_t high = hub->clock_offset + now, low = offset + hub->clock_last;
	bool first = hub->twice_high == 0;
	hub->twice_low = first || low < hub->twice_low ? low : hub->twice_low;
	hub->twice_high = first || high > hub->twice_high ? high : hub->twice_high;
}

static int64_t take_stamp(Hub *hub)
{
	int64_t stamp = dir_clock(), now = (int64_t)(seconds(CLOCK_BOOTTIME) * 1e6);
	int64_t offset = stamp - now;
	if (hub->clock_last != 0 && offset < hub->clock_offset - STEP)
		note_step(hub, offset, now);
	hub->clock_last = now;
	hub->clock_offset = offset;
	return stamp;
}

bool hub_is_since(const Hub *hub, int64_t ctime, int64_t stamp)
{
	if (ctime >= stamp)
		return true;
	bool twice = stamp > hub->twice_low && stamp <= hub->twice_high;
	return twice && ctime >= hub->twice_low;
}

static ssize_t take_aside(Hub *hub)
{
	size_t length = hub->aside.length;
	memcpy(hub->buffer + hub->end, hub->aside.bytes, length);
	free(hub->aside.bytes);
	hub->aside.bytes = NULL;
	hub->aside.length = hub->aside.size = 0;
	return (ssize_t)length;
}

static ssize_t read_records(Hub *hub)
{
	int64_t stamp = take_stamp(hub);
	bool aside = hub->aside.length > 0;
	int room = make_room(hub, hub->aside.length);
	if (room < 0)
		return room;
	size_t space = hub->size - hub->end;
	ssize_t length = aside ? take_aside(hub) : notify_read(hub->fd, hub->buffer + hub->end, space);
	bool emptied = !aside && length >= 0 && space - (size_t)length >= NOTIFY_LARGEST_RECORD;
	if (aside)
		stamp = hub->aside.stamp;
	hub->emptied = emptied ? stamp : 0;
	if (length > 0) {
		if (hub->end == hub->start)
			hub->stamp = stamp;
		hub->end += (size_t)length;
		hub->read_at = hub->now;
		hub->read_wall = seconds(CLOCK_REALTIME);
	}
	return length;
}

uint64_t hub_read_position(const Hub *hub)
{
	return hub->done + (hub->end - hub->start);
}

static void fill(Hub *hub)
{
	while (hub->end - hub->start < HELD_MOST && read_records(hub) > 0)
		continue;
}

static bool is_lost(const Record *record)
{
	return (record->mask & NOTIFY_Q_OVERFLOW) != 0;
}

bool hub_heard(Hub *hub, int wd, uint64_t after)
{
	Record record;
	size_t size;
	fill(hub);
	for (size_t offset = hub->start; (size = record_at(hub, offset, &record)) > 0; offset += size) {
		bool changed = record.wd == wd && !(record.mask & NOTIFY_READS);
		if (record.position > after && (changed || is_lost(&record)))
			return true;
	}
	return false;
}

bool hub_heard_of_directories(Hub *hub)
{
	const uint32_t names = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE;
	Record record;
	size_t size;
	fill(hub);
	for (size_t offset = hub->start; (size = record_at(hub, offset, &record)) > 0; offset += size) {
		bool moved = (record.mask & NOTIFY_ISDIR) && (record.mask & names);
		if (moved || is_lost(&record))
			return true;
	}
	return false;
}

bool hub_heard_of_name(Hub *hub, int wd, const char *name, size_t length)
{
	const uint32_t names = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE;
	Record record;
	size_t size;
	fill(hub);
	for (size_t offset = hub->start; (size = record_at(hub, offset, &record)) > 0; offset += size) {
		bool same = (wd <= 0 || record.wd == wd) && record.name_length == length &&
			memcmp(record.name, name, length) == 0;
		bool moved = (record.mask & NOTIFY_ISDIR) && !(record.mask & NOTIFY_CREATE);
		if (((record.mask & names) && (same || moved)) || is_lost(&record))
			return true;
	}
	return false;
}

bool hub_is_behind(const Hub *hub)
{
	return hub->aside.length > 0 || (hub->start != hub->end && hub->hold_until == 0);
}

bool hub_caught_up(Hub *hub)
{
	return hub->start == hub->end && waiting(hub) == 0;
}

int hub_step(Hub *hub, double now)
{
	hub->now = now;
	ssize_t length = read_records(hub);
	if (length < 0)
		return (int)length;
	hand_on_all(hub);
	if (hub->emptied != 0 && hub->start == hub->end)
		hub->drained = hub->emptied;
	for (List *link = hub->busy.next; link != &hub->busy; link = link->next)
		tree_rest_trail(list_item(link, Tree, busy));
	return hub->emptied == 0 || hub->aside.length > 0;
}

double hub_deadline(const Hub *hub)
{
	return hub->hold_until;
}
