/* SPDX-License-Identifier: MIT
 *
 * dir.c - open and list directories relative to a descriptor, without following links.
 */
#include "os/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK };

typedef struct KernelEntry { /* linux_dirent64 of getdents64(2) */
	uint64_t ino;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
} KernelEntry;

int dir_open_root(const char *path)
{
	int fd = open(path, OPEN_DIRECTORY);
	return fd < 0 ? -errno : fd;
}

int dir_open(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, OPEN_DIRECTORY | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int dir_open_follow(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, OPEN_DIRECTORY);
	return fd < 0 ? -errno : fd;
}

/* One component after the other, for kernels and sandboxes without openat2. */
static int open_stepwise(int parent_fd, const char *relative)
{
	char name[NAME_MAX + 1];
	int fd = parent_fd;
	while (*relative != '\0') {
		size_t length = strcspn(relative, "/");
		int next = -ENAMETOOLONG;
		if (length <= NAME_MAX) {
			memcpy(name, relative, length);
			name[length] = '\0';
			next = dir_open(fd, name);
		}
		if (fd != parent_fd)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
		relative += length + (relative[length] == '/');
	}
	return fd;
}

static int open_chunk(int parent_fd, const char *relative, bool follow)
{
	if (follow)
		return dir_open_follow(parent_fd, relative);
	struct open_how how = {
		.flags = OPEN_DIRECTORY,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	long fd;
	do
		fd = syscall(SYS_openat2, parent_fd, relative, &how, sizeof how);
	while (fd < 0 && errno == EAGAIN);
	if (fd >= 0)
		return (int)fd;
	if (errno == ENOSYS || errno == EPERM)
		return open_stepwise(parent_fd, relative);
	return -errno;
}

/* The longest head of whole components below PATH_MAX. */
static size_t chunk_length(const char *relative, size_t length)
{
	if (length < PATH_MAX)
		return length;
	length = PATH_MAX - 1;
	while (length > 0 && relative[length] != '/')
		length--;
	return length;
}

int dir_open_below(int parent_fd, const char *relative, size_t length, bool follow)
{
	char chunk[PATH_MAX];
	int fd = parent_fd;
	while (length > 0) {
		size_t head = chunk_length(relative, length);
		memcpy(chunk, relative, head);
		chunk[head] = '\0';
		int next = open_chunk(fd, chunk, follow);
		if (fd != parent_fd)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
		head += head < length;
		relative += head;
		length -= head;
	}
	return fd;
}

int dir_identify(int fd, Identity *identity)
{
	struct statx status;
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_INO, &status) < 0)
		return -errno;
	*identity = (Identity){
		.dev = makedev(status.stx_dev_major, status.stx_dev_minor),
		.ino = status.stx_ino,
		.mounted = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
	};
	return 0;
}

static int64_t microseconds(int64_t seconds, int64_t nanoseconds)
{
	return seconds * 1000000 + nanoseconds / 1000;
}

static int64_t stamp_of(const struct statx_timestamp *time)
{
	return microseconds(time->tv_sec, time->tv_nsec);
}

static int look(int parent_fd, const char *name, int flags, FileInfo *info)
{
	struct statx status;
	unsigned wanted = STATX_BASIC_STATS | STATX_BTIME;
	if (statx(parent_fd, name, flags | AT_NO_AUTOMOUNT, wanted, &status) < 0)
		return -errno;
	*info = (FileInfo){
		.identity = {.dev = makedev(status.stx_dev_major, status.stx_dev_minor),
			.ino = status.stx_ino},
		.type = filetype_of_mode(status.stx_mode),
		.ctime = stamp_of(&status.stx_ctime),
		.mtime = stamp_of(&status.stx_mtime),
		.birth = status.stx_mask & STATX_BTIME ? stamp_of(&status.stx_btime) : 0,
		.size = status.stx_size,
		.links = status.stx_nlink,
	};
	return 0;
}

int dir_look(int parent_fd, const char *name, FileInfo *info)
{
	return look(parent_fd, name, AT_SYMLINK_NOFOLLOW, info);
}

int dir_look_follow(int parent_fd, const char *name, FileInfo *info)
{
	return look(parent_fd, name, 0, info);
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

enum { LISTING_ROOM = 32 * 1024, LISTING_KEPT = 1024 * 1024 };

static int make_room(DirListing *listing)
{
	if (listing->size - listing->length >= LISTING_ROOM)
		return 0;
	size_t size = listing->size ? listing->size * 2 : 2 * (size_t)LISTING_ROOM;
	char *bytes = realloc(listing->bytes, size);
	if (bytes == NULL)
		return -ENOMEM;
	listing->bytes = bytes;
	listing->size = size;
	return 0;
}

int dir_list_read(DirListing *listing, int fd)
{
	if (listing->size > LISTING_KEPT)
		dir_list_clear(listing);
	listing->length = listing->position = 0;
	for (;;) {
		int error = make_room(listing);
		if (error < 0)
			return error;
		long more = syscall(
			SYS_getdents64, fd, listing->bytes + listing->length, listing->size - listing->length);
		if (more < 0 && errno != ENOENT)
			return -errno;
		if (more <= 0) /* ENOENT: it was removed, and is still mounted somewhere, or open */
			return 0;
		listing->length += (size_t)more;
	}
}

void dir_list_clear(DirListing *listing)
{
	free(listing->bytes);
	*listing = (DirListing){0};
}

bool dir_list_next(DirListing *listing, DirEntry *entry)
{
	while (listing->position < listing->length) {
		const KernelEntry *found = (const void *)(listing->bytes + listing->position);
		listing->position += found->length;
		if (is_dot(found->name))
			continue;
		*entry = (DirEntry){
			.name = found->name,
			.name_length = strlen(found->name),
			.ino = found->ino,
			.type = filetype_of_dirent(found->type),
		};
		return true;
	}
	return false;
}

static int read_all(int fd, char **bytes, size_t *length)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > DIR_FILE_MOST)
		return -EFBIG;
	size_t size = (size_t)status.st_size + 1, filled = 0;
	char *buffer = malloc(size);
	ssize_t more = 0;
	while (buffer != NULL && (more = read(fd, buffer + filled, size - filled)) > 0) {
		filled += (size_t)more;
		if (filled > DIR_FILE_MOST) {
			free(buffer);
			return -EFBIG;
		}
		char *grown = filled == size ? realloc(buffer, size *= 2) : buffer;
		if (grown == NULL)
			free(buffer);
		buffer = grown;
	}
	if (buffer == NULL)
		return -ENOMEM;
	if (more < 0) {
		int error = -errno;
		free(buffer);
		return error;
	}
	*bytes = buffer;
	*length = filled;
	return 0;
}

int dir_read_file(int parent_fd, const char *name, bool follow, char **bytes, size_t *length)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
	int fd = openat(parent_fd, name, flags);
	if (fd < 0)
		return -errno;
	int error = read_all(fd, bytes, length);
	close(fd);
	return error;
}

int64_t dir_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return microseconds(now.tv_sec, now.tv_nsec);
}
