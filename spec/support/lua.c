/* SPDX-License-Identifier: MIT
 *
 * lua.c - a plain Lua interpreter for the sanitized specs: `lua [-e chunk] [script.lua args...]`, nothing else.
 *
 * The sanitizers' run time must be in the program that loads the module. Preloading it into the system's interpreter
 * would put it into every child of the specs too.
 */
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static int traceback(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

/* arg[0] is the script, or the interpreter where there is none. */
static void set_arg(lua_State *L, int argc, char **argv, int script)
{
	lua_createtable(L, argc, 1);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - script);
	}
	lua_setglobal(L, "arg");
}

static int run(lua_State *L, int status, int nargs)
{
	if (status == LUA_OK)
		status = lua_pcall(L, nargs, 0, 1);
	if (status != LUA_OK)
		fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
	lua_settop(L, 1);
	return status;
}

static int run_script(lua_State *L, int argc, char **argv, int script)
{
	int status = luaL_loadfile(L, argv[script]);
	for (int i = script + 1; status == LUA_OK && i < argc; i++)
		lua_pushstring(L, argv[i]);
	return run(L, status, argc - script - 1);
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	int at = 1, status = LUA_OK;
	if (L == NULL || argc < 2)
		return 2;
	luaL_openlibs(L);
	lua_pushcfunction(L, traceback);
	while (at + 1 < argc && strcmp(argv[at], "-e") == 0)
		at += 2;
	set_arg(L, argc, argv, at < argc ? at : 0);
	for (int i = 2; i < at && status == LUA_OK; i += 2)
		status = run(L, luaL_loadbuffer(L, argv[i], strlen(argv[i]), "=(command line)"), 0);
	if (status == LUA_OK && at < argc)
		status = run_script(L, argc, argv, at);
	lua_close(L);
	return status == LUA_OK ? 0 : 1;
}
