/* SPDX-License-Identifier: MIT
 *
 * overtaken.c - records about a file that a rename of it has overtaken.
 */
#include "tree/overtaken.h"

#include <string.h>

#include "base/hash.h"

#define WAIT_MOST 1.0 /* seconds: the one follows the other in microseconds, or later under load */

static uint32_t hash_of(const char *name, size_t length)
{
	return (uint32_t)hash_bytes(0, name, length);
}

static bool has_hash(const Overtaken *overtaken, uint32_t hash)
{
	uint32_t found = 0;
	for (size_t i = 0; i < TRACES; i++)
		found |= overtaken->hashes[i] == hash;
	return found != 0;
}

static bool leads_to(const Trace *trace, const Dir *dir, uint32_t hash)
{
	return trace->to == dir && hash_of(trace->name, trace->length) == hash;
}

/* But for a trace that leads to `origin` and `origin_hash`: the other half of an exchange. */
static void end_traces(
	Overtaken *overtaken, const Dir *dir, uint32_t hash, const Dir *origin, uint32_t origin_hash)
{
	if (!has_hash(overtaken, hash))
		return;
	for (size_t i = 0; i < TRACES; i++) {
		Trace *trace = &overtaken->traces[i];
		if (trace->from == dir && overtaken->hashes[i] == hash &&
			!leads_to(trace, origin, origin_hash))
			trace->to = NULL;
	}
}

void overtaken_note(Overtaken *overtaken, const Dir *from, uint32_t hash, Dir *to, const char *name,
	size_t length, double now)
{
	if (now <= overtaken->traced_until)
		end_traces(overtaken, to, hash_of(name, length), from, hash);
	size_t at = overtaken->renames++ % TRACES;
	Trace *trace = &overtaken->traces[at];
	overtaken->hashes[at] = hash;
	trace->from = from;
	trace->to = to;
	trace->length = (uint8_t)length;
	trace->until = overtaken->traced_until = now + WAIT_MOST;
	memcpy(trace->name, name, length);
}

Node *overtaken_follow(const Overtaken *overtaken, uint32_t hash, bool isdir, Dir **dir, double now)
{
	const Dir *at = *dir;
	size_t newer = overtaken->renames < TRACES ? overtaken->renames : TRACES;
	for (size_t age = 1; age <= newer; age++) {
		size_t i = (overtaken->renames - age) % TRACES;
		const Trace *trace = &overtaken->traces[i];
		if (overtaken->hashes[i] != hash || trace->from != at || trace->to == NULL ||
			now > trace->until)
			continue;
		Node *node = children_find(trace->to, trace->name, trace->length);
		if (node != NULL && node_is_dir(node) == isdir) {
			*dir = trace->to;
			return node;
		}
		/* It went on from there. */
		at = trace->to;
		hash = hash_of(trace->name, trace->length);
		newer = age - 1;
		age = 0;
	}
	return NULL;
}

void overtaken_wait(Overtaken *overtaken, const Dir *dir, uint32_t hash, uint32_t mask, double now)
{
	overtaken->strayed_until = now + WAIT_MOST;
	overtaken->strays[overtaken->strayed++ % TRACES] =
		(Stray){.dir = dir, .hash = hash, .mask = mask, .until = overtaken->strayed_until};
}

uint32_t overtaken_take(Overtaken *overtaken, const Dir *dir, uint32_t hash, double now)
{
	if (now > overtaken->strayed_until)
		return 0;
	for (size_t i = 0; i < TRACES && i < overtaken->strayed; i++) {
		Stray *stray = &overtaken->strays[i];
		if (stray->dir != dir || stray->hash != hash)
			continue;
		stray->dir = NULL;
		if (now <= stray->until)
			return stray->mask;
	}
	return 0;
}

void overtaken_end(Overtaken *overtaken, const Dir *dir, uint32_t hash, double now)
{
	if (now <= overtaken->traced_until)
		end_traces(overtaken, dir, hash, NULL, 0);
	while (overtaken_take(overtaken, dir, hash, now) != 0)
		;
}

void overtaken_end_all(Overtaken *overtaken)
{
	overtaken->traced_until = overtaken->strayed_until = 0;
	overtaken->renames = overtaken->strayed = 0;
}

void overtaken_forget(Overtaken *overtaken, const Dir *dir)
{
	for (size_t i = 0; i < TRACES; i++) {
		if (overtaken->traces[i].to == dir || overtaken->traces[i].from == dir)
			overtaken->traces[i].to = NULL;
		if (overtaken->strays[i].dir == dir)
			overtaken->strays[i].dir = NULL;
	}
}
