/* SPDX-License-Identifier: MIT
 *
 * socket.h - Unix sockets: a place where a host listens, those who speak to it, and the service manager's mailbox.
 *
 * A place is a path and a lock beside it (PATH.lock), held as long as somebody listens. So a socket file without a
 * holder of the lock is stale, and is replaced by whoever gets the lock; no two ever listen at one place.
 */
#ifndef MOONWATCH_OS_SOCKET_H
#define MOONWATCH_OS_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

typedef struct Place {
	int fd;   /* listens, non-blocking; -1: not open */
	int lock; /* -1: none */
	char *path, *lock_path;
} Place;

/* Listens at `path`, mode 0600. *holder gets the process that listens there already, or 0, with -EADDRINUSE. The
 * folder must belong to this user or root and must not be writable by others: else -EPERM.
 * Returns 0 or a negative errno; *place is to be closed in either case. */
int socket_listen(Place *place, const char *path, pid_t *holder);
/* Stops listening and removes socket and lock. A zeroed Place is not fine; a failed socket_listen's is. */
void socket_close(Place *place);

/* The next who speaks to us: a non-blocking descriptor, or -EAGAIN. Others than this user and root are turned away. */
int socket_accept(const Place *place, pid_t *peer);

/* Speaks to whoever listens at `path`: a non-blocking descriptor or a negative errno; -EPERM where that is neither this
 * user nor root. */
int socket_connect(const char *path);

/* Sends one datagram to a path, or, where it begins with '@', to an abstract name. 0 or a negative errno. */
int socket_send(const char *path, const char *bytes, size_t length);

#endif
