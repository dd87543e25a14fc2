/* SPDX-License-Identifier: MIT
 *
 * pattern_driver.c - the patterns without Lua: reads commands, writes verdicts, so that the specs can hold them against
 * git and against a model.
 *
 * A command is a line of a letter and numbers, then as many bytes as the numbers say:
 *
 *   R                    forget everything
 *   I dir length         an ignore file: its directory, then its content
 *   E length             the single ignore file
 *   Q isdir length       asks the ignore files: file, line and pattern that decided, each with a NUL behind it
 *   L flags length       one pattern more for the list
 *   M isdir length       asks the list: its verdict as -1, 0 or 1 on the path alone, with what is above, and below it
 *   H length             the literal head of a path: number, root and rest, each with a NUL behind it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tree/ignore.h"
#include "tree/pattern.h"

enum { MOST_DIRECTORIES = 128 };

typedef struct Directory {
	char *rel;
	size_t length;
	Pattern *patterns;
} Directory;

static Directory directories[MOST_DIRECTORIES];
static size_t directory_count;
static Pattern *single, *list;
static IgnoreSet *set;

static char *read_bytes(size_t length)
{
	char *bytes = malloc(length + (length == 0)); /* not a byte more: the sanitizer is to see */
	if (fread(bytes, 1, length, stdin) != length)
		exit(3);
	return bytes;
}

static size_t read_number(void)
{
	size_t number;
	if (scanf("%zu", &number) != 1)
		exit(3);
	return number;
}

static void forget(void)
{
	while (directory_count > 0) {
		Directory *directory = &directories[--directory_count];
		free(directory->rel);
		pattern_free(directory->patterns);
		*directory = (Directory){0};
	}
	pattern_free(single);
	pattern_free(list);
	single = list = NULL;
}

static void must(int result)
{
	if (result < 0)
		exit(4);
}

static void add_directory(void)
{
	size_t rel_length = read_number(), length = read_number();
	getchar();
	Directory *directory = &directories[directory_count++];
	directory->rel = read_bytes(rel_length);
	directory->length = rel_length;
	char *bytes = read_bytes(length);
	must(ignore_add(0, bytes, length, &directory->patterns));
	free(bytes);
}

static void add_single(void)
{
	size_t length = read_number();
	getchar();
	char *bytes = read_bytes(length);
	must(ignore_add(1, bytes, length, &single));
	free(bytes);
}

typedef struct Question {
	const char *rel;
	size_t length;
} Question;

static const Pattern *patterns_at(void *context, size_t level)
{
	const Question *question = context;
	size_t length = question->length;
	for (size_t i = 0; i <= level; i++) {
		if (length == 0)
			return single;
		while (length > 0 && question->rel[length - 1] != '/')
			length--;
		length -= length > 0;
	}
	for (size_t i = 0; i < directory_count; i++)
		if (directories[i].length == length &&
			memcmp(directories[i].rel, question->rel, length) == 0)
			return directories[i].patterns;
	return NULL;
}

static void ask_ignore(void)
{
	size_t isdir = read_number(), length = read_number();
	getchar();
	char *rel = read_bytes(length);
	Question question = {rel, length};
	IgnoreHit hit = {0};
	if (ignore_verdict(set, patterns_at, &question, rel, length, isdir != 0, &hit) == 0) {
		fwrite("\0\0\0", 1, 3, stdout);
	} else {
		PatternOrigin origin = pattern_origin(hit.pattern, hit.verdict);
		fwrite(rel, 1, hit.base, stdout);
		printf("%s%s%c%u%c", hit.base > 0 ? "/" : "", ignore_name(set, origin.file), 0, origin.line,
			0);
		fwrite(origin.text, 1, origin.length + 1, stdout);
	}
	free(rel);
}

static void add_to_list(void)
{
	size_t flags = read_number(), length = read_number();
	getchar();
	char *text = read_bytes(length);
	if (list == NULL)
		list = pattern_new();
	if (pattern_add(list, text, length, (unsigned)flags) < 0)
		fputs("refused\n", stdout);
	free(text);
}

static int sign(int verdict)
{
	return (verdict > 0) - (verdict < 0);
}

static void ask_list(void)
{
	size_t isdir = read_number(), length = read_number();
	getchar();
	char *rel = read_bytes(length);
	printf("%d %d %d\n", sign(pattern_match(list, rel, length, isdir != 0)),
		sign(pattern_verdict(list, rel, length, isdir != 0, NULL)),
		pattern_may_match_below(list, rel, length));
	free(rel);
}

static void split(void)
{
	size_t length = read_number();
	getchar();
	char *text = read_bytes(length), *root = NULL, *rest = NULL;
	int found = pattern_literal_head(text, length, &root, &rest);
	printf("%d%c%s%c%s%c", found, 0, root != NULL ? root : "", 0, rest != NULL ? rest : "", 0);
	free(root);
	free(text);
}

int main(void)
{
	set = ignore_new((const char *const[]){".gitignore", ".git/info/exclude"}, 2);
	char command;
	while (scanf(" %c", &command) == 1) {
		switch (command) {
		case 'R':
			forget();
			break;
		case 'I':
			add_directory();
			break;
		case 'E':
			add_single();
			break;
		case 'Q':
			ask_ignore();
			break;
		case 'L':
			add_to_list();
			break;
		case 'M':
			ask_list();
			break;
		case 'H':
			split();
			break;
		default:
			return 3;
		}
	}
	forget();
	ignore_free(set);
	return 0;
}
