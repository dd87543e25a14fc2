/* SPDX-License-Identifier: MIT
 *
 * node.c - an entry of the index.
 */
#include "tree/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { LIST_MOST = 16, FIRST_BITS = 5, BITS_MOST = 31 };

static_assert(sizeof(Node) == 24, "a file costs 24 bytes and its name");
static_assert(sizeof(Dir) == 96, "a directory costs 96 bytes and its name");

static size_t round_up(size_t length)
{
	return length < 8 ? 8 : (length + 7) & ~(size_t)7;
}

Node *node_new(Pool *pool, FileType type, const char *name, size_t length)
{
	bool is_dir = type == TYPE_DIRECTORY;
	void *block = pool_get(pool, is_dir ? sizeof(Dir) + round_up(length) : sizeof(Node) + length);
	if (block == NULL)
		return NULL;
	Node *node = block;
	if (is_dir) {
		Dir *dir = block;
		*dir = (Dir){
			.claim = {.wd = -1, .kind = CLAIM_DIR},
			.name_room = (round_up(length) / 8) & 63,
		};
		node = &dir->entry;
	}
	*node = (Node){.type = type & 7u, .name_length = (uint8_t)length};
	memcpy(node->inline_name, name, length);
	return node;
}

static void free_outside(Pool *pool, bool outside, const char *name, size_t length)
{
	if (outside)
		pool_put(pool, (void *)(uintptr_t)name, length);
}

void node_free(Pool *pool, Node *node)
{
	if (!node_is_dir(node)) {
		pool_put(pool, node, sizeof(Node) + node->name_length);
		return;
	}
	Dir *dir = dir_of(node);
	free_outside(pool, node->outside, node_name(node), node->name_length);
	text_free(dir->path);
	children_clear(dir);
	pool_put(pool, dir, sizeof(Dir) + (size_t)dir->name_room * 8);
}

int node_rename(Pool *pool, Node *node, const char *name, size_t length)
{
	bool was_outside = node->outside;
	const char *old_name = node_name(node);
	size_t old_length = node->name_length;
	bool outside = length > (size_t)dir_of(node)->name_room * 8;
	char *place = outside ? pool_get(pool, length) : node->inline_name;
	if (place == NULL)
		return -ENOMEM;
	memmove(place, name, length);
	free_outside(pool, was_outside, old_name, old_length);
	if (outside)
		memcpy(node->inline_name, &place, sizeof place);
	node->outside = outside;
	node->name_length = (uint8_t)length;
	return 0;
}

static size_t slot_of(const Dir *dir, const char *name, size_t length)
{
	return (size_t)hash_bytes(0, name, length) & (((size_t)1 << dir->bucket_bits) - 1);
}

static Node **bucket_of(Dir *dir, const char *name, size_t length)
{
	return dir->bucket_bits == 0 ? &dir->first : &dir->buckets[slot_of(dir, name, length)];
}

static uint64_t last_word(const char *name, size_t length)
{
	uint64_t word;
	memcpy(&word, name + length - sizeof word, sizeof word);
	return word;
}

/* Neighbours begin alike: their last bytes tell most of them apart. */
static bool is_named(const Node *node, const char *name, size_t length)
{
	const char *own = node_name(node);
	if (node->name_length != length)
		return false;
	if (length >= sizeof(uint64_t) && last_word(own, length) != last_word(name, length))
		return false;
	return memcmp(own, name, length) == 0;
}

Node *children_find(const Dir *dir, const char *name, size_t length)
{
	Node *node = *bucket_of((Dir *)(uintptr_t)dir, name, length);
	while (node != NULL && !is_named(node, name, length))
		node = node->next;
	return node;
}

static int rehash(Dir *dir, unsigned bits)
{
	Node **buckets = calloc((size_t)1 << bits, sizeof *buckets);
	if (buckets == NULL)
		return -ENOMEM;
	Dir grown = {.buckets = buckets, .bucket_bits = bits & 31};
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		Node **bucket = bucket_of(&grown, node_name(node), node->name_length);
		node->next = *bucket;
		*bucket = node;
	}
	children_clear(dir);
	dir->buckets = buckets;
	dir->bucket_bits = bits & 31;
	return 0;
}

static bool is_full(const Dir *dir)
{
	if (dir->bucket_bits == 0)
		return dir->count >= LIST_MOST;
	return dir->count >> dir->bucket_bits >= 1 && dir->bucket_bits < BITS_MOST;
}

/* A table that cannot grow gets longer chains instead. */
void children_add(Dir *dir, Node *node)
{
	if (is_full(dir))
		rehash(dir, dir->bucket_bits == 0 ? FIRST_BITS : dir->bucket_bits + 1u);
	Node **bucket = bucket_of(dir, node_name(node), node->name_length);
	node->next = *bucket;
	*bucket = node;
	if (node_is_dir(node))
		dir_of(node)->parent = dir;
	dir->count++;
}

void children_remove(Dir *dir, Node *node)
{
	Node **place = bucket_of(dir, node_name(node), node->name_length);
	while (*place != node)
		place = &(*place)->next;
	*place = node->next;
	node->next = NULL;
	dir->count--;
}

void children_clear(Dir *dir)
{
	if (dir->bucket_bits > 0)
		free(dir->buckets);
	dir->first = NULL;
	dir->bucket_bits = 0;
}

static Node *advance(const Dir *dir, ChildCursor *cursor, Node *node)
{
	size_t buckets = dir->bucket_bits == 0 ? 0 : (size_t)1 << dir->bucket_bits;
	while (node == NULL && cursor->bucket < buckets)
		node = dir->buckets[cursor->bucket++];
	cursor->next = node != NULL ? node->next : NULL;
	return node;
}

Node *children_start(const Dir *dir, ChildCursor *cursor)
{
	cursor->bucket = 0;
	return advance(dir, cursor, dir->bucket_bits == 0 ? dir->first : NULL);
}

Node *children_next(const Dir *dir, ChildCursor *cursor)
{
	return advance(dir, cursor, cursor->next);
}

void children_resume(const Dir *dir, ChildCursor *cursor, const Node *node)
{
	*cursor = (ChildCursor){.next = node->next};
	if (dir->bucket_bits > 0)
		cursor->bucket = slot_of(dir, node_name(node), node->name_length) + 1;
}

void children_flatten(Dir *dir)
{
	ChildCursor cursor;
	Node *list = NULL;
	if (dir->bucket_bits == 0)
		return;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor)) {
		node->next = list;
		list = node;
	}
	children_clear(dir);
	dir->first = list;
}

bool dirs_push(Dir ***list, size_t *count, size_t *size, Dir *dir)
{
	if (*count == *size) {
		size_t grown_size = *size ? *size * 2 : 64;
		Dir **grown = realloc(*list, grown_size * sizeof(Dir *));
		if (grown == NULL)
			return false;
		*list = grown;
		*size = grown_size;
	}
	(*list)[(*count)++] = dir;
	return true;
}

void children_clear_seen(const Dir *dir)
{
	ChildCursor cursor;
	for (Node *node = children_start(dir, &cursor); node != NULL;
		 node = children_next(dir, &cursor))
		node->seen = false;
}
