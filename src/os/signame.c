/* SPDX-License-Identifier: MIT
 *
 * signame.c - signals by name.
 */
#include "os/signame.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	int number;
	const char *name;
} signals[] = {
	{SIGHUP, "HUP"},
	{SIGINT, "INT"},
	{SIGQUIT, "QUIT"},
	{SIGILL, "ILL"},
	{SIGTRAP, "TRAP"},
	{SIGABRT, "ABRT"},
	{SIGBUS, "BUS"},
	{SIGFPE, "FPE"},
	{SIGKILL, "KILL"},
	{SIGUSR1, "USR1"},
	{SIGSEGV, "SEGV"},
	{SIGUSR2, "USR2"},
	{SIGPIPE, "PIPE"},
	{SIGALRM, "ALRM"},
	{SIGTERM, "TERM"},
#ifdef SIGSTKFLT
	{SIGSTKFLT, "STKFLT"},
#endif
	{SIGCHLD, "CHLD"},
	{SIGCONT, "CONT"},
	{SIGSTOP, "STOP"},
	{SIGTSTP, "TSTP"},
	{SIGTTIN, "TTIN"},
	{SIGTTOU, "TTOU"},
	{SIGURG, "URG"},
	{SIGXCPU, "XCPU"},
	{SIGXFSZ, "XFSZ"},
	{SIGVTALRM, "VTALRM"},
	{SIGPROF, "PROF"},
	{SIGWINCH, "WINCH"},
	{SIGIO, "IO"},
	{SIGPWR, "PWR"},
	{SIGSYS, "SYS"},
	/* second names, never given */
	{SIGIO, "POLL"},
	{SIGABRT, "IOT"},
	{SIGCHLD, "CLD"},
};

/* What follows "RTMIN": "" or "+N". */
static int find_realtime(const char *rest)
{
	char *end;
	long offset;
	if (*rest == '\0')
		return SIGRTMIN;
	if (rest[0] != '+' || rest[1] < '0' || rest[1] > '9')
		return 0;
	offset = strtol(rest + 1, &end, 10);
	return *end == '\0' && offset <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + (int)offset : 0;
}

int signame_find(const char *name)
{
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (strcasecmp(name, signals[i].name) == 0)
			return signals[i].number;
	if (strncasecmp(name, "RTMIN", 5) == 0)
		return find_realtime(name + 5);
	return strcasecmp(name, "RTMAX") == 0 ? SIGRTMAX : 0;
}

const char *signame_of(int number, char out[SIGNAME_SIZE])
{
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (number == signals[i].number)
			return strcpy(out, signals[i].name);
	if (number == SIGRTMIN)
		return strcpy(out, "RTMIN");
	if (number > SIGRTMIN && number <= SIGRTMAX)
		snprintf(out, SIGNAME_SIZE, "RTMIN+%d", number - SIGRTMIN);
	else
		snprintf(out, SIGNAME_SIZE, "%d", number);
	return out;
}
