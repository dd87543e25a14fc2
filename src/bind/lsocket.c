/* SPDX-License-Identifier: MIT
 *
 * lsocket.c - the host's control socket and those who speak to it, line by line; for moonwatch.cli alone.
 *
 *    local listener = core.listen(path)      --> nil, message, errno, process id of who listens there already
 *    local connection = listener:get()       --> the next who speaks to us
 *    local connection = core.connect(path)
 *    connection:get([timeout])               --> a line; nil, "closed", EPIPE at the end
 *    connection:write(bytes)                 --> true; never waits; nil, message, errno where the other end is gone
 *    core.send(path, bytes)                  --> a datagram
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "loop/inlet.h"
#include "loop/outlet.h"
#include "os/socket.h"

enum {
	LINE_LIMIT = 1 << 20,    /* a longer request comes in pieces, which is to say it is none */
	BACKLOG_LIMIT = 8 << 20, /* who leaves more than that unread is left */
};

typedef struct Connection {
	Source source; /* first member; gives lines */
	Inlet inlet;
	Outlet outlet;
	pid_t peer;
	int error; /* of listening to it */
} Connection;

typedef struct Listener {
	Source source; /* first member; gives connections */
	LoopIo io;
	Loop *loop;
	Place place;
	int error;
} Listener;

static const Class connection_class, listener_class;

/* --- a connection --------------------------------------------------------------------------------------------- */

static void line_ready(Inlet *inlet)
{
	source_wake(&list_item(inlet, Connection, inlet)->source, 1);
}

static void listen_for_lines(Source *source, bool on)
{
	Connection *connection = (Connection *)source;
	int error = inlet_listen(&connection->inlet, on);
	if (error < 0) { /* nobody would ever wake the waiter */
		connection->error = error;
		source_wake(source, SIZE_MAX);
	}
}

static int take_line(lua_State *L, Source *source)
{
	Connection *connection = (Connection *)source;
	const char *line;
	size_t length;
	if (connection->error < 0)
		return bind_fail(L, "connection", -connection->error);
	int count = inlet_line(&connection->inlet, &line, &length);
	if (count < 0)
		return bind_fail(L, "connection", -count);
	if (count == 0)
		return inlet_is_over(&connection->inlet) ? bind_closed(L) : 0;
	lua_pushlstring(L, line, length);
	return 1;
}

/* Pushes a closed one: before there is a descriptor that could be lost. */
static Connection *push_connection(lua_State *L)
{
	Connection *connection = bind_new(L, &connection_class, sizeof(*connection), 0);
	source_init(L, &connection->source, take_line, listen_for_lines);
	connection->inlet.fd = connection->outlet.fd = -1;
	connection->inlet.ready = line_ready;
	return connection;
}

/* Takes the descriptor over; the connection is on the top of the stack. Returns results. */
static int open_connection(lua_State *L, Connection *connection, Loop *loop, int fd)
{
	int out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int error = out < 0 ? errno : 0;
	inlet_open(&connection->inlet, loop, fd, LINE_LIMIT);
	if (error != 0)
		return bind_fail(L, "connection", error);
	outlet_open(&connection->outlet, loop, out);
	return 1;
}

static Connection *check_connection(lua_State *L)
{
	return bind_check(L, 1, &connection_class);
}

static int connection_get(lua_State *L)
{
	Connection *connection = check_connection(L);
	return bind_wait(L, &connection->source);
}

static int connection_write(lua_State *L)
{
	Connection *connection = check_connection(L);
	Outlet *outlet = &connection->outlet;
	size_t length;
	const char *bytes = luaL_checklstring(L, 2, &length);
	if (outlet->fd < 0)
		return bind_closed(L);
	if (outlet->end - outlet->start > BACKLOG_LIMIT)
		return bind_fail(L, "connection", ENOBUFS);
	int status = outlet_write(outlet, bytes, length);
	if (status < 0)
		return bind_fail(L, "connection", -status);
	lua_pushboolean(L, true);
	return 1;
}

/* peer() -> the process id of the other end, where it is known */
static int connection_peer(lua_State *L)
{
	lua_pushinteger(L, check_connection(L)->peer);
	return 1;
}

static int connection_close(lua_State *L)
{
	Connection *connection = check_connection(L);
	source_close(&connection->source);
	inlet_clear(&connection->inlet);
	outlet_clear(&connection->outlet);
	return 0;
}

/* --- who listens ---------------------------------------------------------------------------------------------- */

static void somebody_came(LoopIo *io, uint32_t events)
{
	(void)events;
	source_wake(&list_item(io, Listener, io)->source, 1);
}

static void listen_for_callers(Source *source, bool on)
{
	Listener *listener = (Listener *)source;
	if (!on) {
		loop_io_stop(&listener->io);
		return;
	}
	listener->error = loop_io_start(listener->loop, &listener->io, listener->place.fd, EPOLLIN);
	if (listener->error < 0)
		source_wake(source, 1);
}

static int take_caller(lua_State *L, Source *source)
{
	Listener *listener = (Listener *)source;
	if (source->closed)
		return bind_closed(L);
	if (listener->error < 0)
		return bind_fail(L, listener->place.path, -listener->error);
	Connection *connection = push_connection(L);
	int fd = socket_accept(&listener->place, &connection->peer);
	if (fd >= 0)
		return open_connection(L, connection, listener->loop, fd);
	lua_pop(L, 1);
	return fd == -EAGAIN ? 0 : bind_fail(L, listener->place.path, -fd);
}

static Listener *check_listener(lua_State *L)
{
	return bind_check(L, 1, &listener_class);
}

static int listener_get(lua_State *L)
{
	Listener *listener = check_listener(L);
	return bind_wait(L, &listener->source);
}

static int listener_close(lua_State *L)
{
	Listener *listener = check_listener(L);
	source_close(&listener->source);
	loop_io_stop(&listener->io);
	if (listener->place.path != NULL)
		socket_close(&listener->place);
	return 0;
}

/* --- constructors --------------------------------------------------------------------------------------------- */

/* listen(path) -> a listener; nil, message, errno, and the process id of who listens there already */
static int l_listen(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	Loop *loop = bind_loop(L);
	pid_t holder;
	Listener *listener = bind_new(L, &listener_class, sizeof(*listener), 0);
	source_init(L, &listener->source, take_caller, listen_for_callers);
	listener->loop = loop;
	listener->io.ready = somebody_came;
	int error = socket_listen(&listener->place, path, &holder);
	if (error == 0)
		return 1;
	socket_close(&listener->place);
	int results = error == -EPERM
		? bind_fail_because(L, path, EPERM, "others may write to that folder")
		: bind_fail(L, path, -error);
	if (holder == 0)
		return results;
	lua_pushinteger(L, holder);
	return results + 1;
}

/* connect(path) -> a connection; nil, message, errno */
static int l_connect(lua_State *L)
{
	const char *path = bind_checkpath(L, 1, NULL);
	Loop *loop = bind_loop(L);
	Connection *connection = push_connection(L);
	int fd = socket_connect(path);
	return fd < 0 ? bind_fail(L, path, -fd) : open_connection(L, connection, loop, fd);
}

/* send(path, bytes) -> true; nil, message, errno */
static int l_send(lua_State *L)
{
	size_t length;
	const char *path = bind_checkpath(L, 1, NULL);
	const char *bytes = luaL_checklstring(L, 2, &length);
	int error = socket_send(path, bytes, length);
	if (error < 0)
		return bind_fail(L, path, -error);
	lua_pushboolean(L, true);
	return 1;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class connection_class = {
	.name = "moonwatch.connection",
	.methods = (const luaL_Reg[]){{"get", connection_get}, {"write", connection_write},
		{"peer", connection_peer}, {NULL, NULL}},
	.close = connection_close,
	.is_source = true,
};

static const Class listener_class = {
	.name = "moonwatch.listener",
	.methods = (const luaL_Reg[]){{"get", listener_get}, {NULL, NULL}},
	.close = listener_close,
	.is_source = true,
};

int open_socket(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"listen", l_listen}, {"connect", l_connect}, {"send", l_send}, {NULL, NULL}};
	bind_class(L, &connection_class);
	bind_class(L, &listener_class);
	luaL_setfuncs(L, functions, 0);
	return 0;
}
