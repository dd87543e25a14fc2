/* SPDX-License-Identifier: MIT
 *
 * latest.c - which event was the last to change what a path stands for.
 */
#include "stream/latest.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* So many events are remembered after their reader has had them. */
enum { SIZE_LEAST = 256, REMEMBERED = 8192 };

/* --- hashes of paths ---------------------------------------------------------------------------------------------- */

/* That of a path is made of its directory's and its last component. Takes the next one off the path. */
static uint64_t hash_next(uint64_t hash, const char **path, size_t *length)
{
	const char *slash = memchr(*path, '/', *length);
	size_t part = slash != NULL ? (size_t)(slash - *path) : *length;
	size_t taken = part + (slash != NULL);
	hash = hash_bytes(hash, *path, part);
	*path += taken;
	*length -= taken;
	return hash;
}

/* Slashes at the end do not count. */
static uint64_t hash_of_text(const Text *text)
{
	const char *path = text->bytes;
	size_t length = text->length;
	uint64_t hash = 0;
	while (length > 0 && path[length - 1] == '/')
		length--;
	do
		hash = hash_next(hash, &path, &length);
	while (length > 0);
	return hash;
}

static uint64_t hash_of_dir(Latest *latest, Text *dir)
{
	if (latest->dir == dir)
		return latest->dir_hash;
	text_free(latest->dir);
	latest->dir = text_share(dir);
	latest->dir_hash = hash_of_text(dir);
	return latest->dir_hash;
}

static uint32_t hash_of(Latest *latest, Text *dir, const char *name, size_t length)
{
	uint64_t hash = hash_of_dir(latest, dir);
	return (uint32_t)(length > 0 ? hash_bytes(hash, name, length) : hash);
}

/* --- the table -------------------------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static LatestPath *slot_of(const Latest *latest, uint32_t hash)
{
	size_t at = hash;
	while (latest->paths[at & (latest->size - 1)].seq != 0 &&
		latest->paths[at & (latest->size - 1)].hash != hash)
		at++;
	return &latest->paths[at & (latest->size - 1)];
}

static bool is_later(uint32_t seq, uint32_t than)
{
	return (int32_t)(seq - than) > 0;
}

static void put(Latest *latest, uint32_t hash, uint32_t seq)
{
	LatestPath *path = slot_of(latest, hash);
	latest->used += path->seq == 0;
	*path = (LatestPath){.hash = hash, .seq = seq != 0 ? seq : 1};
}

static size_t count_later(const Latest *latest, uint32_t than)
{
	size_t count = 0;
	for (size_t i = 0; i < latest->size; i++)
		count += latest->paths[i].seq != 0 && is_later(latest->paths[i].seq, than);
	return count;
}

/* Forgets what only concerns events older than `since`, into a table with room for as much again. */
static void rebuild(Latest *latest, uint32_t since)
{
	Latest fresh = *latest;
	fresh.size = SIZE_LEAST;
	fresh.used = 0;
	fresh.since = since;
	size_t kept = count_later(latest, since);
	while (fresh.size < 4 * kept)
		fresh.size *= 2;
	fresh.paths = calloc(fresh.size, sizeof *fresh.paths);
	for (size_t i = 0; fresh.paths != NULL && i < latest->size; i++) {
		if (latest->paths[i].seq != 0 && is_later(latest->paths[i].seq, since))
			put(&fresh, latest->paths[i].hash, latest->paths[i].seq);
	}
	free(latest->paths);
	*latest = fresh;
}

static void make_room(Latest *latest, uint64_t oldest)
{
	if (latest->used < latest->size - latest->size / 4)
		return;
	uint32_t since = (uint32_t)(oldest > REMEMBERED ? oldest - REMEMBERED : 0);
	rebuild(latest, is_later(latest->since, since) ? latest->since : since);
}

/* What is new under a name that has ended is nothing that an older event told of. */
static bool puts_away(const Latest *latest, const Item *item)
{
	const uint32_t naming = 1u << OP_CREATE | 1u << OP_MOVE;
	if (item->op == OP_DELETE)
		return true;
	return (naming >> item->op & 1) && (latest->all || item->replaced != 0 || item->exchange);
}

void latest_note(Latest *latest, const Item *item, uint64_t oldest)
{
	if (latest->paths == NULL)
		return;
	make_room(latest, oldest);
	if (latest->paths == NULL)
		return;
	uint32_t seq = (uint32_t)item->seq;
	if (item->op == OP_GONE) /* told of a single file's folder, where only that is meant */
		put(latest, (uint32_t)hash_of_text(item->root), seq);
	else if (puts_away(latest, item))
		put(latest, hash_of(latest, item->dir, item->names, item->name_length), seq);
	if (item->from_dir != NULL)
		put(latest,
			hash_of(
				latest, item->from_dir, item->names + item->name_length, item->from_name_length),
			seq);
}

void latest_begin(Latest *latest, const Queue *queue, uint32_t ops)
{
	const uint32_t ends = 1u << OP_DELETE | 1u << OP_MOVE;
	QueueCursor cursor;
	const Item *first = queue_start(queue, &cursor);
	if (latest->paths != NULL || first == NULL)
		return;
	uint64_t oldest = first->seq;
	latest->all = (ops & ends) != ends;
	rebuild(latest, (uint32_t)(oldest - 1));
	for (const Item *item = first; item != NULL; item = queue_next(queue, &cursor))
		latest_note(latest, item, oldest);
}

void latest_clear(Latest *latest)
{
	free(latest->paths);
	text_free(latest->dir);
	*latest = (Latest){0};
}

bool latest_holds(const Latest *latest, const char *path, size_t length, uint64_t seq)
{
	uint64_t hash = 0;
	if (latest->paths == NULL || !is_later((uint32_t)seq, latest->since))
		return false;
	do {
		hash = hash_next(hash, &path, &length);
		const LatestPath *found = slot_of(latest, (uint32_t)hash);
		if (found->seq != 0 && is_later(found->seq, (uint32_t)seq))
			return false;
	} while (length > 0);
	return true;
}
