/* SPDX-License-Identifier: MIT
 *
 * dir.h - open and list directories relative to a descriptor, without following links.
 *
 * All descriptors are close-on-exec. Functions return 0, a descriptor or a count, or a negative errno.
 */
#ifndef MOONWATCH_OS_DIR_H
#define MOONWATCH_OS_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/filetype.h"

/* Who a file is, whatever its name: device and inode. */
typedef struct Identity {
	uint64_t dev, ino;
	bool mounted; /* where the kernel says so: a mount begins here; no part of who it is */
} Identity;

static inline bool identity_equal(Identity a, Identity b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

/* What a look at one name gives. Times are CLOCK_REALTIME in microseconds since 1970, rounded down. */
typedef struct FileInfo {
	Identity identity;
	FileType type;
	int64_t ctime, mtime;
	int64_t birth; /* 0 where the file system does not tell */
	uint64_t size;
	uint32_t links;
} FileInfo;

/* One entry of a listing; the name is valid until the next call. */
typedef struct DirEntry {
	const char *name;
	size_t name_length;
	uint64_t ino; /* at a mount point that of the directory below */
	FileType type;
	bool linked; /* set by the caller: a link that is followed; inode and type are its target's */
} DirEntry;

/* A whole listing in memory: read first, then walked. */
typedef struct DirListing {
	char *bytes; /* heap, kept for the next listing */
	size_t size, length, position;
} DirListing;

int dir_open_root(const char *path);           /* links on the way are followed */
int dir_open(int parent_fd, const char *name); /* ELOOP or ENOTDIR where the name is no directory */
int dir_open_follow(int parent_fd, const char *name);
/* `relative` may have many components, none of them a link unless `follow`; longer than PATH_MAX is fine. Length 0 is
 * misuse. */
int dir_open_below(int parent_fd, const char *relative, size_t length, bool follow);
int dir_identify(int fd, Identity *identity);
int dir_look(int parent_fd, const char *name, FileInfo *info); /* not following a link */
int dir_look_follow(int parent_fd, const char *name, FileInfo *info);

/* Reads all entries of an open directory, and puts the listing at its begin. 0 or -errno. */
int dir_list_read(DirListing *listing, int fd);
bool dir_list_next(DirListing *listing, DirEntry *entry); /* false at the end; never "." or ".." */
void dir_list_clear(DirListing *listing);

enum { DIR_FILE_MOST = 100 << 20 }; /* bytes; git reads no larger ignore file either */

/* The bytes of a regular file, on the heap; whatever else has the name is -EINVAL, a larger one -EFBIG. `follow`: through
 * a link. */
int dir_read_file(int parent_fd, const char *name, bool follow, char **bytes, size_t *length);

int64_t dir_clock(void); /* the clock that stamps files, in FileInfo's unit */

#endif
