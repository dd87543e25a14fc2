/* SPDX-License-Identifier: MIT
 *
 * nearest.c - edit distance of short words.
 */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST = 31 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t nearest_most(const char *wrong)
{
	size_t third = strnlen(wrong, LONGEST) / 3;
	return third > 2 ? third : 2;
}

/* The classical table with its three last rows; "optimal string alignment". */
size_t nearest_distance(const char *a, const char *b)
{
	size_t rows = strnlen(a, LONGEST), columns = strnlen(b, LONGEST);
	size_t table[3][LONGEST + 1] = {{0}};
	for (size_t j = 0; j <= columns; j++)
		table[0][j] = j;
	for (size_t i = 1; i <= rows; i++) {
		size_t *row = table[i % 3], *above = table[(i + 2) % 3], *before = table[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			size_t replace = above[j - 1] + !same(a[i - 1], b[j - 1]);
			row[j] = least(replace, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return table[rows % 3][columns];
}
