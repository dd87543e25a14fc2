/* SPDX-License-Identifier: MIT
 *
 * eventop.h - the words of a watcher: what happened to one path.
 */
#ifndef MOONWATCH_BASE_EVENTOP_H
#define MOONWATCH_BASE_EVENTOP_H

typedef enum EventOp {
	OP_NONE, /* inotify objects: the flag's name speaks */
	OP_CREATE,
	OP_MODIFY,
	OP_CLOSE_WRITE,
	OP_ATTRIB,
	OP_DELETE,
	OP_MOVE,
	OP_OPEN,
	OP_ACCESS,
	OP_CLOSE_NOWRITE,
	OP_OVERFLOW,
	OP_GONE,
	OP_BACK,
	OP_UNWATCHED,
	OP_COUNT
} EventOp;

#endif
