/* SPDX-License-Identifier: MIT
 *
 * work.h - what waits to be scanned. tree_scan_later, tree_work and their kin are in tree.h.
 */
#ifndef MOONWATCH_TREE_WORK_H
#define MOONWATCH_TREE_WORK_H

#include "tree/tree.h"

/* The directory is not where the index has it, or differs from it, and records that may say why are still unread. */
void work_wait_for_records(Tree *tree, Dir *dir);

#endif
