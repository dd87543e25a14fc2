/* SPDX-License-Identifier: MIT
 *
 * tree.h - the index of what is watched, and what changes in it.
 *
 * The index is what the user was told: every change of it is told to the sink at once, and nothing is told that is not
 * a change of the index or of a file's content. Records (apply.c) are hints toward the disk; a listing (scan.c) brings
 * one directory into agreement with it. Which of two is younger says their position (hub.h).
 *
 * A tree has roots; each root has a top directory while it exists, and a way (way.c): watches on what leads to it.
 */
#ifndef MOONWATCH_TREE_TREE_H
#define MOONWATCH_TREE_TREE_H

#include "base/eventop.h"
#include "tree/hub.h"
#include "tree/pattern.h"

typedef struct Root Root;
typedef struct Step Step;
typedef struct Beside Beside;

/* One thing told. Pointers are borrowed for the call. */
typedef struct Told {
	uint8_t op;       /* EventOp */
	uint8_t type;     /* FileType */
	uint8_t replaced; /* FileType of what was put out of the way, 0 for nothing */
	bool synthetic;   /* found by looking */
	bool exchange;
	bool initial; /* part of what was there at the start */
	uint32_t mask, cookie;
	int wd;
	Root *root;
	Dir *dir;         /* NULL for what concerns the root as such */
	const char *name; /* length 0: the directory itself */
	size_t name_length;
	Node *node;    /* the entry; of a delete: still whole, with all below it */
	Dir *from_dir; /* moves */
	const char *from_name;
	size_t from_name_length;
	int error; /* unwatched: errno */
} Told;

typedef struct TreeSink {
	void *owner;
	void (*tell)(void *owner, const Told *told);
	/* The rest may be NULL. */
	/* Whether a directory is to be looked into; it is not in the index yet. */
	bool (*enter)(void *owner, Dir *parent, Node *node);
	/* An entry is about to be renamed, or (replaced) silently put out of the way. */
	void (*leave)(void *owner, Dir *dir, Node *node, bool replaced);
	/* A directory is being listed: what its listing holds is found next. */
	void (*list)(void *owner, Dir *dir, int fd);
	void (*forget)(void *owner, Dir *dir); /* it is freed soon */
} TreeSink;

typedef struct TreeOptions {
	uint32_t mask; /* NOTIFY_* beyond what the tree needs itself: MODIFY, OPEN, ... */
	bool flat;     /* not recursive */
	bool follow, one_filesystem;
	bool poll;           /* no watches */
	bool automatic;      /* no watches on network file systems; proc and sysfs are refused */
	double interval;     /* seconds between two looks at a polled directory */
	size_t most_watches; /* 0: the kernel's limit alone */
	bool initial;        /* what is there at the start is told as well */
	bool limit_is_error; /* a watch that cannot be had fails the tree instead of polling */
	bool missing_waits;
} TreeOptions;

enum { TRAIL_MOST = 32, LONG_PATHS = 8 };

struct Root {
	Tree *tree;
	uint32_t index;
	Root *outer;         /* the innermost other root of the tree that holds this one, by path */
	size_t inner_count;  /* roots whose `outer` this is */
	bool check;          /* the way is to be walked again */
	bool single;         /* a file, followed by name */
	bool known;          /* existed at least once, so that `single` is decided */
	bool ready;          /* its first look is over: from now on changes are told */
	bool waited;         /* was missing at the start, and that was allowed */
	bool unsure;         /* its way cannot be watched: looked at by time */
	Text *given;         /* as the user wrote it */
	Text *prefix;        /* paths of events begin with this */
	Text *real;          /* absolute, for the way */
	Text *key;           /* the same without dots and doubled slashes, to be compared */
	Text *name;          /* single: the last component of prefix, told as name */
	Text *prefix_folder; /* single: the folder's part of prefix */
	Text *folder;        /* single: the directory that is watched for it */
	Text *leaf;          /* single: the last component on the disk, links followed */
	Text *awaited;       /* while it is missing: the component that is missing */
	Dir *top;            /* NULL while it is gone */
	Step **steps;
	size_t step_count;
	size_t old_steps; /* the first of them are a walk's that is being done again */
	Beside **besides; /* beside.h; some may be NULL */
	size_t beside_count;
	Identity file; /* single: who the file is, to know a swapped link */
};

/* Where a rename went: places only, never followed. */
typedef struct LastRename {
	const Dir *from_dir, *to_dir; /* from_dir NULL: none */
	uint32_t from_hash, to_hash;
} LastRename;

/* Descriptors of one branch, each the parent of the next; open during a slice only (trail.c). */
typedef struct Trail {
	const Dir *dirs[TRAIL_MOST];
	int fds[TRAIL_MOST];
	size_t depth;
	bool stale; /* its directories may have moved or gone */
	/* Where paths begin, which is elsewhere by now; NULL: the root as the index has it. */
	const Dir *base;
	int base_fd;
} Trail;

/* What paces the recoveries after overflows (recover.c). */
typedef struct Recovery {
	bool running;
	double due_at;   /* 0: none waits */
	double ended_at; /* the last one */
	double spent;    /* seconds of scanning in the one that is running, or in the last */
	int streak;      /* recoveries without a calm time between them */
} Recovery;

struct Tree {
	Hub *hub;
	List link;
	List busy; /* in the hub's list of trees that have something to do */
	uint16_t index;
	TreeOptions options;
	TreeSink sink;
	Pool pool;
	Root **roots;
	size_t root_count;
	Root **by_path; /* those that have entered, in the order of their paths (roots.c) */
	size_t entered;
	uint32_t generation; /* directories moved so far: cached paths of older ones are checked */
	Dir *long_paths[LONG_PATHS]; /* who have cached one that is longer than PATH_MAX, or had */
	size_t next_long;
	bool ready; /* the first look at the first roots is over */
	/* Records up to here are held against the disk: what the first look lists has no position of its own, since
	 * nothing is told of it. UINT64_MAX while it lasts. */
	uint64_t unsure_until;
	bool checks;       /* some root's way is to be walked */
	bool starved;      /* out of memory: something could not even be noted for later */
	bool full;         /* no watch is to be had until the next poll */
	bool holds_mounts; /* below a root, or held some when they were looked for last */
	bool ails; /* a directory cannot be read, which may pass: it is tried at the next poll */
	bool limit_reached, limit_told;
	Dir **pending; /* stack of directories to scan */
	size_t pending_count, pending_size;
	Dir **deferred; /* those that were not where the index has them while records were unread */
	size_t deferred_count, deferred_size;
	uint64_t deferred_until;
	Dir **linking; /* with `follow`: those that hold symbolic links */
	size_t linking_count, linking_size;
	double empty_at; /* 0: no root became empty; else when to see whether it is still there */
	double retry_at; /* 0: nothing to retry (out of descriptors or memory) */
	double poll_at;  /* 0: nothing is polled */
	int64_t stamp;   /* file clock before the read or the listing under way */
	int64_t gap; /* file clock when the queue was last known to be empty before records were lost */
	Recovery recovery;
	uint32_t
		skip_cookie; /* second pair of an exchange that was told with the first, by whichever path it comes */
	bool skips;
	LastRename last;    /* that put something out of the way */
	LastRename last_in; /* that brought something to a name */
	bool behind;        /* the last work stopped because records were unread */
	size_t directories, entries, watches, polled, rescans, overflows;
	Fate fate; /* of the record under way, so far */
	uint64_t fates[FATE_COUNT];
	uint64_t sequence;
	Trail trail;
};

/* The strings are copied. */
typedef struct RootNames {
	const char *given;  /* as the user wrote it: event.root */
	const char *prefix; /* paths of events begin with it */
	const char *real;   /* absolute */
	const char *key;    /* the same, clean (base/path.h) */
} RootNames;

/* The folder of a single file: one of its names counts, and what has that is not entered. */
static inline bool dir_is_single(const Dir *dir)
{
	return dir->parent == NULL && dir->entry.root->single;
}

/* Of its files a signature is kept, and not when they were told (scan.c). */
static inline bool dir_signs(const Dir *dir)
{
	return dir->polled || dir->was_polled;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

int tree_open(Tree **out, Hub *hub, const TreeOptions *options, TreeSink sink);
void tree_close(Tree *tree); /* NULL is fine; nothing is told */
/* To another sink, before the first scan; of what is there at the start nothing is told. */
void tree_hand_over(Tree *tree, TreeSink sink);
/* The root is looked for at once: -ENOENT etc. where it is not there and
 * missing does not wait; nothing is kept then. Its content is scanned by tree_work. */
int tree_add_root(Tree *tree, const RootNames *names, Root **out);
void tree_remove_root(Tree *tree, Root *root); /* nothing is told */
/* It may have something to do: tree_work is called until nothing is left (tree_is_idle). */
static inline void tree_wake(Tree *tree)
{
	if (!list_linked(&tree->busy))
		list_append(&tree->hub->busy, &tree->busy);
}

/* The way to a root is to be walked again. */
static inline void tree_doubt_root(Root *root)
{
	root->check = root->tree->checks = true;
	tree_wake(root->tree);
}

/* All is looked through: what is found from now on has its position. Ready is who has handed on the records up to the
 * position that is returned. */
uint64_t tree_end_first_look(Tree *tree);

/* Nothing is told of the first look, and its listings have no position. */
static inline bool tree_looks_first(const Tree *tree)
{
	return tree->unsure_until == UINT64_MAX;
}

/* --- index: each change is told ---------------------------------------------------------------------------------- */

Text *tree_path(Tree *tree,
	Dir *dir); /* borrowed until the next change, or LONG_PATHS others; NULL out of memory */
Root *tree_root_of(const Tree *tree, const Dir *dir);
/* The one of exactly this path (base/path.h), or NULL. */
Root *tree_find_root(const Tree *tree, const char *key);
/* The root of its own that an entry is, or NULL. */
Root *tree_root_at(const Tree *tree, const Dir *parent, const Node *node);
size_t root_rel_at(const Root *root); /* where in a path the part below the root begins */
bool tree_is_below(const Dir *dir, const Dir *ancestor); /* or the same */
/* `like` gives mask, cookie, wd, synthetic, replaced, initial; the rest is filled in. NULL out of memory. */
Node *tree_create(
	Tree *tree, Dir *dir, const char *name, size_t length, FileType type, const Told *like);
void tree_fill_type(Tree *tree, Dir *dir, Node *node); /* by a look, where it is unknown */
void tree_insert(Tree *tree, Dir *dir, Node *node);    /* silently; one made with node_new */
void tree_empty(Tree *tree, Dir *top);                 /* silently: all below */
void tree_remove_top(Tree *tree, Dir *top);            /* silently: a whole root */
void tree_delete(Tree *tree, Dir *dir, Node *node, const Told *like); /* like NULL: silently */
/* What stands at the new place is dropped silently and named in `replaced`. Returns the node at its new place (a new
 * address: the name is inline), NULL out of memory: then the old one is deleted. */
Node *tree_move(
	Tree *tree, Dir *dir, Node *node, Dir *to, const char *name, size_t length, const Told *like);
/* Out of memory nothing is done, and both directories are looked at later. */
void tree_exchange(Tree *tree, Dir *a_dir, Node *a, Dir *b_dir, Node *b, const Told *like);
void tree_tell(Tree *tree, uint8_t op, Dir *dir, Node *node, const Told *like);
/* What was found by looking speaks as what is told: the content of a regular file follows its create. */
void tree_tell_content(Tree *tree, Dir *dir, Node *node, const Told *like);
void tree_tell_root(Tree *tree, uint8_t op, Root *root, int error);
void tree_stamp(Tree *tree, Node *node);
int64_t tree_told_at(const Tree *tree, const Node *node); /* that stamp, on the file clock */

void tree_leave(Tree *tree, Dir *dir, Node *node, bool replaced); /* says so to the sink */

/* A directory is no longer to be looked into (all below it is forgotten, silently), or again. */
void tree_prune(Tree *tree, Dir *dir, bool pruned);

/* --- records (apply.c) -------------------------------------------------------------------------------------------- */

void tree_record(Tree *tree, Dir *dir, const Record *record);
void tree_rename(Tree *tree, Dir *from_dir, Dir *to_dir, const Pair *pair);
void tree_watch_died(Tree *tree, Dir *dir);

/* --- recoveries (recover.c) ------------------------------------------------------------------------------------------ */

void tree_overflow(Tree *tree);         /* records were lost */
void tree_count(Tree *tree, Fate fate); /* of one record: for the tree and for all together */
/* That much has come of the record under way; harmless between records. */
static inline void tree_raise_fate(Tree *tree, Fate fate)
{
	if (fate > tree->fate)
		tree->fate = fate;
}

/* --- scans (scan.c) ------------------------------------------------------------------------------------------------ */

enum { SCAN_DEEP = 1, SCAN_REWATCH = 2, SCAN_COMPARE = 4 };
void tree_retry(Tree *tree,
	Dir *dir); /* out of memory or descriptors: the directory is looked at again later */
void tree_drop_dead(
	Tree *tree); /* frees directories that left the index while they stood in a list */
/* One that is dead and has left a list: it is freed where it stands in no other. */
void tree_free_dead(Tree *tree, Dir *dir);
void tree_lack(Tree *tree);        /* out of memory: all is looked at again later */
void tree_leave_trail(Tree *tree); /* its directories may have moved or gone */
void tree_scan_later(Tree *tree, Dir *dir, unsigned how);
/* Scans until nothing is pending or the time is over. True: there is more to do at once. */
bool tree_work(Tree *tree, double until);
void tree_check_roots(Tree *tree); /* walks the ways that are in doubt */
bool tree_polls(const Tree *tree); /* there is something that nobody tells */
void tree_poll(Tree *tree);        /* all that is to be looked at now */
/* `dir` was moved to `name` in `to`. If its records were lost, what it has lost is told under its old path, where it
 * was; call it before tree_move. */
void tree_before_move(Tree *tree, Dir *dir, Dir *to, const char *name, size_t length);
bool tree_is_settled(const Tree *tree); /* nothing pending, deferred or to be checked */
double tree_deadline(const Tree *tree); /* 0: none */
bool tree_is_idle(const Tree *tree);    /* settled, and without a deadline */
/* A descriptor of the directory, proven to be it and at its begin; borrowed until tree_close_trail. */
int tree_open_dir(Tree *tree, Dir *dir);
void tree_close_trail(Tree *tree);
void tree_rest_trail(Tree *tree); /* the same where it is not used again at once */
int tree_watch(Tree *tree, Dir *dir, int fd);
/* The directory that follows among those below `top`, parents first and `top` itself before all; NULL behind the last.
 * Without recursion or memory of its own: trees may be deeper than the stack. */
Dir *tree_next_dir(const Dir *top, Dir *dir);
/* A directory that a record has named: a create. It is opened, watched and listed later. */
Node *tree_create_dir(Tree *tree, Dir *parent, const char *name, size_t length, const Told *like);

/* --- mounts (remount.c) --------------------------------------------------------------------------------------------- */

/* A mount came or went at this path, which has no link in it. */
void tree_remounted(Tree *tree, const char *path);
/* The path at which one went may be an old one: whatever is a mount in the index is looked for at its place. */
void tree_verify_mounts(Tree *tree);

/* --- ways (way.c) --------------------------------------------------------------------------------------------------- */

int way_start(Root *root);  /* first walk; the top is made where it is there */
void way_check(Root *root); /* walks again and tells gone and back */
void way_lose(
	Root *root); /* the root is not where it was: gone is told, and the way is walked again */
/* Looks whether each root is still where it was: one that is gone tells nothing while somebody has it open. */
void tree_verify_roots(Tree *tree);
void tree_verify_empty(Tree *tree); /* when it is time */
void way_drop(Root *root);
/* A record says that the way may lead elsewhere: it is walked before the next record is believed. */
void way_doubt(Root *root);
/* The root to which the way may lead over that name, in the directory that is claimed; mostly NULL. */
Root *way_leads_over(const Claim *claim, const Record *record);
Tree *way_record(Claim *claim, const Record *record); /* whose it is */

#endif
