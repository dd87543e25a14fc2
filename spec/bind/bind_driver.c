/* SPDX-License-Identifier: MIT
 *
 * bind_driver.c - an embedding program: runs a line of Lua with a class of its own that has handlers, or under a libev
 * loop of its own.
 *
 *     bind_driver own CHUNK        the chunk, nothing else
 *     bind_driver foreign CHUNK    the chunk, then ev_run on the program's loop until nothing is active in it
 *     bind_driver starve CHUNK     the chunk again and again, with the 1st, 2nd, 3rd ... allocation failing, and the
 *                                  next too: Lua collects garbage and tries once more
 *
 * Globals: moonwatch, box(serial, handler) with box:put(n) and box:close(); `tick()` starts an ev_timer of the program's
 * own and calls the Lua global `ticked` from its callback.
 */
#include <ev.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "moonwatch.h"

typedef struct Box {
	Dispatch dispatch;
	lua_Integer next, last;
	lua_Integer done; /* handlers that returned true */
} Box;

static struct ev_loop *loop;
static ev_timer timer;

static int box_close(lua_State *L);
static int box_put(lua_State *L);
static int box_done(lua_State *L);

static const Class box_class = {
	.name = "box",
	.methods = (const luaL_Reg[]){{"put", box_put}, {"done", box_done}, {NULL, NULL}},
	.close = box_close,
};

static int next_value(lua_State *L, Dispatch *dispatch)
{
	Box *box = list_item(dispatch, Box, dispatch);
	if (box->next > box->last)
		return -1;
	lua_getiuservalue(L, 1, 1);
	lua_pushinteger(L, box->next++);
	return 1;
}

static void handled(lua_State *L, Dispatch *dispatch)
{
	list_item(dispatch, Box, dispatch)->done += lua_toboolean(L, -1);
}

static int new_box(lua_State *L)
{
	Box *box = bind_new(L, &box_class, sizeof(*box), 1);
	dispatch_init(L, &box->dispatch, box, "box", lua_toboolean(L, 1), next_value);
	box->dispatch.done = handled;
	box->next = 1;
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, -2, 1);
	bind_anchor(L, -1, box);
	return 1;
}

static int box_put(lua_State *L)
{
	Box *box = bind_check(L, 1, &box_class);
	box->last += luaL_checkinteger(L, 2);
	dispatch_wake(&box->dispatch);
	return 0;
}

static int box_done(lua_State *L)
{
	Box *box = bind_check(L, 1, &box_class);
	lua_pushinteger(L, box->done);
	return 1;
}

static int box_close(lua_State *L)
{
	Box *box = bind_check(L, 1, &box_class);
	if (box->dispatch.bind == NULL)
		return 0;
	dispatch_stop(&box->dispatch);
	bind_unanchor(L, box);
	return 0;
}

static void on_tick(struct ev_loop *ev, ev_timer *own, int events)
{
	lua_State *L = own->data;
	(void)ev, (void)events;
	lua_getglobal(L, "ticked");
	if (lua_pcall(L, 0, 0, 0) != LUA_OK)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
}

static int tick(lua_State *L)
{
	ev_timer_init(&timer, on_tick, luaL_checknumber(L, 1), 0.);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	timer.data = lua_tothread(L, -1);
	ev_timer_start(loop, &timer);
	return 0;
}

static int setup(lua_State *L)
{
	luaL_openlibs(L);
	if (loop != NULL && moonwatch_set_loop(L, loop) != 0)
		return luaL_error(L, "the loop is refused");
	luaL_requiref(L, "moonwatch", luaopen_moonwatch, 1);
	bind_class(L, &box_class);
	lua_register(L, "box", new_box);
	lua_register(L, "tick", tick);
	return 0;
}

static int run_chunk(lua_State *L)
{
	luaL_checkversion(L);
	if (luaL_loadstring(L, lua_touserdata(L, 1)) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

/* Returns the status; prints the error unless `quiet`. */
static int call(lua_State *L, lua_CFunction function, const char *argument, bool quiet)
{
	lua_pushcfunction(L, function);
	lua_pushlightuserdata(L, (void *)argument);
	int status = lua_pcall(L, 1, 0, 0);
	if (status != LUA_OK && !quiet)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_settop(L, 0);
	return status;
}

static int run_once(const char *chunk)
{
	lua_State *L = luaL_newstate();
	int status = call(L, setup, NULL, false);
	if (status == LUA_OK)
		status = call(L, run_chunk, chunk, false);
	if (loop != NULL)
		ev_run(loop, 0);
	lua_close(L);
	return status;
}

/* --- allocations that fail ------------------------------------------------------------------------------------ */

static long countdown; /* allocations until two fail, 1 at the first of them; below 0: none does */

static void *allocate(void *context, void *block, size_t old, size_t size)
{
	(void)context, (void)old;
	if (size == 0) {
		free(block);
		return NULL;
	}
	if ((block == NULL || size > old) && countdown >= 0 && countdown-- <= 1)
		return NULL;
	return realloc(block, size);
}

/* True while the failure came before the chunk had ended. */
static bool starve_at(const char *chunk, long which)
{
	countdown = -1;
	lua_State *L = lua_newstate(allocate, NULL);
	if (L == NULL || call(L, setup, NULL, false) != LUA_OK)
		exit(1);
	countdown = which + 1;
	call(L, run_chunk, chunk, true);
	bool failed = countdown < 0;
	countdown = -1;
	lua_close(L);
	return failed;
}

static int starve(const char *chunk)
{
	long which = 0;
	while (starve_at(chunk, which))
		which++;
	printf("survived %s\n", which > 20 ? "many" : "few");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "starve") == 0)
		return starve(argv[2]);
	if (strcmp(argv[1], "foreign") == 0)
		loop = ev_loop_new(EVFLAG_AUTO);
	int status = run_once(argv[2]);
	if (loop != NULL)
		ev_loop_destroy(loop);
	return status == LUA_OK ? 0 : 1;
}
