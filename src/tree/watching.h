/* SPDX-License-Identifier: MIT
 *
 * watching.h - watches and polling, for the scan. tree_watch and tree_poll are in tree.h.
 */
#ifndef MOONWATCH_TREE_WATCHING_H
#define MOONWATCH_TREE_WATCHING_H

#include "tree/tree.h"

void watching_refused(Tree *tree, Dir *dir, int error); /* tells `unwatched`, once */
void watching_failed(Tree *tree, Dir *dir, int error);  /* the same; tried again at the next poll */
int watching_reason(
	Tree *tree, Dir *dir); /* the errno of one without a watch; asked of the disk again */
void watching_set_polled(Tree *tree, Dir *dir, bool polled); /* counts it */
bool watching_is_across(
	const Tree *tree, const Dir *dir); /* on another file system, and that is not wanted */
bool watching_has_unsure_root(const Tree *tree); /* its way cannot be watched: looked at by time */
void watching_poll_if_due(Tree *tree);

#endif
