/* SPDX-License-Identifier: MIT
 *
 * overlay.c - two trees that share their entries.
 *
 * A dead file is replaced by the ghost of its type, so only directories need an entry after their death: children that
 * lived elsewhere in the tree before still name it as their parent. entry_settle and place_release free upward from
 * whatever lost its last use; both are loops, since a path may be deeper than a stack.
 */
#include "stream/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { FIRST_SLOTS = 64 };

/* --- memory ------------------------------------------------------------------------------------------------------ */

static size_t place_size(size_t name_length)
{
	return sizeof(Place) + name_length;
}

static void *block_get(Overlay *o, size_t size)
{
	return size <= POOL_LARGEST ? pool_get(&o->pool, size) : malloc(size);
}

static void block_put(Overlay *o, void *block, size_t size)
{
	if (size <= POOL_LARGEST)
		pool_put(&o->pool, block, size);
	else
		free(block);
}

void overlay_init(Overlay *o)
{
	*o = (Overlay){.next_id = 1};
	list_init(&o->by_first);
	list_init(&o->by_last);
	list_init(&o->parked);
	o->top.type = TYPE_DIRECTORY;
	for (size_t type = 0; type < sizeof o->ghosts / sizeof *o->ghosts; type++) {
		o->ghosts[type].type = (uint8_t)type;
		o->ghosts[type].ghost = true;
	}
}

static void forget_caches(Overlay *o)
{
	o->caches[0].dir = o->caches[1].dir = NULL;
}

static void free_side(Overlay *o, Entry *entry, const Place *from)
{
	if (entry == NULL || entry->ghost)
		return;
	if (entry->was == from)
		entry->was = NULL;
	if (entry->now == from)
		entry->now = NULL;
	if (entry->was == NULL && entry->now == NULL)
		pool_put(&o->pool, entry, sizeof *entry);
}

/* Also where there is no pool to be dropped at once (base/pool.c under AddressSanitizer). */
static void free_places(Overlay *o)
{
	for (size_t i = 0; i < o->slots; i++) {
		Place *place = o->table[i];
		if (place == NULL)
			continue;
		Entry *was = place->was, *now = place->now;
		free_side(o, was, place);
		if (now != was)
			free_side(o, now, place);
		block_put(o, place, place_size(place->name_length));
	}
	free(o->table);
}

void overlay_forget(Overlay *o)
{
	free_places(o);
	pool_clear(&o->pool);
	o->table = NULL;
	o->slots = o->places = o->dirty = 0;
	o->top.places = (List){0};
	list_init(&o->by_first);
	list_init(&o->by_last);
	list_init(&o->parked);
	forget_caches(o);
}

void overlay_clear(Overlay *o)
{
	overlay_forget(o);
	for (size_t i = 0; i < o->root_count; i++)
		free(o->roots[i].text);
	free(o->roots);
	free(o->caches[0].text);
	free(o->caches[1].text);
	*o = (Overlay){0};
}

static Entry *entry_new(Overlay *o, FileType type)
{
	Entry *entry = pool_get(&o->pool, sizeof *entry);
	if (entry == NULL)
		return NULL;
	*entry = (Entry){.type = (uint8_t)type, .id = o->next_id++};
	list_init(&entry->places);
	return entry;
}

static bool is_cached(const Overlay *o, const Entry *dir)
{
	return o->caches[0].dir == dir || o->caches[1].dir == dir;
}

static void entry_free(Overlay *o, Entry *entry)
{
	for (size_t i = 0; i < 2; i++)
		if (o->caches[i].dir == entry)
			o->caches[i].dir = NULL;
	pool_put(&o->pool, entry, sizeof *entry);
}

/* --- the table of places ----------------------------------------------------------------------------------------- */

static uint32_t hash_name(const Entry *parent, const char *name, size_t length)
{
	return (uint32_t)hash_bytes(parent->id, name, length);
}

static bool place_is(
	const Place *place, uint32_t hash, const Entry *parent, const char *name, size_t length)
{
	return place->hash == hash && place->parent == parent && place->name_length == length &&
		memcmp(place->name, name, length) == 0;
}

static void table_put(Place **table, size_t slots, Place *place)
{
	size_t i = place->hash & (slots - 1);
	while (table[i] != NULL)
		i = (i + 1) & (slots - 1);
	table[i] = place;
}

static int table_grow(Overlay *o)
{
	size_t slots = o->slots == 0 ? FIRST_SLOTS : o->slots * 2;
	Place **table = calloc(slots, sizeof *table);
	if (table == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < o->slots; i++)
		if (o->table[i] != NULL)
			table_put(table, slots, o->table[i]);
	free(o->table);
	o->table = table;
	o->slots = slots;
	return 0;
}

/* Closes the gap, so that no search ends too early. */
static void table_remove(Overlay *o, const Place *place)
{
	size_t mask = o->slots - 1, gap = place->hash & mask;
	while (o->table[gap] != place)
		gap = (gap + 1) & mask;
	for (size_t i = (gap + 1) & mask; o->table[i] != NULL; i = (i + 1) & mask) {
		size_t home = o->table[i]->hash & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			o->table[gap] = o->table[i];
			gap = i;
		}
	}
	o->table[gap] = NULL;
	o->places--;
}

static Place *place_new(Overlay *o, Entry *parent, uint32_t hash, const char *name, size_t length)
{
	if (length > UINT16_MAX || ((o->places + 1) * 4 > o->slots * 3 && table_grow(o) < 0))
		return NULL;
	Place *place = block_get(o, place_size(length));
	if (place == NULL)
		return NULL;
	memset(place, 0, sizeof *place);
	place->parent = parent;
	place->hash = hash;
	place->name_length = (uint16_t)length;
	memcpy(place->name, name, length);
	table_put(o->table, o->slots, place);
	o->places++;
	if (parent->places.next == NULL)
		list_init(&parent->places);
	list_append(&parent->places, &place->sibling);
	return place;
}

static Place *find_place(Overlay *o, Entry *parent, const char *name, size_t length)
{
	uint32_t hash = hash_name(parent, name, length);
	size_t mask = o->slots - 1;
	if (o->slots > 0)
		for (size_t i = hash & mask; o->table[i] != NULL; i = (i + 1) & mask)
			if (place_is(o->table[i], hash, parent, name, length))
				return o->table[i];
	return place_new(o, parent, hash, name, length);
}

Place *overlay_spare_place(Overlay *o, Entry *parent, const char *name, size_t length)
{
	return find_place(o, parent, name, length);
}

/* --- states ------------------------------------------------------------------------------------------------------ */

bool place_is_continued(const Place *place)
{
	const Entry *was = place->was, *now = place->now;
	return was != NULL && now != NULL && !entry_is_dir(was) && !entry_is_dir(now) &&
		(was->type == now->type || was->type == TYPE_UNKNOWN || now->type == TYPE_UNKNOWN);
}

bool place_is_origin(const Place *place)
{
	const Entry *was = place->was;
	return place->now == NULL && was != NULL && was->now != NULL && !place_is_continued(was->now);
}

bool place_is_dirty(const Place *place)
{
	if (place->now == NULL && place->was != NULL && place->was->absorbed)
		return false;
	return place->was != place->now ||
		(place->now != NULL && (place->now->modified || place->now->attrib));
}

static void leave_lists(Overlay *o, Place *place)
{
	if (place->state == PLACE_CLEAN)
		return;
	list_remove(&place->by_first);
	list_remove(&place->by_last);
	place->state = PLACE_CLEAN;
	o->dirty--;
}

static void enter_lists(Overlay *o, Place *place)
{
	if (place->state == PLACE_CLEAN)
		o->dirty++;
	list_remove(&place->by_first);
	list_remove(&place->by_last);
	place->state = PLACE_WAITING;
	list_append(&o->by_first, &place->by_first);
	list_append(&o->by_last, &place->by_last);
}

void place_park(Overlay *o, Place *place, uint8_t state)
{
	list_remove(&place->by_first);
	list_remove(&place->by_last);
	list_append(&o->parked, &place->by_first);
	place->state = state;
}

void place_unpark(Overlay *o, Place *place, double first, double last)
{
	list_remove(&place->by_first);
	place->state = PLACE_WAITING;
	place->first = first;
	place->last = last;
	list_prepend(&o->by_first, &place->by_first);
	list_prepend(&o->by_last, &place->by_last);
}

/* Takes the place out and frees it; returns the entry that may have lost its last use. */
static Entry *place_free(Overlay *o, Place *place)
{
	Entry *parent = place->parent;
	table_remove(o, place);
	list_remove(&place->sibling);
	block_put(o, place, place_size(place->name_length));
	return parent;
}

/* A clean place that holds nothing, or a thing of which nothing is known but that it is there. */
static bool may_be_freed(const Place *place)
{
	const Entry *entry = place->now;
	return !place->picked && place->state == PLACE_CLEAN && place->was == entry &&
		(entry == NULL || list_empty(&entry->places));
}

/* Frees a dead entry without uses; returns the place that it may have been the last to need. */
static Place *free_dead(Overlay *o, Entry *entry)
{
	Place *was = entry->was;
	if (was != NULL && !entry->absorbed)
		return NULL;
	if (was != NULL)
		was->was = NULL;
	entry_free(o, entry);
	return was;
}

static bool is_of_use(const Overlay *o, const Entry *entry)
{
	return entry == &o->top || entry->ghost || entry->pinned || !list_empty(&entry->places);
}

/* Up from an entry that lost a place or a child, until something is still of use. The directory of the last event
 * stays for the next one. */
static void settle_upward(Overlay *o, Entry *entry)
{
	while (!is_of_use(o, entry) && !is_cached(o, entry)) {
		Place *place = entry->now == NULL ? free_dead(o, entry) : entry->now;
		if (place == NULL)
			return;
		if (!place_is_dirty(place))
			leave_lists(o, place);
		if (!may_be_freed(place))
			return;
		if (place->now != NULL)
			entry_free(o, place->now);
		entry = place_free(o, place);
	}
}

void entry_settle(Overlay *o, Entry *entry)
{
	if (entry->now == NULL)
		settle_upward(o, entry);
}

void place_release(Overlay *o, Place *place)
{
	if (place_is_dirty(place))
		return;
	leave_lists(o, place);
	place->count = 0;
	if (!may_be_freed(place))
		return;
	if (place->now != NULL)
		entry_free(o, place->now);
	settle_upward(o, place_free(o, place));
}

static bool is_still_held(const Place *place)
{
	return place->state == PLACE_HELD && place->now != NULL && place->now->unclosed != FILE_CLOSED;
}

void place_touch(Overlay *o, Place *place)
{
	if (!place_is_dirty(place)) {
		place_release(o, place);
		return;
	}
	place->last = o->now;
	if (is_still_held(place))
		return;
	if (place->state != PLACE_WAITING)
		place->first = o->now;
	if (place->state == PLACE_WAITING) {
		list_remove(&place->by_last);
		list_append(&o->by_last, &place->by_last);
	} else {
		enter_lists(o, place);
	}
}

/* --- paths ------------------------------------------------------------------------------------------------------- */

static uint32_t find_root(Overlay *o, const char *text, size_t length)
{
	for (size_t i = 0; i < o->root_count; i++)
		if (o->roots[i].length == length && memcmp(o->roots[i].text, text, length) == 0)
			return (uint32_t)i + 1;
	OverlayRoot *roots = realloc(o->roots, (o->root_count + 1) * sizeof *roots);
	if (roots == NULL)
		return 0;
	o->roots = roots;
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return 0;
	memcpy(copy, text, length);
	copy[length] = '\0';
	roots[o->root_count] = (OverlayRoot){.text = copy, .length = length};
	return (uint32_t)++o->root_count;
}

static void mark_root(Overlay *o, uint32_t *mark, const PathRef *path)
{
	if (path->root != NULL)
		*mark = find_root(o, path->root, path->root_length);
}

static bool existed_before(const Overlay *o, const Entry *dir)
{
	return dir == &o->top || dir->was != NULL;
}

/* Whoever has the place now. Of a place never heard of: what was there before as well. NULL with *error 0: nobody. */
static Entry *occupant(Overlay *o, Place *place, FileType type, int *error)
{
	*error = 0;
	if (place->known) {
		if (place->now != NULL && place->now->type == TYPE_UNKNOWN)
			place->now->type = (uint8_t)type;
		return place->now;
	}
	Entry *entry = entry_new(o, type);
	if (entry == NULL) {
		*error = -ENOMEM;
		return NULL;
	}
	place->known = true;
	place->now = entry;
	entry->now = place;
	if (existed_before(o, place->parent)) {
		place->was = entry;
		entry->was = place;
	}
	return entry;
}

static void kill_entry(Overlay *o, Entry *entry, bool whole);

static int put_new(Overlay *o, Place *place, FileType type)
{
	Entry *entry = entry_new(o, type);
	if (entry == NULL)
		return -ENOMEM;
	place->known = true;
	place->now = entry;
	entry->now = place;
	return 0;
}

/* The directory at a component of a path: it must be one, whatever was believed. */
static Entry *enter_directory(Overlay *o, Place *place)
{
	int error;
	Entry *entry = occupant(o, place, TYPE_DIRECTORY, &error);
	if (error < 0)
		return NULL;
	if (entry != NULL && entry_is_dir(entry))
		return entry;
	if (entry != NULL)
		kill_entry(o, entry, true);
	if (put_new(o, place, TYPE_DIRECTORY) < 0)
		return NULL;
	place_touch(o, place);
	return place->now;
}

static size_t without_last_slash(const char *path, size_t length)
{
	return length > 0 && path[length - 1] == '/' ? length - 1 : length;
}

/* Walks the components of `text` up to `length`; rel_at tells which of them is the base of the root. */
static Entry *walk(Overlay *o, const PathRef *path, const char *text, size_t length)
{
	Entry *dir = &o->top;
	for (size_t start = 0;;) {
		const char *slash = memchr(text + start, '/', length - start);
		size_t end = slash != NULL ? (size_t)(slash - text) : length;
		Place *place = find_place(o, dir, text + start, end - start);
		dir = place != NULL ? enter_directory(o, place) : NULL;
		if (dir == NULL)
			return NULL;
		if (end + 1 == path->rel_at)
			mark_root(o, &place->root, path);
		if (slash == NULL)
			return dir;
		start = end + 1;
	}
}

static void cache_dir(DirCache *cache, Entry *dir, const char *text, size_t length, uint32_t rel_at)
{
	if (length > cache->capacity) {
		char *bigger = realloc(cache->text, length * 2);
		if (bigger == NULL)
			return;
		cache->text = bigger;
		cache->capacity = length * 2;
	}
	if (length > 0)
		memcpy(cache->text, text, length);
	cache->length = length;
	cache->rel_at = rel_at;
	cache->dir = dir;
}

static Entry *find_dir(Overlay *o, const PathRef *path, const char *text, size_t length, int which)
{
	DirCache *cache = &o->caches[which];
	if (cache->dir != NULL && cache->length == length && cache->rel_at == path->rel_at &&
		(length == 0 || memcmp(cache->text, text, length) == 0))
		return cache->dir;
	Entry *dir = walk(o, path, text, length), *old = cache->dir;
	if (dir != NULL)
		cache_dir(cache, dir, text, length, path->rel_at);
	if (old != NULL && !is_cached(o, old))
		settle_upward(o, old);
	return dir;
}

static const char *last_slash(const char *text, size_t length)
{
	return memrchr(text, '/', length);
}

/* The watched thing itself: all of its path is in `dir`. */
static Place *place_of_root(Overlay *o, const PathRef *path, int cache)
{
	size_t length = without_last_slash(path->dir, path->dir_length);
	const char *slash = last_slash(path->dir, length);
	const char *name = slash != NULL ? slash + 1 : path->dir;
	Entry *dir =
		slash != NULL ? find_dir(o, path, path->dir, (size_t)(slash - path->dir), cache) : &o->top;
	Place *place =
		dir != NULL ? find_place(o, dir, name, length - (size_t)(name - path->dir)) : NULL;
	if (place != NULL && path->rel_at >= length)
		mark_root(o, &place->root, path);
	else if (path->rel_at == 0)
		mark_root(o, &o->top_root, path);
	return place;
}

Place *overlay_place(Overlay *o, const PathRef *path, int cache)
{
	if (path->name_length == 0)
		return place_of_root(o, path, cache);
	if (path->rel_at == 0)
		mark_root(o, &o->top_root, path);
	size_t length = without_last_slash(path->dir, path->dir_length);
	Entry *dir = path->dir_length > 0 ? find_dir(o, path, path->dir, length, cache) : &o->top;
	Place *place = dir != NULL ? find_place(o, dir, path->name, path->name_length) : NULL;
	if (place != NULL && path->rel_at == length + 1 + path->name_length)
		mark_root(o, &place->root, path);
	return place;
}

static const Place *above(const Overlay *o, const Place *place, bool now)
{
	const Entry *parent = place->parent;
	if (parent == &o->top)
		return NULL;
	return now ? parent->now : parent->was;
}

static size_t path_length(const Overlay *o, const Place *place, bool now)
{
	size_t length = place->name_length;
	while ((place = above(o, place, now)) != NULL)
		length += place->name_length + 1u;
	return length;
}

size_t place_path(
	const Overlay *o, const Place *place, bool now, char *out, size_t *rel_at, uint32_t *root)
{
	size_t length = path_length(o, place, now), end = length;
	if (out == NULL)
		return length > 0 ? length : 1;
	*root = 0;
	for (; place != NULL; place = above(o, place, now)) {
		if (place->root != 0 && *root == 0) {
			*root = place->root;
			*rel_at = end == length ? end : end + 1;
		}
		end -= place->name_length;
		memcpy(out + end, place->name, place->name_length);
		if (end > 0)
			out[--end] = '/';
	}
	if (*root == 0) {
		*root = o->top_root;
		*rel_at = 0;
	}
	if (length > 0)
		return length;
	out[0] = '/';
	*rel_at = 1;
	return 1;
}

/* --- what events do ---------------------------------------------------------------------------------------------- */

static bool has_living(const Entry *dir)
{
	if (dir->places.next == NULL)
		return false;
	for (const List *link = dir->places.next; link != &dir->places; link = link->next)
		if (list_item(link, Place, sibling)->now != NULL)
			return true;
	return false;
}

/* A file leaves the tree of now; in the tree before a ghost stands for it. */
static void bury_file(Overlay *o, Entry *file)
{
	if (file->was != NULL)
		file->was->was = &o->ghosts[file->type];
	entry_free(o, file);
}

/* What goes with the directory it lies in. Where it lay there before as well, the directory speaks for it. */
static void bury_child(Overlay *o, Place *place)
{
	Entry *child = place->now;
	Place *was = child->was;
	bool is_part = was == place;
	place->now = NULL;
	child->now = NULL;
	if (entry_is_dir(child)) {
		child->absorbed = is_part;
		child->whole = true;
	} else {
		bury_file(o, child);
		if (is_part)
			place->was = NULL;
	}
	if (was != NULL && !is_part)
		place_touch(o, was);
}

/* Queues the directories among the children behind `last`, and returns the new last. */
static Entry *bury_children(Overlay *o, Entry *dir, Entry *last)
{
	for (List *link = dir->places.next; link != &dir->places; link = link->next) {
		Place *place = list_item(link, Place, sibling);
		Entry *child = place->now;
		if (child == NULL)
			continue;
		if (entry_is_dir(child)) {
			child->pinned = true;
			child->next = NULL;
			last = last->next = child;
		}
		bury_child(o, place);
	}
	return last;
}

static void release_children(Overlay *o, Entry *dir)
{
	for (List *link = dir->places.next, *next; link != &dir->places; link = next) {
		Place *place = list_item(link, Place, sibling);
		next = link->next;
		if (place_is_dirty(place))
			place_touch(o, place);
		else
			place_release(o, place);
	}
	dir->pinned = false;
	settle_upward(o, dir);
}

/* Parents first down the tree, then children first up again, so that each is freed when nothing needs it. */
static void bury_directory(Overlay *o, Entry *dir, bool whole)
{
	Entry *last = dir, *done = NULL;
	forget_caches(o);
	dir->whole = whole || has_living(dir);
	dir->absorbed = false;
	dir->pinned = true;
	dir->next = NULL;
	for (Entry *next; dir != NULL; dir = next) {
		last = bury_children(o, dir, last);
		next = dir->next;
		dir->next = done;
		done = dir;
	}
	for (; done != NULL; done = dir) {
		dir = done->next;
		release_children(o, done);
	}
}

/* Out of the tree of now; its place there is left empty, and is for the caller to touch. */
static void kill_entry(Overlay *o, Entry *entry, bool whole)
{
	Place *place = entry->now, *was = entry->was;
	place->now = NULL;
	entry->now = NULL;
	if (entry_is_dir(entry))
		bury_directory(o, entry, whole);
	else
		bury_file(o, entry);
	if (was != NULL && was != place)
		place_touch(o, was);
}

/* The event tells what was there before, of which nothing had been heard. */
static int put_replaced(Overlay *o, Place *place, FileType replaced)
{
	place->known = true;
	if (replaced == TYPE_UNKNOWN || !existed_before(o, place->parent))
		return 0;
	if (replaced != TYPE_DIRECTORY) {
		place->was = &o->ghosts[replaced];
		return 0;
	}
	Entry *dir = entry_new(o, replaced);
	if (dir == NULL)
		return -ENOMEM;
	dir->whole = true;
	dir->was = place;
	place->was = dir;
	return 0;
}

/* Makes room for what comes. */
static int vacate(Overlay *o, Place *place, FileType replaced)
{
	if (!place->known)
		return put_replaced(o, place, replaced);
	if (place->now != NULL)
		kill_entry(o, place->now, true);
	return 0;
}

/* A directory that was removed empty and is made again goes on: what was below it is known to be gone. */
static bool revive(Place *place, FileType type)
{
	Entry *dir = place->was;
	if (type != TYPE_DIRECTORY || dir == NULL || !entry_is_dir(dir) || dir->now != NULL ||
		dir->whole)
		return false;
	dir->now = place;
	place->now = dir;
	dir->modified = true;
	return true;
}

static void changed(Overlay *o, Place *place, uint32_t count)
{
	place->count += count;
	place_touch(o, place);
}

static bool is_same_again(const Place *place, FileType type, FileType replaced)
{
	return place->now != NULL && replaced == TYPE_UNKNOWN &&
		entry_is_dir(place->now) == (type == TYPE_DIRECTORY);
}

int overlay_create(Overlay *o, Place *place, FileType type, FileType replaced, uint8_t unclosed)
{
	if (is_same_again(place, type, replaced))
		return type == TYPE_DIRECTORY ? 0 : overlay_change(o, place, type, true, unclosed);
	int error = vacate(o, place, replaced);
	if (error == 0 && !revive(place, type))
		error = put_new(o, place, type);
	if (error < 0)
		return error;
	place->now->unclosed = unclosed;
	changed(o, place, 1);
	return 0;
}

int overlay_change(Overlay *o, Place *place, FileType type, bool content, uint8_t unclosed)
{
	int error;
	Entry *entry = occupant(o, place, type, &error);
	if (error < 0)
		return error;
	if (entry == NULL)
		return overlay_create(o, place, type, TYPE_UNKNOWN, unclosed);
	if (content) {
		entry->modified = true;
		entry->unclosed = unclosed;
	} else {
		entry->attrib = true;
	}
	changed(o, place, 1);
	return 0;
}

int overlay_delete(Overlay *o, Place *place, FileType type, bool whole)
{
	int error;
	Entry *entry = occupant(o, place, type, &error);
	if (entry == NULL)
		return error;
	kill_entry(o, entry, whole);
	changed(o, place, 1);
	return 0;
}

/* Would the directory come to lie in itself? No kernel tells that; a broken stream must not make us go round. */
static bool lies_in(const Overlay *o, const Place *place, const Entry *dir)
{
	if (entry_is_dir(dir) && !list_empty(&dir->places))
		for (; place != NULL; place = above(o, place, true))
			if (place->parent == dir)
				return true;
	return false;
}

static void put(Place *place, Entry *entry)
{
	place->now = entry;
	entry->now = place;
	entry->unclosed = FILE_CLOSED; /* renamed onto a name: whole */
}

static void touch_origin(Overlay *o, const Entry *entry)
{
	if (entry->was != NULL && entry->was != entry->now)
		place_touch(o, entry->was);
}

int overlay_move(Overlay *o, Place *from, Place *to, FileType type, FileType replaced)
{
	int error;
	Entry *entry = occupant(o, from, type, &error);
	if (entry == NULL)
		return error < 0 ? error : overlay_create(o, to, type, replaced, FILE_CLOSED);
	if (from == to || lies_in(o, to, entry))
		return 0;
	if (to->now != NULL && lies_in(o, from, to->now))
		return overlay_create(o, to, type, TYPE_DIRECTORY, FILE_CLOSED);
	error = vacate(o, to, replaced);
	if (error < 0)
		return error;
	if (entry_is_dir(entry))
		forget_caches(o);
	from->now = NULL;
	put(to, entry);
	uint32_t count = from->count + 1;
	touch_origin(o, entry);
	if (entry->was != from)
		place_touch(o, from);
	changed(o, to, count);
	return 0;
}

int overlay_exchange(Overlay *o, Place *from, Place *to, FileType type, FileType other_type)
{
	int error;
	Entry *entry = occupant(o, from, type, &error);
	Entry *other = error == 0 ? occupant(o, to, other_type, &error) : NULL;
	if (error < 0)
		return error;
	if (entry == NULL || other == NULL || from == to || lies_in(o, to, entry) ||
		lies_in(o, from, other))
		return overlay_move(o, from, to, type, TYPE_UNKNOWN);
	forget_caches(o);
	put(to, entry);
	put(from, other);
	touch_origin(o, entry);
	touch_origin(o, other);
	changed(o, from, 1);
	changed(o, to, 1);
	return 0;
}
