/* SPDX-License-Identifier: MIT
 *
 * view.h - what one reader sees of a tree: its filter, and the queue behind it.
 *
 * The border of the view is the border of the tree: what is renamed into it is a create, out of it a delete; a
 * directory that is moved or removed and is itself not shown is told entry by entry for what is shown below it. So the
 * events, applied to the shown part of the tree as it was, give the shown part as it is.
 */
#ifndef MOONWATCH_STREAM_VIEW_H
#define MOONWATCH_STREAM_VIEW_H

#include "stream/queue.h"
#include "tree/pattern.h"
#include "tree/tree.h"

typedef struct View View;

typedef struct ViewOptions {
	uint32_t ops;   /* 1 << EventOp of what is told */
	bool initial;   /* what is there at the start is told as well */
	bool flat;      /* nothing below the root's own entries */
	uint32_t depth; /* components below the root that are shown; 0: all */
	Pattern *match; /* counted uses, NULL for none */
	Pattern *ignore;
	size_t most_queued; /* beyond it what waits is folded */
	/* Asked once per new entry; false prunes it. NULL: none. */
	bool (*filter)(void *owner, const char *rel, size_t length, bool isdir);
	void *owner;
} ViewOptions;

struct View {
	Tree *tree;
	ViewOptions options;
	Queue queue;
	bool filtered; /* some entries are not shown */
	bool muted;    /* paused: nothing is queued */
	bool failed;   /* out of memory: an event was lost */
	uint64_t sequence;
	uint64_t told[OP_COUNT];
	char *path; /* scratch for rel paths, heap */
	size_t path_size;
};

void view_init(View *view, const ViewOptions *options); /* takes the patterns' uses */
void view_clear(View *view);
TreeSink view_sink(View *view);
/* Whether an entry is shown. `root` gives its own anchored pattern, where it was a pattern. */
bool view_shows(View *view, const Root *root, const char *rel, size_t length, bool isdir);
/* The path of an entry below its root, in the view's scratch; NULL out of memory. */
const char *view_rel(View *view, Dir *dir, const char *name, size_t length, size_t *rel_length);

#endif
