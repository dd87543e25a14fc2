/* SPDX-License-Identifier: MIT
 *
 * preload.h - the Lua part of moonwatch, carried inside the program.
 */
#ifndef MOONWATCH_HOST_PRELOAD_H
#define MOONWATCH_HOST_PRELOAD_H

#include <stddef.h>

typedef struct EmbeddedFile {
	const char *module; /* "moonwatch.task"; NULL ends the table */
	const char *chunk;  /* "@lua/moonwatch/task.lua", for messages and tracebacks */
	const unsigned char *text;
	size_t length;
} EmbeddedFile;

extern const EmbeddedFile embedded_files[]; /* written by embed.lua at build time */

#endif
