/* SPDX-License-Identifier: MIT
 *
 * pool.h - many small blocks without a header each.
 *
 * Blocks of up to POOL_LARGEST bytes come from chunks, in classes of eight bytes; what is given back serves the next
 * request of its class. Chunks go back to the system when the pool is cleared.
 */
#ifndef MOONWATCH_BASE_POOL_H
#define MOONWATCH_BASE_POOL_H

#include <stddef.h>

enum { POOL_LARGEST = 512, POOL_CHUNK = 64 * 1024 };

typedef struct Pool {
	void *spare[POOL_LARGEST / 8 + 1]; /* given back, a list per class */
	void *chunks;                      /* all of them, linked by their first word */
	char *next, *end;                  /* what is left of the newest */
	size_t bytes;                      /* taken from the system */
} Pool;

void pool_clear(Pool *pool);             /* everything at once; the pool is as zeroed again */
void *pool_get(Pool *pool, size_t size); /* uninitialised, aligned to 8; NULL out of memory */
void pool_put(Pool *pool, void *block, size_t size); /* the size it was asked with */

#endif
