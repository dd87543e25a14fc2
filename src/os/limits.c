/* SPDX-License-Identifier: MIT
 *
 * limits.c - the limits of fs.inotify, and who uses them up.
 *
 * The kernel counts per user (the effective one at the time of opening) and tells nobody the count. It can only be
 * added up: every descriptor of every process that is an "anon_inode:inotify", and in its fdinfo a line per watch.
 */
#include "os/limits.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[LIMIT_COUNT] = {
	[LIMIT_QUEUED_EVENTS] = "max_queued_events",
	[LIMIT_USER_INSTANCES] = "max_user_instances",
	[LIMIT_USER_WATCHES] = "max_user_watches",
};

const char *limits_name(LimitName name)
{
	return names[name];
}

/* --- the values ----------------------------------------------------------------------------------------------- */

static int open_limit(LimitName name, int flags)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/sys/fs/inotify/%s", names[name]);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_limit(LimitName name, long *value)
{
	char text[32];
	int fd = open_limit(name, O_RDONLY);
	if (fd < 0)
		return fd;
	ssize_t length = read(fd, text, sizeof text - 1);
	int error = length < 0 ? -errno : 0;
	close(fd);
	if (error != 0)
		return error;
	text[length] = '\0';
	*value = strtol(text, NULL, 10);
	return 0;
}

int limits_read(Limits *limits)
{
	Limits result;
	for (int name = 0; name < LIMIT_COUNT; name++) {
		int error = read_limit((LimitName)name, &result.values[name]);
		if (error != 0)
			return error;
	}
	*limits = result;
	return 0;
}

int limits_write(LimitName name, long value)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%ld\n", value);
	int fd = open_limit(name, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = write(fd, text, (size_t)length) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* --- who uses them -------------------------------------------------------------------------------------------- */

/* Lines that begin with "inotify " in what is left of fd. */
static size_t count_watch_lines(int fd)
{
	static const char mark[] = "inotify ";
	char chunk[16384];
	size_t count = 0,
		   matched = 0; /* matched: bytes of the mark seen at this line's start; past it: no more */
	ssize_t length;
	while ((length = read(fd, chunk, sizeof chunk)) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			if (chunk[i] == '\n')
				matched = 0;
			else if (matched < sizeof mark - 1 && chunk[i] == mark[matched])
				count += ++matched == sizeof mark - 1;
			else
				matched = sizeof mark;
		}
	}
	return count;
}

static bool is_inotify(int descriptors, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(descriptors, name, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return strcmp(target, "anon_inode:inotify") == 0;
}

static void count_descriptor(int process, const char *name, LimitsProcess *result)
{
	char path[64];
	result->instances++;
	snprintf(path, sizeof path, "fdinfo/%.20s", name);
	int fd = openat(process, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	result->watches += count_watch_lines(fd);
	close(fd);
}

/* 0, or a negative errno where the process does not let itself be looked at. */
static int count_process(int process, LimitsProcess *result)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *descriptors = fdopendir(fd);
	if (descriptors == NULL) {
		int error = errno;
		close(fd);
		return -error;
	}
	for (struct dirent *entry; (entry = readdir(descriptors)) != NULL;)
		if (is_inotify(fd, entry->d_name))
			count_descriptor(process, entry->d_name, result);
	closedir(descriptors);
	return 0;
}

/* Name and effective user from "status", whose order of lines is the kernel's promise: Name first. */
static int identify(int process, LimitsProcess *result)
{
	char text[2048];
	unsigned effective;
	int fd = openat(process, "status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length <= 0)
		return -ESRCH;
	text[length] = '\0';
	const char *user = strstr(text, "\nUid:");
	if (user == NULL || sscanf(user, "\nUid: %*u %u", &effective) != 1)
		return -ESRCH;
	result->uid = effective;
	if (sscanf(text, "Name:%*1[\t ]%31[^\n]", result->name) != 1)
		strcpy(result->name, "?");
	return 0;
}

static int append(LimitsUsage *usage, const LimitsProcess *process)
{
	/* Full at every power of two from 8 on. */
	if ((usage->count & (usage->count - 1)) == 0 && (usage->count == 0 || usage->count >= 8)) {
		size_t room = usage->count == 0 ? 8 : usage->count * 2;
		LimitsProcess *grown = realloc(usage->processes, room * sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		usage->processes = grown;
	}
	usage->processes[usage->count++] = *process;
	usage->instances += process->instances;
	usage->watches += process->watches;
	return 0;
}

/* Processes come and go while we look: one that has gone is none. */
static int add_process(LimitsUsage *usage, int proc, const char *pid, uid_t user)
{
	LimitsProcess found = {.pid = (pid_t)strtol(pid, NULL, 10)};
	int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return 0;
	int error = identify(process, &found);
	if (error == 0 && (user == (uid_t)LIMITS_ANY_USER || found.uid == user)) {
		error = count_process(process, &found);
		if (error == -EACCES || error == -EPERM)
			usage->partial = true;
	}
	close(process);
	return error == 0 && found.instances > 0 ? append(usage, &found) : 0;
}

static int by_watches(const void *left, const void *right)
{
	const LimitsProcess *a = left, *b = right;
	if (a->watches != b->watches)
		return a->watches < b->watches ? 1 : -1;
	if (a->instances != b->instances)
		return a->instances < b->instances ? 1 : -1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

int limits_usage(LimitsUsage *usage, uid_t user)
{
	LimitsUsage result = {0};
	int error = 0;
	DIR *proc = opendir("/proc");
	if (proc == NULL)
		return -errno;
	for (struct dirent *entry; error == 0 && (entry = readdir(proc)) != NULL;)
		if (isdigit((unsigned char)entry->d_name[0]))
			error = add_process(&result, dirfd(proc), entry->d_name, user);
	closedir(proc);
	if (error != 0) {
		limits_usage_clear(&result);
		return error;
	}
	if (result.count > 1)
		qsort(result.processes, result.count, sizeof *result.processes, by_watches);
	*usage = result;
	return 0;
}

void limits_usage_clear(LimitsUsage *usage)
{
	free(usage->processes);
	*usage = (LimitsUsage){0};
}

/* --- the message ---------------------------------------------------------------------------------------------- */

/* A text in a fixed buffer, cut where it is full. */
typedef struct Line {
	char *out;
	size_t size, length;
} Line;

__attribute__((format(printf, 2, 3))) static void add(Line *line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line->out + line->length, line->size - line->length, format, arguments);
	va_end(arguments);
	if (length > 0)
		line->length += (size_t)length;
	if (line->length >= line->size)
		line->length = line->size - 1;
}

static size_t held(const LimitsProcess *process, LimitName name)
{
	return name == LIMIT_USER_WATCHES ? process->watches : process->instances;
}

/* What was counted last: where many ask at once, as each of many watchers does when the limit is reached, the first one's
 * second is enough. */
static _Thread_local struct Counted {
	LimitName name;
	uid_t user;
	double at; /* 0: never */
	size_t total;
	char words[128]; /* ", 8100 in use by user 1000, 8000 of these by lsyncd[4711]" */
} counted;

static void count_usage(LimitName name, uid_t user, double now)
{
	LimitsUsage usage;
	const LimitsProcess *most = NULL;
	counted = (struct Counted){.name = name, .user = user, .at = now};
	if (limits_usage(&usage, user) != 0)
		return;
	Line line = {.out = counted.words, .size = sizeof counted.words};
	counted.total = name == LIMIT_USER_WATCHES ? usage.watches : usage.instances;
	for (size_t i = 0; i < usage.count; i++)
		if (most == NULL || held(&usage.processes[i], name) > held(most, name))
			most = &usage.processes[i];
	add(&line, ", %s%zu in use by user %u", usage.partial ? "at least " : "", counted.total,
		(unsigned)user);
	if (most != NULL)
		add(&line, ", %zu of these by %s[%d]", held(most, name), most->name, (int)most->pid);
	limits_usage_clear(&usage);
}

/* Who uses it up; returns how many are in use. */
static size_t add_usage(Line *line, LimitName name, double now)
{
	uid_t user = geteuid();
	if (name == LIMIT_QUEUED_EVENTS)
		return 0;
	bool known = counted.at != 0 && counted.name == name && counted.user == user;
	if (!known || now - counted.at >= LIMITS_COUNT_SECONDS)
		count_usage(name, user, now);
	add(line, "%s", counted.words);
	return counted.total;
}

/* A round number that leaves room: at least double, at least what is in use and needed. */
static size_t advice(size_t value, size_t wanted)
{
	size_t result = value < 128 ? 128 : value;
	do
		result *= 2;
	while (result < wanted && result < (size_t)1 << 30);
	return result;
}

size_t limits_explain(char *out, size_t size, LimitName name, size_t needed, double now)
{
	Limits limits;
	Line line = {.out = out, .size = size};
	size_t value = 0;
	add(&line, "inotify limit fs.inotify.%s reached", names[name]);
	if (limits_read(&limits) == 0) {
		value = (size_t)limits.values[name];
		add(&line, ": its value is %zu", value);
	}
	size_t used = add_usage(&line, name, now);
	add(&line, ", %zu more needed", needed);
	add(&line, "; raise it with: sysctl fs.inotify.%s=%zu", names[name],
		advice(value, used + needed));
	return line.length;
}
