/* SPDX-License-Identifier: MIT
 *
 * inlet.c - what a child writes.
 */
#include "loop/inlet.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "os/pipe.h"

enum {
	CHUNK = 16 * 1024,
	READS_PER_TURN =
		16, /* of a capture, so that a child that never stops writing cannot hold the loop */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool is_open(const Inlet *inlet)
{
	return inlet->loop != NULL && inlet->fd >= 0;
}

static void end(Inlet *inlet)
{
	loop_io_stop(&inlet->io);
	pipe_close(&inlet->fd);
}

/* Moves what is held to the front of the block. */
static void compact(Inlet *inlet)
{
	if (inlet->start == 0)
		return;
	memmove(inlet->bytes, inlet->bytes + inlet->start, inlet->end - inlet->start);
	inlet->end -= inlet->start;
	inlet->searched -= least(inlet->searched, inlet->start);
	inlet->start = 0;
}

/* Makes room for one more byte at least, a chunk in most cases. */
static int make_room(Inlet *inlet)
{
	size_t room = inlet->room > 0 ? inlet->room * 2 : CHUNK;
	if (inlet->room - inlet->end >= CHUNK / 2)
		return 0;
	compact(inlet);
	if (inlet->room - inlet->end >= CHUNK / 2)
		return 0;
	char *grown = realloc(inlet->bytes, room);
	if (grown == NULL)
		return inlet->room > inlet->end ? 0 : -ENOMEM;
	inlet->bytes = grown;
	inlet->room = room;
	return 0;
}

/* Reads once into the room there is. 1: there was something, 0: nothing now; ends the inlet at the end. */
static int read_some(Inlet *inlet)
{
	size_t size = least(inlet->room - inlet->end, inlet->allowed);
	ssize_t count = size > 0 ? pipe_read(inlet->fd, inlet->bytes + inlet->end, size) : 0;
	if (count == -EAGAIN)
		return 0;
	if (count > 0) {
		inlet->end += (size_t)count;
		if (inlet->allowed != SIZE_MAX)
			inlet->allowed -= (size_t)count;
	}
	if (count <= 0 || inlet->allowed == 0)
		end(inlet);
	return count > 0;
}

void inlet_open(Inlet *inlet, Loop *loop, int fd, size_t limit)
{
	inlet->loop = loop;
	inlet->fd = fd;
	inlet->limit = limit;
	inlet->allowed = SIZE_MAX;
}

/* --- the tail of it all --------------------------------------------------------------------------------------- */

/* Drops from the front of a capture what is beyond `keep`. */
static void drop_front(Inlet *inlet, size_t keep)
{
	size_t held = inlet->end - inlet->start;
	if (held <= keep)
		return;
	inlet->start = inlet->end - keep;
	inlet->truncated = true;
}

/* Twice the limit is held before the front is dropped, so that each byte is moved once at most. */
static int capture_some(Inlet *inlet)
{
	if (inlet->end - inlet->start >= inlet->limit + least(inlet->limit, SIZE_MAX / 2) + CHUNK)
		drop_front(inlet, inlet->limit);
	int error = make_room(inlet);
	if (error < 0) { /* less is kept than was asked for, but the child goes on */
		drop_front(inlet, (inlet->end - inlet->start) / 2);
		error = make_room(inlet);
	}
	return error < 0 ? error : read_some(inlet);
}

static void on_capture(LoopIo *io, uint32_t events)
{
	Inlet *inlet = list_item(io, Inlet, io);
	(void)events;
	for (int i = 0; i < READS_PER_TURN && is_open(inlet); i++)
		if (capture_some(inlet) <= 0)
			break;
}

int inlet_capture(Inlet *inlet)
{
	inlet->io.ready = on_capture;
	return loop_io_start(inlet->loop, &inlet->io, inlet->fd, EPOLLIN);
}

const char *inlet_captured(const Inlet *inlet, size_t *length)
{
	*length = least(inlet->end - inlet->start, inlet->limit);
	return *length > 0 ? inlet->bytes + inlet->end - *length : "";
}

/* --- line by line --------------------------------------------------------------------------------------------- */

static bool take(Inlet *inlet, size_t length, size_t newline, const char **line, size_t *taken)
{
	*line = inlet->bytes + inlet->start;
	*taken = length;
	inlet->start += length + newline;
	inlet->searched = inlet->start;
	return true;
}

/* A line of what is held. */
static bool take_line(Inlet *inlet, const char **line, size_t *length)
{
	size_t held = inlet->end - inlet->start;
	const char *newline = NULL;
	if (inlet->end > inlet->searched)
		newline = memchr(inlet->bytes + inlet->searched, '\n', inlet->end - inlet->searched);
	if (newline != NULL && (size_t)(newline - inlet->bytes) - inlet->start <= inlet->limit)
		return take(inlet, (size_t)(newline - inlet->bytes) - inlet->start, 1, line, length);
	inlet->searched = inlet->end;
	if (held > inlet->limit)
		return take(inlet, inlet->limit, 0, line, length);
	if (held > 0 && inlet_is_over(inlet))
		return take(inlet, held, 0, line, length);
	return false;
}

int inlet_line(Inlet *inlet, const char **line, size_t *length)
{
	while (!take_line(inlet, line, length)) {
		if (inlet_is_over(inlet))
			return 0;
		int count = make_room(inlet);
		if (count == 0)
			count = read_some(inlet);
		if (count < 0 || (count == 0 && !inlet_is_over(inlet)))
			return count;
	}
	return 1;
}

bool inlet_is_over(const Inlet *inlet)
{
	return !is_open(inlet);
}

static void on_readable(LoopIo *io, uint32_t events)
{
	Inlet *inlet = list_item(io, Inlet, io);
	(void)events;
	inlet->ready(inlet);
}

int inlet_listen(Inlet *inlet, bool on)
{
	if (!is_open(inlet))
		return 0;
	inlet->io.ready = on_readable;
	if (on)
		return loop_io_start(inlet->loop, &inlet->io, inlet->fd, EPOLLIN);
	loop_io_stop(&inlet->io);
	return 0;
}

/* --- the end -------------------------------------------------------------------------------------------------- */

/* What is kept for a result that may be asked for late need not keep its room. */
static void shrink(Inlet *inlet)
{
	drop_front(inlet, inlet->limit);
	compact(inlet);
	char *smaller = realloc(inlet->bytes, inlet->end + 1);
	if (smaller != NULL) {
		inlet->bytes = smaller;
		inlet->room = inlet->end + 1;
	}
}

static void capture_the_rest(Inlet *inlet)
{
	while (is_open(inlet))
		if (capture_some(inlet) <= 0)
			end(inlet);
}

void inlet_last(Inlet *inlet)
{
	bool is_capture = inlet->io.ready == on_capture;
	if (is_open(inlet)) {
		inlet->allowed = pipe_pending(inlet->fd);
		if (inlet->allowed == 0)
			end(inlet);
	}
	if (is_capture) {
		capture_the_rest(inlet);
		shrink(inlet);
	}
}

void inlet_clear(Inlet *inlet)
{
	if (is_open(inlet))
		end(inlet);
	free(inlet->bytes);
	*inlet = (Inlet){.fd = -1};
}
