/* SPDX-License-Identifier: MIT
 *
 * socket.c - Unix sockets of the host.
 */
#include "os/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/lockfile.h"
#include "os/pipe.h"

/* --- addresses ------------------------------------------------------------------------------------------------ */

static int address_of(struct sockaddr_un *address, socklen_t *length, const char *path)
{
	size_t size = strlen(path);
	if (size == 0)
		return -ENOENT;
	if (size >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, size);
	if (path[0] == '@')
		address->sun_path[0] = 0;
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] != '@'));
	return 0;
}

static int new_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

static bool is_friend(uid_t user)
{
	return user == geteuid() || user == 0;
}

/* The other end: 0 with its process id, or a negative errno. */
static int check_peer(int fd, pid_t *peer)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return -errno;
	*peer = who.pid;
	return is_friend(who.uid) ? 0 : -EPERM;
}

/* --- the place ------------------------------------------------------------------------------------------------ */

/* Where others may write they could put a socket of theirs in our place. */
static int check_folder(const char *path)
{
	struct stat status;
	char *folder = strdup(path);
	if (folder == NULL)
		return -ENOMEM;
	char *slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder] = 0;
	int error = stat(slash != NULL ? folder : ".", &status) < 0 ? -errno : 0;
	free(folder);
	if (error == 0 && (!is_friend(status.st_uid) || (status.st_mode & 022) != 0))
		error = -EPERM;
	return error;
}

/* What lies at the path is stale: we have the lock. Only a socket is put out of the way. */
static int remove_stale(const char *path)
{
	struct stat status;
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The mode is the socket's before it is bound: there is no moment in which others could speak to it. */
static int bind_at(Place *place)
{
	struct sockaddr_un address;
	socklen_t length;
	int error = address_of(&address, &length, place->path);
	if (error < 0)
		return error;
	error = remove_stale(place->path);
	if (error < 0)
		return error;
	int fd = new_socket(SOCK_STREAM);
	if (fd < 0)
		return fd;
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
		listen(fd, 64) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	place->fd = fd;
	return 0;
}

static int name_place(Place *place, const char *path)
{
	static const char suffix[] = ".lock";
	size_t length = strlen(path);
	place->path = strdup(path);
	place->lock_path = malloc(length + sizeof(suffix));
	if (place->path == NULL || place->lock_path == NULL)
		return -ENOMEM;
	memcpy(place->lock_path, path, length);
	memcpy(place->lock_path + length, suffix, sizeof(suffix));
	return 0;
}

int socket_listen(Place *place, const char *path, pid_t *holder)
{
	*place = (Place){.fd = -1, .lock = -1};
	*holder = 0;
	int error = name_place(place, path);
	if (error == 0)
		error = check_folder(path);
	if (error < 0)
		return error;
	place->lock = lockfile_take(place->lock_path, 0600, holder);
	return place->lock < 0 ? place->lock : bind_at(place);
}

void socket_close(Place *place)
{
	if (place->fd >= 0)
		unlink(place->path);
	pipe_close(&place->fd);
	if (place->lock >= 0)
		unlink(place->lock_path);
	pipe_close(&place->lock);
	free(place->path);
	free(place->lock_path);
	place->path = place->lock_path = NULL;
}

/* --- speaking ------------------------------------------------------------------------------------------------- */

int socket_accept(const Place *place, pid_t *peer)
{
	for (;;) {
		int fd = accept4(place->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return -errno;
		if (check_peer(fd, peer) == 0)
			return fd;
		close(fd);
	}
}

int socket_connect(const char *path)
{
	struct sockaddr_un address;
	socklen_t length;
	pid_t peer;
	int error = address_of(&address, &length, path);
	if (error < 0)
		return error;
	int fd = new_socket(SOCK_STREAM);
	if (fd < 0)
		return fd;
	error = connect(fd, (struct sockaddr *)&address, length) < 0 ? -errno : check_peer(fd, &peer);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

int socket_send(const char *path, const char *bytes, size_t length)
{
	struct sockaddr_un address;
	socklen_t size;
	int error = address_of(&address, &size, path);
	if (error < 0)
		return error;
	int fd = new_socket(SOCK_DGRAM);
	if (fd < 0)
		return fd;
	if (sendto(fd, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		error = -errno;
	close(fd);
	return error;
}
