/* SPDX-License-Identifier: MIT
 *
 * fuse_driver.c - a file system in user space, spoken to the kernel without a library: what specs need to see whether
 * FUSE is told by its type, and that what others change there is found.
 *
 *    fuse_driver BACKING MOUNTPOINT COMMAND [ARG...]
 *
 * Mounts a read-only mirror of BACKING at MOUNTPOINT in a mount namespace of its own and becomes COMMAND, in which the
 * mirror ends. Status 77 where there is no FUSE to be had. Nodes are known by path and never forgotten: it lives for one
 * spec.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NODES_MOST = 256, ROOM = 64 * 1024, SKIP = 77 };

static int fuse, backing;
static char *paths[NODES_MOST]; /* of node i + 1, relative to the backing directory */
static size_t path_count;

static void reply(const struct fuse_in_header *in, int error, const void *body, size_t length)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof head + length), .error = error, .unique = in->unique};
	struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)body, length}};
	if (writev(fuse, parts, 2) < 0 && errno != ENOENT)
		perror("fuse_driver: reply");
}

static uint64_t node_of(const char *path)
{
	for (size_t i = 0; i < path_count; i++) {
		if (strcmp(paths[i], path) == 0)
			return i + 1;
	}
	if (path_count == NODES_MOST || (paths[path_count] = strdup(path)) == NULL)
		abort();
	return ++path_count;
}

static int look(const char *path, struct fuse_attr *attr)
{
	struct stat status;
	if (fstatat(backing, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*attr = (struct fuse_attr){
		.ino = status.st_ino,
		.size = (uint64_t)status.st_size,
		.mtime = (uint64_t)status.st_mtim.tv_sec,
		.mtimensec = (uint32_t)status.st_mtim.tv_nsec,
		.ctime = (uint64_t)status.st_ctim.tv_sec,
		.ctimensec = (uint32_t)status.st_ctim.tv_nsec,
		.mode = status.st_mode,
		.nlink = (uint32_t)status.st_nlink,
		.uid = status.st_uid,
		.gid = status.st_gid,
	};
	return 0;
}

static void lookup(const struct fuse_in_header *in, const char *parent, const char *name)
{
	struct fuse_entry_out out = {0};
	char *path;
	if (asprintf(&path, "%s/%s", parent, name) < 0)
		abort();
	int error = look(path, &out.attr);
	if (error == 0)
		out.nodeid = node_of(path);
	reply(in, error, &out, error == 0 ? sizeof out : 0);
	free(path);
}

static void get_attributes(const struct fuse_in_header *in, const char *path)
{
	struct fuse_attr_out out = {0};
	int error = look(path, &out.attr);
	reply(in, error, &out, error == 0 ? sizeof out : 0);
}

/* All at once: a directory of a spec is small. */
static void list(const struct fuse_in_header *in, const char *path, uint64_t offset)
{
	static char out[ROOM];
	size_t used = 0;
	int fd = openat(backing, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		reply(in, -errno, NULL, 0);
		return;
	}
	for (struct dirent *entry; offset == 0 && (entry = readdir(dir)) != NULL;) {
		size_t length = strlen(entry->d_name);
		struct fuse_dirent *to = (void *)(out + used);
		*to = (struct fuse_dirent){
			.ino = entry->d_ino, .off = 1, .namelen = (uint32_t)length, .type = entry->d_type};
		memcpy(out + used + FUSE_NAME_OFFSET, entry->d_name, length);
		used += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
	}
	closedir(dir);
	reply(in, 0, out, used);
}

static void answer(const struct fuse_in_header *in, const void *body)
{
	static const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};
	static const struct fuse_open_out opened;
	static const struct fuse_statfs_out nothing;
	const char *path = in->nodeid > 0 && in->nodeid <= path_count ? paths[in->nodeid - 1] : ".";
	switch (in->opcode) {
	case FUSE_INIT:
		reply(in, 0, &init, sizeof init);
		break;
	case FUSE_LOOKUP:
		lookup(in, path, body);
		break;
	case FUSE_GETATTR:
		get_attributes(in, path);
		break;
	case FUSE_OPENDIR:
		reply(in, 0, &opened, sizeof opened);
		break;
	case FUSE_READDIR:
		list(in, path, ((const struct fuse_read_in *)body)->offset);
		break;
	case FUSE_STATFS:
		reply(in, 0, &nothing, sizeof nothing);
		break;
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
		reply(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, -ENOSYS, NULL, 0);
	}
}

static void serve(void)
{
	static char request[ROOM + sizeof(struct fuse_in_header)];
	for (;;) {
		ssize_t length = read(fuse, request, sizeof request);
		if (length >= (ssize_t)sizeof(struct fuse_in_header))
			answer((void *)request, request + sizeof(struct fuse_in_header));
		else if (length < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			return; /* unmounted */
	}
}

static int skip(const char *what)
{
	fprintf(stderr, "no FUSE here: %s: %s\n", what, strerror(errno));
	return SKIP;
}

int main(int argc, char **argv)
{
	char options[128];
	if (argc < 4)
		return 2;
	pid_t parent = getpid();
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return skip("/dev/fuse");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return skip("mount namespace");
	backing = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse, getuid(),
		getgid());
	if (backing < 0 || mount("spec", argv[2], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return skip(argv[2]);
	node_of(".");
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			serve();
		_exit(0);
	}
	if (child < 0)
		return skip("fork");
	execvp(argv[3], argv + 3);
	return 127;
}
