/* SPDX-License-Identifier: MIT
 *
 * mounts.h - the mount table: that it changed, and where.
 *
 * A mount over a watched directory tells its watch nothing. The descriptor is to be looked at for MOUNTS_EVENTS.
 */
#ifndef MOONWATCH_OS_MOUNTS_H
#define MOONWATCH_OS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Mounts Mounts;

/* Called with the path of a mount that came or went, as seen from the root of this process. */
typedef void MountsVisit(void *owner, const char *path);

int mounts_open(Mounts **out);     /* 0 or a negative errno: no /proc */
void mounts_close(Mounts *mounts); /* NULL is fine */
int mounts_fd(const Mounts *mounts);
uint32_t mounts_events(void);
/* Did the table change since it was last asked? One cheap system call. */
bool mounts_stirred(const Mounts *mounts);
/* Reads the table and tells each difference to the one that was kept: how many, or a negative errno (ask again later). */
int mounts_compare(Mounts *mounts, MountsVisit *visit, void *owner);
void mounts_keep(Mounts *mounts); /* the one that was read last */

#endif
