/* SPDX-License-Identifier: MIT
 *
 * user.c - who a name stands for.
 */
#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SCRATCH_START = 1024,
	SCRATCH_END = 1024 * 1024,
	GROUPS_START = 32,
	GROUPS_END = 65536, /* NGROUPS_MAX */
};

/* A look-up with a scratch buffer that says ERANGE until it is large enough. Returns 0 or an errno.
 */
typedef int LookUp(const void *key, void *entry, char *scratch, size_t size, bool *found);

/* What the name services say for "no such entry" is a matter of taste. */
static bool is_not_found(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

static int look_up(LookUp *ask, const void *key, void *entry, char **scratch)
{
	bool found = false;
	for (size_t size = SCRATCH_START; size <= SCRATCH_END; size *= 2) {
		char *grown = realloc(*scratch, size);
		int error;
		if (grown == NULL)
			return -ENOMEM;
		*scratch = grown;
		error = ask(key, entry, grown, size, &found);
		if (found)
			return 0;
		if (error != ERANGE)
			return is_not_found(error) ? -ENOENT : -error;
	}
	return -ERANGE;
}

static int user_by_name(const void *key, void *entry, char *scratch, size_t size, bool *found)
{
	struct passwd *result = NULL;
	int error = getpwnam_r(key, entry, scratch, size, &result);
	*found = result != NULL;
	return error;
}

static int user_by_id(const void *key, void *entry, char *scratch, size_t size, bool *found)
{
	struct passwd *result = NULL;
	int error = getpwuid_r(*(const uid_t *)key, entry, scratch, size, &result);
	*found = result != NULL;
	return error;
}

static int group_by_name(const void *key, void *entry, char *scratch, size_t size, bool *found)
{
	struct group *result = NULL;
	int error = getgrnam_r(key, entry, scratch, size, &result);
	*found = result != NULL;
	return error;
}

static bool parse_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long number;
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || number >= UINT32_MAX)
		return false;
	*id = (uint32_t)number;
	return true;
}

static int find_passwd(const char *name, struct passwd *entry, char **scratch)
{
	uint32_t id;
	int error = look_up(user_by_name, name, entry, scratch);
	if (error == -ENOENT && parse_id(name, &id))
		error = look_up(user_by_id, &id, entry, scratch);
	return error;
}

static int find_gid(const char *name, gid_t *gid)
{
	struct group entry;
	char *scratch = NULL;
	uint32_t id;
	int error = look_up(group_by_name, name, &entry, &scratch);
	if (error == 0)
		*gid = entry.gr_gid;
	else if (error == -ENOENT && parse_id(name, &id)) {
		*gid = id;
		error = 0;
	}
	free(scratch);
	return error;
}

static int find_groups(User *user)
{
	for (int room = GROUPS_START; room <= GROUPS_END; room *= 2) {
		int count = room;
		gid_t *grown = realloc(user->groups, (size_t)room * sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		user->groups = grown;
		if (getgrouplist(user->name, user->gid, grown, &count) >= 0) {
			user->group_count = (size_t)count;
			return 0;
		}
	}
	return -E2BIG;
}

static int fill(User *user, const struct passwd *entry, const char *group)
{
	int error = 0;
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	user->name = strdup(entry->pw_name);
	user->home = strdup(entry->pw_dir);
	if (user->name == NULL || user->home == NULL)
		return -ENOMEM;
	if (group != NULL)
		error = find_gid(group, &user->gid);
	return error < 0 ? error : find_groups(user);
}

int user_find(User *user, const char *text)
{
	User found = {0};
	struct passwd entry;
	char *scratch = NULL, *name = strdup(text), *colon;
	int error;
	if (name == NULL)
		return -ENOMEM;
	colon = strchr(name, ':');
	if (colon != NULL)
		*colon = '\0';
	error = find_passwd(name, &entry, &scratch);
	if (error == 0)
		error = fill(&found, &entry, colon != NULL ? colon + 1 : NULL);
	if (error == 0)
		*user = found;
	else
		user_clear(&found);
	free(scratch);
	free(name);
	return error;
}

void user_clear(User *user)
{
	free(user->groups);
	free(user->name);
	free(user->home);
	*user = (User){0};
}

bool user_is_current(const User *user)
{
	return user->uid == getuid() && user->uid == geteuid() && user->gid == getgid() &&
		user->gid == getegid() && user->uid != 0;
}

int user_become(const User *user)
{
	if (setgroups(user->group_count, user->groups) < 0 ||
		setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	/* There must be no way back. */
	return user->uid != 0 && setuid(0) == 0 ? -EPERM : 0;
}
