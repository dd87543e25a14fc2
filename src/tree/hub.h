/* SPDX-License-Identifier: MIT
 *
 * hub.h - one inotify instance for all trees: claims on watches, the order of records, pairs of renames.
 *
 * A kernel watch belongs to an inode, so several directories of the index (of one tree or of many) and steps of ways
 * may claim the same one; the kernel's mask is the union. The hub reads records into one buffer and hands them on in
 * their order. A *position* counts the bytes of all records since the hub was opened: what a listing found is compared
 * with the position of a record to say which of the two is younger (exactness.md).
 *
 * A MOVED_FROM waits for its second half, and everything behind it waits as well, HUB_PAIR_WAIT at the most.
 *
 * The hub needs no loop: a descriptor, a deadline, and a step that never blocks.
 */
#ifndef MOONWATCH_TREE_HUB_H
#define MOONWATCH_TREE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "os/filesystem.h"
#include "os/notify.h"
#include "tree/node.h"
#include "tree/overtaken.h"
#include "tree/seconds.h"

typedef struct Hub Hub;
typedef struct Tree Tree;

enum { HUB_BUFFER = 64 * 1024 };

#define HUB_PAIR_WAIT 0.025 /* seconds */

/* One record as the trees see it. */
typedef struct Record {
	uint32_t mask, cookie;
	int wd;
	const char *name; /* without NUL; length 0 for the watched inode itself */
	size_t name_length;
	uint64_t position; /* of its end */
	/* Of a second half: the next change of names there is that the same name goes. For whom it has no first, that is an
	 * exchange with something outside, or in and out again. */
	bool out_next;
	uint32_t out_cookie;
} Record;

/* Both halves of a rename. */
typedef struct Pair {
	Record from, to;
	bool reversed_next; /* the next records rename back: an exchange, or `rename a b; rename b a` */
	uint32_t next_cookie; /* theirs */
	uint64_t next_end;    /* position behind them */
} Pair;

typedef struct ClaimList {
	Claim **items;
	size_t count, size;
} ClaimList;

/* What became of a record that was handed to a tree; of several things the last of these counts. */
typedef enum Fate {
	FATE_DROPPED,  /* part of a listing already, or left to the one that is due */
	FATE_FILTERED, /* told to nobody: not asked for, not shown, or told by another record */
	FATE_MERGED,   /* the same as the event before it, or told with its other half */
	FATE_DELIVERED,
	FATE_COUNT
} Fate;

enum { KINDS_KNOWN = 16 };

struct Hub {
	int fd;
	pid_t owner; /* who opened it */
	NotifyFolder fds;
	struct {
		uint64_t dev;
		FilesystemKind kind;
	} kinds[KINDS_KNOWN]; /* the file systems that were asked for last; dev 0: none */
	size_t next_kind;
	List trees;      /* all, for overflow and scans */
	List busy;       /* those that have something to do, now or at a time */
	Tree **by_index; /* Claim.tree -> Tree */
	size_t tree_slots;
	Claim **claims; /* open addressing by wd; the first claim of each list */
	size_t claim_slots, claim_count;
	uint64_t releases; /* counts claims given up */
	char *buffer;      /* records read and not yet handed on: [start, end) */
	size_t start, end, size;
	struct {
		char *bytes; /* heap */
		size_t length, size;
		int64_t stamp;   /* file clock before it was read */
	} aside;             /* records read to make room in the kernel: they come behind the buffer */
	size_t ends;         /* watches removed since then: each leaves a record */
	uint64_t done;       /* position up to which records were handed on */
	Seconds seconds;     /* where the second halves of renames are in the buffer */
	Overtaken overtaken; /* of all trees */
	bool
		remounted; /* mounts may have changed since they were compared with all records handed on */
	bool doubts;   /* some root may be elsewhere: what follows is not about its path */
	double hold_until;    /* 0: nothing is held */
	uint64_t hold_end;    /* position up to which records were there when the hold began */
	uint64_t waited;      /* ... and have been waited with long enough */
	double now;           /* monotonic time of the step under way */
	double read_at;       /* monotonic, when the newest records were read */
	double read_wall;     /* the same in seconds since 1970 */
	int64_t stamp;        /* file clock before the newest read */
	int64_t emptied;      /* the same where that read left nothing in the kernel, else 0 */
	int64_t drained;      /* file clock before a look after which nothing was left, here or there */
	int64_t clock_offset; /* file clock less time since boot, when last sampled */
	int64_t clock_last;   /* time since boot then, in microseconds */
	int64_t twice_low,
		twice_high; /* the file clock was set back somewhere in between; 0, 0: never */
	int64_t epoch;  /* file clock at opening: `told` counts from here */
	uint64_t overflows;
	uint64_t records;           /* handed on */
	uint64_t unclaimed;         /* of them those of watches that nobody has any more */
	uint64_t fates[FATE_COUNT]; /* of records in all trees: in each that it was handed to */
	ClaimList olds, news;       /* scratch: who is to be told of the record or pair under way */
	DirListing listing;         /* of the scan under way */
};

int hub_open(Hub **out);
void hub_close(Hub *hub); /* NULL is fine; no tree may be left */

/* Of the file system with that device number, on which the descriptor is. */
FilesystemKind hub_filesystem(Hub *hub, uint64_t dev, int fd);
/* Mounts changed: device numbers may be in use again. */
void hub_forget_filesystems(Hub *hub);

/* Watches what dir_fd stands for and adds `claim` to it; the bits are added to what the kernel reports. */
int hub_claim(Hub *hub, int dir_fd, uint32_t mask, Claim *claim);
/* Gives a claim back; the kernel watch goes with the last one. Fine on an unclaimed one. */
void hub_unclaim(Hub *hub, Claim *claim);
Claim *hub_claims(const Hub *hub, int wd); /* the first of the list, NULL if nobody claims it */
/* How many watches the kernel holds for us; of them those that watch a directory of the index, and no step of a way. */
size_t hub_watches(const Hub *hub, size_t *directories);
/* Is it (still) one of them? It may have been freed. */
bool hub_is_claim(const Hub *hub, int wd, const Claim *claim);

/* Whether a file's change time may be later than a stamp taken before; both on the file clock, which may have been set
 * back in between. Errs toward yes. */
bool hub_is_since(const Hub *hub, int64_t ctime, int64_t stamp);

uint64_t hub_position(Hub *hub);            /* after all records that exist now */
uint64_t hub_read_position(const Hub *hub); /* after all that were read: no system call */
/* Whether no record exists behind the one that ends there. The kernel counts what waits one by one: it is asked last. */
bool hub_is_newest(Hub *hub, uint64_t position);
/* Reads what is there into the buffer, without handing it on: did anything change behind position `after` where the watch
 * is? Reads do not count: our own listings are among them. */
bool hub_heard(Hub *hub, int wd, uint64_t after);
/* The same, of all that is not handed on: was any directory made, moved or removed anywhere? */
bool hub_heard_of_directories(Hub *hub);
/* The same: was that name made, moved or removed in the directory with this watch (0: in any), or any directory moved or
 * removed? */
bool hub_heard_of_name(Hub *hub, int wd, const char *name, size_t length);
/* Records that were read wait to be handed on, and not for a second half: nothing in the kernel will wake us for them. */
bool hub_is_behind(const Hub *hub);
bool hub_caught_up(Hub *hub); /* all records that exist were handed on */

/* Reads what is there (one buffer), hands it on, and says whether more may be waiting at once. -errno on failure. */
int hub_step(Hub *hub, double now);
double hub_deadline(
	const Hub *hub); /* when hub_step wants to be called without a record; 0: never */

#endif
