/* SPDX-License-Identifier: MIT
 *
 * user.h - who a name stands for: ids, groups and home folder, looked up before they are needed in
 * a child.
 */
#ifndef MOONWATCH_OS_USER_H
#define MOONWATCH_OS_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct User {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* every group of the user, gid among them */
	size_t group_count;
	char *name, *home;
} User;

/* "name" or "name:group"; both may be numbers. ENOENT where there is no such user or group.
 * Returns 0 or a negative errno; *user is untouched on failure. Asks the name service: may take its
 * time. */
int user_find(User *user, const char *text);
void user_clear(User *user); /* a zeroed one is fine */

/* Nothing to do: this process already runs as that user and group. */
bool user_is_current(const User *user);

/* This process is that user from now on, for good: groups, group, then user. After a failure it is neither: end it.
 * Returns 0 or a negative errno. */
int user_become(const User *user);

#endif
