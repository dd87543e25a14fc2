/* SPDX-License-Identifier: MIT
 *
 * background.c - to go on behind the back of whoever started us.
 *
 *      we ──fork── child (new session) ──fork── the host: never gets a terminal again
 *       └── waits for a byte (ready) or the end of the pipe: then for the status of the child, who has that of the host
 */
#include "os/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int to_parent = -1; /* a trait of the process, as being in the background is */

static int status_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_ready(int fd)
{
	char byte;
	ssize_t count;
	do {
		count = read(fd, &byte, 1);
	} while (count < 0 && errno == EINTR);
	return count == 1;
}

/* What the one in the middle does, too: its only child is the host. */
static void await(pid_t pid, int fd)
{
	_exit(is_ready(fd) ? EXIT_SUCCESS : status_of(pid));
}

int background_enter(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	for (int generation = 0; generation < 2; generation++) {
		pid_t pid = fork();
		if (pid < 0)
			return -errno;
		if (pid > 0) {
			close(ends[1]);
			await(pid, ends[0]);
		}
		if (generation == 0)
			setsid();
	}
	close(ends[0]);
	to_parent = ends[1];
	return 0;
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd == STDIN_FILENO || isatty(fd))
			dup2(null, fd);
	close(null);
}

void background_ready(void)
{
	if (to_parent < 0)
		return;
	leave_terminal();
	/* A byte for each of the two who wait; one who is gone is no matter, the host ignores SIGPIPE. */
	if (write(to_parent, "rr", 2) < 0)
		errno = 0;
	close(to_parent);
	to_parent = -1;
}
