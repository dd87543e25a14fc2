/* SPDX-License-Identifier: MIT
 *
 * scan.h - one directory is brought into agreement with the disk.
 */
#ifndef MOONWATCH_TREE_SCAN_H
#define MOONWATCH_TREE_SCAN_H

#include "tree/tree.h"

/* Watches, lists, tells what differs. Where it cannot, the directory waits: for records, for time, for its parent. */
void scan_dir(Tree *tree, Dir *dir);

#endif
