/* SPDX-License-Identifier: MIT
 *
 * linotify_chain.c - the watches of an inotify object by their descriptor and by their path.
 *
 * The first of each chain is in a table of the inotify object, the others follow by C pointers. All chains are short; a
 * watch goes to the end of its own. To leave one takes no memory.
 */
#include "bind/linotify.h"

void watch_push(lua_State *L, int object, const Watch *watch)
{
	lua_getiuservalue(L, object, SLOT_ALL);
	lua_rawgetp(L, -1, watch);
	lua_remove(L, -2);
}

Watch *watch_first_sharer(lua_State *L, int object, int wd)
{
	lua_getiuservalue(L, object, SLOT_BY_WD);
	lua_rawgeti(L, -1, wd);
	Watch *watch = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return watch;
}

Watch *watch_first_namesake(lua_State *L, int object)
{
	lua_getiuservalue(L, object, SLOT_BY_PATH);
	lua_insert(L, -2);
	lua_rawget(L, -2);
	Watch *watch = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return watch;
}

/* Pushes what a watch is found by in a table: its descriptor or its path. */
static void push_key(lua_State *L, int object, int slot, const Watch *watch)
{
	if (slot == SLOT_BY_WD) {
		lua_pushinteger(L, watch->wd);
		return;
	}
	watch_push(L, object, watch);
	lua_getiuservalue(L, -1, WATCH_PATH);
	lua_remove(L, -2);
}

/* The first of the chain in which a watch stands or would stand, or NULL. */
static Watch *first_of(lua_State *L, int object, int slot, const Watch *watch)
{
	lua_getiuservalue(L, object, slot);
	push_key(L, object, slot, watch);
	lua_rawget(L, -2);
	Watch *first = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return first;
}

/* Another watch, or NULL, is the first of that chain now. */
static void set_first(lua_State *L, int object, int slot, const Watch *of, const Watch *first)
{
	lua_getiuservalue(L, object, slot);
	push_key(L, object, slot, of);
	if (first == NULL)
		lua_pushnil(L);
	else
		watch_push(L, object, first);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static Watch **next_of(Watch *watch, int slot)
{
	return slot == SLOT_BY_WD ? &watch->sharer : &watch->namesake;
}

void watch_join(lua_State *L, int object, int slot, Watch *watch)
{
	Watch *last = first_of(L, object, slot, watch);
	*next_of(watch, slot) = NULL;
	if (last == NULL) {
		set_first(L, object, slot, watch, watch);
		return;
	}
	while (*next_of(last, slot) != NULL)
		last = *next_of(last, slot);
	*next_of(last, slot) = watch;
}

void watch_leave(lua_State *L, int object, int slot, Watch *watch)
{
	Watch *before = first_of(L, object, slot, watch), *next = *next_of(watch, slot);
	*next_of(watch, slot) = NULL;
	if (before == watch) {
		set_first(L, object, slot, watch, next);
		return;
	}
	while (before != NULL && *next_of(before, slot) != watch)
		before = *next_of(before, slot);
	if (before != NULL)
		*next_of(before, slot) = next;
}
