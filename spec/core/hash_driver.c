/* SPDX-License-Identifier: MIT
 *
 * hash_driver.c - prints the hash of one name, and how many of 4,096 names share a bucket at most: of names that were
 * chosen to collide, and of names that are counted up.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKETS = 4096, PAIRS = 12 };

static unsigned counts[BUCKETS], most;

static void count(const char *name, size_t length)
{
	unsigned now = ++counts[hash_bytes(0, name, length) % BUCKETS];
	most = now > most ? now : most;
}

static void start(void)
{
	memset(counts, 0, sizeof counts);
	most = 0;
}

/* In a hash that multiplies and shifts, each pair leaves the same behind, whatever was there before. */
static void flip(char *name, unsigned pair)
{
	name[16 * pair + 7] ^= (char)0x80;
	name[16 * pair + 11] ^= (char)0x80;
	name[16 * pair + 15] ^= (char)0x80;
}

int main(void)
{
	char name[16 * PAIRS];
	printf("%016llx", (unsigned long long)hash_bytes(0, "name", 4));
	start();
	for (unsigned i = 0; i < 1u << PAIRS; i++) {
		memset(name, 'a', sizeof name);
		for (unsigned pair = 0; pair < PAIRS; pair++) {
			if (i >> pair & 1)
				flip(name, pair);
		}
		count(name, sizeof name);
	}
	printf(" %u", most);
	start();
	for (unsigned i = 0; i < BUCKETS; i++) {
		int length = snprintf(name, sizeof name, "file-%u", i);
		count(name, (size_t)length);
	}
	printf(" %u\n", most);
	return 0;
}
