/* SPDX-License-Identifier: MIT
 *
 * inlet.h - what a child writes: line by line on demand, or the tail of it all.
 *
 * By line nothing is read before somebody asks, so a child that writes faster than we read waits. A line longer than
 * the limit comes in pieces of that size. A capture always reads, and keeps the last `limit` bytes.
 *
 * A pipe may outlive the child, in the hands of what it left in the background. So the end is not the end of the pipe
 * but inlet_last(): what lies in it at that moment is the last that counts.
 */
#ifndef MOONWATCH_LOOP_INLET_H
#define MOONWATCH_LOOP_INLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loop/loop.h"

typedef struct Inlet Inlet;

struct Inlet {
	/* Called from the loop while listening: it is worth asking for a line. */
	void (*ready)(Inlet *inlet);
	void *owner;    /* for `ready`; not touched here */
	int fd;         /* ours; -1 once it is over */
	bool truncated; /* something of the capture was dropped */
	/* private */
	Loop *loop;
	LoopIo io;
	size_t limit;
	size_t allowed; /* bytes that may still be read */
	char *bytes;    /* what is held lies in bytes[start .. end) */
	size_t start, end, room;
	size_t searched; /* there is no newline before bytes[searched] */
};

/* Takes over the non-blocking read end of a pipe. The inlet was zeroed, `ready` set. */
void inlet_open(Inlet *inlet, Loop *loop, int fd, size_t limit);

/* Reads from now on, whenever there is something. 0 or a negative errno. */
int inlet_capture(Inlet *inlet);

/* The captured bytes; borrowed until the inlet is cleared. */
const char *inlet_captured(const Inlet *inlet, size_t *length);

/* The next line without its newline: borrowed until the next call. Returns 1, 0 where there is none (yet, or ever
 * again if inlet_is_over), or -ENOMEM. Reads what it needs and never waits. */
int inlet_line(Inlet *inlet, const char **line, size_t *length);
bool inlet_is_over(const Inlet *inlet);

/* Whether `ready` is to be called. Returns 0 or a negative errno. */
int inlet_listen(Inlet *inlet, bool on);

/* The child has ended: what lies in the pipe now is the last. A capture takes it at once. */
void inlet_last(Inlet *inlet);

void inlet_clear(Inlet *inlet); /* a zeroed one is fine */

#endif
