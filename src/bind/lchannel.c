/* SPDX-License-Identifier: MIT
 *
 * lchannel.c - channels: values from task to task, in order, with or without a bound.
 *
 * Two sources in one object: those who get, and those who put into a full one. The values lie in a table, numbered from
 * `first` to `last`. A channel of capacity 0 holds a value only for a getter that waits for it: the two meet.
 */
#include "bind/bind.h"

#include "bind/core.h"

typedef struct Channel {
	Source getters; /* first member */
	Source putters;
	lua_Integer first, last; /* empty: first > last */
	lua_Integer capacity;    /* -1: unbounded */
} Channel;

static const Class channel_class;

/* --- accessors ------------------------------------------------------------------------------------------------ */

static Channel *check_channel(lua_State *L)
{
	return bind_check(L, 1, &channel_class);
}

static lua_Integer held(const Channel *channel)
{
	return channel->last - channel->first + 1;
}

static bool more_getters_than(const Channel *channel, lua_Integer count)
{
	const List *head = &channel->getters.waiters;
	for (const List *link = head->next; link != head; link = link->next)
		if (count-- == 0)
			return true;
	return false;
}

static bool has_room(const Channel *channel)
{
	if (channel->capacity == 0)
		return more_getters_than(channel, held(channel));
	return channel->capacity < 0 || held(channel) < channel->capacity;
}

/* The channel is at index 1. */
static int take_value(lua_State *L, Source *source)
{
	Channel *channel = (Channel *)source;
	if (held(channel) == 0)
		return 0;
	lua_getiuservalue(L, 1, 1);
	lua_rawgeti(L, -1, channel->first);
	lua_pushnil(L);
	lua_rawseti(L, -3, channel->first++);
	if (source_has_waiters(&channel->putters))
		source_wake(&channel->putters, 1);
	return 1;
}

/* The channel is at index 1, the value at 2. */
static int give_value(lua_State *L, Source *source)
{
	Channel *channel = list_item(source, Channel, putters);
	if (source->closed || !has_room(channel))
		return 0;
	lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, channel->last + 1);
	channel->last++;
	if (source_has_waiters(&channel->getters))
		source_wake(&channel->getters, 1);
	lua_pushboolean(L, true);
	return 1;
}

/* A getter has come: one who waits to put may go on. */
static void getter_came(Source *source, bool on)
{
	Channel *channel = (Channel *)source;
	if (on && channel->capacity == 0 && source_has_waiters(&channel->putters))
		source_wake(&channel->putters, 1);
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

/* channel([n]): n values are held before `put` waits; without n any number */
static int l_channel(lua_State *L)
{
	lua_Integer capacity = luaL_optinteger(L, 1, -1);
	if (capacity < 0 && !lua_isnoneornil(L, 1))
		return bind_misuse(L, "channel: a capacity is a number from 0 up");
	Channel *channel = bind_new(L, &channel_class, sizeof(*channel), 1);
	channel->capacity = capacity;
	channel->first = 1;
	source_init(L, &channel->getters, take_value, getter_came);
	source_init(L, &channel->putters, give_value, NULL);
	channel->getters.internal = channel->putters.internal = true;
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

static int channel_get(lua_State *L)
{
	Channel *channel = check_channel(L);
	double timeout = bind_opttimeout(L, 2);
	getter_came(&channel->getters, true);
	lua_settop(L, 1);
	return source_get(L, &channel->getters, timeout);
}

static int channel_each(lua_State *L)
{
	Channel *channel = check_channel(L);
	return bind_each(L, &channel->getters, bind_opttimeout(L, 2));
}

static int channel_put(lua_State *L)
{
	Channel *channel = check_channel(L);
	double timeout = bind_opttimeout(L, 3);
	if (lua_isnoneornil(L, 2))
		return bind_misuse(L, "put: nil cannot be told from the end of a channel");
	lua_settop(L, 2);
	return source_get(L, &channel->putters, timeout);
}

static int channel_len(lua_State *L)
{
	lua_pushinteger(L, held(check_channel(L)));
	return 1;
}

/* What was put before can still be had. */
static int channel_close(lua_State *L)
{
	Channel *channel = check_channel(L);
	source_close(&channel->putters);
	source_close(&channel->getters);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class channel_class = {
	.name = "moonwatch.channel",
	.methods = (const luaL_Reg[]){{"get", channel_get}, {"each", channel_each},
		{"put", channel_put}, {NULL, NULL}},
	.meta = (const luaL_Reg[]){{"__len", channel_len}, {NULL, NULL}},
	.close = channel_close,
	.is_source = true,
};

int open_channel(lua_State *L)
{
	bind_class(L, &channel_class);
	lua_pushcfunction(L, l_channel);
	lua_setfield(L, 1, "channel");
	return 0;
}
