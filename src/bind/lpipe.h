/* SPDX-License-Identifier: MIT
 *
 * lpipe.h - the ends of a process's pipes that scripts read lines from and write to.
 *
 * Both are objects of their own beside the process, since a wait belongs to one source: one task may read lines while
 * another writes and a third waits for the end.
 */
#ifndef MOONWATCH_BIND_LPIPE_H
#define MOONWATCH_BIND_LPIPE_H

#include <lua.h>

#include "bind/bind.h"
#include "loop/inlet.h"
#include "loop/outlet.h"

typedef struct Reader {
	Source source; /* gives lines, then nil for ever */
	Inlet inlet;
	int error;
} Reader;

typedef struct Writer {
	Source source; /* gives true whenever nothing waits to be written */
	Outlet outlet;
} Writer;

/* Push an object whose pipe is still to be opened, with `ready` and `done` in place; with `subject` its failures begin. */
Reader *reader_push(lua_State *L, const char *subject);
Writer *writer_push(lua_State *L, const char *subject);

/* Pushes an iterator over the lines of the reader on the top of the stack, which it replaces. */
void reader_each(lua_State *L);

/* The writer is at index 1, the bytes at index 2. Waits; returns results: true once all is written, or a failure. */
int writer_write(lua_State *L, Writer *writer);

/* Keeps the string on the top of the stack, and pops it: for outlet_lend. The writer is below it. */
void writer_keep(lua_State *L);

void reader_close(Reader *reader);
void writer_close(Writer *writer);

void open_pipe_classes(lua_State *L);

#endif
