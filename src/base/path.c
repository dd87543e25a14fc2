/* SPDX-License-Identifier: MIT
 *
 * path.c - paths as text.
 */
#include "base/path.h"

#include <string.h>

static bool is(const char *component, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(component, word, length) == 0;
}

/* The last component goes; at the top of an absolute path there is nothing to take. */
static size_t step_back(const char *path, size_t length, size_t top)
{
	while (length > top && path[length - 1] != '/')
		length--;
	return length > top ? length - 1 : length;
}

static bool ends_in_climb(const char *path, size_t length)
{
	return length >= 2 && memcmp(path + length - 2, "..", 2) == 0 &&
		(length == 2 || path[length - 3] == '/');
}

size_t path_clean(char *path)
{
	size_t top = path[0] == '/', kept = top;
	const char *at = path;
	while (*(at += strspn(at, "/")) != '\0') {
		size_t length = strcspn(at, "/");
		bool up = is(at, length, "..");
		if (up && kept > top && !ends_in_climb(path, kept)) {
			kept = step_back(path, kept, top);
		} else if (!is(at, length, ".") && !(up && top == 1)) {
			if (kept > top)
				path[kept++] = '/';
			memmove(path + kept, at, length);
			kept += length;
		}
		at += length;
	}
	if (kept == 0)
		path[kept++] = '.';
	path[kept] = '\0';
	return kept;
}

bool path_climbs(const char *path)
{
	for (const char *at = path; *(at += strspn(at, "/")) != '\0'; at += strcspn(at, "/")) {
		if (is(at, strcspn(at, "/"), ".."))
			return true;
	}
	return false;
}

const char *path_below(const char *path, const char *top)
{
	size_t length = strlen(top);
	if (strncmp(path, top, length) != 0)
		return NULL;
	if (path[length] == '\0' || (length > 0 && top[length - 1] == '/'))
		return path + length;
	return path[length] == '/' ? path + length + 1 : NULL;
}
