/* SPDX-License-Identifier: MIT
 *
 * text.c - immutable bytes that are shared by counting.
 */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

Text *text_new(size_t length)
{
	Text *text = length < UINT32_MAX ? malloc(sizeof *text + length + 1) : NULL;
	if (text == NULL)
		return NULL;
	text->uses = 1;
	text->length = (uint32_t)length;
	text->bytes[length] = '\0';
	return text;
}

Text *text_copy(const char *bytes, size_t length)
{
	Text *text = text_new(length);
	if (text != NULL)
		memcpy(text->bytes, bytes, length);
	return text;
}

Text *text_join(
	const char *directory, size_t directory_length, const char *name, size_t name_length)
{
	size_t slash = directory_length > 0 && directory[directory_length - 1] != '/';
	Text *text = text_new(directory_length + slash + name_length);
	if (text == NULL)
		return NULL;
	memcpy(text->bytes, directory, directory_length);
	if (slash)
		text->bytes[directory_length] = '/';
	memcpy(text->bytes + directory_length + slash, name, name_length);
	return text;
}

Text *text_share(Text *text)
{
	if (text != NULL)
		text->uses++;
	return text;
}

void text_free(Text *text)
{
	if (text != NULL && --text->uses == 0)
		free(text);
}
