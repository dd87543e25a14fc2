/* SPDX-License-Identifier: MIT
 *
 * spawn.h - start a process in a group of its own, signal the group, take its status.
 *
 * A child inherits nothing of ours: three descriptors, default signals, an empty signal mask and a
 * process group of its own. It is known by a pidfd, which is readable once it has ended and never
 * means another process.
 *
 *     struct Spawn spawn = {.argv = argv, .envp = environ, .fds = {SPAWN_NULL, 1, 2}};
 *     error = spawn_start(&spawn, &process, &failure);
 *     ... poll process.pidfd ...
 *     spawn_reap(&process, &status);
 *     spawn_clear(&process);
 */
#ifndef MOONWATCH_OS_SPAWN_H
#define MOONWATCH_OS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "os/user.h"

enum {
	SPAWN_NULL = -1, /* in place of a descriptor: /dev/null */
};

/* What is to be started. Everything is borrowed for the call of spawn_start. */
typedef struct Spawn {
	char *const *argv; /* argv[0] is looked for in `search`, unless it has a slash */
	char *const *envp;
	const char *search; /* a PATH; NULL: the system's default one */
	const char *cwd;    /* NULL: ours */
	const User *user;   /* NULL: ours */
	int fds[3];   /* become 0, 1 and 2; a close-on-exec one among our own 0, 1, 2 counts as none */
	bool guarded; /* spawn_signal_all and spawn_group_lives reach what has left the group too */
} Spawn;

/* A process of ours beside a guarded command; see guard.h. */
typedef struct Guard {
	pid_t pid; /* 0: none */
	int socket;
} Guard;

/* A process of ours, and its group: both have the number `pid`. */
typedef struct Process {
	pid_t pid;
	int pidfd;
	bool reaped;
	pid_t owner; /* who started it; a child of that has no say */
	Guard guard;
} Process;

/* What could not be done. */
typedef enum SpawnStep {
	SPAWN_PREPARE,
	SPAWN_DESCRIPTORS,
	SPAWN_USER,
	SPAWN_CWD,
	SPAWN_EXEC,
} SpawnStep;

/* Starts it and returns 0 once the command itself runs; else a negative errno, with the step in
 * *failed. Linux 5.4. */
int spawn_start(const Spawn *spawn, Process *process, SpawnStep *failed);

/* Sends a signal to the whole group. -ESRCH where it has ended, -EPERM where none of it may be
 * signalled. */
int spawn_signal(const Process *process, int signal_number);

/* Sends a signal to the process alone; -ESRCH where it has ended, reaped or not. */
int spawn_signal_leader(const Process *process, int signal_number);

/* As spawn_signal, and to all descendants that have left the group, now and while the group is being ended: guarded only. */
int spawn_signal_all(const Process *process, int signal_number);

/* Takes the status. 1: *status is set, in the encoding of waitpid; 0: it still runs; -ECHILD:
 * someone else has it. */
int spawn_reap(Process *process, int *status);

/* Whether anything of the group lives, zombies apart. A group without its leader may be asked only
 * where spawn_outlives_reaping says so; errs toward true. */
bool spawn_group_lives(const Process *process);

/* Whether the group can be asked and signalled safely after spawn_reap: from Linux 6.9 on. */
bool spawn_outlives_reaping(const Process *process);

/* Closes the descriptors. What runs is left alone. Again: no matter. */
void spawn_clear(Process *process);

#endif
