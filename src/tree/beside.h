/* SPDX-License-Identifier: MIT
 *
 * beside.h - single files whose changes concern a root, though they may lie where nothing else is watched
 * (".git/info/exclude"): any sign of one makes the root's top be listed again.
 */
#ifndef MOONWATCH_TREE_BESIDE_H
#define MOONWATCH_TREE_BESIDE_H

#include "tree/tree.h"

/* Watches what leads to each of the files, from the open top directory on; what was watched before is given back. */
void beside_watch(Root *root, int top_fd, const char *const *files, size_t count);
void beside_drop(Root *root);
Tree *beside_record(Claim *claim, const Record *record); /* whose it is */

#endif
