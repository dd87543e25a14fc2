/* SPDX-License-Identifier: MIT
 *
 * lchild.h - processes as objects. Private to lchild.c, which has the handle, and lstart.c, which starts one; others
 * need open_child only.
 */
#ifndef MOONWATCH_BIND_LCHILD_H
#define MOONWATCH_BIND_LCHILD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bind/bind.h"
#include "bind/lpipe.h"
#include "loop/child.h"

enum {
	CODES = 256,
	STREAMS = 3,
};

typedef enum StreamMode {
	STREAM_NULL,
	STREAM_INHERIT,
	STREAM_PIPE,  /* lines, or writes, on demand */
	STREAM_LINES, /* each line goes to a function; the result waits for the last */
	STREAM_CAPTURE,
	STREAM_STRING, /* standard input: all of it is known */
	STREAM_STDOUT, /* standard error: where standard output goes */
} StreamMode;

/* A function that is called for each line. Lines go on when it has returned, be that after a wait or with an error. */
typedef struct Callback {
	Dispatch dispatch; /* first member */
	struct ProcessObject *process;
	int fd;
	bool over;
} Callback;

/* User values, by descriptor: its streams, the functions for lines, the names of these. */
enum {
	VALUE_STREAM = 1,
	VALUE_FUNCTION = VALUE_STREAM + STREAMS,
	VALUE_TITLE = VALUE_FUNCTION + STREAMS,
	VALUE_COUNT = VALUE_TITLE + STREAMS - 1,
};

typedef struct ProcessObject {
	Source source; /* gives the result, again and again */
	Child child;
	Ready over; /* the loop need not keep it any longer */
	StreamMode modes[STREAMS];
	Writer *in; /* NULL where there is none; kept by the user values */
	Reader *out[STREAMS];
	Callback callbacks[STREAMS];
	size_t busy_callbacks; /* whose last line is still to come */
	LoopTimer patience;    /* with them, once the process was stopped and has ended */
	uint64_t success[CODES / 64];
	char name[]; /* of the command, fit for people */
} ProcessObject;

/* Pushes a process that does not run: without streams and functions, all fields in place. */
ProcessObject *process_push(lua_State *L, const char *name, size_t length);

/* Lines of the descriptor go to the function on the top of the stack, which is popped. The process, with a reader for
 * the descriptor, is at `index`. */
void process_call_with_lines(lua_State *L, int index, int fd);

void open_start(lua_State *L); /* adds core.process to the table on the top of the stack */
int open_child(lua_State *L);

#endif
