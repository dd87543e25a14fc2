/* SPDX-License-Identifier: MIT
 *
 * guard.c - a guardian beside a command.
 *
 * The guardian is a copy of us that never executes anything, made from a program that may have threads: it uses system
 * calls only. It asks /proc for its children: the command, and every orphan below it. Whoever is deeper is still held
 * by a living parent and becomes a child when that one dies, which the guardian is told by SIGCHLD.
 */
#include "os/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LISTING = 32 * 1024, /* bytes of children's numbers that are looked at at a time */
	REMEMBERED = 512,    /* runaways that are known to have been signalled */
	ANSWER_SECONDS = 2,
};

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* A fork without the handlers that libraries have put there for forks, where libc has it. */
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 34)
#define PLAIN_FORK fork
#else
#define PLAIN_FORK _Fork
#endif

typedef enum Order {
	ORDER_REAP,   /* answer: 1, 0 or a negative errno, and the status */
	ORDER_SIGNAL, /* no answer */
	ORDER_OTHERS, /* answer: how many live */
} Order;

typedef struct Request {
	Order order;
	int number;
} Request;

typedef struct Answer {
	int result;
	int value;
} Answer;

/* --- the guardian's side -------------------------------------------------------------------------------------- */

typedef struct Watch {
	int socket, children; /* signals of the death of children */
	pid_t command;
	bool is_reaped; /* the command */
	int number;     /* the signal for runaways; 0: none yet */
	size_t told_count;
	pid_t told[REMEMBERED];
	char listing[LISTING];
} Watch;

CHILD_SIDE static bool is_told(const Watch *watch, pid_t pid)
{
	for (size_t i = 0; i < watch->told_count; i++)
		if (watch->told[i] == pid)
			return true;
	return false;
}

/* KILL is sent again and again: it does no harm, and the memory for others is not needed. */
CHILD_SIDE static void tell(Watch *watch, pid_t pid)
{
	if (watch->number == 0 || getpgid(pid) == watch->command)
		return;
	if (watch->number != SIGKILL) {
		if (is_told(watch, pid) || watch->told_count == REMEMBERED)
			return;
		watch->told[watch->told_count++] = pid;
	}
	kill(pid, watch->number);
	kill(pid, SIGCONT);
}

/* Buries the child if it is dead, else tells it what all are told. Returns whether it lives. */
CHILD_SIDE static bool look_at(Watch *watch, pid_t pid)
{
	siginfo_t info;
	if (pid == watch->command)
		return false;
	info.si_pid = 0;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid)
		return false;
	tell(watch, pid);
	return true;
}

CHILD_SIDE static ssize_t list_children(Watch *watch)
{
	ssize_t length;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, watch->listing, LISTING);
	close(fd);
	return length;
}

/* Looks at all children; returns how many live beside the command. */
CHILD_SIDE static int look_around(Watch *watch)
{
	ssize_t length = list_children(watch);
	pid_t pid = 0;
	int living = 0;
	for (ssize_t i = 0; i < length; i++) {
		char digit = watch->listing[i];
		if (digit >= '0' && digit <= '9') {
			pid = pid * 10 + (digit - '0');
		} else {
			living += pid != 0 && look_at(watch, pid);
			pid = 0;
		}
	}
	return living;
}

CHILD_SIDE static Answer reap(Watch *watch)
{
	Answer answer = {0};
	pid_t pid = watch->is_reaped ? -1 : waitpid(watch->command, &answer.value, WNOHANG);
	if (pid < 0)
		answer.result = watch->is_reaped ? -ECHILD : -errno;
	else
		answer.result = pid > 0;
	watch->is_reaped = answer.result != 0;
	return answer;
}

CHILD_SIDE static void answer(const Watch *watch, Answer answer)
{
	send(watch->socket, &answer, sizeof answer, MSG_NOSIGNAL);
}

/* Returns false once nobody asks any more. */
CHILD_SIDE static bool obey(Watch *watch)
{
	Request request;
	ssize_t length = recv(watch->socket, &request, sizeof request, 0);
	if (length != sizeof request)
		return length < 0 && errno == EINTR;
	if (request.order == ORDER_REAP)
		answer(watch, reap(watch));
	if (request.order == ORDER_SIGNAL) {
		watch->number = request.number;
		watch->told_count = 0;
		look_around(watch);
	}
	if (request.order == ORDER_OTHERS)
		answer(watch, (Answer){.result = look_around(watch)});
	return true;
}

CHILD_SIDE static void forget_signals(const Watch *watch)
{
	struct signalfd_siginfo info[8];
	while (read(watch->children, info, sizeof info) > 0)
		;
}

CHILD_SIDE static void keep_watch(Watch *watch)
{
	struct pollfd places[] = {
		{.fd = watch->socket, .events = POLLIN},
		{.fd = watch->children, .events = POLLIN},
	};
	for (;;) {
		poll(places, 2, -1);
		if (places[1].revents != 0) {
			forget_signals(watch);
			look_around(watch);
		}
		if (places[0].revents != 0 && !obey(watch))
			return;
	}
}

/* Keeps two descriptors, as 0 and 1, and nothing else. */
CHILD_SIDE static void keep_descriptors(Watch *watch)
{
	int high = fcntl(watch->children, F_DUPFD, 2);
	dup2(watch->socket, 0);
	dup2(high, 1);
	watch->socket = 0;
	watch->children = 1;
	birth_close_from(2);
}

CHILD_SIDE static void guardian(Birth *birth, int socket)
{
	Watch watch;
	sigset_t children;
	int pidfd = -1;
	Answer report = {0};
	setpgid(0, 0);
	birth_default_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "moonwatch-guard", 0, 0, 0);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	watch.socket = socket;
	watch.is_reaped = false;
	watch.number = 0;
	watch.command = 0;
	watch.told_count = 0;
	watch.children = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
	report.result = birth_run(birth, &watch.command, &pidfd);
	report.value = watch.command;
	answer(&watch, report);
	if (report.result == 0) {
		keep_descriptors(&watch);
		keep_watch(&watch);
	}
	_exit(0);
}

/* --- our side ------------------------------------------------------------------------------------------------- */

/* False where the guardian is gone or does not answer in time. */
static bool ask(const Guard *guard, Request request, Answer *answer)
{
	ssize_t length;
	if (send(guard->socket, &request, sizeof request, MSG_NOSIGNAL) < 0)
		return false;
	do
		length = recv(guard->socket, answer, sizeof *answer, 0);
	while (length < 0 && errno == EINTR);
	return length == sizeof *answer;
}

static int fork_guardian(Guard *guard, Birth *birth, int sockets[2])
{
	sigset_t all, before;
	pid_t pid;
	int error;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = PLAIN_FORK();
	error = errno;
	if (pid == 0) {
		close(sockets[0]);
		guardian(birth, sockets[1]);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -error;
	*guard = (Guard){.pid = pid, .socket = sockets[0]};
	return 0;
}

/* The guardian's first word: whether the command runs. */
static int hear(const Guard *guard, pid_t *pid, int *pidfd)
{
	Answer answer;
	ssize_t length;
	do
		length = recv(guard->socket, &answer, sizeof answer, 0);
	while (length < 0 && (errno == EINTR || errno == EAGAIN));
	if (length != sizeof answer)
		return -ECHILD;
	if (answer.result < 0)
		return answer.result;
	*pidfd = (int)syscall(SYS_pidfd_open, answer.value, 0); /* the guardian reaps nobody yet */
	*pid = answer.value;
	return *pidfd < 0 ? -errno : 0;
}

int guard_start(Guard *guard, Birth *birth, pid_t *pid, int *pidfd)
{
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	Guard made = {0};
	int sockets[2], error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	error = fork_guardian(&made, birth, sockets);
	close(sockets[1]);
	if (error < 0) {
		close(sockets[0]);
		return error;
	}
	error = hear(&made, pid, pidfd);
	if (error < 0)
		guard_close(&made);
	else
		*guard = made;
	return error;
}

int guard_reap(const Guard *guard, int *status)
{
	Answer answer;
	if (!ask(guard, (Request){.order = ORDER_REAP}, &answer))
		return -ECHILD;
	if (answer.result > 0)
		*status = answer.value;
	return answer.result;
}

void guard_signal(const Guard *guard, int number)
{
	const Request request = {.order = ORDER_SIGNAL, .number = number};
	send(guard->socket, &request, sizeof request, MSG_NOSIGNAL);
}

bool guard_has_others(const Guard *guard)
{
	Answer answer;
	return ask(guard, (Request){.order = ORDER_OTHERS}, &answer) && answer.result > 0;
}

void guard_close(Guard *guard)
{
	if (guard->pid == 0)
		return;
	close(guard->socket);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*guard = (Guard){0};
}
