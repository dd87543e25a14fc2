/* SPDX-License-Identifier: MIT
 *
 * view_state.h - what the files of a view share, and nobody else includes.
 */
#ifndef MOONWATCH_STREAM_VIEW_STATE_H
#define MOONWATCH_STREAM_VIEW_STATE_H

#include "stream/view.h"

/* Where an entry lies: the directory's path is a use of its own once it is in an item. */
typedef struct Where {
	Text *dir;
	const char *name;
	size_t length;
	const Root *root;
} Where;

static inline Where view_place(const View *view, Dir *dir, const char *name, size_t length)
{
	return (Where){
		.dir = tree_path(view->tree, dir),
		.name = name,
		.length = length,
		.root = tree_root_of(view->tree, dir),
	};
}

/* What was there already; that something cannot be watched is told all the same. */
static inline bool view_is_start(const View *view, const Told *told)
{
	return told->initial && !view->options.initial && told->op != OP_UNWATCHED;
}

static inline bool view_wants(const View *view, const Told *told)
{
	if (view->muted || view->waits || view_is_start(view, told))
		return false;
	return (view->options.ops >> told->op & 1) != 0;
}

/* --- view_queue.c --- */

/* An event is lost for want of memory. */
void view_lose(View *view);
/* Whether it is wanted is asked before. `from`: the old place of a move, else NULL. */
void view_queue_event(View *view, const Told *told, const Where *to, const Where *from);
/* An event of `op` about one entry, otherwise like `told`, if it is wanted. */
void view_tell_entry(View *view, const Told *told, uint8_t op, const Where *place, FileType type);
/* A delete, otherwise like `told`, if it is wanted. */
void view_tell_gone(View *view, const Told *told, const Where *place, FileType type);
/* A create and what content follows it, for what came into the view. */
void view_tell_found(View *view, const Told *told, const Where *place, FileType type);

/* --- view.c --- */

/* About a root itself, to this view alone. */
void view_tell_of_root(View *view, uint8_t op, Root *root, int error);
/* All that is known below a root, as found. */
void view_tell_content(View *view, Root *root);

#endif
