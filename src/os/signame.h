/* SPDX-License-Identifier: MIT
 *
 * signame.h - signals by name: "TERM", "HUP", "RTMIN+3".
 */
#ifndef MOONWATCH_OS_SIGNAME_H
#define MOONWATCH_OS_SIGNAME_H

enum {
	SIGNAME_SIZE = 16, /* of a buffer for any name */
};

/* With or without "SIG" in front, in either case; 0 where there is no such signal. */
int signame_find(const char *name);

/* Writes the name without "SIG", or the number where it has none, and returns `out`. */
const char *signame_of(int number, char out[SIGNAME_SIZE]);

#endif
