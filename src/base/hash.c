/* SPDX-License-Identifier: MIT
 *
 * hash.c - hashes of names, with keys of this process.
 */
#include "base/hash.h"

#include <string.h>
#include <sys/auxv.h>

/* Drawn when the program starts, and never changed. */
static uint64_t keys[2];

__attribute__((constructor)) static void draw_keys(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM); /* 16 bytes */
	if (random != NULL)
		memcpy(keys, random, sizeof keys);
}

/* Of a product of two words both halves: without the keys, no difference of words is known to vanish in it. */
static inline uint64_t multiply(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t low = (uint64_t)(uint32_t)a * (uint32_t)b, high = (a >> 32) * (b >> 32);
	uint64_t middle = (a >> 32) * (uint32_t)b, other = (uint32_t)a * (b >> 32);
	uint64_t carry = ((low >> 32) + (uint32_t)middle + (uint32_t)other) >> 32;
	return (low + (middle << 32) + (other << 32)) ^ (high + (middle >> 32) + (other >> 32) + carry);
#endif
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	return multiply(hash ^ keys[0], word ^ keys[1]);
}

static inline uint64_t word_at(const char *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Fewer than eight bytes; with their number no two are the same. */
static inline uint64_t short_word(const char *bytes, size_t length)
{
	uint32_t first, last;
	if (length < sizeof first) {
		uint64_t word = 0;
		for (size_t i = 0; i < length; i++)
			word = word << 8 | (unsigned char)bytes[i];
		return word;
	}
	memcpy(&first, bytes, sizeof first);
	memcpy(&last, bytes + length - sizeof last, sizeof last);
	return (uint64_t)first << 32 | last;
}

uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
	hash ^= (uint64_t)length << 56;
	if (length < sizeof(uint64_t))
		return mix(hash, short_word(bytes, length));
	for (size_t at = 0; at + sizeof(uint64_t) < length; at += sizeof(uint64_t))
		hash = mix(hash, word_at(bytes + at));
	return mix(hash, word_at(bytes + length - sizeof(uint64_t)));
}
