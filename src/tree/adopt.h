/* SPDX-License-Identifier: MIT
 *
 * adopt.h - new directories, for the scan. tree_create_dir and tree_before_move are in tree.h.
 */
#ifndef MOONWATCH_TREE_ADOPT_H
#define MOONWATCH_TREE_ADOPT_H

#include "tree/tree.h"

/* Is what is found in this directory told? */
bool adopt_tells(const Tree *tree, const Dir *dir);
/* A directory that a listing has found and the index does not know at this place. NULL where it is left to the next
 * listing: then *unsure is set. */
Node *adopt_found(
	Tree *tree, Dir *parent, int parent_fd, const DirEntry *entry, const Told *like, bool *unsure);
/* All that is known in the directory is told as deleted. */
void adopt_tell_lost(Tree *tree, Dir *dir);

#endif
