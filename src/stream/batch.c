/* SPDX-License-Identifier: MIT
 *
 * batch.c - a list of net changes, each with its paths, as plain data.
 */
#include "stream/batch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/eventop.h"
#include "base/filetype.h"
#include "stream/overlay.h"

/* What batch_write puts in front; the last character is the version of the layout. */
static const char magic[8] = "mwnet\n\0\1";

typedef struct BatchHead {
	char magic[8];
	uint32_t change_size, count;
	uint64_t used;
} BatchHead;

void batch_clear(Batch *batch)
{
	free(batch->changes);
	free(batch->text);
	*batch = (Batch){0};
}

/* Makes *items hold one more of `size` bytes each, up to twice as many. */
static int grow(void **items, size_t *capacity, size_t needed, size_t size)
{
	if (needed <= *capacity)
		return 0;
	size_t bigger = needed < 16 ? 16 : needed * 2;
	void *moved = realloc(*items, bigger * size);
	if (moved == NULL)
		return -ENOMEM;
	*items = moved;
	*capacity = bigger;
	return 0;
}

Change *batch_add(Batch *batch)
{
	void *changes = batch->changes;
	int error = grow(&changes, &batch->capacity, batch->count + 1, sizeof(Change));
	batch->changes = changes;
	if (error < 0)
		return NULL;
	Change *change = &batch->changes[batch->count++];
	*change = (Change){0};
	return change;
}

char *batch_room(Batch *batch, size_t length, Span *span)
{
	void *text = batch->text;
	if (batch->used + length + 1 > UINT32_MAX)
		return NULL;
	int error = grow(&text, &batch->size, batch->used + length + 1, 1);
	batch->text = text;
	if (error < 0)
		return NULL;
	*span = (Span){.at = (uint32_t)batch->used, .length = (uint32_t)length};
	batch->used += length;
	return batch->text + span->at;
}

int batch_copy(Batch *batch, const char *bytes, size_t length, Span *span)
{
	char *room = batch_room(batch, length, span);
	if (room == NULL)
		return -ENOMEM;
	memcpy(room, bytes, length);
	return 0;
}

int batch_write(const Batch *batch, char **bytes, size_t *length)
{
	size_t changes_size = batch->count * sizeof(Change);
	BatchHead head = {
		.change_size = sizeof(Change), .count = (uint32_t)batch->count, .used = batch->used};
	size_t total = sizeof head + changes_size + batch->used;
	char *out = malloc(total);
	if (out == NULL)
		return -ENOMEM;
	memcpy(head.magic, magic, sizeof magic);
	memcpy(out, &head, sizeof head);
	if (batch->count > 0)
		memcpy(out + sizeof head, batch->changes, changes_size);
	if (batch->used > 0)
		memcpy(out + sizeof head + changes_size, batch->text, batch->used);
	*bytes = out;
	*length = total;
	return 0;
}

static bool is_inside(Span span, uint64_t used)
{
	return (uint64_t)span.at + span.length <= used;
}

static bool is_path(const ChangePath *path, uint64_t used)
{
	return is_inside(path->path, used) && is_inside(path->root, used) &&
		path->rel_at <= path->path.length;
}

static bool is_op(uint8_t op)
{
	return op == OP_CREATE || op == OP_MODIFY || op == OP_DELETE || op == OP_MOVE ||
		op == OP_ATTRIB;
}

/* Checked in the raw bytes, since a bool of any other value must not even be read as one. */
static bool are_booleans(const unsigned char *raw)
{
	static const size_t at[] = {offsetof(Change, modified), offsetof(Change, exchange),
		offsetof(Change, temporary), offsetof(Change, whole)};
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		if (raw[at[i]] > 1)
			return false;
	return true;
}

static bool is_change(const char *raw, uint64_t used)
{
	Change change;
	if (!are_booleans((const unsigned char *)raw))
		return false;
	memcpy(&change, raw, sizeof change);
	return is_op(change.op) && change.to.path.length > 0 && is_path(&change.to, used) &&
		is_path(&change.from, used) && change.type <= TYPE_BLOCK && change.replaced <= TYPE_BLOCK &&
		change.unclosed <= FILE_SUSPECT && (change.op != OP_MOVE || change.from.path.length > 0) &&
		!isnan(change.first) && !isnan(change.last) && !isnan(change.give_up);
}

static bool is_batch(const BatchHead *head, const char *bytes, size_t length)
{
	if (memcmp(head->magic, magic, sizeof magic) != 0 || head->change_size != sizeof(Change))
		return false;
	size_t left = length - sizeof *head;
	if (left / sizeof(Change) < head->count || left - head->count * sizeof(Change) != head->used)
		return false;
	for (size_t i = 0; i < head->count; i++)
		if (!is_change(bytes + sizeof *head + i * sizeof(Change), head->used))
			return false;
	return true;
}

int batch_read(Batch *batch, const char *bytes, size_t length)
{
	BatchHead head;
	Batch read = {0};
	Span span;
	if (length < sizeof head)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof head);
	if (!is_batch(&head, bytes, length))
		return -EBADMSG;
	bytes += sizeof head;
	for (size_t i = 0; i < head.count; i++, bytes += sizeof(Change)) {
		Change *change = batch_add(&read);
		if (change == NULL)
			goto failed;
		memcpy(change, bytes, sizeof *change);
	}
	if (batch_copy(&read, bytes, head.used, &span) < 0)
		goto failed;
	*batch = read;
	return 0;
failed:
	batch_clear(&read);
	return -ENOMEM;
}
