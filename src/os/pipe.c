/* SPDX-License-Identifier: MIT
 *
 * pipe.c - pipes to and from children.
 *
 * A write to a pipe that nobody reads raises SIGPIPE in the writing thread. The signal's
 * disposition belongs to the program that we are part of, so the signal is blocked around the
 * write, and taken out if the write has raised it.
 */
#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void pipe_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Moves a descriptor out of the way of the standard ones. */
static int lift(int *fd)
{
	int lifted;
	if (*fd > STDERR_FILENO)
		return 0;
	lifted = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (lifted < 0)
		return -errno;
	close(*fd);
	*fd = lifted;
	return 0;
}

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int pipe_open(int ends[2], PipeEnd ours)
{
	int made[2], error;
	if (pipe2(made, O_CLOEXEC) < 0)
		return -errno;
	error = lift(&made[PIPE_READ]);
	if (error == 0)
		error = lift(&made[PIPE_WRITE]);
	if (error == 0)
		error = set_nonblocking(made[ours]);
	if (error < 0) {
		pipe_close(&made[PIPE_READ]);
		pipe_close(&made[PIPE_WRITE]);
		return error;
	}
	ends[PIPE_READ] = made[PIPE_READ];
	ends[PIPE_WRITE] = made[PIPE_WRITE];
	return 0;
}

ssize_t pipe_read(int fd, char *bytes, size_t size)
{
	ssize_t count;
	do
		count = read(fd, bytes, size);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

static bool is_pending(int signal_number)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && sigismember(&pending, signal_number) == 1;
}

static void take_pending(const sigset_t *set)
{
	const struct timespec now = {0};
	while (sigtimedwait(set, NULL, &now) < 0 && errno == EINTR)
		;
}

ssize_t pipe_write(int fd, const char *bytes, size_t length)
{
	sigset_t set, before;
	ssize_t count;
	bool was_pending;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	was_pending = is_pending(SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	do
		count = write(fd, bytes, length);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		count = -errno;
	if (count == -EPIPE && !was_pending)
		take_pending(&set);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return count;
}

bool pipe_has_other_end(int fd)
{
	struct stat info;
	return fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

size_t pipe_pending(int fd)
{
	int count = 0;
	return ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}
