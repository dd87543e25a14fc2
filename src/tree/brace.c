/* SPDX-License-Identifier: MIT
 *
 * brace.c - writes out braces.
 *
 * One pass links the separators of each group. An expansion is then a walk over the text from left to right that notes
 * the groups it comes through and the alternative it takes in each; the next expansion takes the next alternative in
 * the last group that has one left, like an odometer. So nothing recurses, and nothing is kept but the way.
 */
#include "tree/brace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree/glob.h"

/* The groups open at a place of the text: where each began and its last separator so far. */
typedef struct OpenGroups {
	uint32_t *begin, *last;
	size_t count;
} OpenGroups;

static void link_separator(uint32_t *link, OpenGroups *groups, uint32_t at)
{
	uint32_t *last = &groups->last[groups->count - 1];
	link[*last] = at;
	*last = at;
}

static void close_group(uint32_t *link, OpenGroups *groups, uint32_t at)
{
	size_t top = groups->count - 1;
	if (groups->last[top] != groups->begin[top]) {
		link_separator(link, groups, at);
		link[at] = at;
	}
	groups->count = top;
}

/* Groups that never close are plain text, their commas too. */
static void unlink_unclosed(uint32_t *link, OpenGroups *groups)
{
	while (groups->count > 0) {
		uint32_t at = groups->begin[--groups->count];
		while (link[at] != 0) {
			uint32_t next = link[at];
			link[at] = 0;
			at = next;
		}
	}
}

/* The byte after the class that begins here, or after the bracket alone where it begins none. An unterminated one was
 * looked for to the end of the text: no further is looked for, or a row of brackets would cost its square. */
static size_t skip_class(const Braces *braces, size_t at, bool *classes_end)
{
	size_t end = *classes_end ? 0 : glob_class(braces->text, braces->length, at, NULL);
	*classes_end = *classes_end || end == 0;
	return end != 0 ? end : at + 1;
}

static void link_groups(Braces *braces)
{
	OpenGroups groups = {.begin = braces->opens, .last = braces->picks};
	bool classes_end = false;
	size_t at = 0;
	while (at < braces->length) {
		char byte = braces->text[at];
		if (byte == '[') {
			at = skip_class(braces, at, &classes_end);
			continue;
		}
		if (byte == '{') {
			groups.begin[groups.count] = groups.last[groups.count] = (uint32_t)at;
			groups.count++;
		} else if (byte == ',' && groups.count > 0) {
			link_separator(braces->link, &groups, (uint32_t)at);
		} else if (byte == '}' && groups.count > 0) {
			close_group(braces->link, &groups, (uint32_t)at);
		}
		at += byte == '\\' ? 2 : 1;
	}
	unlink_unclosed(braces->link, &groups);
}

int brace_open(Braces *braces, const char *text, size_t length)
{
	if (length > UINT32_MAX)
		return -E2BIG;
	uint32_t *block = calloc(length + 1, 3 * sizeof *block);
	if (block == NULL)
		return -ENOMEM;
	*braces = (Braces){
		.text = text,
		.length = length,
		.link = block,
		.opens = block + length + 1,
		.picks = block + 2 * (length + 1),
	};
	if (length > 0 && memchr(text, '{', length) != NULL)
		link_groups(braces);
	return 0;
}

void brace_close(Braces *braces)
{
	free(braces->link);
	*braces = (Braces){.done = true};
}

bool brace_is_group(const Braces *braces, size_t at)
{
	return braces->text[at] == '{' && braces->link[at] != 0;
}

/* The separator before alternative number `pick` of the group at `at`. */
static size_t separator_before(const Braces *braces, size_t at, uint32_t pick)
{
	while (pick-- > 0)
		at = braces->link[at];
	return at;
}

static size_t after_group(const Braces *braces, size_t at)
{
	while (braces->link[at] != at)
		at = braces->link[at];
	return at + 1;
}

/* Takes the next alternative in the last group that has one left, and forgets the groups after it. */
static void turn(Braces *braces)
{
	while (braces->depth > 0) {
		size_t top = braces->depth - 1;
		uint32_t pick = braces->picks[top] + 1;
		size_t separator = separator_before(braces, braces->opens[top], pick);
		if (braces->link[separator] != separator) {
			braces->picks[top] = pick;
			return;
		}
		braces->depth = top;
	}
	braces->done = true;
}

bool brace_next(Braces *braces, char *out, size_t *length)
{
	if (braces->done)
		return false;
	size_t at = 0, written = 0, group = 0;
	while (at < braces->length) {
		if (braces->link[at] == 0) {
			out[written++] = braces->text[at++];
		} else if (braces->text[at] != '{') {
			at = after_group(braces, at);
		} else {
			if (group == braces->depth) {
				braces->opens[group] = (uint32_t)at;
				braces->picks[group] = 0;
				braces->depth++;
			}
			at = separator_before(braces, at, braces->picks[group]) + 1;
			group++;
		}
	}
	*length = written;
	turn(braces);
	return true;
}
