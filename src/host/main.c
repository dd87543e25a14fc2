/* SPDX-License-Identifier: MIT
 *
 * main.c - the program `moonwatch`: a Lua state with the module in it, and then everything else in Lua.
 *
 * The rock's launcher starts the same code with a line of Lua, so nothing is decided here: the command line goes to
 * moonwatch.cli, whose number is the exit status. What arrives here as an error is a fault of moonwatch itself, or no
 * memory.
 */
#include <fcntl.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/preload.h"
#include "moonwatch.h"

/* `arg` as lua.c makes it: the program at 0, its arguments from 1. */
static void create_arg(lua_State *L, int argc, char **argv)
{
	lua_createtable(L, argc, 1);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	lua_pushvalue(L, -1);
	lua_setglobal(L, "arg");
}

static int message_handler(lua_State *L)
{
	const char *message = lua_tostring(L, 1);
	if (message == NULL && luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
		return 1;
	if (message == NULL)
		message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	luaL_traceback(L, L, message, 1);
	return 1;
}

static int docall(lua_State *L, int nargs, int nresults)
{
	int base = lua_gettop(L) - nargs;
	lua_pushcfunction(L, message_handler);
	lua_insert(L, base);
	int status = lua_pcall(L, nargs, nresults, base);
	lua_remove(L, base);
	return status;
}

static int report(lua_State *L, int status)
{
	if (status == LUA_OK)
		return 0;
	const char *message = lua_tostring(L, -1);
	fprintf(stderr, "moonwatch: %s\n", message != NULL ? message : "error without a message");
	fflush(stderr);
	lua_pop(L, 1);
	return EXIT_FAILURE;
}

/* (argc, argv) -> the exit status, or nil where it failed and has said so */
static int pmain(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);
	luaL_checkversion(L);
	luaL_openlibs(L);
	luaL_requiref(L, "moonwatch", luaopen_moonwatch, 0);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "moonwatch.cli");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "main");
	create_arg(L, argc, argv);
	if (report(L, docall(L, 1, 1)) != 0)
		lua_pushnil(L);
	return 1;
}

/* A closed standard descriptor would be given to the first file we open. In its place stands one that ends (input),
 * that refuses (output: so it is noticed) or that swallows (errors: there is nobody to tell). */
static void fill_standard_descriptors(void)
{
	static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	fill_standard_descriptors();
	lua_State *L = luaL_newstate();
	if (L == NULL) {
		fputs("moonwatch: cannot create a Lua state: not enough memory\n", stderr);
		return EXIT_FAILURE;
	}
	lua_pushcfunction(L, pmain);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	int failed = report(L, lua_pcall(L, 2, 1, 0));
	int status = failed != 0 || !lua_isinteger(L, -1) ? EXIT_FAILURE : (int)lua_tointeger(L, -1);
	lua_close(L);
	return status;
}
