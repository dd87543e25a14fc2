/* SPDX-License-Identifier: MIT
 *
 * lpattern.c - pattern lists in Lua.
 *
 *    local sources = moonwatch.pattern { "*.{c,h}", "!generated.c", "vendor/" }
 *    sources:match("src/main.c")       --> true
 *    sources:match("vendor/zlib/x.txt") --> true: the directory holds for all below it
 *    sources:explain("generated.c")    --> "!generated.c", 2, "generated.c"
 */
#include "bind/lpattern.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "bind/bind.h"

typedef struct PatternObject {
	Pattern *pattern; /* NULL until it is made, and after the finaliser */
} PatternObject;

static const Class pattern_class;

/* --- accessors --------------------------------------------------------------------------------------------------- */

/* The path asked about: rel, and whether it is a directory; one written with a slash at its end is. */
typedef struct Question {
	const char *rel;
	size_t length;
	bool isdir;
} Question;

static Question question_at(lua_State *L, int index)
{
	Question question;
	question.rel = bind_checkpath(L, index, &question.length);
	bool slash = question.length > 0 && question.rel[question.length - 1] == '/';
	while (question.length > 0 && question.rel[question.length - 1] == '/')
		question.length--;
	question.isdir = lua_isnoneornil(L, index + 1) ? slash : lua_toboolean(L, index + 1);
	return question;
}

/* --- constructor ------------------------------------------------------------------------------------------------- */

static void add_string(lua_State *L, Pattern *pattern, int index, const char *what)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);
	int error = pattern_add(pattern, text, length, PATTERN_BRACES | PATTERN_LINE);
	if (error == -ENOMEM)
		luaL_error(L, "not enough memory");
	if (error == -EINVAL)
		bind_misuse(L, "%s: a pattern holds a zero byte", what);
	if (error == -E2BIG)
		bind_misuse(L, "%s: the braces of a pattern stand for more than %d patterns", what,
			PATTERN_MOST_EXPANSIONS);
}

static void add_list(lua_State *L, Pattern *pattern, int index, const char *what)
{
	lua_Integer count = luaL_len(L, index);
	for (lua_Integer i = 1; i <= count; i++) {
		int type = lua_geti(L, index, i);
		if (type != LUA_TSTRING)
			bind_misuse(L, "%s: pattern %I is a %s, not a string", what, (LUAI_UACINT)i,
				lua_typename(L, type));
		add_string(L, pattern, -1, what);
		lua_pop(L, 1);
	}
}

/* A list with an unknown key is a mistake that would go unseen: { match = ... } or a hole. */
static void check_keys(lua_State *L, int index, const char *what)
{
	lua_Integer count = luaL_len(L, index);
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		bool fine =
			lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && lua_tointeger(L, -1) <= count;
		if (!fine)
			bind_misuse(
				L, "%s: a list of patterns has no key '%s'", what, luaL_tolstring(L, -1, NULL));
	}
}

/* Pushes the pattern object that the value at index is or makes. */
static PatternObject *push_object(lua_State *L, int index, const char *what)
{
	index = lua_absindex(L, index);
	PatternObject *object = bind_test(L, index, &pattern_class);
	if (object != NULL) {
		lua_pushvalue(L, index);
		return object;
	}
	int type = lua_type(L, index);
	if (type != LUA_TSTRING && type != LUA_TTABLE)
		bind_misuse(
			L, "%s must be a pattern or a list of patterns, not %s", what, luaL_typename(L, index));
	object = bind_new(L, &pattern_class, sizeof *object, 0);
	object->pattern = pattern_new();
	if (object->pattern == NULL)
		luaL_error(L, "not enough memory");
	if (type == LUA_TSTRING) {
		add_string(L, object->pattern, index, what);
	} else {
		check_keys(L, index, what);
		add_list(L, object->pattern, index, what);
	}
	return object;
}

void lpattern_push(lua_State *L, int index, const char *what)
{
	if (lua_isnoneornil(L, index))
		lua_pushnil(L);
	else
		push_object(L, index, what);
}

Pattern *lpattern_take(lua_State *L, int index)
{
	PatternObject *object = lua_touserdata(L, index);
	return object != NULL ? pattern_share(object->pattern) : NULL;
}

/* moonwatch.pattern(list): a string, a list of strings, or a pattern object (given back as it is). */
static int pattern_make(lua_State *L)
{
	luaL_checkany(L, 1);
	push_object(L, 1, "moonwatch.pattern");
	return 1;
}

/* --- methods ----------------------------------------------------------------------------------------------------- */

/* pattern:match(rel [, isdir]): is the path selected, itself or by a directory above it? */
static int method_match(lua_State *L)
{
	PatternObject *object = bind_check(L, 1, &pattern_class);
	Question path = question_at(L, 2);
	int verdict = pattern_verdict(object->pattern, path.rel, path.length, path.isdir, NULL);
	lua_pushboolean(L, verdict > 0);
	return 1;
}

/* pattern:explain(rel [, isdir]): the deciding pattern as it was written, its place in the list, and the path that it
 * matched (the given one or a directory above it); nil where none does. */
static int method_explain(lua_State *L)
{
	PatternObject *object = bind_check(L, 1, &pattern_class);
	Question path = question_at(L, 2);
	size_t decided = 0;
	int verdict = pattern_verdict(object->pattern, path.rel, path.length, path.isdir, &decided);
	if (verdict == 0) {
		lua_pushnil(L);
		return 1;
	}
	PatternOrigin origin = pattern_origin(object->pattern, verdict);
	lua_pushlstring(L, origin.text, origin.length);
	lua_pushinteger(L, origin.line);
	lua_pushlstring(L, path.rel, decided);
	return 3;
}

static int meta_gc(lua_State *L)
{
	PatternObject *object = bind_test(L, 1, &pattern_class);
	if (object != NULL) {
		pattern_free(object->pattern);
		object->pattern = NULL;
	}
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static const luaL_Reg methods[] = {
	{"match", method_match},
	{"explain", method_explain},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__gc", meta_gc},
	{NULL, NULL},
};

static const Class pattern_class = {.name = "moonwatch.pattern", .methods = methods, .meta = meta};

int open_pattern(lua_State *L)
{
	bind_class(L, &pattern_class);
	lua_pushcfunction(L, pattern_make);
	lua_setfield(L, 1, "pattern");
	return 0;
}
