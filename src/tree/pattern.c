/* SPDX-License-Identifier: MIT
 *
 * pattern.c - a list of patterns in gitignore's language, plus `{a,b}`; the last one that matches decides.
 *
 * A line is kept as it was written, once; each of its expansions is a rule that is matched on its own.
 */
#include "tree/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tree/brace.h"
#include "tree/glob.h"

typedef struct Line {
	char *text; /* ends in NUL */
	size_t length;
	unsigned number, file;
} Line;

/* What most rules fail by lies here, so that their globs need not be fetched. */
typedef struct Rule {
	Glob *glob;
	uint32_t line;     /* in lines */
	int16_t last_byte; /* of every match; -1 none in particular */
	bool negated;
	bool directories_only;
} Rule;

struct Pattern {
	unsigned uses;
	unsigned added; /* by pattern_add, comments and empty ones too */
	Rule *rules;
	Line *lines;
	size_t rule_count, rule_room, line_count, line_room;
};

Pattern *pattern_new(void)
{
	Pattern *pattern = calloc(1, sizeof *pattern);
	if (pattern != NULL)
		pattern->uses = 1;
	return pattern;
}

Pattern *pattern_share(Pattern *pattern)
{
	if (pattern != NULL)
		pattern->uses++;
	return pattern;
}

/* Takes away what was added since the list had these lengths. */
static void cut(Pattern *pattern, size_t rule_count, size_t line_count)
{
	while (pattern->rule_count > rule_count)
		glob_free(pattern->rules[--pattern->rule_count].glob);
	while (pattern->line_count > line_count)
		free(pattern->lines[--pattern->line_count].text);
}

void pattern_free(Pattern *pattern)
{
	if (pattern == NULL || --pattern->uses > 0)
		return;
	cut(pattern, 0, 0);
	free(pattern->rules);
	free(pattern->lines);
	free(pattern);
}

bool pattern_empty(const Pattern *pattern)
{
	return pattern == NULL || pattern->rule_count == 0;
}

/* --- building ------------------------------------------------------------------------------------------------- */

/* Room for one more item; NULL out of memory, and then the array is as before. */
static void *grown(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	size_t wanted = *room == 0 ? 4 : *room * 2;
	void *larger = realloc(items, wanted * size);
	if (larger != NULL)
		*room = wanted;
	return larger;
}

static int add_line(
	Pattern *pattern, const char *text, size_t length, unsigned number, unsigned file)
{
	Line *lines = grown(pattern->lines, pattern->line_count, &pattern->line_room, sizeof *lines);
	if (lines == NULL)
		return -ENOMEM;
	pattern->lines = lines;
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, length);
	copy[length] = '\0';
	lines[pattern->line_count++] =
		(Line){.text = copy, .length = length, .number = number, .file = file};
	return 0;
}

static int add_rule(Pattern *pattern, const char *text, size_t length, bool negated)
{
	Rule *rules = grown(pattern->rules, pattern->rule_count, &pattern->rule_room, sizeof *rules);
	if (rules == NULL)
		return -ENOMEM;
	pattern->rules = rules;
	Rule rule = {.line = (uint32_t)(pattern->line_count - 1), .negated = negated};
	int error = glob_new(text, length, &rule.glob);
	if (error < 0)
		return error;
	rule.last_byte = (int16_t)glob_last_byte(rule.glob);
	rule.directories_only = glob_directories_only(rule.glob);
	rules[pattern->rule_count++] = rule;
	return 0;
}

static int add_expansions(Pattern *pattern, const char *text, size_t length, bool negated)
{
	Braces braces;
	int error = brace_open(&braces, text, length);
	if (error < 0)
		return error;
	char *expansion = malloc(length + 1);
	if (expansion == NULL)
		error = -ENOMEM;
	size_t written, count = 0;
	while (error == 0 && brace_next(&braces, expansion, &written)) {
		if (++count > PATTERN_MOST_EXPANSIONS)
			error = -E2BIG;
		else
			error = add_rule(pattern, expansion, written, negated);
	}
	free(expansion);
	brace_close(&braces);
	return error;
}

static int add(Pattern *pattern, const char *text, size_t length, bool braces, Line origin)
{
	size_t rule_count = pattern->rule_count, line_count = pattern->line_count;
	int error = add_line(pattern, text, length, origin.number, origin.file);
	bool negated = length > 0 && text[0] == '!';
	text += negated;
	length -= negated;
	if (error == 0 && braces && memchr(text, '{', length) != NULL)
		error = add_expansions(pattern, text, length, negated);
	else if (error == 0)
		error = add_rule(pattern, text, length, negated);
	if (error < 0)
		cut(pattern, rule_count, line_count);
	return error;
}

/* The length without trailing spaces; a backslash keeps the one behind it. */
static size_t trimmed(const char *text, size_t length)
{
	size_t kept = 0;
	for (size_t at = 0; at < length; at++) {
		if (text[at] == '\\' && at + 1 < length)
			at++;
		else if (text[at] == ' ')
			continue;
		kept = at + 1;
	}
	return kept;
}

/* What a line, without its newline, is as a pattern: its length, 0 where it is none. As in git it ends at a NUL. */
static size_t line_length(const char *text, size_t length)
{
	if (length == 0 || text[0] == '#')
		return 0;
	if (text[length - 1] == '\r')
		length--;
	const char *nul = length > 0 ? memchr(text, '\0', length) : NULL;
	return trimmed(text, nul != NULL ? (size_t)(nul - text) : length);
}

int pattern_add(Pattern *pattern, const char *text, size_t length, unsigned flags)
{
	if (length > 0 && memchr(text, '\0', length) != NULL)
		return -EINVAL;
	if ((flags & PATTERN_LINE) != 0)
		length = line_length(text, length);
	Line origin = {.number = pattern->added + 1};
	int error = 0;
	if (length > 0)
		error = add(pattern, text, length, (flags & PATTERN_BRACES) != 0, origin);
	if (error == 0)
		pattern->added++;
	return error;
}

int pattern_add_ignore_file(Pattern *pattern, unsigned file, const char *bytes, size_t length)
{
	size_t rule_count = pattern->rule_count, line_count = pattern->line_count;
	Line origin = {.file = file};
	size_t at = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	while (at < length) {
		const char *newline = memchr(bytes + at, '\n', length - at);
		size_t end = newline != NULL ? (size_t)(newline - bytes) : length;
		size_t kept = line_length(bytes + at, end - at);
		origin.number++;
		int error = kept > 0 ? add(pattern, bytes + at, kept, false, origin) : 0;
		if (error == -ENOMEM) {
			cut(pattern, rule_count, line_count);
			return error;
		}
		at = end + 1;
	}
	return 0;
}

Pattern *pattern_parse_ignore(const char *bytes, size_t length)
{
	Pattern *pattern = pattern_new();
	if (pattern == NULL || pattern_add_ignore_file(pattern, 0, bytes, length) == 0)
		return pattern;
	pattern_free(pattern);
	return NULL;
}

/* --- matching ------------------------------------------------------------------------------------------------- */

static size_t name_of(const char *rel, size_t length)
{
	const char *slash = length > 0 ? memrchr(rel, '/', length) : NULL;
	return slash != NULL ? (size_t)(slash - rel) + 1 : 0;
}

int pattern_match(const Pattern *pattern, const char *rel, size_t length, bool isdir)
{
	if (pattern_empty(pattern) || length == 0)
		return 0;
	size_t name_at = name_of(rel, length);
	int last_byte = (unsigned char)rel[length - 1];
	for (size_t i = pattern->rule_count; i-- > 0;) {
		const Rule *rule = &pattern->rules[i];
		if ((rule->directories_only && !isdir) ||
			(rule->last_byte >= 0 && rule->last_byte != last_byte))
			continue;
		if (glob_match(rule->glob, rel, length, name_at))
			return rule->negated ? -(int)(i + 1) : (int)(i + 1);
	}
	return 0;
}

int pattern_verdict(
	const Pattern *pattern, const char *rel, size_t length, bool isdir, size_t *decided)
{
	size_t at = 0;
	int verdict = 0;
	while (at < length && verdict <= 0 && !pattern_empty(pattern)) {
		const char *slash = memchr(rel + at, '/', length - at);
		size_t end = slash != NULL ? (size_t)(slash - rel) : length;
		verdict = pattern_match(pattern, rel, end, end < length || isdir);
		if (decided != NULL)
			*decided = end;
		at = end + 1;
	}
	return verdict;
}

bool pattern_may_match_below(const Pattern *pattern, const char *rel, size_t length)
{
	if (pattern_empty(pattern))
		return false;
	for (size_t i = 0; i < pattern->rule_count; i++) {
		const Rule *rule = &pattern->rules[i];
		if (!rule->negated && glob_may_match_below(rule->glob, rel, length))
			return true;
	}
	return pattern_verdict(pattern, rel, length, true, NULL) > 0;
}

PatternOrigin pattern_origin(const Pattern *pattern, int verdict)
{
	const Rule *rule = &pattern->rules[(verdict < 0 ? -verdict : verdict) - 1];
	const Line *line = &pattern->lines[rule->line];
	return (PatternOrigin){
		.text = line->text,
		.length = line->length,
		.line = line->number,
		.file = line->file,
	};
}

/* --- paths with wildcards --------------------------------------------------------------------------------------- */

/* The first wildcard or brace; the length where there is none. */
static size_t first_wildcard(const Braces *braces)
{
	size_t at = 0;
	while (at < braces->length) {
		char byte = braces->text[at];
		if (byte == '*' || byte == '?' || brace_is_group(braces, at))
			return at;
		if (byte == '[' && glob_class(braces->text, braces->length, at, NULL) != 0)
			return at;
		at += byte == '\\' ? 2 : 1;
	}
	return braces->length;
}

static size_t unescape(char *out, const char *text, size_t length)
{
	size_t written = 0;
	for (size_t at = 0; at < length; at++) {
		if (text[at] == '\\' && at + 1 < length)
			at++;
		out[written++] = text[at];
	}
	return written;
}

/* "" is the working directory, and a head of slashes alone the root of all. */
static size_t write_root(char *out, const char *text, size_t length)
{
	size_t kept = length;
	while (kept > 0 && text[kept - 1] == '/')
		kept--;
	if (kept > 0)
		return unescape(out, text, kept);
	out[0] = length > 0 ? '/' : '.';
	return 1;
}

int pattern_literal_head(const char *text, size_t length, char **root, char **rest)
{
	Braces braces;
	int error = brace_open(&braces, text, length);
	if (error < 0)
		return error;
	size_t wildcard = first_wildcard(&braces);
	brace_close(&braces);
	if (wildcard == length)
		return 0;
	size_t head = name_of(text, wildcard); /* with its slash */
	char *block = malloc(length + 5);
	if (block == NULL)
		return -ENOMEM;
	size_t written = write_root(block, text, head);
	block[written++] = '\0';
	*root = block;
	*rest = block + written;
	block[written++] = '/';
	memcpy(block + written, text + head, length - head);
	block[written + length - head] = '\0';
	return 1;
}
