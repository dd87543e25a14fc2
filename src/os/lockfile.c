/* SPDX-License-Identifier: MIT
 *
 * lockfile.c - a file that one process holds as long as it lives.
 *
 * The lock is a POSIX one: it belongs to this process alone, so that what we fork does not hold it when we are gone, and
 * it names its holder. It is lost when any descriptor of the file is closed, so the file is opened once.
 *
 * Who gets the lock of a file that has just been removed has got nothing: the path is looked at again afterwards.
 */
#include "os/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int try_lock(int fd, pid_t *holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return -errno;
	lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	*holder = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
	return -EADDRINUSE;
}

static bool is_at(int fd, const char *path)
{
	struct stat ours, there;
	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
		ours.st_ino == there.st_ino;
}

int lockfile_take(const char *path, mode_t mode, pid_t *holder)
{
	*holder = 0;
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd < 0)
			return -errno;
		int error = try_lock(fd, holder);
		if (error == 0 && is_at(fd, path))
			return fd;
		close(fd);
		if (error < 0)
			return error;
	}
}

int lockfile_write_pid(int fd)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0)
		return -errno;
	ssize_t written = pwrite(fd, text, (size_t)length, 0);
	return written == length ? 0 : written < 0 ? -errno : -ENOSPC;
}
