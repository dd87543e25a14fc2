/* SPDX-License-Identifier: MIT
 *
 * overtaken.h - records about a file that a rename of it has overtaken.
 *
 * The kernel takes a file's name first and queues the record later, and so it is with the rename: what is done to a file
 * while it is being renamed may come behind the records of the rename under the old name, which is followed, or before
 * them under the new one, which is waited for.
 */
#ifndef MOONWATCH_TREE_OVERTAKEN_H
#define MOONWATCH_TREE_OVERTAKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree/node.h"

enum { TRACES = 32 };

/* A name that something has lost by a rename, and the one it got. */
typedef struct Trace {
	const Dir *from; /* never followed */
	Dir *to;         /* NULL: none */
	double until;    /* monotonic */
	uint8_t length;
	char name[255];
} Trace;

/* What was told of a file under a name that it had not yet. */
typedef struct Stray {
	const Dir *dir; /* never followed; NULL: none */
	uint32_t hash, mask;
	double until;
} Stray;

/* The last ones, in rings. */
typedef struct Overtaken {
	Trace traces[TRACES];
	uint32_t hashes[TRACES]; /* of the names that were lost, where they are compared at once */
	Stray strays[TRACES];
	size_t renames, strayed;
	double traced_until, strayed_until; /* the latest of each */
} Overtaken;

/* Is there anything that a record could end? */
static inline bool overtaken_is_alert(const Overtaken *overtaken, double now)
{
	return now <= overtaken->traced_until || now <= overtaken->strayed_until;
}

/* A rename: `hash` is that of the old name. */
void overtaken_note(Overtaken *overtaken, const Dir *from, uint32_t hash, Dir *to, const char *name,
	size_t length, double now);
/* The name was given to something else, or that was removed: what is told of the name is not of what bore it before. */
void overtaken_end(Overtaken *overtaken, const Dir *dir, uint32_t hash, double now);
void overtaken_end_all(Overtaken *overtaken); /* that may have been, of any name */
/* Who had the name, and by *dir where it is now; NULL where that name was not renamed. */
Node *overtaken_follow(
	const Overtaken *overtaken, uint32_t hash, bool isdir, Dir **dir, double now);
void overtaken_wait(Overtaken *overtaken, const Dir *dir, uint32_t hash, uint32_t mask, double now);
/* The mask of a record that waited for this name, each once; 0: there is none. */
uint32_t overtaken_take(Overtaken *overtaken, const Dir *dir, uint32_t hash, double now);
void overtaken_forget(Overtaken *overtaken, const Dir *dir); /* it will be freed */

#endif
