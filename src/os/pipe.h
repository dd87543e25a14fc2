/* SPDX-License-Identifier: MIT
 *
 * pipe.h - pipes to and from children: our end never blocks, and a broken one never raises SIGPIPE.
 */
#ifndef MOONWATCH_OS_PIPE_H
#define MOONWATCH_OS_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum PipeEnd {
	PIPE_READ,
	PIPE_WRITE,
} PipeEnd;

/* A pipe of which we keep the end `ours` (non-blocking). Both ends are close-on-exec and never 0, 1
 * or 2, so that a program started without standard descriptors does not take a pipe for one.
 * Returns 0 or a negative errno. */
int pipe_open(int ends[2], PipeEnd ours);

/* Bytes read or written, 0 at the end of the stream (read), or a negative errno; never EINTR. */
ssize_t pipe_read(int fd, char *bytes, size_t size);
ssize_t pipe_write(int fd, const char *bytes, size_t length);

/* Whether the descriptor, whoever opened it, is one whose other end may go away: a pipe or a socket. */
bool pipe_has_other_end(int fd);

/* How many bytes lie in it unread; 0 where that cannot be told. */
size_t pipe_pending(int fd);

/* Closes *fd if it is one and makes it -1. */
void pipe_close(int *fd);

#endif
