/* SPDX-License-Identifier: MIT
 *
 * escape.c - bytes for human eyes.
 *
 * One walk does both the measuring and the writing: with `out` NULL it only counts.
 */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The code point of a well-formed UTF-8 sequence at `text` and its length, or length 0. */
static size_t decode(const unsigned char *text, size_t length, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = text[0] < 0x80 ? 1
		: text[0] < 0xc0         ? 0
		: text[0] < 0xe0         ? 2
		: text[0] < 0xf0         ? 3
								 : 4;
	if (size < 2 || size > length || text[0] > 0xf4) {
		*point = text[0];
		return size == 1;
	}
	uint32_t value = text[0] & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	*point = value;
	bool surrogate = value >= 0xd800 && value < 0xe000;
	return value < least[size] || value > 0x10ffff || surrogate ? 0 : size;
}

static bool turns_direction(uint32_t point)
{
	return point == 0x200e || point == 0x200f || (point >= 0x202a && point <= 0x202e) ||
		(point >= 0x2066 && point <= 0x2069);
}

static bool is_printable(uint32_t point)
{
	bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
	bool line = point == 0x2028 || point == 0x2029;
	return !control && !line && !turns_direction(point) && point != 0xfeff;
}

/* The escape of one byte into `out` (4 bytes of room); returns its size. */
static size_t escape_byte(char *out, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\n\t\r\\", letters[] = "ntr\\";
	const char *known = byte == 0 ? NULL : strchr(plain, byte);
	out[0] = '\\';
	if (known != NULL) {
		out[1] = letters[known - plain];
		return 2;
	}
	out[1] = 'x';
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 15];
	return 4;
}

static size_t walk(char *out, const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t total = 0;
	for (size_t i = 0; i < length;) {
		uint32_t point = 0;
		size_t size = decode(bytes + i, length - i, &point);
		char escaped[4];
		const char *from = text + i;
		if (size == 0 || !is_printable(point) || point == '\\') {
			from = escaped;
			size = escape_byte(escaped, bytes[i]);
			i++;
		} else {
			i += size;
		}
		if (out != NULL)
			memcpy(out + total, from, size);
		total += size;
	}
	return total;
}

size_t escape_size(const char *text, size_t length)
{
	return walk(NULL, text, length);
}

size_t escape_write(char *out, const char *text, size_t length)
{
	return walk(out, text, length);
}
