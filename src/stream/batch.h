/* SPDX-License-Identifier: MIT
 *
 * batch.h - a list of net changes, each with its paths, as plain data.
 *
 * Zero a Batch, let settle_take fill it, read the changes in order, clear it. The texts lie in one buffer: offsets
 * stay valid when it grows, pointers from batch_text do not.
 */
#ifndef MOONWATCH_STREAM_BATCH_H
#define MOONWATCH_STREAM_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in the batch's buffer. */
typedef struct Span {
	uint32_t at, length;
} Span;

typedef struct ChangePath {
	Span path, root;
	uint32_t rel_at; /* where rel begins in path */
} ChangePath;

typedef struct Change {
	ChangePath to;               /* the path of the change */
	ChangePath from;             /* moves only; else path.length 0 */
	double first, last, give_up; /* times, for what is put back; -INFINITY: it has had its time */
	uint32_t count;              /* events merged into it */
	uint8_t op;                  /* OP_CREATE, OP_MODIFY, OP_DELETE, OP_MOVE, OP_ATTRIB */
	uint8_t type;                /* FileType after the change; of a delete before it */
	uint8_t replaced;            /* FileType of what was put out of the way; 0 none */
	uint8_t unclosed;            /* overlay.h */
	bool modified;               /* a move with new content */
	bool vague;                  /* a modify by another file, which may be of another type */
	bool exchange;               /* from and path changed places */
	bool temporary; /* a move out of the way, to a name that never existed on the disk */
	bool whole;     /* a directory went with all below it, and what that was is not listed */
} Change;

typedef struct Batch {
	Change *changes;
	size_t count, capacity;
	char *text;
	size_t used, size;
	uint32_t root; /* the number of the last root + 1, and its text */
	Span root_text;
} Batch;

void batch_clear(Batch *batch); /* frees all; zeroed again */
/* Zeroed, at the end of the list; NULL out of memory. */
Change *batch_add(Batch *batch);
/* Room for `length` bytes (not NULL for 0), counted as used; NULL out of memory. */
char *batch_room(Batch *batch, size_t length, Span *span);
int batch_copy(Batch *batch, const char *bytes, size_t length, Span *span); /* 0 or -ENOMEM */

static inline const char *batch_text(const Batch *batch, Span span)
{
	return batch->text + span.at;
}

/* As bytes for the same machine, and back: 0, -ENOMEM, or -EBADMSG where they are no batch. *bytes is malloced. */
int batch_write(const Batch *batch, char **bytes, size_t *length);
int batch_read(Batch *batch, const char *bytes, size_t length);

#endif
