/* SPDX-License-Identifier: MIT
 *
 * spawn_driver.c - shows spawn_spec.lua how commands are started, signalled and reaped, without loop and Lua.
 *
 *     spawn_driver SITUATION COMMAND...
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/pipe.h"
#include "os/signame.h"
#include "os/spawn.h"

static const char *const steps[] = {"prepare", "descriptors", "user", "cwd", "exec"};

static int start(Process *process, Spawn spawn, char **argv)
{
	SpawnStep failed;
	spawn.argv = argv;
	spawn.envp = environ;
	spawn.search = getenv("PATH");
	int error = spawn_start(&spawn, process, &failed);
	if (error < 0)
		printf("failed in %s: %s\n", steps[failed], strerror(-error));
	fflush(stdout);
	return error;
}

static void wait_for_end(const Process *process)
{
	struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
	poll(&end, 1, 10000);
}

static void tell_status(Process *process)
{
	int status = 0, taken;
	char name[SIGNAME_SIZE];
	wait_for_end(process);
	taken = spawn_reap(process, &status);
	if (taken < 0)
		printf("no status: %s\n", strerror(-taken));
	else if (taken == 0)
		printf("running\n");
	else if (WIFSIGNALED(status))
		printf("signal %s\n", signame_of(WTERMSIG(status), name));
	else
		printf("code %d\n", WEXITSTATUS(status));
}

static void run(Spawn spawn, char **argv)
{
	Process process;
	if (start(&process, spawn, argv) < 0)
		return;
	tell_status(&process);
	spawn_clear(&process);
}

static const Spawn plain = {.fds = {SPAWN_NULL, 1, 2}};

static void ignore(int number)
{
	(void)number;
}

/* We ignore, catch and block signals, and have descriptors of every kind open. */
static void with_much_open(char **argv)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, ignore);
	for (int i = 0; i < 40; i++)
		if (open("/dev/zero", O_RDONLY) < 0)
			return;
	run(plain, argv);
}

/* Our own standard input is closed, so our next descriptor takes its number. */
static void with_input_closed(char **argv)
{
	Spawn spawn = {.fds = {0, 1, 2}};
	close(0);
	if (open("/dev/zero", O_RDONLY | O_CLOEXEC) == 0)
		run(spawn, argv);
}

/* Output and error change places. */
static void crossed(char **argv)
{
	Spawn spawn = {.fds = {SPAWN_NULL, 2, 1}};
	run(spawn, argv);
}

static void in_missing_folder(char **argv)
{
	Spawn spawn = plain;
	spawn.cwd = "/nonexistent";
	run(spawn, argv);
}

static void as_user(char **argv)
{
	User user = {0};
	Spawn spawn = plain;
	int error = user_find(&user, argv[0]);
	if (error < 0) {
		printf("user: %s\n", strerror(-error));
		return;
	}
	spawn.user = &user;
	run(spawn, argv + 1);
	user_clear(&user);
}

static void status_taken(char **argv)
{
	signal(SIGCHLD, SIG_IGN);
	run(plain, argv);
}

static bool soon_gone(const Process *process)
{
	for (int i = 0; i < 5000 && spawn_group_lives(process); i++)
		poll(NULL, 0, 1);
	return !spawn_group_lives(process);
}

/* The leader ends, others of its group do not. */
static void leader_ends(char **argv)
{
	Process process;
	if (start(&process, plain, argv) < 0)
		return;
	wait_for_end(&process);
	if (spawn_outlives_reaping(&process))
		tell_status(&process);
	printf("%s\n", spawn_group_lives(&process) ? "lives" : "gone");
	spawn_signal(&process, SIGKILL);
	printf("%s\n", soon_gone(&process) ? "gone" : "lives");
	spawn_clear(&process);
}

/* What leaves the group is found by a guardian. argv's first word is a file that says when it has left. */
static void guarded(char **argv)
{
	Process process;
	Spawn spawn = plain;
	spawn.guarded = true;
	if (start(&process, spawn, argv + 1) < 0)
		return;
	for (int i = 0; i < 10000 && access(argv[0], F_OK) < 0; i++)
		poll(NULL, 0, 1);
	spawn_signal_all(&process, SIGTERM);
	tell_status(&process);
	printf("%s\n", soon_gone(&process) ? "gone" : "lives");
	spawn_clear(&process);
	printf("children: %s\n", waitpid(-1, NULL, WNOHANG) < 0 ? strerror(errno) : "some");
}

/* The guardian has nothing to do with an orderly end. */
static void guarded_end(char **argv)
{
	Spawn spawn = plain;
	spawn.guarded = true;
	run(spawn, argv);
}

/* A write to a pipe that nobody reads. */
static void broken_pipe(char **argv)
{
	int ends[2];
	(void)argv;
	if (pipe_open(ends, PIPE_WRITE) < 0)
		return;
	close(ends[PIPE_READ]);
	printf("%s\n", strerror((int)-pipe_write(ends[PIPE_WRITE], "x", 1)));
	printf("%s\n", strerror((int)-pipe_write(ends[PIPE_WRITE], "x", 1)));
}

static const struct {
	const char *name;
	void (*show)(char **argv);
} situations[] = {
	{"much_open", with_much_open},
	{"input_closed", with_input_closed},
	{"crossed", crossed},
	{"missing_folder", in_missing_folder},
	{"user", as_user},
	{"taken", status_taken},
	{"leader_ends", leader_ends},
	{"guarded", guarded},
	{"guarded_end", guarded_end},
	{"broken_pipe", broken_pipe},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof situations / sizeof *situations; i++)
		if (strcmp(argv[1], situations[i].name) == 0)
			situations[i].show(argv + 2);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		run(plain, argv + 2);
	return 0;
}
