/* SPDX-License-Identifier: MIT
 *
 * recover.c - lost records: after an overflow the whole index is compared with the disk, at a pace.
 *
 * From the overflow on no directory is believed until it has been watched and listed anew (Dir.rewatch): records about
 * it are dropped, and what they would have said is found by comparing. A writer that never stops overflows the queue
 * again and again: so a recovery waits, after the last one, for as long as that has cost, twice as long after the next,
 * and so on. Meanwhile nothing is scanned.
 */
#include "tree/tree.h"

#include "tree/recover.h"

#define LONGEST_WAIT 2.0 /* seconds between two recoveries */
#define CALM 5.0         /* seconds without a recovery after which the next begins at once again */

enum { STREAK_MOST = 3 };

void recover_disbelieve(Dir *top)
{
	for (Dir *dir = top; dir != NULL; dir = tree_next_dir(top, dir))
		dir->rewatch = true;
}

static void begin(Tree *tree)
{
	Recovery *recovery = &tree->recovery;
	recovery->due_at = 0;
	recovery->running = true;
	recovery->spent = 0;
	for (size_t i = 0; i < tree->root_count; i++) {
		Root *root = tree->roots[i];
		if (root->top != NULL)
			tree_scan_later(tree, root->top, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
		tree_doubt_root(root);
	}
}

static double wait_after(const Recovery *recovery)
{
	int streak = recovery->streak < STREAK_MOST ? recovery->streak : STREAK_MOST;
	double wait = recovery->spent * (double)(1 << streak);
	return wait < LONGEST_WAIT ? wait : LONGEST_WAIT + recovery->spent;
}

void tree_overflow(Tree *tree)
{
	Recovery *recovery = &tree->recovery;
	double now = tree->hub->now;
	tree_wake(tree);
	tree->overflows++;
	if (tree_is_settled(tree) || tree->gap == 0)
		tree->gap = tree->hub->drained;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			recover_disbelieve(tree->roots[i]->top);
	}
	if (tree->root_count > 0)
		tree_tell_root(tree, OP_OVERFLOW, tree->roots[0], 0);
	if (recovery->due_at != 0)
		return;
	bool interrupted = recovery->running;
	if (interrupted)
		recovery_ended(tree);
	if (now > recovery->ended_at + CALM)
		recovery->streak = 0;
	double due = recovery->streak > 0 ? recovery->ended_at + wait_after(recovery) : now;
	if (due > now)
		recovery->due_at = due;
	else
		begin(tree);
}

void recovery_ended(Tree *tree)
{
	Recovery *recovery = &tree->recovery;
	if (!recovery->running)
		return;
	recovery->running = false;
	recovery->ended_at = tree->hub->now;
	recovery->streak++;
}

bool recovery_waits(Tree *tree)
{
	Recovery *recovery = &tree->recovery;
	if (recovery->due_at == 0)
		return false;
	if (tree->hub->now < recovery->due_at)
		return true;
	begin(tree);
	return false;
}
