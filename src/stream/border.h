/* SPDX-License-Identifier: MIT
 *
 * border.h - which entries of a tree are shown, which directories are entered, and which rule says so.
 *
 * The verdict on an entry is remembered in its node: it is what the user was told. It is found when it is first asked
 * for (a directory's before its first look), and anew where a rename or another rule may change it.
 *
 * A node remembers for one border. Where several look at one tree, their verdicts follow from the path alone (`by_path`:
 * no filter, no ignore files, no root within another, nothing taken out): what was told of an entry is then what its
 * old path says.
 */
#ifndef MOONWATCH_STREAM_BORDER_H
#define MOONWATCH_STREAM_BORDER_H

#include "stream/ignored.h"
#include "tree/tree.h"

typedef struct BorderRules {
	bool flat;          /* nothing below the root's own entries */
	uint32_t depth;     /* components below the root that are shown; 0: all */
	Pattern *match;     /* counted uses, NULL for none */
	Pattern *ignore;    /* likewise */
	IgnoreSet *ignores; /* ignore files that are obeyed; NULL for none */
	/* Asked once per new entry; false prunes it. NULL: none. */
	bool (*filter)(void *owner, const char *rel, size_t length, bool isdir);
	void *owner;
} BorderRules;

typedef struct Border {
	Tree *tree;
	BorderRules rules;
	Ignored ignored;
	Pattern **
		selections; /* by Root.index: what is shown of a root that was given as a pattern; or NULL */
	size_t selection_count;
	Text **removed; /* absolute clean paths that are no longer watched */
	size_t removed_count;
	bool active;  /* some entries are not shown */
	bool by_path; /* nothing is remembered in nodes */
	bool starved; /* a verdict was given for want of memory */
	char *path;   /* scratch for rel paths, heap */
	size_t path_size;
} Border;

typedef enum Reason {
	REASON_NONE, /* shown */
	REASON_REMOVED,
	REASON_NESTED, /* another root's */
	REASON_DEPTH,
	REASON_IGNORE,
	REASON_IGNORE_FILE,
	REASON_FILTER,
	REASON_MATCH,
	REASON_ROOT, /* the root is a pattern, and this does not match it */
	REASON_MEMORY,
} Reason;

typedef struct Verdict {
	bool shown;
	bool entered; /* of a directory */
	Reason reason;
	Reason closed; /* why a directory that is shown, or hidden by match alone, is not entered */
	int number;    /* IGNORE: of the pattern */
	IgnoreHit hit; /* IGNORE_FILE */
} Verdict;

void border_init(Border *border, const BorderRules *rules); /* takes the uses */
void border_clear(Border *border);

/* What is shown of a root that was given as a pattern, anchored at it; a use is taken. NULL: all.
 * 0 or -ENOMEM. */
int border_select(Border *border, const Root *root, Pattern *selection);
Pattern *border_selection(const Border *border, const Root *root); /* borrowed; NULL: all */
void border_forget_root(Border *border, const Root *root); /* before it is removed from the tree */

/* The path of an entry below its root, in the border's scratch; NULL out of memory. */
const char *border_rel(
	Border *border, Dir *dir, const char *name, size_t length, size_t *rel_length);
/* As it was told, or would be now. `dir` is its parent. */
bool border_shows(Border *border, Dir *dir, Node *node);
/* Judged anew and remembered; the result is whether it is entered. The filter is asked again only where `renamed`, or
 * where it was not asked before. */
bool border_judge(Border *border, Dir *dir, Node *node, bool renamed);
/* The verdict on a name, whether it is there or not; nothing is remembered. Where a node is given that the
 * filter was asked about, that stands. */
Verdict border_ask(
	Border *border, Dir *dir, const char *name, size_t length, bool isdir, const Node *node);
/* The verdict on an entry of a directory with that path, wherever the index has it now; by path alone. */
Verdict border_ask_at(
	Border *border, const Root *root, const Text *dir, const char *name, size_t length, bool isdir);
/* The same on a path below the root. */
Verdict border_ask_rel(
	const Border *border, const Root *root, const char *rel, size_t length, bool isdir);
/* A path that is no longer watched, or again. 0 or -ENOMEM. */
int border_remove(Border *border, const char *key);
/* The path of a new root and all below it. */
void border_restore(Border *border, const Root *root);
bool border_is_removed(const Border *border, const Root *root, const char *key);

#endif
