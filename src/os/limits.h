/* SPDX-License-Identifier: MIT
 *
 * limits.h - the limits of fs.inotify: their values, who uses them up, and a message that helps.
 */
#ifndef MOONWATCH_OS_LIMITS_H
#define MOONWATCH_OS_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum LimitName {
	LIMIT_QUEUED_EVENTS,  /* records in the queue of one instance */
	LIMIT_USER_INSTANCES, /* descriptors of one user */
	LIMIT_USER_WATCHES,   /* watches of one user over all of them */
	LIMIT_COUNT
} LimitName;

typedef struct Limits {
	long values[LIMIT_COUNT];
} Limits;

/* "max_queued_events", ... */
const char *limits_name(LimitName name);

/* 0 or a negative errno (no /proc). */
int limits_read(Limits *limits);
/* Sets one, where the rights allow: 0 or a negative errno. */
int limits_write(LimitName name, long value);

/* What one process holds. An instance inherited by a child is counted with both. */
typedef struct LimitsProcess {
	pid_t pid;
	uid_t uid;
	size_t instances, watches;
	char name[32];
} LimitsProcess;

typedef struct LimitsUsage {
	LimitsProcess *processes; /* only those that hold something; most watches first */
	size_t count;
	size_t instances, watches; /* the sums */
	bool partial;              /* some processes would not let us look */
} LimitsUsage;

enum { LIMITS_ANY_USER = -1, LIMITS_COUNT_SECONDS = 5 };

/* Counts over /proc: for this user, or LIMITS_ANY_USER. Slow where there are many watches: for messages and reports.
 * 0 or a negative errno; *usage is untouched on failure, else to be cleared. */
int limits_usage(LimitsUsage *usage, uid_t user);
void limits_usage_clear(LimitsUsage *usage);

/* The sentence for a refusal of the kernel: names the limit, its value, what this user has in use, what is needed
 * beyond that, and how to raise it. What is in use is not counted again before LIMITS_COUNT_SECONDS have passed by `now`,
 * monotonic seconds. Always terminated; returns the length. */
size_t limits_explain(char *out, size_t size, LimitName name, size_t needed, double now);

#endif
