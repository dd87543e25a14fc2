/* SPDX-License-Identifier: MIT
 *
 * lmask.c - moonwatch.mask, and masks in every form that scripts write.
 */
#include "bind/lmask.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"
#include "base/nearest.h"
#include "bind/bind.h"
#include "os/notify.h"

enum { LONGEST_WORD = 63 };

static const char separators[] = " ,|\t\n\r";

/* --- from Lua ---------------------------------------------------------------------------------------------------- */

static int wrong_name(lua_State *L, const char *word)
{
	Nearest nearest = {0};
	char shown[LONGEST_WORD * 4 + 1];
	for (int i = 0; i < NOTIFY_FLAG_COUNT; i++)
		nearest_offer(&nearest, word, notify_flags[i].name);
	shown[escape_write(shown, word, strlen(word))] = '\0';
	if (nearest.word == NULL)
		return bind_misuse(L, "unknown event name '%s' in a mask", shown);
	return bind_misuse(
		L, "unknown event name '%s' in a mask; did you mean '%s'?", shown, nearest.word);
}

/* "0x..." is how mask.names writes a bit that has no name, so it is read as well. */
static bool read_hex(const char *word, uint32_t *bits)
{
	char *end;
	if (word[0] != '0' || (word[1] != 'x' && word[1] != 'X') || !isxdigit((unsigned char)word[2]))
		return false;
	errno = 0;
	unsigned long value = strtoul(word + 2, &end, 16);
	if (*end != '\0' || errno != 0 || value > UINT32_MAX)
		return false;
	*bits = (uint32_t)value;
	return true;
}

static uint32_t word_bits(lua_State *L, const char *text, size_t length)
{
	char word[LONGEST_WORD + 1];
	uint32_t bits = 0;
	if (length > LONGEST_WORD)
		length = LONGEST_WORD;
	memcpy(word, text, length);
	word[length] = '\0';
	for (int i = 0; i < NOTIFY_FLAG_COUNT; i++)
		if (strcasecmp(word, notify_flags[i].name) == 0)
			return notify_flags[i].bits;
	if (!read_hex(word, &bits))
		wrong_name(L, word);
	return bits;
}

static uint32_t string_bits(lua_State *L, int index)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);
	uint32_t bits = 0;
	if (strlen(text) != length)
		bind_misuse(L, "a mask holds a zero byte");
	for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
		size_t word = strcspn(text, separators);
		bits |= word_bits(L, text, word);
		text += word;
	}
	return bits;
}

static uint32_t integer_bits(lua_State *L, int index)
{
	int exact;
	lua_Integer value = lua_tointegerx(L, index, &exact);
	if (!exact || value < 0 || value > (lua_Integer)UINT32_MAX)
		bind_misuse(L, "a mask is an integer of 32 bits, not %s", luaL_tolstring(L, index, NULL));
	return (uint32_t)value;
}

static uint32_t scalar_bits(lua_State *L, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		return integer_bits(L, index);
	case LUA_TSTRING:
		return string_bits(L, index);
	default:
		bind_misuse(L, "a mask is an integer, a string of event names or a list of them, not a %s",
			luaL_typename(L, index));
		return 0;
	}
}

static bool table_empty(lua_State *L, int index)
{
	lua_pushnil(L);
	if (lua_next(L, index) == 0)
		return true;
	lua_pop(L, 2);
	return false;
}

static uint32_t list_bits(lua_State *L, int index)
{
	uint32_t bits = 0;
	lua_Unsigned count = lua_rawlen(L, index);
	if (count == 0 && !table_empty(L, index))
		bind_misuse(L, "a mask given as a table is a list of event names");
	for (lua_Unsigned i = 1; i <= count; i++) {
		lua_rawgeti(L, index, (lua_Integer)i);
		bits |= scalar_bits(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	return bits;
}

uint32_t mask_check(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	return lua_istable(L, index) ? list_bits(L, index) : scalar_bits(L, index);
}

/* --- to Lua ------------------------------------------------------------------------------------------------------ */

void mask_pushnames(lua_State *L, uint32_t mask)
{
	lua_Integer count = 0;
	lua_newtable(L);
	for (int i = 0; i < NOTIFY_FLAG_COUNT && !notify_flags[i].set; i++) {
		if (mask & notify_flags[i].bits) {
			lua_pushstring(L, notify_flags[i].name);
			lua_rawseti(L, -2, ++count);
			mask &= ~notify_flags[i].bits;
		}
	}
	for (; mask != 0; mask &= mask - 1) {
		char hex[16];
		snprintf(hex, sizeof hex, "0x%08x", (unsigned)(mask & -mask));
		lua_pushstring(L, hex);
		lua_rawseti(L, -2, ++count);
	}
}

/* --- functions --------------------------------------------------------------------------------------------------- */

static int l_parse(lua_State *L)
{
	lua_pushinteger(L, mask_check(L, 1));
	return 1;
}

static int l_names(lua_State *L)
{
	mask_pushnames(L, mask_check(L, 1));
	return 1;
}

static void push_upper(lua_State *L, const char *name)
{
	char upper[32];
	size_t length = 0;
	for (; name[length] != '\0'; length++)
		upper[length] = (char)toupper((unsigned char)name[length]);
	lua_pushlstring(L, upper, length);
}

static int l_unknown(lua_State *L)
{
	Nearest nearest = {0};
	const char *name = luaL_tolstring(L, 2, NULL);
	for (int i = 0; i < NOTIFY_FLAG_COUNT; i++)
		nearest_offer(&nearest, name, notify_flags[i].name);
	if (nearest.word == NULL)
		return bind_misuse(L, "unknown flag '%s' of moonwatch.mask", name);
	push_upper(L, nearest.word);
	return bind_misuse(
		L, "unknown flag '%s' of moonwatch.mask; did you mean '%s'?", name, lua_tostring(L, -1));
}

static int l_readonly(lua_State *L)
{
	return bind_misuse(L, "moonwatch.mask is not to be changed");
}

static const luaL_Reg functions[] = {
	{"parse", l_parse},
	{"names", l_names},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__index", l_unknown},
	{"__newindex", l_readonly},
	{NULL, NULL},
};

int open_mask(lua_State *L)
{
	luaL_newlib(L, functions);
	for (int i = 0; i < NOTIFY_FLAG_COUNT; i++) {
		push_upper(L, notify_flags[i].name);
		lua_pushinteger(L, notify_flags[i].bits);
		lua_rawset(L, -3);
	}
	luaL_newlib(L, meta);
	lua_setmetatable(L, -2);
	lua_setfield(L, 1, "mask");
	return 0;
}
