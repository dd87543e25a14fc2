/* SPDX-License-Identifier: MIT
 *
 * pool.c - many small blocks without a header each.
 *
 * Under AddressSanitizer every block is an allocation of its own, so that a use after pool_put is seen.
 */
#include "base/pool.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)

void pool_clear(Pool *pool)
{
	*pool = (Pool){0};
}

void *pool_get(Pool *pool, size_t size)
{
	pool->bytes += size;
	return malloc(size);
}

void pool_put(Pool *pool, void *block, size_t size)
{
	pool->bytes -= size;
	free(block);
}

#else

static size_t class_of(size_t size)
{
	return (size + 7) / 8;
}

void pool_clear(Pool *pool)
{
	void *chunk = pool->chunks;
	while (chunk != NULL) {
		void *next = *(void **)chunk;
		free(chunk);
		chunk = next;
	}
	*pool = (Pool){0};
}

/* What is left of the old chunk becomes a spare block of its class. */
static int open_chunk(Pool *pool)
{
	char *chunk = malloc(POOL_CHUNK);
	if (chunk == NULL)
		return -1;
	size_t left = (size_t)(pool->end - pool->next);
	if (left >= 8)
		pool_put(pool, pool->next, left > POOL_LARGEST ? POOL_LARGEST : left);
	*(void **)(void *)chunk = pool->chunks;
	pool->chunks = chunk;
	pool->next = chunk + 8;
	pool->end = chunk + POOL_CHUNK;
	pool->bytes += POOL_CHUNK;
	return 0;
}

void *pool_get(Pool *pool, size_t size)
{
	size_t class = class_of(size);
	void *block = pool->spare[class];
	if (block != NULL) {
		pool->spare[class] = *(void **)block;
		return block;
	}
	if ((size_t)(pool->end - pool->next) < class * 8 && open_chunk(pool) < 0)
		return NULL;
	block = pool->next;
	pool->next += class * 8;
	return block;
}

void pool_put(Pool *pool, void *block, size_t size)
{
	size_t class = class_of(size);
	*(void **)block = pool->spare[class];
	pool->spare[class] = block;
}

#endif
