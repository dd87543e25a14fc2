/* SPDX-License-Identifier: MIT
 *
 * text.h - immutable bytes that are shared by counting.
 *
 * Carries the paths of directories from the index to every event that needs one: composed once, freed with the last
 * event. Not for several threads.
 */
#ifndef MOONWATCH_BASE_TEXT_H
#define MOONWATCH_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct Text {
	uint32_t uses;
	uint32_t length;
	char bytes[]; /* ends in NUL, which is not counted */
} Text;

/* A text of `length` bytes with one use, still to be filled by the caller; NULL out of memory. */
Text *text_new(size_t length);
Text *text_copy(const char *bytes, size_t length);
/* directory .. "/" .. name, without doubling the slash of "/". */
Text *text_join(
	const char *directory, size_t directory_length, const char *name, size_t name_length);
Text *text_share(Text *text); /* one use more; NULL is fine */
void text_free(Text *text);   /* one use less; NULL is fine */

#endif
