/* SPDX-License-Identifier: MIT
 *
 * birth.h - private to spawn.c and guard.c: the moment in which a child comes to be.
 */
#ifndef MOONWATCH_OS_BIRTH_H
#define MOONWATCH_OS_BIRTH_H

#include <sys/types.h>

#include "os/spawn.h"

/* Of what runs in a child on borrowed memory. */
#define CHILD_SIDE __attribute__((no_sanitize("address", "undefined")))

/* What the child is given, and its answer. Lies in memory that even a copied child shares with us. */
typedef struct Birth {
	const Spawn *spawn;
	char *files;             /* paths to try, each ending in NUL, then an empty one */
	volatile SpawnStep step; /* reached */
	volatile int error;      /* an errno; 0 once the command runs */
} Birth;

int birth_open(Birth **out, const Spawn *spawn); /* all that needs memory: 0 or -ENOMEM */
void birth_close(Birth *birth);

/* Starts the command; returns once it runs: 0, or a negative errno after which there is no child. System calls only. */
int birth_run(Birth *birth, pid_t *pid, int *pidfd);

/* Further parts of a child's life; system calls only. */
void birth_default_signals(void);
void birth_close_from(int first);

#endif
