/* SPDX-License-Identifier: MIT
 *
 * birth.c - the moment in which a child comes to be.
 *
 * The child is made as vfork does it: it runs on our memory, with a stack of its own, while we stand still until its
 * execve. So nothing of a large heap is copied, and an error of the child is simply a number that we find afterwards.
 * What follows from it:
 *
 *  a. All is prepared before: the paths to try, the environment, the ids. Between clone and execve there are only
 *     plain system calls, and the raw ones for ids: libc's setuid would tell "our" other threads.
 *  b. Every signal is blocked in us during the call, and unblocked in the child once its handlers are gone: a handler
 *     would run in the child on our data.
 *  c. The child's stack is shared memory: under an emulator or valgrind the child is a copy, and the number still
 *     arrives.
 *  d. Sanitizers must not instrument the child's part: its stack is unknown to them.
 */
#include "os/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WORKSPACE = 64 * 1024, /* a Birth at its start, the child's stack at its end */
	FIRST_FREE = STDERR_FILENO + 1,
};

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* On machines with 16-bit ids in the oldest calls the good ones have another name. */
#ifdef SYS_setgroups32
#define SETGROUPS SYS_setgroups32
#define SETRESGID SYS_setresgid32
#define SETRESUID SYS_setresuid32
#else
#define SETGROUPS SYS_setgroups
#define SETRESGID SYS_setresgid
#define SETRESUID SYS_setresuid
#endif

/* --- the child's side ------------------------------------------------------------------------------------------ */

/* The raw call, since libc keeps its hands on two signals of its own, which may have been ignored by those before us.
 * All zeroes are the default action in the kernel's struct on every machine. */
CHILD_SIDE void birth_default_signals(void)
{
	static const char action[64];
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, (NSIG + 6) / 8);
}

CHILD_SIDE static void unblock_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A standard descriptor that is closed, or close-on-exec because it is in truth one of our own, is
 * not passed on. */
CHILD_SIDE static bool is_missing(int fd)
{
	int flags;
	if (fd < 0)
		return true;
	flags = fcntl(fd, F_GETFD);
	return flags < 0 || (fd < FIRST_FREE && (flags & FD_CLOEXEC) != 0);
}

CHILD_SIDE static int lift_source(int fd)
{
	if (is_missing(fd))
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd >= FIRST_FREE || fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
}

/* First all sources go above the standard ones, so that no target overwrites a source that is still
 * needed. */
CHILD_SIDE static int place_descriptors(const int fds[3])
{
	int sources[3];
	for (int i = 0; i < 3; i++) {
		sources[i] = lift_source(fds[i]);
		if (sources[i] < 0)
			return errno;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(sources[i], i) < 0)
			return errno;
	return 0;
}

CHILD_SIDE void birth_close_from(int first)
{
	struct rlimit limit;
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		limit.rlim_cur = INT_MAX;
	for (int fd = first; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

CHILD_SIDE static int become_user(const User *user)
{
	if (syscall(SETGROUPS, user->group_count, user->groups) < 0 ||
		syscall(SETRESGID, user->gid, user->gid, user->gid) < 0 ||
		syscall(SETRESUID, user->uid, user->uid, user->uid) < 0)
		return errno;
	return 0;
}

/* The file may be found further down the search path. */
CHILD_SIDE static bool is_worth_another_try(int error)
{
	return error == EACCES || error == ENOENT || error == ENOTDIR || error == ESTALE ||
		error == ENODEV || error == ETIMEDOUT;
}

/* Tries one file after the other. A file that may not be run is more telling than one that is not
 * there. */
CHILD_SIDE static int execute(const char *files, const Spawn *spawn)
{
	int told = ENOENT;
	while (*files != '\0') {
		execve(files, spawn->argv, spawn->envp);
		if (!is_worth_another_try(errno))
			return errno;
		if (errno == EACCES)
			told = EACCES;
		while (*files++ != '\0')
			;
	}
	return told;
}

CHILD_SIDE static int prepare(const Spawn *spawn, volatile SpawnStep *step)
{
	int error;
	setpgid(0, 0);
	birth_default_signals();
	unblock_signals();
	*step = SPAWN_DESCRIPTORS;
	error = place_descriptors(spawn->fds);
	if (error != 0)
		return error;
	birth_close_from(FIRST_FREE);
	*step = SPAWN_USER;
	if (spawn->user != NULL && (error = become_user(spawn->user)) != 0)
		return error;
	*step = SPAWN_CWD;
	return spawn->cwd != NULL && chdir(spawn->cwd) < 0 ? errno : 0;
}

CHILD_SIDE static int child(void *argument)
{
	Birth *birth = argument;
	int error = prepare(birth->spawn, &birth->step);
	if (error == 0) {
		birth->step = SPAWN_EXEC;
		error = execute(birth->files, birth->spawn);
	}
	birth->error = error;
	_exit(127);
}

/* --- our side ---------------------------------------------------------------------------------------------------- */

static size_t default_search(char *out, size_t size)
{
	size_t length = confstr(_CS_PATH, out, size);
	return length > 0 && length <= size ? length : 0;
}

static char *append(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

/* One path for each folder of the search path; an empty folder is the current one. */
static void list_files(char *at, const char *search, const char *name)
{
	size_t name_length = strlen(name);
	for (;;) {
		size_t length = strcspn(search, ":");
		at = length > 0 ? append(at, search, length) : append(at, ".", 1);
		*at++ = '/';
		at = append(at, name, name_length + 1);
		if (search[length] == '\0')
			break;
		search += length + 1;
	}
	*at = '\0';
}

static size_t count_folders(const char *search)
{
	size_t count = 1;
	for (; *search != '\0'; search++)
		count += *search == ':';
	return count;
}

/* The paths to try for a command, as Birth wants them; NULL without memory. */
static char *files_for(const char *name, const char *search)
{
	char standard[128] = "/bin:/usr/bin";
	size_t name_length = strlen(name);
	char *files;
	if (name_length == 0 || strchr(name, '/') != NULL) {
		files = calloc(name_length + 2, 1);
		return files != NULL ? memcpy(files, name, name_length) : NULL;
	}
	if (search == NULL) {
		default_search(standard, sizeof standard);
		search = standard;
	}
	files = malloc(strlen(search) + count_folders(search) * (name_length + 3) + 1);
	if (files != NULL)
		list_files(files, search, name);
	return files;
}

int birth_open(Birth **out, const Spawn *spawn)
{
	char *files = files_for(spawn->argv[0], spawn->search);
	Birth *birth;
	if (files == NULL)
		return -ENOMEM;
	birth = mmap(NULL, WORKSPACE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (birth == MAP_FAILED) {
		free(files);
		return -ENOMEM;
	}
	*birth = (Birth){.spawn = spawn, .files = files, .step = SPAWN_PREPARE};
	*out = birth;
	return 0;
}

void birth_close(Birth *birth)
{
	free(birth->files);
	munmap(birth, WORKSPACE);
}

CHILD_SIDE static void bury(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The child has executed its command or has left its error. */
CHILD_SIDE static int conclude(const Birth *birth, pid_t pid, int pidfd)
{
	int error = birth->error;
	if (error == 0 && pidfd < 0) {
		error = ENOSYS;
		kill(-pid, SIGKILL);
	}
	if (error == 0)
		return 0;
	bury(pid);
	if (pidfd >= 0)
		close(pidfd);
	return -error;
}

CHILD_SIDE int birth_run(Birth *birth, pid_t *out, int *out_fd)
{
	sigset_t all, before;
	int pidfd = -1, error;
	pid_t pid;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(child, (char *)birth + WORKSPACE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
		birth, &pidfd);
	error = pid < 0 ? -errno : 0;
	if (error == 0 && pidfd < 0) /* a kernel or an emulator that did not know the flag */
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		error = conclude(birth, pid, pidfd);
	if (error == 0) {
		*out = pid;
		*out_fd = pidfd;
	}
	return error;
}
