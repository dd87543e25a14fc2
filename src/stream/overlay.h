/* SPDX-License-Identifier: MIT
 *
 * overlay.h - two trees that share their entries: as it was when the window opened, and as it is now.
 *
 * Only what events speak of is here. An Entry is a thing (a file, a directory), whatever its name; a Place is a name
 * in a directory. Each place says who had it before and who has it now, and each entry where it was and where it is:
 *
 *        before            now            place (top, "a"):  was A, now -
 *        a/   = A          b/   = A       place (top, "b"):  was -, now A
 *        a/f  = F          b/f  = F       place (A, "f"):    was F, now F
 *
 * So renaming a directory changes two places whatever lies below it, and what must be told is the set of places whose
 * two sides differ. A place of which nothing was heard is taken to be the same in both trees. The components above a
 * root are places like any other, so that nested roots agree about every path.
 *
 * A place that differs is *dirty* and stands in two lists: by the time of its first change and of its last. What has
 * become the same again is forgotten at once: memory is bounded by the names that differ and the directories above.
 */
#ifndef MOONWATCH_STREAM_OVERLAY_H
#define MOONWATCH_STREAM_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/filetype.h"
#include "base/list.h"
#include "base/pool.h"

typedef struct Entry Entry;
typedef struct Place Place;

/* A path as events carry it: directory and name, the latter empty for the watched thing itself, whose path is then
 * all in `dir`. rel begins at byte rel_at of the joined path. */
typedef struct PathRef {
	const char *dir, *name, *root; /* borrowed; need not end in NUL */
	size_t dir_length, name_length, root_length;
	uint32_t rel_at;
} PathRef;

/* Is a regular file whole? */
enum {
	FILE_CLOSED,
	FILE_OPEN,
	FILE_LEFT,   /* its writer is gone, and the kernel's word of that may be on its way */
	FILE_SUSPECT /* found by looking, its writer may be at work */
};

struct Entry {
	Place *was, *now; /* NULL: not in that tree */
	List places;      /* the names in it, where it is a directory */
	Entry *next;      /* while it is being buried */
	uint32_t id;      /* for hashing */
	uint32_t
		mark; /* netting: serial of the batch in which it holds something that must be moved out first */
	uint8_t type;     /* FileType; TYPE_UNKNOWN is no directory */
	uint8_t unclosed; /* FILE_OPEN ... */
	bool modified, attrib;
	bool vague;    /* it took the name of a file, and the type of one of the two is not known */
	bool whole;    /* it is gone with all below it, whatever that was */
	bool absorbed; /* it went as a part of a directory that is gone, which speaks for it */
	bool pinned;   /* not to be freed just now */
	bool ghost;    /* stands for any file of its type that is no more */
};

enum {
	PLACE_CLEAN,
	PLACE_WAITING,
	PLACE_HELD,
	PLACE_ORIGIN
}; /* the last: only where a waiting move came from */

struct Place {
	Entry *parent;
	Entry *was, *now; /* NULL: nobody */
	List sibling;     /* in parent->places */
	List by_first, by_last;
	double first, last;               /* times of its first and last change */
	double give_up, ask_at, ask_step; /* while held */
	uint64_t signature;               /* of the file when its writer was asked for last */
	Place *waiting;                   /* netting: who waits for this one */
	uint32_t hash, count;
	uint32_t root; /* where it is the base of a root: its number + 1 */
	uint16_t name_length;
	uint8_t state; /* PLACE_CLEAN ... */
	uint8_t edge;  /* netting */
	bool known, picked, stacked;
	char name[];
};

typedef struct OverlayRoot {
	char *text;
	size_t length;
} OverlayRoot;

/* The directory of the last event, so that neighbours need one look-up. */
typedef struct DirCache {
	Entry *dir;
	char *text;
	size_t length, capacity;
	uint32_t rel_at;
} DirCache;

typedef struct Overlay {
	Pool pool;
	Entry top;       /* above the first component of every path */
	Entry ghosts[8]; /* by FileType */
	Place **table;   /* open addressing; slots is a power of two */
	size_t slots, places;
	List by_first, by_last; /* waiting */
	List parked;            /* held or origins; linked by by_first */
	size_t dirty;
	OverlayRoot *roots;
	size_t root_count;
	DirCache caches[2]; /* of path, of from */
	uint32_t top_root;  /* the root whose paths begin without a directory; number + 1 */
	double now;         /* time of the event under way, set by whoever feeds */
	uint32_t next_id;
	uint32_t serial; /* of the last batch */
} Overlay;

void overlay_init(Overlay *o);
void overlay_forget(
	Overlay *o); /* every place and entry; what differs is lost, the roots' numbers stay */
void overlay_clear(Overlay *o); /* frees all; to be initialised again before further use */

/* The place of a path in the tree of now, made if need be. NULL out of memory. `cache`: 0 or 1. */
Place *overlay_place(Overlay *o, const PathRef *path, int cache);

/* The place of a name in a directory, made if need be; `known` says whether anybody ever had it. */
Place *overlay_spare_place(Overlay *o, Entry *parent, const char *name, size_t length);

/* What events do to the tree of now. All take the place of its path; none moves a Place or fails but by -ENOMEM.
 * Afterwards the places may be gone. */
int overlay_create(Overlay *o, Place *place, FileType type, FileType replaced, uint8_t unclosed);
int overlay_change(Overlay *o, Place *place, FileType type, bool content, uint8_t unclosed);
int overlay_delete(Overlay *o, Place *place, FileType type, bool whole);
int overlay_move(Overlay *o, Place *from, Place *to, FileType type, FileType replaced);
int overlay_exchange(Overlay *o, Place *from, Place *to, FileType type, FileType other);

/* Both sides hold a file of the same type: the name lived on. */
bool place_is_continued(const Place *place);
/* Nothing is there now, and what was there is to be told where it went. */
bool place_is_origin(const Place *place);
bool place_is_dirty(const Place *place);
/* Something happened here: enters the place in the lists or takes it out; what says nothing any more is freed. */
void place_touch(Overlay *o, Place *place);
/* The same without a new time: what has become clean leaves and is freed. */
void place_release(Overlay *o, Place *place);
void place_park(Overlay *o, Place *place, uint8_t state); /* out of the waiting lists */
void place_unpark(Overlay *o, Place *place, double first, double last);
/* What is nowhere any more is freed. */
void entry_settle(Overlay *o, Entry *entry);

/* The path of a place; `out` NULL asks for the length alone. *rel_at and *root (0: none) are of the innermost root. */
size_t place_path(
	const Overlay *o, const Place *place, bool now, char *out, size_t *rel_at, uint32_t *root);

static inline bool entry_is_dir(const Entry *entry)
{
	return entry->type == TYPE_DIRECTORY;
}

#endif
