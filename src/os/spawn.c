/* SPDX-License-Identifier: MIT
 *
 * spawn.c - start a process in a group of its own, signal the group, take its status.
 */
#include "os/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/birth.h"
#include "os/forked.h"
#include "os/guard.h"

#define WAIT_PIDFD 3 /* P_PIDFD, which older headers lack */

enum {
	SIGNAL_GROUP = 4, /* PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9 */
};

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

static int start(Birth *birth, Process *process)
{
	Process made = {.pidfd = -1, .owner = getpid()};
	int error;
	if (birth->spawn->guarded)
		error = guard_start(&made.guard, birth, &made.pid, &made.pidfd);
	else
		error = birth_run(birth, &made.pid, &made.pidfd);
	if (error == 0)
		*process = made;
	return error;
}

int spawn_start(const Spawn *spawn, Process *process, SpawnStep *failed)
{
	Birth *birth;
	int error = birth_open(&birth, spawn);
	*failed = SPAWN_PREPARE;
	if (error < 0)
		return error;
	error = start(birth, process);
	*failed = birth->step;
	birth_close(birth);
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
	if (forked_from(process->owner))
		return -ESRCH;
	int error = send_group(process, number);
	if (error != -ENOSYS)
		return error;
	if (process->reaped) /* its number may be another's by now */
		return -ESRCH;
	return kill(-process->pid, number) < 0 ? -errno : 0;
}

int spawn_signal_leader(const Process *process, int number)
{
	struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
	if (forked_from(process->owner) || poll(&end, 1, 0) != 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

int spawn_signal_all(const Process *process, int number)
{
	if (process->guard.pid != 0 && !forked_from(process->owner))
		guard_signal(&process->guard, number);
	return spawn_signal(process, number);
}

int spawn_reap(Process *process, int *status)
{
	siginfo_t info = {0};
	int result;
	if (process->guard.pid != 0) {
		result = guard_reap(&process->guard, status);
		process->reaped = result != 0;
		return result;
	}
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
	if (process->guard.pid != 0 && guard_has_others(&process->guard))
		return true;
	return spawn_signal(process, 0) != -ESRCH && scan_for_members(process->pid);
}

void spawn_clear(Process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
	guard_close(&process->guard);
}
