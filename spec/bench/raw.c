/* SPDX-License-Identifier: MIT
 *
 * raw.c - what the kernel itself costs: the least a program in C can do and still be right about what it counts.
 *
 *     raw read DIR      one watch, a loop of blocking reads
 *     raw tree DIR      walk and watch, then the same loop
 *     raw statx DIR     the same, with a statx per file
 *     raw walk DIR      walk with statx per file and no watch: the least a recovery can cost
 *     raw saves DIR     walk and watch for CREATE, MODIFY and CLOSE_WRITE, then the same loop
 *     raw epoll DIR     one watch under epoll; prints the time of every CLOSE_WRITE in monotonic nanoseconds
 *
 * The consumers' protocol (README.md): "ready", then for every event whose name begins with "end-" its name and how
 * many other events came since the last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (64 * 1024)

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

typedef struct Walk {
	int inotify; /* -1: only look */
	bool statx;  /* ask for every file */
	size_t directories, files;
	size_t length;
	char path[PATH_MAX]; /* of the directory that is being read */
} Walk;

static uint32_t mask = IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* By its full path: through /proc/self/fd it would be safe against renames, and cost a fifth more. */
static void watch(Walk *w)
{
	if (inotify_add_watch(w->inotify, w->path, mask | IN_ONLYDIR) < 0)
		die("inotify_add_watch (see fs.inotify.max_user_watches)");
}

static void look_at(int dir, const char *name)
{
	struct statx st;
	if (syscall(SYS_statx, dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
		die("statx");
}

static void walk(Walk *w, int dir);

static void enter(Walk *w, int dir, const char *name)
{
	size_t length = w->length;
	int child = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		die(name);
	w->length += (size_t)snprintf(w->path + length, sizeof w->path - length, "/%s", name);
	walk(w, child);
	w->path[w->length = length] = '\0';
	close(child);
}

static void walk(Walk *w, int dir)
{
	char *buffer = malloc(BUFFER);
	long length;
	w->directories++;
	if (w->inotify >= 0)
		watch(w);
	while ((length = syscall(SYS_getdents64, dir, buffer, BUFFER)) > 0) {
		for (long at = 0; at < length;) {
			struct linux_dirent64 *entry = (struct linux_dirent64 *)(void *)(buffer + at);
			at += entry->d_reclen;
			if (entry->d_type != DT_DIR) {
				w->files++;
				if (w->statx)
					look_at(dir, entry->d_name);
			} else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
				enter(w, dir, entry->d_name);
			}
		}
	}
	free(buffer);
}

static void walk_path(Walk *w, const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(path);
	w->length = (size_t)snprintf(w->path, sizeof w->path, "%s", path);
	walk(w, dir);
	close(dir);
}

static void read_loop(int inotify)
{
	static char buffer[BUFFER] __attribute__((aligned(__alignof__(struct inotify_event))));
	size_t count = 0;
	ssize_t length;
	while ((length = read(inotify, buffer, sizeof buffer)) > 0) {
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			at += (ssize_t)sizeof *event + event->len;
			if (event->len > 4 && memcmp(event->name, "end-", 4) == 0) {
				printf("%s %zu\n", event->name, count);
				count = 0;
			} else {
				count++;
			}
		}
	}
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void epoll_loop(int inotify)
{
	static char buffer[BUFFER] __attribute__((aligned(__alignof__(struct inotify_event))));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	epoll_ctl(epoll, EPOLL_CTL_ADD, inotify, &event);
	while (epoll_wait(epoll, &event, 1, -1) > 0) {
		ssize_t length = read(inotify, buffer, sizeof buffer);
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *record = (const void *)(buffer + at);
			at += (ssize_t)sizeof *record + record->len;
			if (record->mask & IN_CLOSE_WRITE)
				printf("%lld\n", (long long)now_ns());
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	const char *mode = argv[1];
	bool only_walk = strcmp(mode, "walk") == 0;
	bool one = strcmp(mode, "read") == 0 || strcmp(mode, "epoll") == 0;
	int inotify = only_walk ? -1 : inotify_init1(IN_CLOEXEC);
	Walk w = {.inotify = inotify, .statx = only_walk || strcmp(mode, "statx") == 0};
	if (strcmp(mode, "saves") == 0)
		mask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!one)
		walk_path(&w, argv[2]);
	else if (inotify_add_watch(inotify, argv[2], mask) < 0)
		die(argv[2]);
	printf("ready %zu %zu\n", w.directories, w.files);
	if (only_walk)
		pause();
	if (strcmp(mode, "epoll") == 0)
		epoll_loop(inotify);
	else
		read_loop(inotify);
	return 0;
}
