/* SPDX-License-Identifier: MIT
 *
 * mounts.c - the mount table: that it changed, and where.
 *
 * /proc/self/mountinfo answers POLLERR|POLLPRI to a poll when the table changed since the poll before, whoever made that
 * one. A nested epoll polls twice for one event: the second time there is none. But the file is always readable and its
 * waiters are woken at each change: so it is looked at for EPOLLIN, edge by edge, and a look too many costs one reading.
 */
#include "os/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROOM = 16 * 1024 };

/* The table as it was read: its lines, cut behind the mount point, in the order of strcmp. */
typedef struct Table {
	char *bytes;
	char **lines;
	size_t length, count;
} Table;

struct Mounts {
	int fd;
	Table kept, latest;
};

static void clear(Table *table)
{
	free(table->bytes);
	free(table->lines);
	*table = (Table){0};
}

/* The whole file, with a NUL behind it. */
static int read_bytes(int fd, Table *table)
{
	size_t size = 0;
	ssize_t got = 1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while (got > 0) {
		if (size - table->length < ROOM) {
			char *grown = realloc(table->bytes, size += 2 * ROOM);
			if (grown == NULL)
				return -ENOMEM;
			table->bytes = grown;
		}
		got = read(fd, table->bytes + table->length, size - table->length - 1);
		if (got < 0)
			return -errno;
		table->length += (size_t)got;
	}
	table->bytes[table->length] = '\0';
	return 0;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ...": the fifth word is the mount point. */
static char *mount_point(char *line)
{
	for (int word = 1; word < 5 && line != NULL; word++) {
		line = strchr(line, ' ');
		line = line != NULL ? line + 1 : NULL;
	}
	return line;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int split(Table *table)
{
	size_t size = 1;
	for (const char *at = table->bytes; (at = strchr(at, '\n')) != NULL; at++)
		size++;
	table->lines = malloc(size * sizeof *table->lines);
	if (table->lines == NULL)
		return -ENOMEM;
	char *rest = table->bytes, *line;
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *point = mount_point(line);
		if (point == NULL)
			continue;
		point[strcspn(point, " ")] = '\0';
		table->lines[table->count++] = line;
	}
	qsort(table->lines, table->count, sizeof *table->lines, compare_lines);
	return 0;
}

static int read_table(int fd, Table *table)
{
	int error = read_bytes(fd, table);
	if (error == 0)
		error = split(table);
	if (error < 0)
		clear(table);
	return error;
}

/* Blanks and the like are written as \040. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] != '\0' && from[2] != '\0' && from[3] != '\0') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static int tell(const char *line, MountsVisit *visit, void *owner)
{
	char *copy = strdup(line), *point = copy != NULL ? mount_point(copy) : NULL;
	if (point != NULL) {
		unescape(point);
		visit(owner, point);
	}
	free(copy);
	return point != NULL;
}

static int tell_differences(const Table *old, const Table *now, MountsVisit *visit, void *owner)
{
	int told = 0;
	size_t i = 0, j = 0;
	while (i < old->count || j < now->count) {
		int order = i == old->count ? 1
			: j == now->count       ? -1
									: strcmp(old->lines[i], now->lines[j]);
		if (order < 0)
			told += tell(old->lines[i++], visit, owner);
		else if (order > 0)
			told += tell(now->lines[j++], visit, owner);
		else
			i++, j++;
	}
	return told;
}

int mounts_open(Mounts **out)
{
	Mounts *mounts = calloc(1, sizeof *mounts);
	if (mounts == NULL)
		return -ENOMEM;
	mounts->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	int error = mounts->fd < 0 ? -errno : read_table(mounts->fd, &mounts->kept);
	if (error < 0) {
		mounts_close(mounts);
		return error;
	}
	*out = mounts;
	return 0;
}

void mounts_close(Mounts *mounts)
{
	if (mounts == NULL)
		return;
	if (mounts->fd >= 0)
		close(mounts->fd);
	clear(&mounts->kept);
	clear(&mounts->latest);
	free(mounts);
}

int mounts_fd(const Mounts *mounts)
{
	return mounts->fd;
}

uint32_t mounts_events(void)
{
	return EPOLLIN | EPOLLET;
}

bool mounts_stirred(const Mounts *mounts)
{
	struct pollfd poller = {.fd = mounts->fd, .events = POLLPRI};
	return poll(&poller, 1, 0) > 0 && (poller.revents & POLLPRI);
}

int mounts_compare(Mounts *mounts, MountsVisit *visit, void *owner)
{
	Table now = {0};
	int error = read_table(mounts->fd, &now);
	if (error < 0)
		return error;
	clear(&mounts->latest);
	mounts->latest = now;
	return tell_differences(&mounts->kept, &mounts->latest, visit, owner);
}

void mounts_keep(Mounts *mounts)
{
	clear(&mounts->kept);
	mounts->kept = mounts->latest;
	mounts->latest = (Table){0};
}
