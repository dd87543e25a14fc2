/* SPDX-License-Identifier: MIT
 *
 * ignore.c - which ignore files are obeyed, and what they say about a path, as git does.
 */
#include "tree/ignore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct IgnoreSet {
	size_t count;
	bool git; /* ".git" is ignored */
	char **names;
};

IgnoreSet *ignore_new(const char *const *names, size_t count)
{
	IgnoreSet *set = calloc(1, sizeof *set);
	if (set == NULL)
		return NULL;
	set->names = calloc(count + 1, sizeof *set->names);
	for (size_t i = 0; set->names != NULL && i < count; i++) {
		set->names[i] = strdup(names[i]);
		if (set->names[i] == NULL)
			break;
		set->git = set->git || strcmp(names[i], ".gitignore") == 0;
		set->count++;
	}
	if (set->names != NULL && set->count == count)
		return set;
	ignore_free(set);
	return NULL;
}

void ignore_free(IgnoreSet *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		free(set->names[i]);
	free(set->names);
	free(set);
}

size_t ignore_count(const IgnoreSet *set)
{
	return set->count;
}

const char *ignore_name(const IgnoreSet *set, size_t index)
{
	return set->names[index];
}

bool ignore_is_single(const IgnoreSet *set, size_t index)
{
	return strchr(set->names[index], '/') != NULL;
}

static int find(const IgnoreSet *set, const char *name, size_t length, bool single)
{
	for (size_t i = set->count; i-- > 0;) {
		if (ignore_is_single(set, i) == single && strlen(set->names[i]) == length &&
			memcmp(set->names[i], name, length) == 0)
			return (int)i;
	}
	return -1;
}

int ignore_find(const IgnoreSet *set, const char *name, size_t length)
{
	return find(set, name, length, false);
}

int ignore_find_single(const IgnoreSet *set, const char *rel, size_t length)
{
	return find(set, rel, length, true);
}

int ignore_add(size_t index, const char *bytes, size_t length, Pattern **patterns)
{
	Pattern *pattern = *patterns != NULL ? *patterns : pattern_new();
	if (pattern == NULL)
		return -ENOMEM;
	int error = pattern_add_ignore_file(pattern, (unsigned)index, bytes, length);
	if (error == 0)
		*patterns = pattern;
	else if (pattern != *patterns)
		pattern_free(pattern);
	return error;
}

/* A path on its way outward: what of it lies below the directory looked at. */
typedef struct Climb {
	const char *rel;
	size_t length;
	size_t base;  /* where in rel the part below the directory begins */
	size_t level; /* of the directory, as the accessor counts */
} Climb;

/* To the directory around; false at the root. */
static bool climb(Climb *up)
{
	if (up->base == 0)
		return false;
	const char *slash = up->base > 1 ? memrchr(up->rel, '/', up->base - 1) : NULL;
	up->base = slash != NULL ? (size_t)(slash - up->rel) + 1 : 0;
	up->level++;
	return true;
}

static bool is_git(const IgnoreSet *set, const Climb *up, bool isdir)
{
	return set->git && isdir && up->length - up->base == 4 &&
		memcmp(up->rel + up->base, ".git", 4) == 0;
}

static int found(const Climb *up, const Pattern *pattern, int verdict, IgnoreHit *hit)
{
	if (hit != NULL && verdict != 0)
		*hit = (IgnoreHit){
			.pattern = pattern,
			.verdict = verdict,
			.base = up->base > 0 ? up->base - 1 : 0,
			.decided = up->length,
		};
	return verdict;
}

/* The path ends `first` levels above the one that the accessor's levels belong to. */
static int match_from(const IgnoreSet *set, IgnoreAt *at, void *context, const char *rel,
	size_t length, bool isdir, size_t first, IgnoreHit *hit)
{
	Climb up = {.rel = rel, .length = length, .base = length, .level = first};
	const char *slash = length > 0 ? memrchr(rel, '/', length) : NULL;
	up.base = slash != NULL ? (size_t)(slash - rel) + 1 : 0;
	if (is_git(set, &up, isdir))
		return found(&up, NULL, 1, hit);
	const Pattern *pattern;
	int verdict;
	do {
		pattern = at(context, up.level);
		verdict = pattern_match(pattern, rel + up.base, length - up.base, isdir);
	} while (verdict == 0 && climb(&up));
	if (verdict == 0) {
		pattern = at(context, up.level + 1);
		verdict = pattern_match(pattern, rel, length, isdir);
	}
	return found(&up, pattern, verdict, hit);
}

int ignore_match(const IgnoreSet *set, IgnoreAt *at, void *context, const char *rel, size_t length,
	bool isdir, IgnoreHit *hit)
{
	return match_from(set, at, context, rel, length, isdir, 0, hit);
}

static size_t count_slashes(const char *rel, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += rel[i] == '/';
	return count;
}

int ignore_verdict(const IgnoreSet *set, IgnoreAt *at, void *context, const char *rel,
	size_t length, bool isdir, IgnoreHit *hit)
{
	size_t above = count_slashes(rel, length);
	size_t begin = 0;
	int verdict = 0;
	while (begin < length && verdict <= 0) {
		const char *slash = memchr(rel + begin, '/', length - begin);
		size_t end = slash != NULL ? (size_t)(slash - rel) : length;
		verdict = match_from(set, at, context, rel, end, end < length || isdir, above, hit);
		begin = end + 1;
		above -= slash != NULL;
	}
	return verdict;
}

size_t ignore_describe(
	const IgnoreSet *set, const IgnoreHit *hit, const char *rel, char *buffer, size_t size)
{
	if (hit->pattern == NULL)
		return (size_t)snprintf(buffer, size, ".git/ beside .gitignore");
	PatternOrigin origin = pattern_origin(hit->pattern, hit->verdict);
	const char *name = ignore_name(set, origin.file);
	return (size_t)snprintf(buffer, size, "%.*s%s%s:%u: %s", (int)hit->base, rel,
		hit->base > 0 ? "/" : "", name, origin.line, origin.text);
}
