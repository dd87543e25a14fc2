/* SPDX-License-Identifier: MIT
 *
 * spot.h - where a path lies in the index.
 */
#ifndef MOONWATCH_TREE_SPOT_H
#define MOONWATCH_TREE_SPOT_H

#include "tree/tree.h"

typedef struct Spot {
	Root *root; /* the innermost one at or above the path that is there, else a gone one, or NULL */
	const char *rel; /* below it, borrowed from the path; "" for the root itself */
	Dir *dir;   /* the deepest directory that is known on the way; NULL while the root is gone */
	size_t at;  /* the part of rel behind that directory */
	Node *node; /* the entry itself; NULL where it is not known, and for the root */
} Spot;

/* `path` as events give it, and the same absolute and clean. False: no root is at or above it. */
bool spot_find(const Tree *tree, const char *path, const char *absolute, Spot *spot);
Dir *spot_parent(const Spot *spot); /* the directory that holds its node */
/* The root at exactly this place, or NULL. */
Root *spot_root(const Tree *tree, const char *path, const char *absolute);

#endif
