/* SPDX-License-Identifier: MIT
 *
 * trail.h - directories of the index on the disk, for the scan. tree_open_dir and its kin are in tree.h.
 */
#ifndef MOONWATCH_TREE_TRAIL_H
#define MOONWATCH_TREE_TRAIL_H

#include "tree/tree.h"

int trail_open_child(int parent_fd, const Dir *dir); /* by its name, unproven; the caller closes */
Identity trail_identity(const Dir *dir);
/* 0 where the descriptor is the directory, else -ESTALE; one never opened before is what is found. */
int trail_prove(Dir *dir, int fd);
/* As tree_open_dir, by a trail of one's own. */
int trail_open(Tree *tree, Trail *trail, Dir *dir);
void trail_close(Trail *trail);
bool trail_is_at_its_place(const Tree *tree, const Dir *dir); /* by its whole path */

#endif
