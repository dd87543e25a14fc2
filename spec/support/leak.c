/* SPDX-License-Identifier: MIT
 *
 * leak.c - a module with three faults, to see that `make sanitize` reports each of them.
 */
#include <lua.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void *volatile sink;

static int leak(lua_State *L)
{
	(void)L;
	sink = malloc(4321);
	sink = NULL;
	return 0;
}

static int use_after_free(lua_State *L)
{
	char *volatile block = malloc(10);
	memset(block, 1, 10);
	free(block);
	lua_pushinteger(L, block[3]);
	return 1;
}

static int overflow(lua_State *L)
{
	volatile int big = INT_MAX;
	lua_pushinteger(L, big + 1);
	return 1;
}

int luaopen_leak(lua_State *L);
__attribute__((visibility("default"))) int luaopen_leak(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"leak", leak}, {"use_after_free", use_after_free}, {"overflow", overflow}, {NULL, NULL}};
	luaL_newlib(L, functions);
	return 1;
}
