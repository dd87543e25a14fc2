/* SPDX-License-Identifier: MIT
 *
 * node.h - an entry of the index: a name below a parent, never a path.
 *
 * A file costs 24 bytes and its name, a directory 96 and its name. The children of a directory are a list while they
 * are few and a hash table when they are many. Nodes come from the tree's pool and are freed through it.
 */
#ifndef MOONWATCH_TREE_NODE_H
#define MOONWATCH_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/filetype.h"
#include "base/pool.h"
#include "base/text.h"
#include "os/dir.h"

typedef struct Node Node;
typedef struct Dir Dir;
struct Root;

#define TOLD_MASK 0xffffffffffffu /* the bits of Node.told */

/* Kept here for the view: what its reader was told of an entry. */
typedef enum NodeBorder { BORDER_UNKNOWN, BORDER_SHOWN, BORDER_HIDDEN, BORDER_REFUSED } NodeBorder;

struct Node {
	union {
		Node *next;        /* in the parent's list or bucket */
		struct Root *root; /* of a top directory */
	};
	uint64_t ino; /* 0: not known (learned from a record) */
	uint64_t
		told : 48; /* when its content was last told (hub.h); in polled directories a signature */
	uint64_t type : 3;    /* FileType; unknown means "no directory" */
	uint64_t seen : 1;    /* by the listing that is under way */
	uint64_t writing : 1; /* told of a writer, not yet of its end */
	uint64_t border : 2;  /* what a view has decided (NodeBorder) */
	uint64_t outside : 1; /* a directory renamed beyond its room: inline is a pointer to the name */
	uint64_t name_length : 8;
	char inline_name[]; /* without NUL; node_name() */
};

/* Whoever wants the records of one kernel watch; several claims on one inode form a list. */
typedef struct Claim {
	struct Claim *next;
	int wd;        /* -1: none */
	uint8_t kind;  /* CLAIM_DIR: embedded in a Dir; CLAIM_STEP: in a Step of a way */
	uint16_t tree; /* of a Dir: index in the hub's table of trees */
} Claim;

enum { CLAIM_DIR, CLAIM_STEP, CLAIM_BESIDE };

struct Dir {
	Claim claim;
	union {
		Node *first;    /* bucket_bits == 0 */
		Node **buckets; /* 1 << bucket_bits of them */
	};
	uint32_t count; /* children */
	uint16_t
		holds_links : 1; /* stands in the tree's list of directories with symbolic links (links.h) */
	uint16_t name_room : 6; /* for the name, in units of eight bytes */
	uint16_t bucket_bits : 5;
	uint16_t pending : 1;    /* stands in the tree's list of directories to scan */
	uint16_t deep : 1;       /* ... with all below it */
	uint16_t rewatch : 1;    /* ... and its watch is not believed */
	uint16_t compare : 1;    /* ... and contents changed since told are told */
	uint16_t dead : 1;       /* out of the index, freed when it leaves the lists it stands in */
	uint16_t pruned : 1;     /* not wanted: neither read nor watched */
	uint16_t polled : 1;     /* looked at by time; `told` of its files are signatures */
	uint16_t unreadable : 1; /* told as unwatched */
	uint16_t listed : 1;     /* its children are known */
	uint16_t linked : 1;     /* reached through a symbolic link */
	uint16_t mounted : 1;    /* another file system, or part of one, begins here */
	uint16_t was_polled : 1; /* has a watch by now; `told` of its files are still signatures */
	Text *path;              /* cached; valid while path_generation is the tree's */
	uint32_t path_generation;
	uint32_t dev;
	uint64_t listed_from; /* records up to here are part of the last listing */
	uint64_t listed_to;   /* records up to here may be part of it */
	Dir *parent;          /* NULL for a top directory */
	Node entry;
};

static inline bool node_is_dir(const Node *node)
{
	return node->type == TYPE_DIRECTORY;
}

/* Of what no listing and no look has shown: files are closed by their writer soon after they are made, links never. */
static inline FileType node_likely_type(const Node *node)
{
	FileType guess = node->writing ? TYPE_LINK : TYPE_FILE;
	return node->type != TYPE_UNKNOWN ? (FileType)node->type : guess;
}

static inline Dir *dir_of(const Node *node)
{
	return (Dir *)(void *)((char *)(uintptr_t)node - offsetof(Dir, entry));
}

/* Children in no order; the current one may be removed, others and additions are not allowed. */
typedef struct ChildCursor {
	size_t bucket;
	Node *next;
} ChildCursor;

static inline const char *node_name(const Node *node)
{
	return node->outside ? *(char *const *)(const void *)node->inline_name : node->inline_name;
}

Node *node_new(Pool *pool, FileType type, const char *name,
	size_t length);                     /* zeroed but for these; NULL out of memory */
void node_free(Pool *pool, Node *node); /* without its children */
int node_rename(Pool *pool, Node *dir, const char *name,
	size_t length); /* of a directory that is in no list; -ENOMEM */

/* Appends to a growing array; false out of memory. */
bool dirs_push(Dir ***list, size_t *count, size_t *size, Dir *dir);

Node *children_find(const Dir *dir, const char *name, size_t length);
void children_add(Dir *dir, Node *node); /* the name must not be there yet */
void children_remove(Dir *dir, Node *node);
void children_clear(Dir *dir); /* frees the table; there are no children left */
Node *children_start(const Dir *dir, ChildCursor *cursor);
void children_clear_seen(const Dir *dir); /* no child counts as seen by a listing */
Node *children_next(const Dir *dir, ChildCursor *cursor);
void children_resume(const Dir *dir, ChildCursor *cursor, const Node *node); /* behind that child */
/* Gives the table up for a plain list, so that taking out the first child again and again costs the same each time. */
void children_flatten(Dir *dir);

#endif
