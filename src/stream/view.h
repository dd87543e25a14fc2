/* SPDX-License-Identifier: MIT
 *
 * view.h - what one reader sees of a tree: its filter, and the queue behind it.
 *
 * The border of the view is the border of the tree: what is renamed into it is a create, out of it a delete; a
 * directory that is moved or removed and is itself not shown is told entry by entry for what is shown below it. So the
 * events, applied to the shown part of the tree as it was, give the shown part as it is.
 */
#ifndef MOONWATCH_STREAM_VIEW_H
#define MOONWATCH_STREAM_VIEW_H

#include "stream/border.h"
#include "stream/fold.h"
#include "stream/latest.h"
#include "stream/queue.h"
#include "tree/tree.h"

typedef struct View View;

typedef struct ViewOptions {
	uint32_t ops; /* 1 << EventOp of what is told */
	bool initial; /* what is there at the start is told as well */
	BorderRules rules;
	size_t most_queued; /* beyond it what waits is folded */
} ViewOptions;

struct View {
	void (*stir)(View *
			view); /* there is something new for the reader, or to repair; once until `stirred` is taken back */
	bool stirred;
	Tree *tree;
	List link; /* of a fan */
	ViewOptions options;
	Border border;
	Queue queue;
	Latest latest; /* of those queued, once somebody asks */
	Fold fold;     /* beyond the bound, in place of the queue */
	size_t bound; /* of the queue: what was folded to more than half of it may grow to twice that */
	bool left_hidden; /* what was put out of the way last was not shown */
	bool muted;       /* paused: nothing is queued */
	bool waits;       /* one of several: nothing is told before it is ready */
	bool failed;      /* out of memory: an event was lost */
	uint64_t sequence;
	uint64_t coalesced; /* repeated in a row and told once, or folded */
	uint64_t synthetic; /* of those told */
	uint64_t folds;     /* how often the reader was too slow */
	uint64_t told[OP_COUNT];
};

void view_init(View *view, const ViewOptions *options); /* takes the rules' uses */
void view_set_tree(View *view, Tree *tree);
void view_clear(View *view);
/* From now on changes below the roots that the tree has now are told. Of several, also what else it was to be told of
 * what is there now. */
void view_set_ready(View *view);
TreeSink view_sink(View *view);
/* --- one of several that look at a tree (fan.h); what it shows follows from the path alone */
bool view_may_share(const View *view); /* before the first scan */
void view_share(View *view);           /* is one of several from now on */
/* A path below a root. */
typedef struct Sight {
	const Root *root;
	const char *rel;
	size_t length;
} Sight;
/* Something is told of the entry at this path alone, and of nothing below or in whose place it came; of a rename, it was
 * at `from` before, else that is NULL. Could it be of interest? */
bool view_listens(const View *view, const Told *told, const Sight *at, const Sight *from);
void view_tell(View *view, const Told *told);
bool view_enters(View *view, Dir *parent, Node *node);
void view_leave(View *view, Dir *dir, Node *node, bool replaced);
/* The next event for the reader, NULL where there is none; to be dropped from the queue. What was folded is told now. */
const Item *view_first(View *view);
/* What a look has shown of an entry that a record has told of, below a root as it was given: the index has what the
 * reader has. */
void view_learn(
	View *view, const char *given, const char *rel, size_t length, FileType type, uint64_t ino);
/* How many events wait for the reader; where they are folded, about. */
static inline size_t view_waiting(const View *view)
{
	return view->queue.count + fold_count(&view->fold);
}
/* After an event was lost for want of memory: all is told anew, root by root, as if it had gone and come back. */
void view_repair(View *view);
/* The rules have changed for all below a directory: what is shown now and was not is told as created, and the other way
 * round; or silently. */
void view_reconsider(View *view, Dir *dir, bool silently);
/* The same for one entry, which may be a directory. */
void view_reconsider_entry(View *view, Dir *dir, Node *node, bool silently);

#endif
