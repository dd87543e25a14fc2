/* SPDX-License-Identifier: MIT
 *
 * notify_driver.c - shows a spec the inotify descriptor, the limits and the words of base, without Lua.
 *
 *     notify_driver SITUATION FOLDER
 */
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/nearest.h"
#include "os/limits.h"
#include "os/notify.h"

static const char *path_of(const char *folder, const char *name)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void touch(const char *folder, const char *name)
{
	close(open(path_of(folder, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void print_records(int fd)
{
	alignas(8) static char buffer[NOTIFY_BUFFER_SIZE];
	ssize_t size = notify_read(fd, buffer, sizeof buffer);
	NotifyReader reader = notify_reader(buffer, size > 0 ? (size_t)size : 0);
	NotifyRecord record;
	while (notify_next(&reader, &record) > 0)
		printf("%d %x %.*s\n", record.wd, (unsigned)record.mask, record.name_length, record.name);
}

static void show_records(const char *folder)
{
	int fd = notify_open(false);
	char buffer[64];
	printf("empty %zd %d\n", notify_read(fd, buffer, sizeof buffer), notify_pending(fd));
	notify_add(fd, folder, NOTIFY_CREATE | NOTIFY_DELETE);
	touch(folder, "a");
	mkdir(path_of(folder, "dir"), 0700);
	unlink(path_of(folder, "a"));
	printf("pending %d\n", notify_pending(fd));
	print_records(fd);
	printf("remove %d\n", notify_remove(fd, 1));
	printf("again %d\n", notify_remove(fd, 1) == -EINVAL);
	print_records(fd);
	close(fd);
}

/* What was meant is watched, though its name means something else by now. */
static void show_pinned(const char *folder)
{
	int fd = notify_open(false);
	touch(folder, "a");
	int entry = open(path_of(folder, "a"), O_PATH | O_CLOEXEC);
	unlink(path_of(folder, "a"));
	touch(folder, "a");
	touch(folder, "b");
	printf("pinned %d\n", notify_add_fd(fd, entry, NOTIFY_DELETE_SELF));
	printf("named %d\n", notify_add(fd, path_of(folder, "a"), NOTIFY_ATTRIB));
	printf("looked up %d\n", notify_add_fd(fd, entry, NOTIFY_MASK_ADD));
	printf("taken %d\n", notify_add_fd(fd, entry, NOTIFY_ATTRIB | NOTIFY_MASK_CREATE) == -EEXIST);
	close(entry);
	print_records(fd);
	close(fd);
}

static void print_list(int fd)
{
	int *wds = NULL;
	size_t count = 0;
	int error = notify_list(fd, &wds, &count);
	printf("%d:", error);
	for (size_t i = 0; i < count; i++)
		printf(" %d", wds[i]);
	printf("\n");
	free(wds);
}

/* A child's descriptors are its own, whatever the parent has under the same numbers. */
static void show_forked(const char *folder)
{
	int fd = notify_open(false), status;
	mkdir(path_of(folder, "theirs"), 0700);
	int entry = open(folder, O_PATH | O_CLOEXEC);
	NotifyFolder fds = {0};
	printf("parent %d\n", notify_add_many(&fds, fd, entry, NOTIFY_CREATE));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		int other = open(path_of(folder, "theirs"), O_PATH | O_CLOEXEC);
		dup2(other, entry);
		printf("child %d\n", notify_add_many(&fds, fd, entry, NOTIFY_CREATE));
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	touch(folder, "theirs/a");
	print_records(fd);
	close(entry);
	close(fd);
}

static void show_list(const char *folder)
{
	int fd = notify_open(true);
	print_list(fd);
	for (int i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		mkdir(path_of(folder, name), 0700);
		notify_add(fd, path_of(folder, name), NOTIFY_CREATE);
	}
	for (int wd = 4; wd <= 40; wd++)
		if (wd % 10 != 0)
			notify_remove(fd, wd);
	print_list(fd);
	close(fd);
}

/* The truncated record stays where it was: nothing is read past the end of an allocation of exactly that size. */
static void show_bytes(const char *folder)
{
	(void)folder;
	static const char whole[] = "\1\0\0\0\0\1\0\0\7\0\0\0\20\0\0\0name\0\0\0\0\0\0\0\0\0\0\0";
	for (size_t size = 0; size <= sizeof whole; size++) {
		char *bytes = malloc(size + 1) + 1; /* aligned to nothing */
		memcpy(bytes, whole, size);
		NotifyReader reader = notify_reader(bytes, size);
		NotifyRecord record;
		int found = notify_next(&reader, &record);
		bool stayed = (const char *)reader.at == bytes;
		if (found == 1)
			printf("%zu: %d %x %u %.*s\n", size, record.wd, (unsigned)record.mask,
				(unsigned)record.cookie, record.name_length, record.name);
		else if (found != (size == 0 ? 0 : -EBADMSG) || !stayed)
			printf("%zu: wrong\n", size);
		free(bytes - 1);
	}
}

static void show_limits(const char *folder)
{
	Limits limits = {{0}};
	LimitsUsage usage = {0};
	char text[512], tiny[10];
	(void)folder;
	int error = limits_read(&limits);
	printf("read %d %d\n", error, limits.values[LIMIT_USER_WATCHES] > 0);
	printf("usage %d\n", limits_usage(&usage, (uid_t)LIMITS_ANY_USER));
	for (size_t i = 1; i < usage.count; i++)
		if (usage.processes[i].watches > usage.processes[i - 1].watches)
			printf("out of order\n");
	limits_usage_clear(&usage);
	size_t length = limits_explain(text, sizeof text, LIMIT_QUEUED_EVENTS, 20000, 1);
	printf("%d %s\n", length == strlen(text), text);
	size_t cut = limits_explain(tiny, sizeof tiny, LIMIT_USER_WATCHES, 1, 1);
	printf("%zu %s\n", cut, tiny);
}

static void show_counted(LimitName name, double now)
{
	char text[512];
	limits_explain(text, sizeof text, name, 1, now);
	printf("%s at %g: %d\n", limits_name(name), now, strstr(text, " in use by user ") != NULL);
}

/* Where nothing can be opened nothing can be counted. */
static void show_remembered_limits(const char *folder)
{
	struct rlimit limit;
	(void)folder;
	getrlimit(RLIMIT_NOFILE, &limit);
	show_counted(LIMIT_USER_WATCHES, 100);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max});
	show_counted(LIMIT_USER_WATCHES, 104.9);
	show_counted(LIMIT_USER_WATCHES, 105);
	show_counted(LIMIT_USER_INSTANCES, 105);
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void print_nearest(const char *wrong)
{
	static const char *const words[] = {
		"create", "modify", "close_write", "moved_to", "moved_from"};
	Nearest nearest = {0};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		nearest_offer(&nearest, wrong, words[i]);
	printf("%s -> %s %zu\n", wrong, nearest.word == NULL ? "none" : nearest.word, nearest.distance);
}

static void print_escaped(const char *text)
{
	char out[256];
	size_t size = escape_write(out, text, strlen(text));
	printf("%.*s %d\n", (int)size, out, size == escape_size(text, strlen(text)));
}

static void show_words(const char *folder)
{
	(void)folder;
	print_nearest("creat");
	print_nearest("MODIFY");
	print_nearest("mdoify");
	print_nearest("move_to");
	print_nearest("");
	print_nearest("a word that is much longer than any of ours, and than the table");
	print_escaped("plain");
	print_escaped("a\nb\rc\td\\e\177f");
	print_escaped("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7");
	print_escaped("\xc3\xe2\x82 \xf0\x9f\x90 \xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80");
	print_escaped("\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*show)(const char *folder);
	} situations[] = {
		{"records", show_records},
		{"pinned", show_pinned},
		{"forked", show_forked},
		{"list", show_list},
		{"bytes", show_bytes},
		{"limits", show_limits},
		{"remembered limits", show_remembered_limits},
		{"words", show_words},
	};
	for (size_t i = 0; argc == 3 && i < sizeof situations / sizeof *situations; i++) {
		if (strcmp(argv[1], situations[i].name) == 0) {
			situations[i].show(argv[2]);
			return 0;
		}
	}
	return 2;
}
