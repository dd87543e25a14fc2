/* SPDX-License-Identifier: MIT
 *
 * notify.c - one inotify descriptor, and the faults of its interface.
 *
 * What inotify does to whoever relies on it, and what each of these forces on the code, here and
 * above:
 *
 * a) Adding a watch for an inode that has one gives the same descriptor and silently REPLACES its
 * mask. Two users of one inode take each other's events away, so everybody above keeps a list of
 * users per descriptor and sets the union. IN_MASK_CREATE tells (EEXIST) before it is too late;
 * IN_MASK_ADD alone changes nothing and is a look-up. b) The mask of a watch cannot be changed by
 * its descriptor, only by a path, which may mean another inode by now. Whoever changes one pins the
 * inode first (O_PATH), looks which descriptor it has, and then adds through /proc/PID/fd:
 * notify_add_fd. c) Records name a descriptor and one component, never a path, never an inode: by
 * the time a record is read the name may mean something else. Nothing here looks at the disk. d) An
 * overflow is a record with descriptor -1, which no table holds; and what was lost may include the
 * IGNORED of a watch. After it no descriptor can be believed until it was added again. e) Equal
 * neighbours in the queue are merged. A record may therefore have stood in the queue since before
 * the watch that asks for it was added: who must know, empties the queue first. Two MOVED_TO of one
 * name are equal, whatever their cookies: what comes from an unwatched place onto the name of what
 * was renamed a moment before leaves no record, unless another stands between. f) A rename is two
 * records with one cookie, usually neighbours, never promised to be; a read may end between them.
 *    The cookie of MOVE_SELF is 0.
 * g) IGNORED comes unasked whenever a watch ends (removed, deleted, unmounted, ONESHOT), after all
 * that was queued for it. Descriptors are given out in a circle, so a number does not come back
 * soon; but only after its IGNORED was read is it out of use. h) ENOSPC from adding has nothing to
 * do with disks: it is max_user_watches; EMFILE from opening is max_user_instances, or as well the
 * process's own limit on descriptors. notify_open tells them apart. i) The length of a name counts
 * its padding of NULs: the real one has to be measured. j) The read needs room for the next record,
 * or it is EINVAL; with 64 KiB there is always room. k) ISDIR is missing where a directory itself
 * is deleted, moved or unmounted; who needs to know notes it when adding. l) A watch needs the
 * right to read, on what it watches only; an inode moved behind an unreadable folder stays watched.
 * m) Removing watches wakes nobody who polls, except by the IGNORED that it queues.
 * n) What is done to a file while another thread renames it is queued by itself, under the name
 * that was looked up before: it may come behind the records of the rename under the old name, or
 * before them under the new one.
 */
#include "os/notify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SAME(flag) static_assert(NOTIFY_##flag == IN_##flag, "the kernel's " #flag)
SAME(ACCESS);
SAME(MODIFY);
SAME(ATTRIB);
SAME(CLOSE_WRITE);
SAME(CLOSE_NOWRITE);
SAME(OPEN);
SAME(MOVED_FROM);
SAME(MOVED_TO);
SAME(CREATE);
SAME(DELETE);
SAME(DELETE_SELF);
SAME(MOVE_SELF);
SAME(UNMOUNT);
SAME(Q_OVERFLOW);
SAME(IGNORED);
SAME(ONLYDIR);
SAME(DONT_FOLLOW);
SAME(EXCL_UNLINK);
SAME(MASK_CREATE);
SAME(MASK_ADD);
SAME(ISDIR);
SAME(ONESHOT);
SAME(CLOSE);
SAME(MOVE);
SAME(ALL_EVENTS);

static_assert(NOTIFY_RECORD_SIZE == sizeof(struct inotify_event), "a record's head");
static_assert(sizeof(NotifyHead) == sizeof(struct inotify_event), "a head for notify_head");
static_assert(offsetof(NotifyHead, name_room) == offsetof(struct inotify_event, len), "the same");
static_assert(NOTIFY_LARGEST_RECORD == NOTIFY_RECORD_SIZE + NAME_MAX + 1, "the longest name");
static_assert(NOTIFY_BUFFER_SIZE > NOTIFY_LARGEST_RECORD, "room for any record");

const NotifyFlag notify_flags[NOTIFY_FLAG_COUNT] = {
	{"access", NOTIFY_ACCESS, false},
	{"modify", NOTIFY_MODIFY, false},
	{"attrib", NOTIFY_ATTRIB, false},
	{"close_write", NOTIFY_CLOSE_WRITE, false},
	{"close_nowrite", NOTIFY_CLOSE_NOWRITE, false},
	{"open", NOTIFY_OPEN, false},
	{"moved_from", NOTIFY_MOVED_FROM, false},
	{"moved_to", NOTIFY_MOVED_TO, false},
	{"create", NOTIFY_CREATE, false},
	{"delete", NOTIFY_DELETE, false},
	{"delete_self", NOTIFY_DELETE_SELF, false},
	{"move_self", NOTIFY_MOVE_SELF, false},
	{"unmount", NOTIFY_UNMOUNT, false},
	{"q_overflow", NOTIFY_Q_OVERFLOW, false},
	{"ignored", NOTIFY_IGNORED, false},
	{"onlydir", NOTIFY_ONLYDIR, false},
	{"dont_follow", NOTIFY_DONT_FOLLOW, false},
	{"excl_unlink", NOTIFY_EXCL_UNLINK, false},
	{"mask_create", NOTIFY_MASK_CREATE, false},
	{"mask_add", NOTIFY_MASK_ADD, false},
	{"isdir", NOTIFY_ISDIR, false},
	{"oneshot", NOTIFY_ONESHOT, false},
	{"close", NOTIFY_CLOSE, true},
	{"move", NOTIFY_MOVE, true},
	{"all_events", NOTIFY_ALL_EVENTS, true},
};

/* EMFILE has two causes (h): if no other descriptor can be had either, it is the process's own
 * limit. */
static int open_error(int error)
{
	if (error != EMFILE)
		return -error;
	int probe = open("/", O_PATH | O_CLOEXEC);
	if (probe < 0)
		return errno == EMFILE ? -ENFILE : -error;
	close(probe);
	return -EMFILE;
}

int notify_open(bool inheritable)
{
	int fd = inotify_init1(IN_NONBLOCK | (inheritable ? 0 : IN_CLOEXEC));
	return fd < 0 ? open_error(errno) : fd;
}

int notify_add(int fd, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(fd, path, mask);
	return wd < 0 ? -errno : wd;
}

enum { DIGITS = 10 };

static int add_in(const char *folder, int fd, int entry, uint32_t mask)
{
	size_t folder_length = strlen(folder);
	char path[NOTIFY_FOLDER_ROOM + DIGITS + 1];
	char *start = path + sizeof path;
	*--start = '\0';
	unsigned rest = (unsigned)entry;
	do
		*--start = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	start -= folder_length;
	memcpy(start, folder, folder_length);
	return notify_add(fd, start, mask);
}

int notify_add_fd(int fd, int entry, uint32_t mask)
{
	return add_in("/proc/self/fd/", fd, entry, mask);
}

/* "/proc/PID/fd/", by the number that /proc itself has for us. A process that was forked asks again. */
static const char *folder_of_fds(NotifyFolder *folder)
{
	pid_t pid = getpid();
	if (pid != folder->asked_as) {
		char number[DIGITS + 1];
		ssize_t length = readlink("/proc/self", number, sizeof number - 1);
		number[length > 0 ? length : 0] = '\0';
		snprintf(folder->path, sizeof folder->path, "/proc/%s/fd/", length > 0 ? number : "self");
		folder->asked_as = pid;
	}
	return folder->path;
}

int notify_add_many(NotifyFolder *folder, int fd, int entry, uint32_t mask)
{
	return add_in(folder_of_fds(folder), fd, entry, mask);
}

int notify_remove(int fd, int wd)
{
	return inotify_rm_watch(fd, wd) < 0 ? -errno : 0;
}

ssize_t notify_read(int fd, void *buffer, size_t size)
{
	for (;;) {
		ssize_t count = read(fd, buffer, size);
		if (count >= 0)
			return count;
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

int notify_pending(int fd)
{
	int bytes = 0;
	return ioctl(fd, FIONREAD, &bytes) < 0 ? -errno : bytes;
}

/* Copied out, not cast: bytes handed in by others are aligned to nothing, and the compiler makes it
 * loads anyway. */
int notify_next(NotifyReader *reader, NotifyRecord *record)
{
	struct inotify_event head;
	size_t rest = (size_t)(reader->end - reader->at);
	if (rest == 0)
		return 0;
	if (rest < sizeof head)
		return -EBADMSG;
	memcpy(&head, reader->at, sizeof head);
	if (head.len > rest - sizeof head)
		return -EBADMSG;
	const char *name = (const char *)reader->at + sizeof head;
	size_t length = head.len == 0 ? 0 : strnlen(name, head.len);
	if (length > UINT16_MAX)
		return -EBADMSG;
	reader->at += sizeof head + head.len;
	*record = (NotifyRecord){
		.wd = head.wd,
		.mask = head.mask,
		.cookie = head.cookie,
		.name = name,
		.name_length = (uint16_t)length,
	};
	return 1;
}

/* --- what the kernel has -------------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right;
	return (a > b) - (a < b);
}

/* Appends one; the room doubles at every power of two from 16 on. */
static int append(int **wds, size_t *count, int wd)
{
	size_t used = *count;
	if (used == 0 || (used >= 16 && (used & (used - 1)) == 0)) {
		int *grown = realloc(*wds, (used == 0 ? 16 : used * 2) * sizeof **wds);
		if (grown == NULL)
			return -ENOMEM;
		*wds = grown;
	}
	(*wds)[used] = wd;
	*count = used + 1;
	return 0;
}

int notify_list(int fd, int **wds, size_t *count)
{
	char path[sizeof "/proc/self/fdinfo/" + 12], line[512];
	int *list = NULL, wd, error = 0;
	size_t found = 0;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *info = fopen(path, "re");
	if (info == NULL)
		return -errno;
	while (error == 0 && fgets(line, sizeof line, info) != NULL)
		if (sscanf(line, "inotify wd:%x", (unsigned *)&wd) == 1)
			error = append(&list, &found, wd);
	if (error == 0 && ferror(info))
		error = -EIO;
	fclose(info);
	if (error != 0) {
		free(list);
		return error;
	}
	if (found > 1)
		qsort(list, found, sizeof *list, compare);
	*wds = list;
	*count = found;
	return 0;
}
