/* SPDX-License-Identifier: MIT
 *
 * lcoroutine.c - coroutines that let waits pass: a task may wait inside them.
 *
 * A wait in such a generator yields out of it, out of whoever resumed it, and so on up to the task: each level has a
 * continuation that resumes the level below. A value that the generator itself yields stops at its consumer. The two are
 * told apart by Bind.suspended.
 *
 *      scheduler -> task -> resume(g) -> g -> resume(h) -> h: inotify:get()
 *
 * Which generator a suspended coroutine is waiting in is not noted anywhere: it is the first argument (`resume`) or the
 * upvalue (`wrap`) of the function on the top of its stack.
 */
#include "bind/bind.h"

#include "bind/core.h"
#include "bind/state.h"

static int resume_goes_on(lua_State *L, int status, lua_KContext context);
static int wrap_goes_on(lua_State *L, int status, lua_KContext context);
static int l_resume(lua_State *L);
static int call_wrapped(lua_State *L);

/* Waits pass through only where the consumer itself may wait. */
static lua_State *inner_for(lua_State *L, Bind *bind, lua_State *co)
{
	return bind->inner == L && lua_isyieldable(L) ? co : NULL;
}

/* Pushes what the generator gave and returns how many; -1: a wait passes; -2: it failed, the error is pushed. */
static int step(lua_State *L, Bind *bind, lua_State *co, int nargs)
{
	int results;
	int status = task_resume_coroutine(L, bind, co, nargs, &results, inner_for(L, bind, co));
	if (status == LUA_YIELD && bind->suspended)
		return -1;
	bool failed = status != LUA_OK && status != LUA_YIELD;
	if (failed)
		results = 1;
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(co, results);
		lua_pushliteral(L, "too many results to resume");
		return -2;
	}
	lua_xmove(co, L, results);
	return failed ? -2 : results;
}

/* Moves the arguments above index `below` to the coroutine. Returns false, an error message pushed, where it cannot. */
static bool give_arguments(lua_State *L, lua_State *co, int below)
{
	int nargs = lua_gettop(L) - below;
	if (!lua_checkstack(co, nargs + 1)) {
		lua_pushliteral(L, "too many arguments to resume");
		return false;
	}
	lua_xmove(L, co, nargs);
	return true;
}

static int finish_resume(lua_State *L, Bind *bind, lua_State *co, int nargs)
{
	int results = step(L, bind, co, nargs);
	if (results == -1)
		return lua_yieldk(L, 0, (lua_KContext)bind, resume_goes_on);
	lua_pushboolean(L, results >= 0);
	if (results < 0)
		results = 1;
	lua_insert(L, -(results + 1));
	return results + 1;
}

static int resume_goes_on(lua_State *L, int status, lua_KContext context)
{
	Bind *bind = (Bind *)context;
	(void)status;
	if (!bind->waking) /* somebody else's coroutine.resume */
		return lua_yieldk(L, 0, context, resume_goes_on);
	return finish_resume(L, bind, lua_tothread(L, 1), 0);
}

/* resume(co, ...) -> true, values... | false, error */
static int l_resume(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTHREAD);
	lua_State *co = lua_tothread(L, 1);
	int nargs = lua_gettop(L) - 1;
	if (!give_arguments(L, co, 1)) {
		lua_pushboolean(L, false);
		lua_insert(L, -2);
		return 2;
	}
	return finish_resume(L, bind_get(L), co, nargs);
}

/* The error goes through, with the position of the caller in front, as coroutine.wrap does it. */
static int raise_from(lua_State *L, lua_State *co)
{
	int status = lua_status(co);
	if (status != LUA_OK && status != LUA_YIELD && lua_resetthread(co) != LUA_OK) {
		lua_xmove(co, L, 1);
	}
	if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int finish_wrapped(lua_State *L, Bind *bind, lua_State *co, int nargs)
{
	int results = step(L, bind, co, nargs);
	if (results == -1)
		return lua_yieldk(L, 0, (lua_KContext)bind, wrap_goes_on);
	return results >= 0 ? results : raise_from(L, co);
}

static int wrap_goes_on(lua_State *L, int status, lua_KContext context)
{
	Bind *bind = (Bind *)context;
	(void)status;
	if (!bind->waking)
		return lua_yieldk(L, 0, context, wrap_goes_on);
	return finish_wrapped(L, bind, lua_tothread(L, lua_upvalueindex(1)), 0);
}

static int call_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int nargs = lua_gettop(L);
	if (!give_arguments(L, co, 0))
		return lua_error(L);
	return finish_wrapped(L, bind_get(L), co, nargs);
}

/* --- who made which ------------------------------------------------------------------------------------------- */

/* Pushes the running task's generators: a table with weak keys, thread -> number in the order of their making. */
static void push_generators(lua_State *L, Task *task)
{
	bind_pushanchored(L, task);
	if (lua_getiuservalue(L, -1, UV_GENERATORS) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_createtable(L, 0, 1);
		lua_pushliteral(L, "k");
		lua_setfield(L, -2, "__mode");
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, -3, UV_GENERATORS);
	}
	lua_remove(L, -2);
}

static void note_generator(lua_State *L)
{
	Bind *bind = bind_get(L);
	if (bind->running == NULL)
		return;
	push_generators(L, bind->running);
	lua_pushvalue(L, -2);
	lua_pushinteger(L, (lua_Integer)++bind->created);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* create(fn) -> coroutine */
static int l_create(lua_State *L)
{
	if (!lua_isfunction(L, 1))
		return bind_misuse(L, "coroutine: function expected, got %s", luaL_typename(L, 1));
	lua_State *co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	note_generator(L);
	return 1;
}

/* wrap(fn) -> function */
static int l_wrap(lua_State *L)
{
	l_create(L);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

/* --- closing -------------------------------------------------------------------------------------------------- */

lua_State *generator_inside(lua_State *co)
{
	lua_Debug ar;
	lua_State *inside = NULL;
	if (!lua_checkstack(co, 2) || !lua_getstack(co, 0, &ar))
		return NULL;
	lua_getinfo(co, "f", &ar);
	lua_CFunction function = lua_tocfunction(co, -1);
	if (function == l_resume && lua_getlocal(co, &ar, 1) != NULL) {
		inside = lua_tothread(co, -1);
		lua_pop(co, 1);
	} else if (function == call_wrapped && lua_getupvalue(co, -1, 1) != NULL) {
		inside = lua_tothread(co, -1);
		lua_pop(co, 1);
	}
	lua_pop(co, 1);
	return inside;
}

/* Of a table of generators at -1: pushes the last made before `limit` and returns its number; 0: none. */
static lua_Integer push_last_before(lua_State *L, lua_Integer limit)
{
	lua_Integer last = 0;
	lua_pushnil(L);
	lua_insert(L, -2);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_Integer number = lua_tointeger(L, -1);
		lua_pop(L, 1);
		if (number > last && number < limit) {
			last = number;
			lua_pushvalue(L, -1);
			lua_replace(L, -4);
		}
	}
	lua_insert(L, -2);
	return last;
}

void generators_close(lua_State *L)
{
	lua_Integer number = LUA_MAXINTEGER;
	if (!lua_checkstack(L, 8))
		return;
	if (lua_getiuservalue(L, -1, UV_GENERATORS) != LUA_TTABLE) {
		lua_pop(L, 1);
		return;
	}
	while ((number = push_last_before(L, number)) > 0) {
		lua_State *co = lua_tothread(L, -1);
		if (lua_status(co) == LUA_YIELD && lua_resetthread(co) != LUA_OK) {
			lua_xmove(co, L, 1);
			bind_report(L, "a __close under cancel");
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
}

int open_coroutine(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"create", l_create}, {"resume", l_resume}, {"wrap", l_wrap}, {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, 1, "coroutine");
	return 0;
}
