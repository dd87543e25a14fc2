/* SPDX-License-Identifier: MIT
 *
 * outlet.h - what a child reads: bytes that wait until its pipe has room.
 */
#ifndef MOONWATCH_LOOP_OUTLET_H
#define MOONWATCH_LOOP_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/loop.h"

typedef struct Outlet Outlet;

struct Outlet {
	void (*done)(
		Outlet *outlet); /* called from the loop once all is written or cannot be; may be NULL */
	int fd;              /* ours; -1 once it is closed */
	int error;           /* why it was closed: -EPIPE where nobody reads; 0: by us */
	/* private */
	Loop *loop;
	LoopIo io;
	const char *bytes; /* still to be written: bytes[start .. end) */
	size_t start, end;
	char *own; /* the block in which `bytes` lie, if it is ours */
	bool closing;
};

/* Takes over the non-blocking write end of a pipe. The outlet was zeroed, `done` set. */
void outlet_open(Outlet *outlet, Loop *loop, int fd);

/* Writes what it can now and copies the rest, behind what waits already. Returns 1 where all is written, 0 where
 * something waits, or a negative errno. */
int outlet_write(Outlet *outlet, const char *bytes, size_t length);

/* The same without a copy, on an outlet with nothing waiting: the bytes must stay until `done` or outlet_clear. */
int outlet_lend(Outlet *outlet, const char *bytes, size_t length);

/* Closes the pipe once all is written: the child sees the end of its input. */
void outlet_finish(Outlet *outlet);

bool outlet_is_empty(const Outlet *outlet); /* nothing waits to be written */
void outlet_clear(Outlet *outlet);          /* at once, whatever waits; a zeroed one is fine */

#endif
