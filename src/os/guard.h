/* SPDX-License-Identifier: MIT
 *
 * guard.h - private to spawn.c: a guardian beside a command, for those that want its runaways ended too.
 *
 * A process that has left its group and lost its parent can be found by nobody but the one whom the kernel gives it to:
 * the nearest subreaper. To be that is a trait of a whole process, so we do not take it upon the program that we are a
 * part of: a forked guardian does, starts the command, and becomes the parent of whatever gets loose below it.
 *
 *      we ──socket── guardian ── command ── ...
 *                        └────── runaways
 *
 * The guardian ends when the socket is closed; what still lives then is left alone.
 */
#ifndef MOONWATCH_OS_GUARD_H
#define MOONWATCH_OS_GUARD_H

#include <stdbool.h>

#include "os/birth.h"
#include "os/spawn.h"

/* Starts the guardian and through it the command. As birth_run; the pidfd is the command's. */
int guard_start(Guard *guard, Birth *birth, pid_t *pid, int *pidfd);

/* As spawn_reap; the command has ended, else -EAGAIN is possible. */
int guard_reap(const Guard *guard, int *status);

/* Signals all outside the command's group once each, also those who get loose later on. */
void guard_signal(const Guard *guard, int number);

/* Whether anything lives but the command itself. */
bool guard_has_others(const Guard *guard);

void guard_close(Guard *guard); /* none is fine */

#endif
