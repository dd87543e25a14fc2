/* SPDX-License-Identifier: MIT
 *
 * preload.c - luaopen_moonwatch: the whole module, Lua part included, without a file to be found.
 *
 * Every embedded file goes into package.preload under its module's name, so `require "moonwatch.task"` finds it before
 * it looks at the disk. The module itself is run at once: its table is what luaopen_moonwatch returns.
 */
#include <lua.h>
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bind/core.h"
#include "host/preload.h"
#include "moonwatch.h"

/* Pushes the file's chunk as a function, or raises its syntax error. */
static void push_chunk(lua_State *L, const EmbeddedFile *file)
{
	int status = luaL_loadbufferx(L, (const char *)file->text, file->length, file->chunk, "t");
	if (status != LUA_OK)
		lua_error(L);
}

/* Compiled sources are not read again: their pages go, all at once, since the kernel maps the neighbours of a page that
 * is read. Whoever wants them after all gets them from the file that they are part of. */
static void let_sources_go(void)
{
	uintptr_t begin = UINTPTR_MAX, end = 0, page = (uintptr_t)sysconf(_SC_PAGESIZE);
	for (const EmbeddedFile *file = embedded_files; file->module != NULL; file++) {
		uintptr_t text = (uintptr_t)file->text;
		begin = text < begin ? text : begin;
		end = text + file->length > end ? text + file->length : end;
	}
	begin = (begin + page - 1) & ~(page - 1);
	end &= ~(page - 1);
	if (begin < end)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* The loader of one embedded module: (name, extra) as `require` calls it. */
static int load_embedded(lua_State *L)
{
	push_chunk(L, lua_touserdata(L, lua_upvalueindex(1)));
	let_sources_go();
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static void preload(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (const EmbeddedFile *file = embedded_files; file->module != NULL; file++) {
		lua_pushlightuserdata(L, (void *)(size_t)file);
		lua_pushcclosure(L, load_embedded, 1);
		lua_setfield(L, -2, file->module);
	}
	lua_pushcfunction(L, luaopen_moonwatch_core);
	lua_setfield(L, -2, "moonwatch.core");
	lua_pop(L, 1);
}

static const EmbeddedFile *find_embedded(const char *module)
{
	const EmbeddedFile *file = embedded_files;
	while (file->module != NULL && strcmp(file->module, module) != 0)
		file++;
	return file;
}

/* Not by `require`: whoever opens us as "moonwatch" would then wait for himself. */
__attribute__((visibility("default"))) int luaopen_moonwatch(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, -1, "moonwatch") == LUA_TTABLE)
		return 1;
	lua_pop(L, 1);
	preload(L);
	const EmbeddedFile *file = find_embedded("moonwatch");
	if (file->module == NULL)
		return luaL_error(L, "this library was built without its Lua part");
	push_chunk(L, file);
	lua_pushliteral(L, "moonwatch");
	lua_call(L, 1, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "moonwatch");
	return 1;
}
