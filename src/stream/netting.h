/* SPDX-License-Identifier: MIT
 *
 * netting.h - from two trees to the list of changes that leads from the one to the other.
 *
 * The tree before is changed step by step, and each step is one change of the batch, told with the paths that hold at
 * that step. So whatever has been told is true of the tree before at all times, also where memory runs out halfway.
 * The order and the words are defined in doc/changes.md.
 */
#ifndef MOONWATCH_STREAM_NETTING_H
#define MOONWATCH_STREAM_NETTING_H

#include "stream/batch.h"
#include "stream/overlay.h"

/* The places that are to be told. Zero it, add, tell, clear. */
typedef struct Picks {
	Place **places;
	size_t count, capacity;
} Picks;

int picks_add(Picks *picks, Place *place); /* 0, also where it is there already; or -ENOMEM */
void picks_clear(Picks *picks);

/* Adds what must be told together with the picks or before them (the other end of a move, new or moved directories
 * above, what lay in a directory that is gone), but no file that `must_wait` names: whatever needs the name that it
 * had is told without it. Not needed where all that is dirty has been picked. 0 or -ENOMEM. */
int netting_complete(
	Overlay *o, Picks *picks, bool (*must_wait)(void *asker, Place *place), void *asker);

/* Appends the changes to `batch` and makes the tree before agree in all picked places. What is clean then is freed.
 * 0, or -ENOMEM: what was appended is told, the rest stays as it was. */
int netting_tell(Overlay *o, Picks *picks, Batch *batch);

#endif
