/* SPDX-License-Identifier: MIT
 *
 * fan.h - one tree and all the views of it.
 *
 * What a tree tells goes to every view. A directory is in the tree where any view looks into it; each view shows its own
 * part. A view is ready by itself: what it knows then is the part that it shows of the tree as it is at that moment, so
 * one may come to a tree that is at work already.
 *
 * Views of one tree must not need a node's memory (border.h, `by_path`), and the tree keeps the roots it has.
 */
#ifndef MOONWATCH_STREAM_FAN_H
#define MOONWATCH_STREAM_FAN_H

#include "stream/view.h"

typedef struct Fan {
	Tree *tree;
	List views;
	List link;               /* for its owner */
	bool stale;              /* a view has gone: what it alone looked into is still in the tree */
	Border paths, old_paths; /* without rules: put paths together */
} Fan;

/* Around the tree that the view has alone, before the first scan; takes the tree. NULL: the view must stay alone, or out of
 * memory, which is the same to it. */
Fan *fan_new(View *view);
/* Would the tree of a view that is alone be the same? */
bool fan_fits(const Fan *fan, const View *view);
/* In place of the tree that it has alone, which is closed. */
void fan_join(Fan *fan, View *view);
/* The view is not of the tree any more. With the last one the fan is gone, which leaves its owner's list, and the tree is
 * returned: to be closed by the caller. Else NULL. */
Tree *fan_leave(Fan *fan, View *view);
/* Forgets what nobody looks into any more. */
void fan_tidy(Fan *fan);

#endif
