/* SPDX-License-Identifier: MIT
 *
 * overtaken.c - records about a file that a rename of it has overtaken.
 */
#include "tree/overtaken.h"

#include <string.h>

#include "base/hash.h"

#define WAIT_MOST 1.0 /* seconds: the rename follows in microseconds, or later under load */

void overtaken_note(
	Overtaken *overtaken, const Dir *from, uint32_t hash, Dir *to, const char *name, size_t length)
{
	Trace *trace = &overtaken->traces[overtaken->renames++ % TRACES];
	trace->from = from;
	trace->to = to;
	trace->hash = hash;
	trace->length = (uint8_t)length;
	memcpy(trace->name, name, length);
}

Node *overtaken_follow(const Overtaken *overtaken, uint32_t hash, bool isdir, Dir **dir)
{
	const Dir *at = *dir;
	size_t newer = overtaken->renames < TRACES ? overtaken->renames : TRACES;
	for (size_t age = 1; age <= newer; age++) {
		const Trace *trace = &overtaken->traces[(overtaken->renames - age) % TRACES];
		if (trace->to == NULL || trace->from != at || trace->hash != hash)
			continue;
		Node *node = children_find(trace->to, trace->name, trace->length);
		if (node != NULL && node_is_dir(node) == isdir) {
			*dir = trace->to;
			return node;
		}
		/* It went on from there. */
		at = trace->to;
		hash = (uint32_t)hash_bytes(0, trace->name, trace->length);
		newer = age - 1;
		age = 0;
	}
	return NULL;
}

void overtaken_wait(Overtaken *overtaken, const Dir *dir, uint32_t hash, uint32_t mask, double now)
{
	overtaken->strays[overtaken->strayed++ % TRACES] =
		(Stray){.dir = dir, .hash = hash, .mask = mask, .at = now};
}

uint32_t overtaken_take(Overtaken *overtaken, const Dir *dir, uint32_t hash, double now)
{
	for (size_t i = 0; i < TRACES && i < overtaken->strayed; i++) {
		Stray *stray = &overtaken->strays[i];
		if (stray->dir != dir || stray->hash != hash)
			continue;
		stray->dir = NULL;
		if (now - stray->at <= WAIT_MOST)
			return stray->mask;
	}
	return 0;
}

void overtaken_forget(Overtaken *overtaken, const Dir *dir)
{
	for (size_t i = 0; i < TRACES; i++) {
		if (overtaken->traces[i].to == dir)
			overtaken->traces[i].to = NULL;
		if (overtaken->strays[i].dir == dir)
			overtaken->strays[i].dir = NULL;
	}
}
