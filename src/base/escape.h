/* SPDX-License-Identifier: MIT
 *
 * escape.h - bytes for human eyes: what is not printable becomes \n, \t, \r or \xHH, a backslash is
 * doubled.
 *
 * Printable UTF-8 stays; broken UTF-8, control characters of either block and the characters that
 * turn the direction of writing do not, so that a file name can neither forge a line nor hide one.
 */
#ifndef MOONWATCH_BASE_ESCAPE_H
#define MOONWATCH_BASE_ESCAPE_H

#include <stddef.h>

/* Bytes that `text` needs when escaped; equal to `length` where nothing is to be done. */
size_t escape_size(const char *text, size_t length);
/* Writes exactly escape_size(text, length) bytes and no NUL; returns how many. */
size_t escape_write(char *out, const char *text, size_t length);

#endif
