/* SPDX-License-Identifier: MIT
 *
 * border.c - which entries of a tree are shown, and which directories are entered.
 *
 * Several roots may hold one path: then it belongs to the innermost, and is shown where any of them would show it.
 */
#include "stream/border.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* --- paths -------------------------------------------------------------------------------------------------------- */

static bool make_room(Border *border, size_t size)
{
	if (size <= border->path_size)
		return true;
	char *grown = realloc(border->path, size * 2);
	if (grown == NULL)
		return false;
	border->path = grown;
	border->path_size = size * 2;
	return true;
}

static const char *compose(Border *border, const Root *root, const Text *path, const char *name,
	size_t length, size_t *rel_length)
{
	size_t at = root_rel_at(root);
	size_t head = path->length > at ? path->length - at : 0;
	if (!make_room(border, head + 1 + length + 1))
		return NULL;
	memcpy(border->path, path->bytes + at, head);
	if (head > 0 && length > 0)
		border->path[head++] = '/';
	memcpy(border->path + head, name, length);
	border->path[head + length] = '\0';
	*rel_length = head + length;
	return border->path;
}

const char *border_rel(
	Border *border, Dir *dir, const char *name, size_t length, size_t *rel_length)
{
	const Text *path = tree_path(border->tree, dir);
	return path != NULL
		? compose(border, tree_root_of(border->tree, dir), path, name, length, rel_length)
		: NULL;
}

/* An entry that is judged: below one root, and as others that hold it call it. */
typedef struct Subject {
	Border *border;
	Root *root;
	Dir *dir;
	const char *rel;
	size_t length;
	bool isdir;
	const Node *node; /* whose remembered verdict stands for the filter's; NULL: ask */
} Subject;

static size_t components(const char *rel, size_t length)
{
	size_t count = 1;
	for (size_t i = 0; i < length; i++)
		count += rel[i] == '/';
	return count;
}

static Text *key_of(const Subject *subject)
{
	const Text *key = subject->root->key;
	return text_join(key->bytes, key->length, subject->rel, subject->length);
}

/* --- paths that were taken out --------------------------------------------------------------------------------------- */

/* What was taken out of an outer root does not count in a root that was added within. */
bool border_is_removed(const Border *border, const Root *root, const char *key)
{
	for (size_t i = 0; i < border->removed_count; i++) {
		const char *removed = border->removed[i]->bytes;
		const char *rel = path_below(removed, root->key->bytes);
		if (rel != NULL && rel[0] != '\0' && path_below(key, removed) != NULL)
			return true;
	}
	return false;
}

int border_remove(Border *border, const char *key)
{
	Text **grown = realloc(border->removed, (border->removed_count + 1) * sizeof(Text *));
	if (grown == NULL)
		return -ENOMEM;
	border->removed = grown;
	Text *text = text_copy(key, strlen(key));
	if (text == NULL)
		return -ENOMEM;
	border->removed[border->removed_count++] = text;
	border->active = true;
	return 0;
}

/* An inner root keeps what was taken out of it. */
static bool is_of_inner(const Border *border, const Root *root, const char *removed)
{
	const Tree *tree = border->tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		const Root *inner = tree->roots[i];
		const char *rel = path_below(removed, inner->key->bytes);
		if (inner != root && path_below(inner->key->bytes, root->key->bytes) != NULL &&
			rel != NULL && rel[0] != '\0')
			return true;
	}
	return false;
}

void border_restore(Border *border, const Root *root)
{
	size_t kept = 0;
	for (size_t i = 0; i < border->removed_count; i++) {
		Text *text = border->removed[i];
		if (path_below(text->bytes, root->key->bytes) != NULL &&
			!is_of_inner(border, root, text->bytes))
			text_free(text);
		else
			border->removed[kept++] = text;
	}
	border->removed_count = kept;
}

/* --- the rules ---------------------------------------------------------------------------------------------------------- */

static bool refuse(Verdict *verdict, Reason reason)
{
	*verdict = (Verdict){.reason = reason};
	return false;
}

static const Root *other_root(const Subject *subject, const char *key)
{
	const Tree *tree = subject->border->tree;
	for (size_t i = 0; i < tree->root_count; i++) {
		const Root *root = tree->roots[i];
		if (root->outer == subject->root && (root->ready || !subject->root->ready) &&
			strcmp(root->key->bytes, key) == 0)
			return root;
	}
	return NULL;
}

/* A file in the place of a root that is a directory while it is there, or the other way round: nobody else tells it. */
static bool takes_its_place(const Subject *subject, const Root *nested)
{
	return subject->isdir == nested->single && nested->known;
}

/* What neither pattern nor filter decides. A directory that is another root is shown, but not entered. */
static bool passes_places(const Subject *subject, Verdict *verdict)
{
	const Border *border = subject->border;
	if (border->removed_count == 0 && subject->root->inner_count == 0)
		return true;
	Text *key = key_of(subject);
	if (key == NULL)
		return refuse(verdict, REASON_MEMORY);
	bool removed = border_is_removed(border, subject->root, key->bytes);
	const Root *nested = subject->root->inner_count > 0 ? other_root(subject, key->bytes) : NULL;
	text_free(key);
	if (removed)
		return refuse(verdict, REASON_REMOVED);
	if (nested != NULL && !subject->isdir && !takes_its_place(subject, nested))
		return refuse(verdict, REASON_NESTED);
	if (nested != NULL && !takes_its_place(subject, nested))
		verdict->entered = false;
	return true;
}

static bool passes_ignore_files(const Subject *subject, Verdict *verdict)
{
	const Ignored *ignored = &subject->border->ignored;
	IgnoreHit hit;
	if (ignored->set == NULL ||
		ignored_match(ignored, subject->dir, subject->rel, subject->length, subject->isdir, &hit) <=
			0)
		return true;
	refuse(verdict, REASON_IGNORE_FILE);
	verdict->hit = hit;
	return false;
}

static bool passes_filter(const Subject *subject, Verdict *verdict)
{
	const BorderRules *rules = &subject->border->rules;
	NodeBorder known = subject->node != NULL ? subject->node->border : BORDER_UNKNOWN;
	if (rules->filter == NULL || known == BORDER_SHOWN)
		return true;
	if (known != BORDER_REFUSED &&
		rules->filter(rules->owner, subject->rel, subject->length, subject->isdir))
		return true;
	return refuse(verdict, REASON_FILTER);
}

/* --- roots that were given as patterns --------------------------------------------------------------------------------- */

Pattern *border_selection(const Border *border, const Root *root)
{
	return root->index < border->selection_count ? border->selections[root->index] : NULL;
}

int border_select(Border *border, const Root *root, Pattern *selection)
{
	size_t count = border->selection_count;
	if (root->index >= count && selection == NULL)
		return 0;
	if (root->index >= count) {
		size_t size = (size_t)root->index + 1;
		Pattern **grown = realloc(border->selections, size * sizeof(Pattern *));
		if (grown == NULL)
			return -ENOMEM;
		memset(grown + count, 0, (size - count) * sizeof *grown);
		border->selections = grown;
		border->selection_count = size;
	}
	pattern_free(border->selections[root->index]);
	border->selections[root->index] = pattern_share(selection);
	border->active |= selection != NULL;
	return 0;
}

void border_forget_root(Border *border, const Root *root)
{
	size_t index = root->index;
	if (index >= border->selection_count)
		return;
	pattern_free(border->selections[index]);
	border->selection_count--;
	memmove(border->selections + index, border->selections + index + 1,
		(border->selection_count - index) * sizeof(Pattern *));
}

/* --- the verdict --------------------------------------------------------------------------------------------------------- */

/* As one of the roots that hold the entry sees it. */
static Verdict judge_for(
	const Border *border, const Root *root, const char *rel, size_t length, bool isdir)
{
	const BorderRules *rules = &border->rules;
	const Pattern *selection = border_selection(border, root);
	uint32_t depth = rules->flat ? 1 : rules->depth;
	size_t level = depth > 0 ? components(rel, length) : 0;
	if (level > depth)
		return (Verdict){.reason = REASON_DEPTH};
	int number = pattern_verdict(rules->ignore, rel, length, isdir, NULL);
	if (number > 0)
		return (Verdict){.reason = REASON_IGNORE, .number = number};
	Verdict verdict = {.shown = true};
	if (!isdir)
		verdict.closed = REASON_NONE;
	else if (depth > 0 && level == depth)
		verdict.closed = REASON_DEPTH;
	else if (selection != NULL && !pattern_may_match_below(selection, rel, length))
		verdict.closed = REASON_ROOT;
	else if (rules->match != NULL && !pattern_may_match_below(rules->match, rel, length))
		verdict.closed = REASON_MATCH;
	verdict.entered = isdir && verdict.closed == REASON_NONE;
	if (selection != NULL && pattern_verdict(selection, rel, length, isdir, NULL) <= 0)
		verdict.reason = REASON_ROOT;
	else if (rules->match != NULL && pattern_verdict(rules->match, rel, length, isdir, NULL) <= 0)
		verdict.reason = REASON_MATCH;
	verdict.shown = verdict.reason == REASON_NONE;
	return verdict;
}

/* All roots that hold it, from the innermost out. */
static Verdict judge_patterns(const Subject *subject)
{
	Verdict verdict =
		judge_for(subject->border, subject->root, subject->rel, subject->length, subject->isdir);
	if (subject->root->outer == NULL)
		return verdict;
	Text *key = key_of(subject);
	for (const Root *outer = subject->root->outer; key != NULL && outer != NULL;
		 outer = outer->outer) {
		const char *rel = path_below(key->bytes, outer->key->bytes);
		Verdict other = judge_for(subject->border, outer, rel, strlen(rel), subject->isdir);
		if (other.shown && !verdict.shown)
			verdict.reason = REASON_NONE;
		verdict.shown |= other.shown;
		verdict.entered |= other.entered;
	}
	text_free(key);
	return verdict;
}

/* A directory that has taken the name of a single file belongs to the root around it, where there is one. */
static Verdict judge_single(const Root *root, bool isdir)
{
	if (isdir && root->outer != NULL)
		return (Verdict){.reason = REASON_NESTED};
	return (Verdict){.shown = true, .entered = isdir};
}

/* The filter is asked last, and only about what is shown but for it, or entered. */
static Verdict judge(const Subject *subject)
{
	Verdict verdict = {.shown = true, .entered = subject->isdir};
	if (subject->root->single)
		return judge_single(subject->root, subject->isdir);
	verdict = judge_patterns(subject);
	if (!verdict.shown && !verdict.entered)
		return verdict;
	if (passes_places(subject, &verdict) && passes_ignore_files(subject, &verdict))
		passes_filter(subject, &verdict);
	return verdict;
}

static Verdict starve(Border *border, bool isdir)
{
	border->starved = true;
	return (Verdict){.shown = true, .entered = isdir, .reason = REASON_MEMORY};
}

Verdict border_ask(
	Border *border, Dir *dir, const char *name, size_t length, bool isdir, const Node *node)
{
	Subject subject = {
		.border = border,
		.root = tree_root_of(border->tree, dir),
		.dir = dir,
		.isdir = isdir,
		.node = node,
	};
	subject.rel = border_rel(border, dir, name, length, &subject.length);
	if (subject.rel == NULL)
		return starve(border, isdir);
	return judge(&subject);
}

Verdict border_ask_rel(
	const Border *border, const Root *root, const char *rel, size_t length, bool isdir)
{
	if (root->single)
		return (Verdict){.shown = true, .entered = isdir};
	return judge_for(border, root, rel, length, isdir);
}

Verdict border_ask_at(
	Border *border, const Root *root, const Text *dir, const char *name, size_t length, bool isdir)
{
	size_t rel_length;
	const char *rel = compose(border, root, dir, name, length, &rel_length);
	if (rel == NULL)
		return starve(border, isdir);
	return border_ask_rel(border, root, rel, rel_length, isdir);
}

bool border_judge(Border *border, Dir *dir, Node *node, bool renamed)
{
	bool isdir = node_is_dir(node);
	Verdict verdict =
		border_ask(border, dir, node_name(node), node->name_length, isdir, renamed ? NULL : node);
	if (border->by_path)
		return verdict.entered;
	NodeBorder hidden = verdict.reason == REASON_FILTER ? BORDER_REFUSED : BORDER_HIDDEN;
	node->border = (verdict.shown ? BORDER_SHOWN : hidden) & 3u;
	return verdict.entered;
}

bool border_shows(Border *border, Dir *dir, Node *node)
{
	if (!border->active)
		return true;
	if (border->by_path)
		return border_ask(border, dir, node_name(node), node->name_length, node_is_dir(node), NULL)
			.shown;
	if (node->border == BORDER_UNKNOWN)
		border_judge(border, dir, node, false);
	return node->border == BORDER_SHOWN;
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

void border_init(Border *border, const BorderRules *rules)
{
	*border = (Border){.rules = *rules, .ignored.set = rules->ignores};
	border->active = rules->flat || rules->depth > 0 || rules->match != NULL ||
		rules->ignore != NULL || rules->ignores != NULL || rules->filter != NULL;
}

void border_clear(Border *border)
{
	for (size_t i = 0; i < border->removed_count; i++)
		text_free(border->removed[i]);
	free(border->removed);
	for (size_t i = 0; i < border->selection_count; i++)
		pattern_free(border->selections[i]);
	free(border->selections);
	pattern_free(border->rules.match);
	pattern_free(border->rules.ignore);
	ignored_clear(&border->ignored);
	free(border->path);
	*border = (Border){0};
}
