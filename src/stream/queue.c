/* SPDX-License-Identifier: MIT
 *
 * queue.c - events that wait for their reader.
 */
#include "stream/queue.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 32 * 1024 };

struct Chunk {
	Chunk *next;
	size_t used, taken; /* bytes written, bytes read */
	char bytes[];
};

static size_t item_size(size_t name_length, size_t from_name_length)
{
	return (sizeof(Item) + name_length + from_name_length + 7) & ~(size_t)7;
}

static Chunk *take_chunk(Queue *queue)
{
	Chunk *chunk = queue->spare;
	if (chunk != NULL)
		queue->spare = NULL;
	else if ((chunk = malloc(sizeof *chunk + CHUNK_BYTES)) != NULL)
		queue->bytes += CHUNK_BYTES;
	else
		return NULL;
	chunk->next = NULL;
	chunk->used = chunk->taken = 0;
	return chunk;
}

static void give_chunk(Queue *queue, Chunk *chunk)
{
	if (queue->spare == NULL) {
		queue->spare = chunk;
		return;
	}
	queue->bytes -= CHUNK_BYTES;
	free(chunk);
}

Item *queue_push(Queue *queue, size_t name_length, size_t from_name_length)
{
	size_t size = item_size(name_length, from_name_length);
	if (queue->last == NULL || CHUNK_BYTES - queue->last->used < size) {
		Chunk *chunk = take_chunk(queue);
		if (chunk == NULL)
			return NULL;
		if (queue->last != NULL)
			queue->last->next = chunk;
		else
			queue->first = chunk;
		queue->last = chunk;
	}
	Item *item = (void *)(queue->last->bytes + queue->last->used);
	queue->last->used += size;
	queue->count++;
	*item = (Item){
		.name_length = (uint16_t)name_length,
		.from_name_length = (uint16_t)from_name_length,
	};
	queue->newest = item;
	return item;
}

Item *queue_first(const Queue *queue)
{
	if (queue->count == 0)
		return NULL;
	return (void *)(queue->first->bytes + queue->first->taken);
}

void queue_drop(Queue *queue)
{
	Item *item = queue_first(queue);
	Chunk *chunk = queue->first;
	text_free(item->root);
	text_free(item->dir);
	text_free(item->from_dir);
	text_free(item->from_root);
	chunk->taken += item_size(item->name_length, item->from_name_length);
	if (--queue->count == 0)
		queue->newest = NULL;
	if (chunk->taken < chunk->used)
		return;
	if (chunk == queue->last) {
		chunk->used = chunk->taken = 0;
		return;
	}
	queue->first = chunk->next;
	give_chunk(queue, chunk);
}

static const Item *item_at(QueueCursor *cursor)
{
	while (cursor->chunk != NULL && cursor->at == cursor->chunk->used) {
		cursor->chunk = cursor->chunk->next;
		cursor->at = 0;
	}
	return cursor->chunk != NULL ? (const void *)(cursor->chunk->bytes + cursor->at) : NULL;
}

const Item *queue_start(const Queue *queue, QueueCursor *cursor)
{
	*cursor = (QueueCursor){.chunk = queue->first};
	if (queue->first != NULL)
		cursor->at = queue->first->taken;
	return item_at(cursor);
}

const Item *queue_next(const Queue *queue, QueueCursor *cursor)
{
	(void)queue;
	const Item *item = (const void *)(cursor->chunk->bytes + cursor->at);
	cursor->at += item_size(item->name_length, item->from_name_length);
	return item_at(cursor);
}

void queue_clear(Queue *queue)
{
	while (queue->count > 0)
		queue_drop(queue);
	free(queue->first);
	free(queue->spare);
	*queue = (Queue){0};
}
