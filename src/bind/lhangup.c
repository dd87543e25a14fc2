/* SPDX-License-Identifier: MIT
 *
 * lhangup.c - whoever reads what we write has gone: core.hangup(fd).
 *
 * A program that writes seldom would else learn of it at its next line, which may be tomorrow.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "os/pipe.h"

typedef struct Hangup {
	Source source; /* first member */
	LoopIo io;
	Loop *loop;
	int fd; /* not ours */
	bool is_over;
} Hangup;

static const Class hangup_class;

/* --- accessors ------------------------------------------------------------------------------------------------ */

static void come_to_end(Hangup *hangup)
{
	hangup->is_over = true;
	loop_io_stop(&hangup->io);
	source_wake(&hangup->source, SIZE_MAX);
}

/* Errors and the end are told unasked. */
static void ready(LoopIo *io, uint32_t events)
{
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		come_to_end(list_item(io, Hangup, io));
}

static void set_interest(Source *source, bool on)
{
	Hangup *hangup = (Hangup *)source;
	if (!on)
		loop_io_stop(&hangup->io);
	else if (!hangup->is_over && loop_io_start(hangup->loop, &hangup->io, hangup->fd, 0) < 0)
		come_to_end(hangup);
}

static int take(lua_State *L, Source *source)
{
	if (!((Hangup *)source)->is_over)
		return 0;
	lua_pushboolean(L, true);
	return 1;
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

/* hangup(fd) -> an object; nil, message, errno where that is neither a pipe nor a socket. The descriptor stays the
 * caller's, and open for as long as the object is. */
static int l_hangup(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	if (!pipe_has_other_end(fd))
		return bind_fail(L, "hangup", ENOTSUP);
	Loop *loop = bind_loop(L);
	Hangup *hangup = bind_new(L, &hangup_class, sizeof(*hangup), 0);
	source_init(L, &hangup->source, take, set_interest);
	hangup->loop = loop;
	hangup->fd = fd;
	hangup->io.ready = ready;
	return 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

/* get([timeout]) -> true once the other end is gone */
static int hangup_get(lua_State *L)
{
	Hangup *hangup = bind_check(L, 1, &hangup_class);
	return bind_wait(L, &hangup->source);
}

static int hangup_close(lua_State *L)
{
	Hangup *hangup = bind_check(L, 1, &hangup_class);
	source_close(&hangup->source);
	loop_io_stop(&hangup->io);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class hangup_class = {
	.name = "moonwatch.hangup",
	.methods = (const luaL_Reg[]){{"get", hangup_get}, {NULL, NULL}},
	.close = hangup_close,
	.is_source = true,
};

int open_hangup(lua_State *L)
{
	bind_class(L, &hangup_class);
	lua_pushcfunction(L, l_hangup);
	lua_setfield(L, 1, "hangup");
	return 0;
}
