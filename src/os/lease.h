/* SPDX-License-Identifier: MIT
 *
 * lease.h - has a file a writer? Asked without rights, by trying to take a read lease on it.
 */
#ifndef MOONWATCH_OS_LEASE_H
#define MOONWATCH_OS_LEASE_H

#include <stdint.h>

typedef enum LeaseAnswer {
	LEASE_FREE,   /* nobody has it open for writing; also whatever is no regular file */
	LEASE_WRITER, /* somebody has */
	LEASE_UNSURE, /* leases are refused here; *signature tells size and time of the last change */
} LeaseAnswer;

/* A LeaseAnswer, or a negative errno where the file cannot be looked at. Links are not followed, and nothing but a
 * regular file is ever opened. */
int lease_ask(const char *path, uint64_t *signature);

#endif
