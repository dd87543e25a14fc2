/* SPDX-License-Identifier: MIT
 *
 * roots.h - the roots of a tree in the order of their paths: which of them lie within others.
 */
#ifndef MOONWATCH_TREE_ROOTS_H
#define MOONWATCH_TREE_ROOTS_H

#include "tree/tree.h"

int roots_enter(
	Tree *tree, Root *root); /* and its place among those around and within it; -ENOMEM */
void roots_leave(Tree *tree, Root *root); /* fine where it never entered */

#endif
