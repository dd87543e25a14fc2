/* SPDX-License-Identifier: MIT
 *
 * lmemory.c - a limit for the memory of a Lua state, for moonwatch.cli alone: core.limit_memory().
 *
 * Whoever asks for more than the limit is refused; Lua then collects garbage, tries once more, and raises "not enough
 * memory". A script that has taken all must not take the host's voice with it, so there is a reserve behind the limit:
 * only functions of scripts are held to the limit itself. Whether one of them runs is a property of the task (Task.strict):
 * it may wait in the midst.
 *
 * The index, queues and buffers are C's and are not counted; `max_watches` and `queue` bound those.
 */
#include <lua.h>
#include <lauxlib.h>

#include "bind/core.h"
#include "bind/state.h"

enum { LEAST_RESERVE = 1024 * 1024, RESERVE_PART = 8 };

/* A user value of the registry; its end gives the allocator back. */
typedef struct Memory {
	lua_Alloc alloc;
	void *owner;
	const Bind *bind;
	size_t used, limit, reserve;
	uint64_t refused;
} Memory;

static const char memory_key;

static void *allocate(void *ud, void *block, size_t old_size, size_t new_size)
{
	Memory *memory = ud;
	size_t before = block != NULL ? old_size : 0;
	size_t allowed = memory->limit + (memory->bind->strict ? 0 : memory->reserve);
	if (new_size > before && memory->used + (new_size - before) > allowed) {
		memory->refused++;
		return NULL;
	}
	void *fresh = memory->alloc(memory->owner, block, old_size, new_size);
	if (fresh != NULL || new_size == 0)
		memory->used = memory->used + new_size - before;
	return fresh;
}

static int memory_gc(lua_State *L)
{
	const Memory *memory = lua_touserdata(L, 1);
	if (memory->alloc != NULL)
		lua_setallocf(L, memory->alloc, memory->owner);
	return 0;
}

static Memory *get_memory(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &memory_key);
	Memory *memory = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return memory;
}

/* Lua makes the metatable of its buffers with the first that needs one. Refused in the midst of that it keeps half of it,
 * and no file can be read and no long string made any more. */
static void make_first_buffer(lua_State *L)
{
	luaL_Buffer buffer;
	luaL_buffinitsize(L, &buffer, LUAL_BUFFERSIZE + 1);
	luaL_pushresultsize(&buffer, 0);
	lua_pop(L, 1);
}

static Memory *new_memory(lua_State *L)
{
	make_first_buffer(L);
	Memory *memory = lua_newuserdatauv(L, sizeof *memory, 0);
	*memory = (Memory){.bind = bind_get(L)};
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, memory_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &memory_key);
	memory->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
	memory->alloc = lua_getallocf(L, &memory->owner);
	lua_setallocf(L, allocate, memory);
	return memory;
}

/* limit_memory(bytes) */
static int l_limit_memory(lua_State *L)
{
	lua_Integer bytes = luaL_checkinteger(L, 1);
	luaL_argcheck(L, bytes > 0, 1, "a number of bytes expected");
	Memory *memory = get_memory(L);
	if (memory == NULL)
		memory = new_memory(L);
	memory->limit = (size_t)bytes;
	memory->reserve = memory->limit / RESERVE_PART;
	if (memory->reserve < LEAST_RESERVE)
		memory->reserve = LEAST_RESERVE;
	return 0;
}

/* strict_memory(on) -> as it was: the running task is in a function of a script, which has no use of the reserve */
static int l_strict_memory(lua_State *L)
{
	Bind *bind = bind_get(L);
	lua_pushboolean(L, bind->strict);
	bind->strict = lua_toboolean(L, 1);
	return 1;
}

/* memory() -> bytes in use, the limit, how often it was refused; nil without a limit */
static int l_memory(lua_State *L)
{
	const Memory *memory = get_memory(L);
	if (memory == NULL)
		return lua_pushnil(L), 1;
	lua_pushinteger(L, (lua_Integer)memory->used);
	lua_pushinteger(L, (lua_Integer)memory->limit);
	lua_pushinteger(L, (lua_Integer)memory->refused);
	return 3;
}

int open_memory(lua_State *L)
{
	static const luaL_Reg functions[] = {{"limit_memory", l_limit_memory},
		{"strict_memory", l_strict_memory}, {"memory", l_memory}, {NULL, NULL}};
	luaL_setfuncs(L, functions, 0);
	return 0;
}
