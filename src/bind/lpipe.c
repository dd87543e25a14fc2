/* SPDX-License-Identifier: MIT
 *
 * lpipe.c - the ends of a process's pipes that scripts read lines from and write to.
 */
#include "bind/lpipe.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* --- reader --------------------------------------------------------------------------------------------------- */

/* The reader or writer is at index 1. */
static int fail(lua_State *L, int error)
{
	lua_getiuservalue(L, 1, 1);
	return bind_failf(L, -error, "%s: %s", lua_tostring(L, -1), strerror(-error));
}

static int take_line(lua_State *L, Source *source)
{
	Reader *reader = (Reader *)source;
	const char *line;
	size_t length;
	int count = inlet_line(&reader->inlet, &line, &length);
	if (count < 0 || reader->error < 0)
		return fail(L, count < 0 ? count : reader->error);
	if (count > 0)
		lua_pushlstring(L, line, length);
	else if (inlet_is_over(&reader->inlet))
		lua_pushnil(L);
	return count > 0 || inlet_is_over(&reader->inlet);
}

static void listen_for_lines(Source *source, bool on)
{
	Reader *reader = (Reader *)source;
	int error = inlet_listen(&reader->inlet, on);
	if (error < 0) { /* nobody would ever wake the waiter */
		reader->error = error;
		source_wake(source, SIZE_MAX);
	}
}

static void on_ready(Inlet *inlet)
{
	source_wake(&list_item(inlet, Reader, inlet)->source, 1);
}

void reader_close(Reader *reader)
{
	inlet_clear(&reader->inlet);
	source_close(&reader->source);
}

static int reader_gc(lua_State *L)
{
	reader_close(lua_touserdata(L, 1));
	return 0;
}

static const luaL_Reg reader_meta[] = {
	{"__gc", reader_gc},
	{NULL, NULL},
};

static const Class reader_class = {.name = "moonwatch.reader", .meta = reader_meta};

Reader *reader_push(lua_State *L, const char *subject)
{
	Reader *reader = bind_new(L, &reader_class, sizeof *reader, 1);
	lua_pushstring(L, subject);
	lua_setiuservalue(L, -2, 1);
	source_init(L, &reader->source, take_line, listen_for_lines);
	reader->inlet.fd = -1;
	reader->inlet.ready = on_ready;
	return reader;
}

/* Upvalue: the reader. */
static int next_line(lua_State *L)
{
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	return source_get(L, lua_touserdata(L, 1), -1);
}

void reader_each(lua_State *L)
{
	lua_pushcclosure(L, next_line, 1);
}

/* --- writer --------------------------------------------------------------------------------------------------- */

static int take_written(lua_State *L, Source *source)
{
	Writer *writer = (Writer *)source;
	if (writer->outlet.error < 0)
		return fail(L, writer->outlet.error);
	if (!outlet_is_empty(&writer->outlet))
		return 0;
	lua_pushboolean(L, true);
	return 1;
}

static void on_done(Outlet *outlet)
{
	source_wake(&list_item(outlet, Writer, outlet)->source, SIZE_MAX);
}

void writer_close(Writer *writer)
{
	bool is_lost = !outlet_is_empty(&writer->outlet);
	outlet_clear(&writer->outlet);
	writer->outlet.error = is_lost ? -EPIPE : 0;
	source_close(&writer->source);
}

static int writer_gc(lua_State *L)
{
	writer_close(lua_touserdata(L, 1));
	return 0;
}

static const luaL_Reg writer_meta[] = {
	{"__gc", writer_gc},
	{NULL, NULL},
};

static const Class writer_class = {.name = "moonwatch.writer", .meta = writer_meta};

/* User values: the subject; what must stay while it is written. */
Writer *writer_push(lua_State *L, const char *subject)
{
	Writer *writer = bind_new(L, &writer_class, sizeof *writer, 2);
	lua_pushstring(L, subject);
	lua_setiuservalue(L, -2, 1);
	source_init(L, &writer->source, take_written, NULL);
	writer->outlet.fd = -1;
	writer->outlet.done = on_done;
	return writer;
}

void writer_keep(lua_State *L)
{
	lua_setiuservalue(L, -2, 2);
}

int writer_write(lua_State *L, Writer *writer)
{
	size_t length;
	const char *bytes = luaL_checklstring(L, 2, &length);
	int result = outlet_write(&writer->outlet, bytes, length);
	if (result == -ENOMEM)
		return luaL_error(L, "not enough memory");
	if (result < 0)
		return fail(L, result);
	if (result == 0)
		return source_get(L, &writer->source, -1);
	lua_pushboolean(L, true);
	return 1;
}

void open_pipe_classes(lua_State *L)
{
	bind_class(L, &reader_class);
	bind_class(L, &writer_class);
}
