/* SPDX-License-Identifier: MIT
 *
 * links.h - `follow`: symbolic links that are entered, or will be once they lead to a directory.
 *
 * What changes along the way of a link (a target that comes later, a link behind the link, a directory above the target)
 * no record tells. So all links are looked at by time.
 */
#ifndef MOONWATCH_TREE_LINKS_H
#define MOONWATCH_TREE_LINKS_H

#include "tree/tree.h"

/* Does a link lead to a directory in which neither the link nor, as a directory of its own, `dir` lies? As find -L, none
 * else is entered. `info` is of what it leads to. */
bool links_enter(const Dir *dir, int fd, const char *name, FileInfo *info);
/* Is a directory that was reached through a link its own ancestor? */
bool links_is_loop(const Dir *dir);
void links_note(Tree *tree, Dir *dir); /* it holds a link */
void links_forget_all(Tree *tree);
/* A directory in which a link leads elsewhere than the index has it is listed again. */
void links_look(Tree *tree);

/* Below a directory that has moved: who may be its own ancestor by now, or no longer, is looked at. */
void links_moved(Tree *tree, Node *node);

#endif
