/* SPDX-License-Identifier: MIT
 *
 * lease.c - has a file a writer?
 *
 * A. F_SETLEASE F_RDLCK is refused with EAGAIN while anybody has the file open for writing. It wants a descriptor that
 *    is open for reading, and the file's owner or CAP_LEASE.
 * B. For the microseconds in which the lease is ours a writer's open() waits, and we get a signal. That would be SIGIO,
 *    which kills; we ask for SIGURG, which is ignored unless the program handles it.
 * C. Network file systems and FUSE know nothing of other machines' writers, and refuse with EAGAIN as well.
 * D. Opening a FIFO or a device can do things. So first an O_PATH descriptor, which does nothing, then the same file
 *    through /proc once it is known to be a regular one.
 */
#include "os/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/filesystem.h"

static uint64_t signature_of(const struct stat *status)
{
	uint64_t hash = (uint64_t)status->st_size * 0x9E3779B97F4A7C15u;
	hash ^= (uint64_t)status->st_mtim.tv_sec * 0xC2B2AE3D27D4EB4Fu;
	return hash ^ ((uint64_t)status->st_mtim.tv_nsec << 32) ^ status->st_ino;
}

static bool knows_all_writers(int fd)
{
	return filesystem_kind(fd) != FILESYSTEM_REMOTE;
}

static LeaseAnswer try_lease(int fd)
{
	if (!knows_all_writers(fd) || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return LEASE_UNSURE;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? LEASE_WRITER : LEASE_UNSURE;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return LEASE_FREE;
}

static LeaseAnswer ask_regular(int entry)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", entry);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return LEASE_UNSURE;
	LeaseAnswer answer = try_lease(fd);
	close(fd);
	return answer;
}

int lease_ask(const char *path, uint64_t *signature)
{
	struct stat status;
	int entry = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (entry < 0)
		return -errno;
	int answer = LEASE_FREE;
	if (fstat(entry, &status) < 0) {
		answer = -errno;
	} else if (S_ISREG(status.st_mode)) {
		*signature = signature_of(&status);
		answer = ask_regular(entry);
	}
	close(entry);
	return answer;
}
