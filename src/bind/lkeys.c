/* SPDX-License-Identifier: MIT
 *
 * lkeys.c - the keys that are pressed on our terminal, one by one: core.keys().
 *
 * While the object lives the terminal gives keys without waiting for Enter and without echo.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "os/terminal.h"

typedef struct Keys {
	Source source; /* first member */
	LoopIo io;
	Loop *loop;
	bool is_over; /* the terminal is gone */
} Keys;

static const Class keys_class;

/* --- accessors ------------------------------------------------------------------------------------------------ */

static void ready(LoopIo *io, uint32_t events)
{
	Keys *keys = list_item(io, Keys, io);
	keys->is_over = (events & (EPOLLERR | EPOLLHUP)) != 0;
	source_wake(&keys->source, 1);
}

static void set_interest(Source *source, bool on)
{
	Keys *keys = (Keys *)source;
	if (!on) {
		loop_io_stop(&keys->io);
	} else if (loop_io_start(keys->loop, &keys->io, STDIN_FILENO, EPOLLIN) < 0) {
		keys->is_over = true;
		source_wake(source, 1);
	}
}

static int take(lua_State *L, Source *source)
{
	Keys *keys = (Keys *)source;
	char key;
	if (source->closed || keys->is_over)
		return bind_closed(L);
	if (read(STDIN_FILENO, &key, 1) != 1)
		return 0;
	lua_pushlstring(L, &key, 1);
	return 1;
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

/* keys() -> an object; nil, message, errno where standard input is no terminal of ours */
static int l_keys(lua_State *L)
{
	Loop *loop = bind_loop(L);
	Keys *keys = bind_new(L, &keys_class, sizeof(*keys), 0);
	source_init(L, &keys->source, take, set_interest);
	keys->loop = loop;
	keys->io.ready = ready;
	int error = terminal_is_ours(STDIN_FILENO) ? terminal_keys_on(STDIN_FILENO) : -ENOTTY;
	return error < 0 ? bind_fail(L, "standard input", -error) : 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

static int keys_get(lua_State *L)
{
	Keys *keys = bind_check(L, 1, &keys_class);
	return bind_wait(L, &keys->source);
}

static int keys_close(lua_State *L)
{
	Keys *keys = bind_check(L, 1, &keys_class);
	if (!keys->source.closed)
		terminal_keys_off();
	source_close(&keys->source);
	loop_io_stop(&keys->io);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class keys_class = {
	.name = "moonwatch.keys",
	.methods = (const luaL_Reg[]){{"get", keys_get}, {NULL, NULL}},
	.close = keys_close,
	.is_source = true,
};

int open_keys(lua_State *L)
{
	bind_class(L, &keys_class);
	lua_pushcfunction(L, l_keys);
	lua_setfield(L, 1, "keys");
	return 0;
}
