/* SPDX-License-Identifier: MIT
 *
 * work.c - what is to be scanned, in which order and when.
 *
 * A scan begins only when all records that exist have been handed on: then index and disk differ by nothing but what
 * nobody was told, and what happens during the scan comes behind it.
 */
#include "tree/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tree/recover.h"
#include "tree/scan.h"
#include "tree/watching.h"

#define RETRY_DELAY 1.0 /* seconds */

/* --- the lists of directories that wait -------------------------------------------------------------------------- */

static bool is_inner_top(const Dir *dir)
{
	return !dir->dead && dir->parent == NULL && dir->entry.root->outer != NULL;
}

/* What leads to a root is told before what is in it: inner roots wait for all else, the innermost longest. */
static void put_behind(Tree *tree, Dir *dir)
{
	size_t at = 0, depth = dir->entry.root->key->length;
	while (is_inner_top(tree->pending[at]) && tree->pending[at]->entry.root->key->length > depth)
		at++;
	size_t behind = tree->pending_count - 1 - at;
	memmove(tree->pending + at + 1, tree->pending + at, behind * sizeof *tree->pending);
	tree->pending[at] = dir;
}

void tree_lack(Tree *tree)
{
	tree_wake(tree);
	tree->starved = true;
}

void tree_scan_later(Tree *tree, Dir *dir, unsigned how)
{
	if (dir->pruned || dir->dead)
		return;
	tree_wake(tree);
	dir->deep |= (how & SCAN_DEEP) != 0;
	dir->rewatch |= (how & SCAN_REWATCH) != 0;
	dir->compare |= (how & SCAN_COMPARE) != 0;
	if (dir->pending)
		return;
	dir->pending = dirs_push(&tree->pending, &tree->pending_count, &tree->pending_size, dir);
	if (!dir->pending)
		tree->starved = true;
	else if (is_inner_top(dir))
		put_behind(tree, dir);
}

static void defer(Tree *tree, Dir *dir)
{
	if (dir->pending || dir->dead)
		return;
	tree_wake(tree);
	dir->pending = dirs_push(&tree->deferred, &tree->deferred_count, &tree->deferred_size, dir);
	if (!dir->pending)
		tree->starved = true;
}

void tree_retry(Tree *tree, Dir *dir)
{
	defer(tree, dir);
	if (tree->retry_at == 0)
		tree->retry_at = tree->hub->now + RETRY_DELAY;
}

/* The directory is not where the index has it, and records that may say why are still unread. */
void work_wait_for_records(Tree *tree, Dir *dir)
{
	defer(tree, dir);
	tree->deferred_until = hub_position(tree->hub);
}

static void resume_deferred(Tree *tree)
{
	if (tree->deferred_count == 0 || tree->hub->done < tree->deferred_until)
		return;
	if (tree->retry_at != 0 && tree->hub->now < tree->retry_at)
		return;
	tree->retry_at = 0;
	while (tree->deferred_count > 0) {
		Dir *dir = tree->deferred[--tree->deferred_count];
		dir->pending = false;
		if (dir->dead)
			tree_free_dead(tree, dir);
		else
			tree_scan_later(tree, dir, 0);
	}
}

static void leave_list(Tree *tree, Dir **list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		list[i]->pending = false;
		tree_free_dead(tree, list[i]);
	}
}

void tree_drop_dead(Tree *tree)
{
	leave_list(tree, tree->pending, tree->pending_count);
	leave_list(tree, tree->deferred, tree->deferred_count);
	tree->pending_count = tree->deferred_count = 0;
}

/* --- all that wait ------------------------------------------------------------------------------------------------------ */

static double monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void tree_check_roots(Tree *tree)
{
	tree->checks = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->check)
			way_check(tree->roots[i]);
	}
}

static void settled(Tree *tree)
{
	tree->gap = 0;
	recovery_ended(tree);
	if (tree->limit_reached && !tree->limit_told && tree->root_count > 0) {
		tree->limit_told = true;
		tree_tell_root(tree, OP_UNWATCHED, tree->roots[0], ENOSPC);
	}
	if (tree->polled == 0 && !tree->options.poll)
		tree->limit_reached = tree->limit_told = false;
	if (tree->poll_at == 0 && (tree->linking_count > 0 || watching_has_unsure_root(tree)))
		tree->poll_at = tree->hub->now + tree->options.interval;
}

/* Something could not be noted for later, for want of memory: so everything is looked at again. */
static void recover_starved(Tree *tree)
{
	if (tree->retry_at == 0)
		tree->retry_at = tree->hub->now + RETRY_DELAY;
	if (tree->hub->now < tree->retry_at)
		return;
	tree->starved = false;
	for (size_t i = 0; i < tree->root_count; i++) {
		if (tree->roots[i]->top != NULL)
			tree_scan_later(tree, tree->roots[i]->top, SCAN_DEEP | SCAN_REWATCH | SCAN_COMPARE);
	}
}

bool tree_work(Tree *tree, double until)
{
	if (tree->starved)
		recover_starved(tree);
	tree_verify_empty(tree);
	if (tree->checks)
		tree_check_roots(tree);
	resume_deferred(tree);
	watching_poll_if_due(tree);
	tree->behind = false;
	if (recovery_waits(tree))
		return false;
	double began = tree->recovery.running ? monotonic() : 0;
	while (tree->pending_count > 0) {
		if (tree->ready && !hub_caught_up(tree->hub)) {
			tree->behind = true;
			break;
		}
		Dir *dir = tree->pending[--tree->pending_count];
		dir->pending = false;
		if (dir->dead)
			tree_free_dead(tree, dir);
		else if (!dir->pruned)
			scan_dir(tree, dir);
		if (monotonic() >= until)
			break;
	}
	tree_rest_trail(tree);
	if (tree->recovery.running)
		tree->recovery.spent += monotonic() - began;
	if (tree_is_settled(tree))
		settled(tree);
	return tree->pending_count > 0 || tree->checks;
}

bool tree_is_settled(const Tree *tree)
{
	return tree->pending_count == 0 && tree->deferred_count == 0 && !tree->checks &&
		tree->recovery.due_at == 0;
}

static double earlier(double a, double b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

double tree_deadline(const Tree *tree)
{
	double due_at = earlier(tree->recovery.due_at, tree->empty_at);
	return earlier(due_at, earlier(tree->retry_at, tree->poll_at));
}

bool tree_is_idle(const Tree *tree)
{
	return tree_is_settled(tree) && !tree->starved && tree_deadline(tree) == 0;
}
