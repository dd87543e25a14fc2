/* SPDX-License-Identifier: MIT
 *
 * levent_driver.c - runs a chunk of Lua that may make watcher events of its own: event{ op = 1, name = "a", ... }.
 *
 * The fields are those of the struct by their names, and directory, root, from, from_root, reason, from_name.
 */
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "bind/levent.h"
#include "moonwatch.h"

static lua_Integer integer(lua_State *L, const char *key)
{
	lua_getfield(L, 1, key);
	lua_Integer value = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : lua_tointeger(L, -1);
	lua_pop(L, 1);
	return value;
}

/* The string stays in the table, so the pointer stays good. */
static const char *text(lua_State *L, const char *key, size_t *length)
{
	*length = 0;
	lua_getfield(L, 1, key);
	const char *value = lua_tolstring(L, -1, length);
	lua_pop(L, 1);
	return value == NULL ? "" : value;
}

static void fill(lua_State *L, Event *event)
{
	event->is_watcher_event = true;
	event->op = (uint8_t)integer(L, "op");
	event->type = (uint8_t)integer(L, "type");
	event->replaced = (uint8_t)integer(L, "replaced");
	event->isdir = integer(L, "isdir") != 0;
	event->synthetic = integer(L, "synthetic") != 0;
	event->exchange = integer(L, "exchange") != 0;
	event->mask = (uint32_t)integer(L, "mask");
	event->seq = (uint64_t)integer(L, "seq");
	event->rel_at = (uint32_t)integer(L, "rel_at");
	event->from_rel_at = (uint32_t)integer(L, "from_rel_at");
}

static int make_event(lua_State *L)
{
	static const char *const values[] = {"directory", "root", "from", "from_root", "reason"};
	size_t length, from_length;
	const char *name = text(L, "name", &length), *from_name = text(L, "from_name", &from_length);
	Event *event = event_push(L, length, from_length, 5);
	memcpy(event->names, name, length);
	memcpy(event->names + length, from_name, from_length);
	fill(L, event);
	for (int slot = 1; slot <= 5; slot++) {
		lua_getfield(L, 1, values[slot - 1]);
		lua_setiuservalue(L, -2, slot);
	}
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	if (argc != 2 || L == NULL)
		return 2;
	luaL_openlibs(L);
	luaL_requiref(L, "moonwatch", luaopen_moonwatch, 1);
	lua_register(L, "event", make_event);
	int status = luaL_dostring(L, argv[1]);
	if (status != LUA_OK)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return status == LUA_OK ? 0 : 1;
}
