/* SPDX-License-Identifier: MIT
 *
 * levent.h - the one event type of both faces: immutable, one block, no finaliser.
 *
 * Whoever delivers an event calls event_push, fills the fixed part and the names, and sets the user
 * values that apply:
 *
 *   1  the watch object (inotify objects), or the path of the directory it happened in (a string;
 * for the watched thing itself its own full path, with name_length 0). A watch object holds its
 * path as its own user value 1. 2  root, as the user gave it          (watchers only) 3  the path
 * of the old directory      (moves only; for a moved thing without an old name its full old path)
 *   4  from_root                          (moves between two roots only)
 *   5  reason                             (unwatched only)
 *   6  the watcher                        (where the type is not known yet)
 *
 * path = dir .. "/" .. name (no slash is doubled where dir ends in one), rel = path from byte
 * rel_at on.
 */
#ifndef MOONWATCH_BIND_LEVENT_H
#define MOONWATCH_BIND_LEVENT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/eventop.h"

enum { EVENT_DIRECTORY = 1, EVENT_ROOT, EVENT_FROM, EVENT_FROM_ROOT, EVENT_REASON, EVENT_WATCHER };

typedef struct Event {
	double time, wall; /* monotonic seconds; seconds since 1970 */
	uint64_t seq;
	uint32_t mask, cookie;
	int32_t wd;
	uint8_t op;       /* EventOp */
	uint8_t type;     /* FileType of base/filetype.h; 0 unknown */
	uint8_t replaced; /* FileType; 0 none */
	bool isdir, synthetic, exchange, is_watcher_event;
	bool whole;                   /* a directory was deleted with what was in it; for settle */
	uint32_t rel_at, from_rel_at; /* where rel begins in path, from_rel in from */
	uint16_t name_length, from_name_length;
	char names[]; /* the name, then the old name; neither ends in NUL */
} Event;

/* Pushes a zeroed event with both lengths set, room for both names, and `uservalues` (1 to 6). */
Event *event_push(lua_State *L, size_t name_length, size_t from_name_length, int uservalues);

Event *event_test(lua_State *L, int index); /* or NULL */

/* The op's word as scripts write it: "close_write"; NULL for OP_NONE. */
const char *event_op_name(EventOp op);

int open_event(lua_State *L); /* the class; adds nothing to the module's table */

#endif
