/* SPDX-License-Identifier: MIT
 *
 * outlet.c - what a child reads.
 */
#include "loop/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "os/pipe.h"

static bool is_open(const Outlet *outlet)
{
	return outlet->loop != NULL && outlet->fd >= 0;
}

static void forget(Outlet *outlet)
{
	free(outlet->own);
	outlet->own = NULL;
	outlet->bytes = NULL;
	outlet->start = outlet->end = 0;
}

static void shut(Outlet *outlet, int error)
{
	loop_io_stop(&outlet->io);
	pipe_close(&outlet->fd);
	outlet->error = error;
	forget(outlet);
}

/* Writes until all is written or the pipe is full. 1: all is written, 0: it is full, or a negative errno. */
static int push(Outlet *outlet)
{
	while (outlet->start < outlet->end) {
		ssize_t count =
			pipe_write(outlet->fd, outlet->bytes + outlet->start, outlet->end - outlet->start);
		if (count == -EAGAIN)
			return 0;
		if (count < 0)
			return (int)count;
		outlet->start += (size_t)count;
	}
	return 1;
}

/* Pushes, and draws the conclusions. */
static int advance(Outlet *outlet)
{
	int result = push(outlet);
	if (result == 0)
		result = loop_io_start(outlet->loop, &outlet->io, outlet->fd, EPOLLOUT);
	if (result < 0 || (result == 1 && outlet->closing))
		shut(outlet, result < 0 ? result : 0);
	if (result == 1) {
		loop_io_stop(&outlet->io);
		forget(outlet);
	}
	return result;
}

static void on_writable(LoopIo *io, uint32_t events)
{
	Outlet *outlet = list_item(io, Outlet, io);
	(void)events;
	if (advance(outlet) != 0 && outlet->done != NULL)
		outlet->done(outlet);
}

void outlet_open(Outlet *outlet, Loop *loop, int fd)
{
	outlet->io.ready = on_writable;
	outlet->loop = loop;
	outlet->fd = fd;
}

static int refusal(const Outlet *outlet)
{
	return outlet->error < 0 ? outlet->error : -EPIPE;
}

int outlet_lend(Outlet *outlet, const char *bytes, size_t length)
{
	if (!is_open(outlet))
		return refusal(outlet);
	outlet->bytes = bytes;
	outlet->start = 0;
	outlet->end = length;
	return advance(outlet);
}

/* Puts the bytes behind those that wait. */
static int keep(Outlet *outlet, const char *bytes, size_t length)
{
	size_t waiting = outlet->end - outlet->start;
	char *block = malloc(waiting + length);
	if (block == NULL)
		return -ENOMEM;
	if (waiting > 0)
		memcpy(block, outlet->bytes + outlet->start, waiting);
	memcpy(block + waiting, bytes, length);
	free(outlet->own);
	outlet->bytes = outlet->own = block;
	outlet->start = 0;
	outlet->end = waiting + length;
	return 0;
}

int outlet_write(Outlet *outlet, const char *bytes, size_t length)
{
	ssize_t count = 0;
	if (!is_open(outlet) || outlet->closing)
		return refusal(outlet);
	if (outlet_is_empty(outlet))
		count = pipe_write(outlet->fd, bytes, length);
	if (count == (ssize_t)length)
		return 1;
	if (count < 0 && count != -EAGAIN) {
		shut(outlet, (int)count);
		return (int)count;
	}
	if (count > 0) {
		bytes += count;
		length -= (size_t)count;
	}
	int error = keep(outlet, bytes, length);
	return error < 0 ? error : advance(outlet);
}

void outlet_finish(Outlet *outlet)
{
	outlet->closing = true;
	if (is_open(outlet) && outlet_is_empty(outlet))
		shut(outlet, 0);
}

bool outlet_is_empty(const Outlet *outlet)
{
	return outlet->start == outlet->end;
}

void outlet_clear(Outlet *outlet)
{
	if (is_open(outlet))
		shut(outlet, 0);
	forget(outlet);
	*outlet = (Outlet){.fd = -1};
}
