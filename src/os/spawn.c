/* SPDX-License-Identifier: MIT
 *
 * spawn.c - start a process in a group of its own.
 *
 * The child is made as vfork does it: it runs on our memory, with a stack of its own, while we
 * stand still until its execve. So nothing of a large heap is copied, and an error of the child is
 * simply a number that we find afterwards. What follows from it:
 *
 *  a. All is prepared before: the paths to try, the environment, the ids. Between clone and execve
 * there are only plain system calls, and the raw ones for ids: libc's setuid would tell "our" other
 * threads. b. Every signal is blocked in us during the call, and unblocked in the child once its
 * handlers are gone: a handler would run in the child on our data. c. The child's stack is shared
 * memory: under an emulator or valgrind the child is a copy, and the number still arrives. d.
 * Sanitizers must not instrument the child's part: its stack is unknown to them.
 */
#include "os/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_PIDFD 3 /* P_PIDFD, which older headers lack */
#define CHILD_SIDE __attribute__((no_sanitize("address", "undefined")))

enum {
	WORKSPACE = 64 * 1024, /* the report at its start, the child's stack at its end */
	FIRST_FREE = STDERR_FILENO + 1,
	SIGNAL_GROUP = 4, /* PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9 */
};

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
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

/* What the child is given, and its answer. Lies at the start of the workspace. */
typedef struct Birth {
	const Spawn *spawn;
	const char *files; /* paths to try, each ending in NUL, then an empty one */
	volatile int error;
	volatile SpawnStep step;
} Birth;

/* --- the child's side
 * ----------------------------------------------------------------------------------------- */

CHILD_SIDE static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
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

CHILD_SIDE static void close_the_rest(void)
{
	struct rlimit limit;
	if (syscall(SYS_close_range, FIRST_FREE, ~0U, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		limit.rlim_cur = INT_MAX;
	for (int fd = FIRST_FREE; fd < (int)limit.rlim_cur; fd++)
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
	reset_signals();
	*step = SPAWN_DESCRIPTORS;
	error = place_descriptors(spawn->fds);
	if (error != 0)
		return error;
	close_the_rest();
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

/* --- our side
 * -------------------------------------------------------------------------------------------------
 */

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

/* Runs `child` until its execve or end. Returns 0 or a negative errno. */
static int clone_child(char *workspace, Process *process)
{
	sigset_t all, before;
	int pidfd = -1, error = 0;
	pid_t pid;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = clone(child, workspace + WORKSPACE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
		workspace, &pidfd);
	if (pid < 0)
		error = -errno;
	else if (pidfd < 0) /* a kernel or an emulator that did not know the flag */
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		*process = (Process){.pid = pid, .pidfd = pidfd};
	return error;
}

static void bury(Process *process)
{
	while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
		;
	spawn_clear(process);
}

/* The child has executed its command or has left its error in the report. */
static int conclude(const Birth *birth, Process *process, SpawnStep *failed)
{
	int error = birth->error;
	if (error == 0 && process->pidfd < 0) {
		error = ENOSYS;
		kill(-process->pid, SIGKILL);
	}
	if (error == 0)
		return 0;
	*failed = birth->step;
	bury(process);
	return -error;
}

int spawn_start(const Spawn *spawn, Process *process, SpawnStep *failed)
{
	char *files = files_for(spawn->argv[0], spawn->search), *workspace;
	Process made = {.pidfd = -1};
	int error = -ENOMEM;
	*failed = SPAWN_PREPARE;
	if (files == NULL)
		return -ENOMEM;
	workspace = mmap(NULL, WORKSPACE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workspace != MAP_FAILED) {
		Birth *birth = (void *)workspace;
		*birth = (Birth){.spawn = spawn, .files = files, .step = SPAWN_PREPARE};
		error = clone_child(workspace, &made);
		if (error == 0)
			error = conclude(birth, &made, failed);
		munmap(workspace, WORKSPACE);
	}
	free(files);
	if (error == 0)
		*process = made;
	return error;
}

/* -ENOSYS where the kernel (or valgrind) does not know how. */
static int send_group(const Process *process, int number)
{
	long sent = syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, SIGNAL_GROUP);
	return sent == 0 ? 0 : errno == EINVAL ? -ENOSYS : -errno;
}

bool spawn_outlives_reaping(const Process *process)
{
	return send_group(process, 0) != -ENOSYS;
}

int spawn_signal(const Process *process, int number)
{
	int error = send_group(process, number);
	if (error != -ENOSYS)
		return error;
	if (process->reaped) /* its number may be another's by now */
		return -ESRCH;
	return kill(-process->pid, number) < 0 ? -errno : 0;
}

int spawn_reap(Process *process, int *status)
{
	siginfo_t info = {0};
	int result;
	do
		result = waitid((idtype_t)WAIT_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG);
	while (result < 0 && errno == EINTR);
	if (result < 0) {
		process->reaped = true;
		return -errno;
	}
	if (info.si_pid == 0)
		return 0;
	process->reaped = true;
	if (info.si_code == CLD_EXITED)
		*status = (info.si_status & 0xff) << 8;
	else
		*status = (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return 1;
}

/* Reads "PID (any name) STATE PARENT GROUP ..." and says whether it is a living member of the
 * group. */
static bool is_living_member(const char *pid, pid_t group)
{
	char path[64], text[512];
	const char *rest;
	char state = 'Z';
	int fd, member = 0;
	ssize_t length;
	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	rest = strrchr(text, ')');
	if (rest == NULL || sscanf(rest + 1, " %c %*d %d", &state, &member) != 2)
		return false;
	return member == group && state != 'Z' && state != 'X';
}

static bool scan_for_members(pid_t group)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	bool found = false;
	if (processes == NULL)
		return true;
	while (!found && (entry = readdir(processes)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			found = is_living_member(entry->d_name, group);
	closedir(processes);
	return found;
}

bool spawn_group_lives(const Process *process)
{
	return spawn_signal(process, 0) != -ESRCH && scan_for_members(process->pid);
}

void spawn_clear(Process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
}
