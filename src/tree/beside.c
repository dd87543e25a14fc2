/* SPDX-License-Identifier: MIT
 *
 * beside.c - single files that concern a root.
 *
 * Of each file the deepest directory that is there is watched for the next name on the way.
 */
#include "tree/beside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/notify.h"

static const uint32_t mask = NOTIFY_CREATE | NOTIFY_DELETE | NOTIFY_MOVE | NOTIFY_CLOSE_WRITE |
	NOTIFY_MODIFY | NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF | NOTIFY_ONLYDIR;

struct Beside {
	Claim claim;
	Root *root;
	Text *name; /* in the directory that is claimed */
};

/* The deepest directory there is; *name is what comes below it, borrowed. */
static int open_nearest(int top_fd, const char *file, const char **name)
{
	int fd = dup(top_fd);
	const char *slash;
	while (fd >= 0 && (slash = strchr(file, '/')) != NULL) {
		char part[256];
		size_t length = (size_t)(slash - file);
		if (length >= sizeof part)
			break;
		memcpy(part, file, length);
		part[length] = '\0';
		int next = length > 0 ? dir_open_follow(fd, part) : dup(fd);
		if (next < 0)
			break;
		close(fd);
		fd = next;
		file = slash + 1;
	}
	*name = file;
	return fd;
}

static Beside *watch_one(Root *root, int top_fd, const char *file)
{
	const char *name;
	Beside *beside = calloc(1, sizeof *beside);
	int fd = open_nearest(top_fd, file, &name);
	if (beside == NULL || fd < 0)
		goto failed;
	*beside = (Beside){
		.claim = {.wd = -1, .kind = CLAIM_BESIDE},
		.root = root,
		.name = text_copy(name, strcspn(name, "/")),
	};
	if (beside->name == NULL || hub_claim(root->tree->hub, fd, mask, &beside->claim) < 0)
		goto failed;
	close(fd);
	return beside;
failed:
	if (fd >= 0)
		close(fd);
	if (beside != NULL)
		text_free(beside->name);
	free(beside);
	return NULL;
}

static void drop(Root *root, Beside **besides, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (besides[i] == NULL)
			continue;
		hub_unclaim(root->tree->hub, &besides[i]->claim);
		text_free(besides[i]->name);
		free(besides[i]);
	}
	free(besides);
}

/* The new ones first: a watch that stays is never given back. */
void beside_watch(Root *root, int top_fd, const char *const *files, size_t count)
{
	Beside **old = root->besides;
	size_t old_count = root->beside_count;
	root->besides = count > 0 ? calloc(count, sizeof(Beside *)) : NULL;
	root->beside_count = root->besides != NULL ? count : 0;
	for (size_t i = 0; i < root->beside_count; i++)
		root->besides[i] = watch_one(root, top_fd, files[i]);
	drop(root, old, old_count);
}

void beside_drop(Root *root)
{
	drop(root, root->besides, root->beside_count);
	root->besides = NULL;
	root->beside_count = 0;
}

Tree *beside_record(Claim *claim, const Record *record)
{
	const Beside *beside = (const Beside *)(const void *)claim;
	Root *root = beside->root;
	bool itself =
		(record->mask &
			(NOTIFY_MOVE_SELF | NOTIFY_DELETE_SELF | NOTIFY_UNMOUNT | NOTIFY_IGNORED)) != 0;
	bool named = record->name_length == beside->name->length &&
		memcmp(record->name, beside->name->bytes, record->name_length) == 0;
	if ((itself || named) && root->top != NULL)
		tree_scan_later(root->tree, root->top, 0);
	return root->tree;
}
