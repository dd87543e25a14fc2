/* SPDX-License-Identifier: MIT
 *
 * tree_clock_driver.c - what the index remembers of the file clock, where that is set back: the clock is ours here, and
 * says what the spec wants.
 */
#include <stdio.h>
#include <time.h>

#include "tree/tree.h"

static double shift; /* seconds */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static double boot = 1000;
	double time = boot += 0.001;
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		time += 100000 + shift;
	now->tv_sec = (time_t)time;
	now->tv_nsec = (long)((time - (double)now->tv_sec) * 1e9);
	return 0;
}

static int64_t told_now(Tree *tree, Node *node)
{
	tree->stamp = dir_clock();
	tree_stamp(tree, node);
	return tree_told_at(tree, node) - tree->stamp;
}

int main(void)
{
	Hub *hub;
	Tree *tree;
	Node node = {0};
	const TreeOptions options = {.interval = 1};
	if (hub_open(&hub) < 0 || tree_open(&tree, hub, &options, (TreeSink){0}) < 0)
		return 1;
	hub_step(hub, 1);
	printf("told %d\n", (int)told_now(tree, &node));
	int64_t before = dir_clock();
	printf("older %d, younger %d\n", hub_is_since(hub, before - 1, before),
		hub_is_since(hub, before, before));
	shift = -3600;
	hub_step(hub, 2);
	printf("set back: told %d\n", (int)told_now(tree, &node));
	int64_t change = dir_clock();
	shift = 60; /* long after: the clock has come past that moment again */
	hub_step(hub, 3);
	printf("older %d, younger %d\n", hub_is_since(hub, before - 3601000000, before),
		hub_is_since(hub, change, before));
	int64_t later = dir_clock();
	printf("older %d, younger %d\n", hub_is_since(hub, later - 1, later),
		hub_is_since(hub, later, later));
	tree_close(tree);
	hub_close(hub);
	return 0;
}
