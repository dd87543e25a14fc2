/* SPDX-License-Identifier: MIT
 *
 * probe.c - what the torture driver and the scenarios need of the system and Lua does not have: a snapshot of a
 * tree, the watches and descriptors of this process, and a child to speak to over two pipes.
 *
 * It knows nothing of moonwatch, so that it can judge it. Paths are byte strings; trees are walked
 * relative to descriptors, so that no path is too long.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

extern char **environ;

int luaopen_torture_probe(lua_State *L);

static int refuse(lua_State *L, const char *what)
{
	int reason = errno;

	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, strerror(reason));
	lua_pushinteger(L, reason);
	return 3;
}

static const char *type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	default:
		return "block";
	}
}

/* FNV-1a over the content; 0 where it cannot be read. With `inode`, of which file. */
static uint64_t content_of(int directory, const char *name, ino_t *inode)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t sum = 0xcbf29ce484222325u;
	unsigned char block[4096];
	struct stat status;
	ssize_t got;

	if (fd < 0)
		return 0;
	if (inode)
		*inode = fstat(fd, &status) < 0 ? 0 : status.st_ino;
	while ((got = read(fd, block, sizeof block)) > 0)
		for (ssize_t i = 0; i < got; i++)
			sum = (sum ^ block[i]) * 0x100000001b3u;
	close(fd);
	return sum;
}

static void set_integer(lua_State *L, const char *key, uint64_t value)
{
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, key);
}

static void push_status(lua_State *L, const struct stat *status)
{
	lua_createtable(L, 0, 8);
	lua_pushstring(L, type_of(status->st_mode));
	lua_setfield(L, -2, "type");
	set_integer(L, "inode", status->st_ino);
	set_integer(L, "device", status->st_dev);
	set_integer(L, "major", major(status->st_dev));
	set_integer(L, "minor", minor(status->st_dev));
	set_integer(L, "mode", status->st_mode & 07777);
	set_integer(L, "links", status->st_nlink);
	set_integer(L, "changed",
		(uint64_t)status->st_ctim.tv_sec * 1000000000u + (uint64_t)status->st_ctim.tv_nsec);
}

static void walk(lua_State *L, int result, int fd, const char *prefix);

/* Takes the entry's relative path from the top of the stack. */
static void walk_entry(lua_State *L, int result, int directory, const char *name)
{
	struct stat status;
	const char *rel = lua_tostring(L, -1);

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		lua_pop(L, 1);
		return;
	}
	lua_pushvalue(L, -1);
	push_status(L, &status);
	if (S_ISREG(status.st_mode))
		set_integer(L, "content", content_of(directory, name, NULL));
	lua_rawset(L, result);
	if (S_ISDIR(status.st_mode)) {
		int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			luaL_checkstack(L, 8, "too deep");
			walk(L, result, fd, rel);
		}
	}
	lua_pop(L, 1);
}

/* Closes fd. */
static void walk(lua_State *L, int result, int fd, const char *prefix)
{
	DIR *stream = fdopendir(fd);
	const struct dirent *entry;

	if (!stream) {
		close(fd);
		return;
	}
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (prefix)
			lua_pushfstring(L, "%s/%s", prefix, entry->d_name);
		else
			lua_pushstring(L, entry->d_name);
		walk_entry(L, result, fd, entry->d_name);
	}
	closedir(stream);
}

/* snapshot(path): a table from relative path to { type, inode, ..., content }, without the path
 * itself. */
static int probe_snapshot(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	lua_newtable(L);
	if (fd >= 0)
		walk(L, lua_gettop(L), fd, NULL);
	return 1;
}

static int probe_stat(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct stat status;

	if (lstat(path, &status) < 0)
		return refuse(L, path);
	push_status(L, &status);
	return 1;
}

/* content(path): a number that stands for what is in the file now, and its inode; or nil. */
static int probe_content(lua_State *L)
{
	ino_t inode = 0;
	uint64_t sum = content_of(AT_FDCWD, luaL_checkstring(L, 1), &inode);

	if (sum == 0)
		return 0;
	lua_pushinteger(L, (lua_Integer)sum);
	lua_pushinteger(L, (lua_Integer)inode);
	return 2;
}

static int probe_readlink(lua_State *L)
{
	char target[4096];
	ssize_t length = readlink(luaL_checkstring(L, 1), target, sizeof target);

	if (length < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushlstring(L, target, (size_t)length);
	return 1;
}

/* descriptors(): a table from number to what it is. */
static int probe_descriptors(lua_State *L)
{
	DIR *stream = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[4096];

	lua_newtable(L);
	while (stream && (entry = readdir(stream))) {
		ssize_t length = readlinkat(dirfd(stream), entry->d_name, target, sizeof target);
		if (length < 0 || atoi(entry->d_name) == dirfd(stream))
			continue;
		lua_pushlstring(L, target, (size_t)length);
		lua_rawseti(L, -2, atoi(entry->d_name));
	}
	if (stream)
		closedir(stream);
	return 1;
}

/* watch(path, ...): a descriptor with a watch on each, to show the oracle of leaks something. */
static int probe_watch(lua_State *L)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		return refuse(L, "inotify_init1");
	for (int i = 1; i <= lua_gettop(L); i++)
		inotify_add_watch(fd, luaL_checkstring(L, i), IN_CREATE);
	lua_pushinteger(L, fd);
	return 1;
}

static int probe_mkdir(lua_State *L)
{
	if (mkdir(luaL_checkstring(L, 1), 0777) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

static int probe_rename(lua_State *L)
{
	if (rename(luaL_checkstring(L, 1), luaL_checkstring(L, 2)) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

static int probe_temporary(lua_State *L)
{
	char path[PATH_MAX];
	const char *folder = getenv("TMPDIR");

	snprintf(path, sizeof path, "%s/moonwatch-torture-XXXXXX", folder ? folder : "/tmp");
	if (!mkdtemp(path))
		return refuse(L, path);
	lua_pushstring(L, path);
	return 1;
}

static void remove_below(int fd)
{
	DIR *stream = fdopendir(fd);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		int below;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0)
			continue;
		below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			remove_below(below);
		unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
	if (stream)
		closedir(stream);
}

static int probe_remove(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		remove_below(fd);
	rmdir(path);
	return 0;
}

/* start(argv): pid, descriptor to write to, descriptor to read from. */
static int probe_start(lua_State *L)
{
	int to[2], from[2], reason;
	size_t count = lua_rawlen(L, 1);
	char **argv = lua_newuserdatauv(L, (count + 1) * sizeof *argv, 0);
	posix_spawn_file_actions_t actions;
	pid_t pid;

	luaL_checkstack(L, (int)count + 4, "too many arguments");
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		argv[i] = (char *)(uintptr_t)luaL_checkstring(L, -1);
	}
	argv[count] = NULL;
	if (pipe2(to, O_CLOEXEC) < 0)
		return refuse(L, "pipe");
	if (pipe2(from, O_CLOEXEC) < 0)
		return refuse(L, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	reason = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	if (reason) {
		close(to[1]);
		close(from[0]);
		errno = reason;
		return refuse(L, argv[0]);
	}
	lua_pushinteger(L, pid);
	lua_pushinteger(L, to[1]);
	lua_pushinteger(L, from[0]);
	return 3;
}

static int probe_write(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);

	if (write((int)luaL_checkinteger(L, 1), text, length) != (ssize_t)length)
		return refuse(L, "write");
	lua_pushboolean(L, 1);
	return 1;
}

/* read(fd, timeout): what there is, "" at the end, nil when nothing came in time. */
static int probe_read(lua_State *L)
{
	struct pollfd poller = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
	char block[4096];
	ssize_t got;

	if (poll(&poller, 1, (int)(1000 * luaL_checknumber(L, 2))) <= 0)
		return 0;
	got = read(poller.fd, block, sizeof block);
	if (got < 0)
		return refuse(L, "read");
	lua_pushlstring(L, block, (size_t)got);
	return 1;
}

static int probe_close(lua_State *L)
{
	close((int)luaL_checkinteger(L, 1));
	return 0;
}

/* wait(pid): its status, 128 + n for a signal. */
static int probe_wait(lua_State *L)
{
	int status = 0;

	while (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
		if (errno != EINTR)
			return refuse(L, "waitpid");
	lua_pushinteger(L, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	return 1;
}

/* fork(): 0 in the child, whose Lua state is a copy; its pid in the parent. */
static int probe_fork(lua_State *L)
{
	pid_t pid = fork();
	if (pid < 0)
		return refuse(L, "fork");
	lua_pushinteger(L, pid);
	return 1;
}

static int probe_sleep(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);
	struct timespec span = {.tv_sec = (time_t)seconds};

	span.tv_nsec = (long)((seconds - (double)span.tv_sec) * 1e9);
	nanosleep(&span, NULL);
	return 0;
}

static int probe_now(lua_State *L)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	lua_pushnumber(L, (double)now.tv_sec + (double)now.tv_nsec / 1e9);
	return 1;
}

static int probe_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

/* exchange(a, b) */
static int probe_exchange(lua_State *L)
{
	const char *a = luaL_checkstring(L, 1), *b = luaL_checkstring(L, 2);

	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
		return refuse(L, a);
	lua_pushboolean(L, 1);
	return 1;
}

/* unnamed(folder, path, text): made without a name in the folder, then linked into place. */
static int probe_unnamed(lua_State *L)
{
	char link[64];
	size_t length;
	const char *folder = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
	const char *text = luaL_checklstring(L, 3, &length);
	int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return refuse(L, folder);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (write(fd, text, length) != (ssize_t)length ||
		linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0) {
		int returned = refuse(L, path);
		close(fd);
		return returned;
	}
	close(fd);
	lua_pushboolean(L, 1);
	return 1;
}

/* truncate(path, size), without opening it */
static int probe_truncate(lua_State *L)
{
	if (truncate(luaL_checkstring(L, 1), (off_t)luaL_checkinteger(L, 2)) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

static int probe_chmod(lua_State *L)
{
	if (chmod(luaL_checkstring(L, 1), (mode_t)luaL_checkinteger(L, 2)) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

/* socket(path): a bound socket is left there. */
static int probe_socket(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	error = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0;
	if (error)
		return refuse(L, path);
	close(fd);
	lua_pushboolean(L, 1);
	return 1;
}

/* device(path): the character device 1:3, where the rights allow. */
static int probe_device(lua_State *L)
{
	if (mknod(luaL_checkstring(L, 1), S_IFCHR | 0600, makedev(1, 3)) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

/* as(user): rights to files as that user has them; 0: our own again. */
static int probe_as(lua_State *L)
{
	setfsuid((uid_t)luaL_checkinteger(L, 1));
	return 0;
}

static int probe_chdir(lua_State *L)
{
	if (chdir(luaL_checkstring(L, 1)) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

/* deep(path, name, levels): folders of that name below each other; a file "end" in the last. */
static int probe_deep(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2);
	int at = open(luaL_checkstring(L, 1), O_PATH | O_DIRECTORY | O_CLOEXEC), file;

	for (lua_Integer level = luaL_checkinteger(L, 3); at >= 0 && level > 0; level--) {
		int above = at;
		mkdirat(above, name, 0755);
		at = openat(above, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(above);
	}
	file = at < 0 ? -1 : openat(at, "end", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (file < 0)
		return refuse(L, lua_tostring(L, 1));
	close(file);
	close(at);
	lua_pushboolean(L, 1);
	return 1;
}

/* fill(folder, first, last): empty files named by their numbers. */
static int probe_fill(lua_State *L)
{
	int folder = open(luaL_checkstring(L, 1), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return refuse(L, lua_tostring(L, 1));
	for (lua_Integer i = luaL_checkinteger(L, 2); i <= luaL_checkinteger(L, 3); i++) {
		char name[32];
		int fd;
		snprintf(name, sizeof name, "%lld", (long long)i);
		fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
	}
	close(folder);
	return 0;
}

/* noise(a, b, count): so many records that do not merge, and nothing changes. */
static int probe_noise(lua_State *L)
{
	const char *paths[2] = {luaL_checkstring(L, 1), luaL_checkstring(L, 2)};

	for (lua_Integer i = luaL_checkinteger(L, 3); i > 0; i--) {
		int fd = open(paths[i & 1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return refuse(L, paths[i & 1]);
		close(fd);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* occupy(count): opens descriptors until that many are in use; gives a list to close. */
static int probe_occupy(lua_State *L)
{
	lua_Integer limit = luaL_checkinteger(L, 1), count = 0;
	struct rlimit most;

	getrlimit(RLIMIT_NOFILE, &most);
	if (most.rlim_cur < (rlim_t)limit + 100) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
	lua_newtable(L);
	for (int fd = 0; fd < limit;) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return refuse(L, "/dev/null");
		lua_pushinteger(L, fd);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

/* mount(target [, source [, "move"]]): a tmpfs, or the source there too, or the mount that is at the source. */
static int probe_mount(lua_State *L)
{
	const char *target = luaL_checkstring(L, 1), *source = luaL_optstring(L, 2, NULL);
	unsigned long flags = !source ? 0 : lua_isnoneornil(L, 3) ? MS_BIND : MS_MOVE;

	if (mount(source ? source : "none", target, "tmpfs", flags, NULL) < 0)
		return refuse(L, target);
	lua_pushboolean(L, 1);
	return 1;
}

/* unmount(target [, lazily]) */
static int probe_unmount(lua_State *L)
{
	int flags = UMOUNT_NOFOLLOW | (lua_toboolean(L, 2) ? MNT_DETACH : 0);

	if (umount2(luaL_checkstring(L, 1), flags) < 0)
		return refuse(L, lua_tostring(L, 1));
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg functions[] = {
	{"snapshot", probe_snapshot},
	{"stat", probe_stat},
	{"content", probe_content},
	{"readlink", probe_readlink},
	{"descriptors", probe_descriptors},
	{"watch", probe_watch},
	{"mkdir", probe_mkdir},
	{"rename", probe_rename},
	{"temporary", probe_temporary},
	{"remove", probe_remove},
	{"start", probe_start},
	{"write", probe_write},
	{"read", probe_read},
	{"close", probe_close},
	{"wait", probe_wait},
	{"fork", probe_fork},
	{"sleep", probe_sleep},
	{"now", probe_now},
	{"pid", probe_pid},
	{"exchange", probe_exchange},
	{"unnamed", probe_unnamed},
	{"truncate", probe_truncate},
	{"chmod", probe_chmod},
	{"socket", probe_socket},
	{"device", probe_device},
	{"as", probe_as},
	{"chdir", probe_chdir},
	{"deep", probe_deep},
	{"fill", probe_fill},
	{"noise", probe_noise},
	{"occupy", probe_occupy},
	{"mount", probe_mount},
	{"unmount", probe_unmount},
	{NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_torture_probe(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
