/* SPDX-License-Identifier: MIT
 *
 * notify.h - one inotify descriptor: open, add, remove, read a batch of records, walk it.
 *
 * Calling sequence: notify_open, notify_add, then whenever the descriptor is readable notify_read
 * into a buffer of NOTIFY_BUFFER_SIZE and notify_next until it gives 0. Nothing here allocates,
 * waits or keeps a pointer. What the kernel's interface does to its users is listed at the head of
 * notify.c.
 */
#ifndef MOONWATCH_OS_NOTIFY_H
#define MOONWATCH_OS_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* The kernel's bits under names of our own, so that nobody else includes its header; notify.c
 * proves them equal. */
#define NOTIFY_ACCESS 0x00000001u
#define NOTIFY_MODIFY 0x00000002u
#define NOTIFY_ATTRIB 0x00000004u
#define NOTIFY_CLOSE_WRITE 0x00000008u
#define NOTIFY_CLOSE_NOWRITE 0x00000010u
#define NOTIFY_OPEN 0x00000020u
#define NOTIFY_MOVED_FROM 0x00000040u
#define NOTIFY_MOVED_TO 0x00000080u
#define NOTIFY_CREATE 0x00000100u
#define NOTIFY_DELETE 0x00000200u
#define NOTIFY_DELETE_SELF 0x00000400u
#define NOTIFY_MOVE_SELF 0x00000800u
#define NOTIFY_UNMOUNT 0x00002000u
#define NOTIFY_Q_OVERFLOW 0x00004000u
#define NOTIFY_IGNORED 0x00008000u
#define NOTIFY_ONLYDIR 0x01000000u
#define NOTIFY_DONT_FOLLOW 0x02000000u
#define NOTIFY_EXCL_UNLINK 0x04000000u
#define NOTIFY_MASK_CREATE 0x10000000u
#define NOTIFY_MASK_ADD 0x20000000u
#define NOTIFY_ISDIR 0x40000000u
#define NOTIFY_ONESHOT 0x80000000u
#define NOTIFY_CLOSE (NOTIFY_CLOSE_WRITE | NOTIFY_CLOSE_NOWRITE)
#define NOTIFY_MOVE (NOTIFY_MOVED_FROM | NOTIFY_MOVED_TO)
#define NOTIFY_READS (NOTIFY_OPEN | NOTIFY_ACCESS | NOTIFY_CLOSE_NOWRITE)
#define NOTIFY_ALL_EVENTS 0x00000fffu
/* Every bit that the kernel takes. */
#define NOTIFY_ALL_BITS                                                         \
	(NOTIFY_ALL_EVENTS | NOTIFY_UNASKED | NOTIFY_ONLYDIR | NOTIFY_DONT_FOLLOW | \
		NOTIFY_EXCL_UNLINK | NOTIFY_MASK_CREATE | NOTIFY_MASK_ADD | NOTIFY_ISDIR | NOTIFY_ONESHOT)
/* Told whether asked for or not. */
#define NOTIFY_UNASKED (NOTIFY_UNMOUNT | NOTIFY_Q_OVERFLOW | NOTIFY_IGNORED)

enum {
	NOTIFY_BUFFER_SIZE = 65536, /* a whole burst per system call; never smaller than one record */
	NOTIFY_RECORD_SIZE = 16,    /* of a record without a name */
	/* ... and with the longest: a read that leaves as much of its buffer has left nothing in the kernel. */
	NOTIFY_LARGEST_RECORD = NOTIFY_RECORD_SIZE + 256,
};

/* A flag and its name in lower case. Single bits in their order, then the sets. */
typedef struct NotifyFlag {
	const char *name;
	uint32_t bits;
	bool set; /* CLOSE, MOVE, ALL_EVENTS */
} NotifyFlag;

enum { NOTIFY_FLAG_COUNT = 25 };
extern const NotifyFlag notify_flags[NOTIFY_FLAG_COUNT];

/* One record, decoded. The name is borrowed from the bytes it was read from and does not end in
 * NUL. */
typedef struct NotifyRecord {
	int wd; /* -1 with Q_OVERFLOW: test for that before looking it up */
	uint32_t mask, cookie;
	const char *name; /* never NULL; name_length 0 for the watched thing itself */
	uint16_t name_length;
} NotifyRecord;

/* A walk over the bytes of one read. Copyable; `at == end` when all is taken. */
typedef struct NotifyReader {
	const unsigned char *at, *end;
} NotifyReader;

/* A non-blocking descriptor, close-on-exec unless inheritable; or a negative errno. EMFILE means
 * the limit max_user_instances; where it is the process's own descriptors that have run out the
 * answer is ENFILE. */
int notify_open(bool inheritable);

/* The watch descriptor, or a negative errno; ENOSPC means the limit max_user_watches. */
int notify_add(int fd, const char *path, uint32_t mask);
/* The same for what an open descriptor (O_PATH will do) means: no race between what was looked at
 * and what is watched. Never follows, so DONT_FOLLOW must not be in the mask. Needs /proc. */
int notify_add_fd(int fd, int entry, uint32_t mask);

enum { NOTIFY_FOLDER_ROOM = 32 };
/* Where /proc has our descriptors; to be zeroed, and kept by whoever adds many watches: following /proc's link `self`
 * for each would cost a sixth of adding it. */
typedef struct NotifyFolder {
	char path[NOTIFY_FOLDER_ROOM];
	pid_t asked_as;
} NotifyFolder;
int notify_add_many(NotifyFolder *folder, int fd, int entry, uint32_t mask);

/* 0, or -EINVAL where the watch is gone already. Queued records still come, then IGNORED. */
int notify_remove(int fd, int wd);

/* Bytes read, 0 where nothing is there, or a negative errno. Never waits, is never interrupted. */
ssize_t notify_read(int fd, void *buffer, size_t size);

/* Bytes that wait in the kernel, or a negative errno. */
int notify_pending(int fd);

/* 1 with *record filled; 0 at the end; -EBADMSG where the rest is no whole record (the reader stays
 * there). */
int notify_next(NotifyReader *reader, NotifyRecord *record);

/* What stands before the name, at whole records only: to look through many of them. */
typedef struct NotifyHead {
	int wd;
	uint32_t mask, cookie;
	uint32_t name_room; /* the name and its padding */
} NotifyHead;

/* Its size with the name; 0 at the end. The bytes are those of one read, from the begin of a record on. */
static inline size_t notify_head(const void *bytes, size_t size, NotifyHead *head)
{
	if (size < sizeof *head)
		return 0;
	memcpy(head, bytes, sizeof *head);
	return sizeof *head + head->name_room;
}

/* The descriptors of the watches that the kernel has now, ascending: *wds is to be freed (NULL with count 0). 0 or a
 * negative errno. Slow: for after an overflow, when it may have swallowed the end of some. */
int notify_list(int fd, int **wds, size_t *count);

static inline NotifyReader notify_reader(const void *bytes, size_t size)
{
	NotifyReader reader = {.at = bytes};
	reader.end = reader.at + size;
	return reader;
}

#endif
