/* SPDX-License-Identifier: MIT
 *
 * lockfile.h - a file that one process holds as long as it lives: the lock of a control socket, a pid file.
 */
#ifndef MOONWATCH_OS_LOCKFILE_H
#define MOONWATCH_OS_LOCKFILE_H

#include <sys/types.h>

/* Opens the file, making it with `mode` where it is not there, and locks it: a descriptor, which is to be closed to give
 * it up, or a negative errno. -EADDRINUSE: another process holds it, *holder (0 where that is not known). A file that is
 * left over from a process that has ended is taken over as it is. */
int lockfile_take(const char *path, mode_t mode, pid_t *holder);

/* Makes the file's text this process's id. 0 or a negative errno. */
int lockfile_write_pid(int fd);

#endif
