/* SPDX-License-Identifier: MIT
 *
 * recover.h - the pace of recoveries after lost records, for scan.c.
 */
#ifndef MOONWATCH_TREE_RECOVER_H
#define MOONWATCH_TREE_RECOVER_H

#include "tree/tree.h"

/* A recovery is due but not yet to begin: nothing is to be scanned. Begins it when its time has come. */
bool recovery_waits(Tree *tree);
/* Records were lost, and not everything is compared with the disk yet. */
static inline bool recovery_lasts(const Tree *tree)
{
	return tree->recovery.running || tree->recovery.due_at != 0;
}
/* Until each has been watched and listed anew, records about this directory and all below it are dropped. */
void recover_disbelieve(Dir *top);
/* Nothing is left to scan; or the queue has overflowed again. Fine when none is running. */
void recovery_ended(Tree *tree);

#endif
