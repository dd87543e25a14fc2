/* SPDX-License-Identifier: MIT
 *
 * settle_driver.c - shows settle_oom_spec.lua what net changes do when memory runs out.
 *
 *     settle_driver take N     feeds a fixed window; the Nth allocation of the take fails, and all after it; then the
 *                              rest is taken. Each change is a line; "--" stands between the two takes
 *     settle_driver feed       the same window with the 1st, 2nd, 3rd ... allocation of the feeding failing
 *     settle_driver merge      and of putting a batch back
 *
 * "skip" where another allocator is in the way (sanitizers).
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/filetype.h"
#include "stream/settle.h"

static bool armed, failed;
static long left; /* allocations that succeed */

#ifndef __SANITIZE_ADDRESS__

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool fails(void)
{
	if (!armed || left-- > 0)
		return false;
	left = 0;
	return failed = true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

#endif

static void arm(long allocations)
{
	left = allocations;
	failed = false;
	armed = true;
}

typedef struct Line {
	uint8_t op, type, replaced;
	const char *path, *from;
	bool exchange, whole;
} Line;

/* Names that live on, a ring of directories, one that turns inside out, survivors, and a tree that goes. */
static const Line window[] = {
	{OP_CREATE, TYPE_FILE, 0, "r/new", NULL, false, false},
	{OP_MODIFY, TYPE_FILE, 0, "r/f", NULL, false, false},
	{OP_MOVE, TYPE_FILE, 0, "r/f~", "r/f", false, false},
	{OP_CREATE, TYPE_FILE, 0, "r/f", NULL, false, false},
	{OP_MOVE, TYPE_DIRECTORY, TYPE_DIRECTORY, "r/ring1", "r/ring2", true, false},
	{OP_MOVE, TYPE_DIRECTORY, TYPE_DIRECTORY, "r/ring2", "r/ring3", true, false},
	{OP_MOVE, TYPE_DIRECTORY, 0, "r/t", "r/d/e", false, false},
	{OP_MOVE, TYPE_DIRECTORY, 0, "r/t/e", "r/d", false, false},
	{OP_MOVE, TYPE_DIRECTORY, 0, "r/d", "r/t", false, false},
	{OP_MOVE, TYPE_FILE, 0, "r/out", "r/old/x", false, false},
	{OP_DELETE, TYPE_FILE, 0, "r/old/y", NULL, false, false},
	{OP_DELETE, TYPE_DIRECTORY, 0, "r/old", NULL, false, false},
	{OP_DELETE, TYPE_DIRECTORY, 0, "r/gone", NULL, false, true},
	{OP_CREATE, TYPE_DIRECTORY, 0, "r/gone", NULL, false, false},
	{OP_CREATE, TYPE_FILE, 0, "r/gone/new", NULL, false, false},
	{OP_ATTRIB, TYPE_FILE, 0, "r/a", NULL, false, false},
};

enum { LINES = sizeof window / sizeof *window };

static PathRef ref(const char *path)
{
	return (PathRef){
		.dir = path, .dir_length = strlen(path), .root = "r", .root_length = 1, .rel_at = 2};
}

static int feed_line(Settle *settle, const Line *line)
{
	SettleEvent event = {.op = line->op,
		.type = line->type,
		.replaced = line->replaced,
		.exchange = line->exchange,
		.whole = line->whole,
		.path = ref(line->path)};
	if (line->from != NULL)
		event.from = ref(line->from);
	return settle_feed(settle, &event, 1);
}

static void open_settle(Settle *settle)
{
	SettleOptions options = {.settle = 0.1, .max_wait = 5, .complete = -1};
	settle_init(settle, &options);
}

static const char *type_name(uint8_t type)
{
	return type == TYPE_DIRECTORY ? "directory" : type == TYPE_FILE ? "file" : "-";
}

static const char *op_name(uint8_t op)
{
	switch (op) {
	case OP_CREATE:
		return "create";
	case OP_MODIFY:
		return "modify";
	case OP_DELETE:
		return "delete";
	case OP_MOVE:
		return "move";
	default:
		return "attrib";
	}
}

static void print_batch(const Batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const Change *change = &batch->changes[i];
		printf("%s %.*s %.*s%s %s %s %d %d %d\n", op_name(change->op), (int)change->to.path.length,
			batch_text(batch, change->to.path), (int)change->from.path.length,
			change->from.path.length > 0 ? batch_text(batch, change->from.path) : "",
			change->from.path.length > 0 ? "" : "-", type_name(change->type),
			type_name(change->replaced), change->exchange, change->whole, change->modified);
	}
}

static void feed_window(Settle *settle)
{
	for (size_t i = 0; i < LINES; i++)
		feed_line(settle, &window[i]);
}

/* Whatever was lost, what is left must make a batch. */
static void take_the_rest(Settle *settle, Batch *batch)
{
	bool was = failed;
	batch_clear(batch);
	settle_take(settle, 10, batch);
	if (settle_pending(settle) != 0)
		puts("something is left");
	failed = was;
	batch_clear(batch);
	settle_clear(settle);
}

static int take(long allocations)
{
	Settle settle;
	Batch batch = {0};
	open_settle(&settle);
	feed_window(&settle);
	arm(allocations);
	settle_take(&settle, 10, &batch);
	armed = false;
	print_batch(&batch);
	puts("--");
	batch_clear(&batch);
	settle_take(&settle, 10, &batch);
	print_batch(&batch);
	puts(failed ? "failed" : "done");
	printf("%zu pending\n", settle_pending(&settle));
	batch_clear(&batch);
	settle_clear(&settle);
	return 0;
}

static void starve_feed(long allocations)
{
	Settle settle;
	Batch batch = {0};
	open_settle(&settle);
	arm(allocations);
	feed_window(&settle);
	armed = false;
	take_the_rest(&settle, &batch);
}

static void starve_merge(long allocations)
{
	Settle settle;
	Batch batch = {0};
	open_settle(&settle);
	feed_window(&settle);
	settle_take(&settle, 10, &batch);
	feed_line(&settle, &window[1]);
	arm(allocations);
	settle_merge(&settle, &batch);
	armed = false;
	take_the_rest(&settle, &batch);
}

static int starve(void (*work)(long allocations))
{
	long allocations = 0;
	do
		work(allocations++);
	while (failed);
	printf("%s\n", allocations > 5 ? "done" : "nothing was allocated");
	return 0;
}

int main(int argc, char **argv)
{
#ifdef __SANITIZE_ADDRESS__
	puts("skip");
	return 0;
#endif
	if (argc > 2 && strcmp(argv[1], "take") == 0)
		return take(atol(argv[2]));
	if (argc > 1 && strcmp(argv[1], "feed") == 0)
		return starve(starve_feed);
	if (argc > 1 && strcmp(argv[1], "merge") == 0)
		return starve(starve_merge);
	fputs("settle_driver take N | feed | merge\n", stderr);
	return 2;
}
