/* SPDX-License-Identifier: MIT
 *
 * tree_signature_driver.c - files are renamed out of a polled directory that has its watch by now, and was not listed
 * since: DIR with `d` in it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/dir.h"
#include "tree/tree.h"

enum { FILES = 16 };

static void tell(void *owner, const Told *told)
{
	(void)owner;
	if (told->op == OP_MOVE || told->op == OP_CLOSE_WRITE)
		printf("%s %.*s\n", told->op == OP_MOVE ? "move" : "close_write", (int)told->name_length,
			told->name);
}

static void settle(Hub *hub, Tree *tree)
{
	static double now = 1;
	do
		while (hub_step(hub, now += 1) > 0)
			continue;
	while (tree_work(tree, 1e9) || hub_is_behind(hub) || !tree_is_settled(tree));
}

static void write_files(const char *text)
{
	char name[32];
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "d/%02d", i);
		FILE *file = fopen(name, "a");
		fputs(text, file);
		fclose(file);
	}
}

/* Until what was just done lies more than a tick of the file clock back. */
static void wait_for_clock(void)
{
	int64_t until = dir_clock() + 20000;
	while (dir_clock() < until)
		usleep(1000);
}

int main(int argc, char **argv)
{
	Hub *hub;
	Tree *tree;
	Root *root;
	const TreeOptions options = {.interval = 1e6, .most_watches = 1};
	const RootNames names = {argv[1], argv[1], argv[1], argv[1]};
	if (argc != 2 || chdir(argv[1]) < 0 || hub_open(&hub) < 0 ||
		tree_open(&tree, hub, &options, (TreeSink){.tell = tell}) < 0)
		return 1;
	write_files("x");
	if (tree_add_root(tree, &names, &root) < 0)
		return 1;
	settle(hub, tree);
	tree_end_first_look(tree);
	root->ready = tree->ready = true;
	Dir *dir = dir_of(children_find(root->top, "d", 1));
	printf("%s\n", dir->polled ? "polled" : "watched");
	write_files("y");
	tree->options.most_watches = 0;
	tree->full = false;
	tree_watch(tree, dir, tree_open_dir(tree, dir));
	printf("%s\n", dir->polled ? "polled" : "watched");
	for (int i = 0; i < FILES; i++) {
		char from[32], to[32];
		snprintf(from, sizeof from, "d/%02d", i);
		snprintf(to, sizeof to, "%02d", i);
		rename(from, to);
	}
	wait_for_clock();
	settle(hub, tree);
	tree_close(tree);
	hub_close(hub);
	return 0;
}
