/* SPDX-License-Identifier: MIT
 *
 * forked.h - whose is what the kernel holds for us?
 *
 * A fork shares the queue of inotify, epoll's list and the processes we started. A child that ends in an orderly way, as
 * `os.exit(0, true)` does, must not take them away from its parent. One that goes on after its parent has ended, as a
 * daemon does, is its heir.
 */
#ifndef MOONWATCH_OS_FORKED_H
#define MOONWATCH_OS_FORKED_H

#include <stdbool.h>
#include <unistd.h>

/* Are we a child of the process that opened it, and that is still there? */
static inline bool forked_from(pid_t owner)
{
	return getpid() != owner && getppid() == owner;
}

#endif
