/* SPDX-License-Identifier: MIT
 *
 * bind.c - the state of one Lua state, failures, classes, anchors.
 *
 * The Bind is made before any other object, so lua_close finalises it last. Everything else finds it through the
 * registry, under the address of a static that no other library knows.
 */
#include "bind/bind.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "bind/state.h"
#include "moonwatch.h"
#include "os/signame.h"

/* Keys of the registry. */
static const char bind_key, anchors_key, counts_key, own_key, source_key;

/* --- the state ------------------------------------------------------------------------------------------------ */

static int bind_gc(lua_State *L)
{
	Bind *bind = lua_touserdata(L, 1);
	if (bind->loop != NULL) {
		loop_job_stop(&bind->poke);
		loop_timer_stop(&bind->main_wait.timer);
	}
	loop_close(bind->loop);
	bind->loop = NULL;
	return 0;
}

static void new_registry_table(lua_State *L, const void *key)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static lua_State *main_thread(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	lua_State *main = lua_tothread(L, -1);
	lua_pop(L, 1);
	return main;
}

static void init_lists(Bind *bind)
{
	list_init(&bind->ready);
	list_init(&bind->tasks);
	list_init(&bind->failed);
	list_init(&bind->lingering);
	list_init(&bind->workers);
}

static Bind *new_bind(lua_State *L)
{
	luaL_checkstack(L, 8, NULL);
	new_registry_table(L, &anchors_key);
	new_registry_table(L, &counts_key);
	Bind *bind = lua_newuserdatauv(L, sizeof(*bind), 0);
	memset(bind, 0, sizeof(*bind));
	init_lists(bind);
	bind->main = main_thread(L);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, bind_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &bind_key);
	return bind;
}

Bind *bind_get(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &bind_key);
	Bind *bind = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return bind != NULL ? bind : new_bind(L);
}

/* --- the loop ------------------------------------------------------------------------------------------------- */

static void do_nothing(LoopJob *job)
{
	(void)job;
}

/* No Lua error may pass through the foreign loop: the drain raises nothing. */
static void serve_ready(void *context)
{
	Bind *bind = context;
	if (bind->driving)
		return; /* a drive is above us and drains by itself */
	task_drain(bind->main, bind);
	if (list_empty(&bind->ready))
		task_report_failures(bind->main, bind);
	if (!list_empty(&bind->ready))
		loop_job_start(bind->loop, &bind->poke);
}

int bind_open_loop(Bind *bind)
{
	if (bind->loop != NULL)
		return 0;
	int error = loop_open(&bind->loop, bind->foreign);
	if (error < 0)
		return error;
	bind->poke.work = do_nothing;
	loop_set_after(bind->loop, serve_ready, bind);
	return 0;
}

Loop *bind_loop(lua_State *L)
{
	Bind *bind = bind_get(L);
	int error = bind_open_loop(bind);
	if (error < 0)
		luaL_error(L, "cannot open the loop: %s", strerror(-error));
	return bind->loop;
}

Loop *bind_loop_of(Bind *bind)
{
	return bind_open_loop(bind) < 0 ? NULL : bind->loop;
}

__attribute__((visibility("default"))) int moonwatch_set_loop(lua_State *L, struct ev_loop *loop)
{
	Bind *bind = bind_get(L);
	if (bind->loop != NULL)
		return -EBUSY;
	bind->foreign = loop;
	return 0;
}

/* --- failures ------------------------------------------------------------------------------------------------- */

void bind_pushescaped(lua_State *L, const char *bytes, size_t length)
{
	luaL_Buffer buffer;
	char *room = luaL_buffinitsize(L, &buffer, escape_size(bytes, length));
	luaL_pushresultsize(&buffer, escape_write(room, bytes, length));
}

int bind_fail_because(lua_State *L, const char *subject, int error, const char *reason)
{
	lua_pushnil(L);
	bind_pushescaped(L, subject, strlen(subject));
	lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), reason);
	lua_remove(L, -2);
	lua_pushinteger(L, error);
	return 3;
}

int bind_fail(lua_State *L, const char *subject, int error)
{
	return bind_fail_because(L, subject, error, strerror(error));
}

int bind_failf(lua_State *L, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	lua_pushnil(L);
	lua_pushvfstring(L, format, arguments);
	lua_pushinteger(L, error);
	va_end(arguments);
	return 3;
}

int bind_timeout(lua_State *L)
{
	return bind_failf(L, ETIMEDOUT, "timeout");
}

int bind_closed(lua_State *L)
{
	return bind_failf(L, EPIPE, "closed");
}

static bool is_own_file(const char *source, const char *own, size_t length)
{
	return own != NULL && strncmp(source, own, length) == 0;
}

void bind_pushposition(lua_State *L)
{
	lua_Debug ar;
	size_t length = 0;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
	const char *own = lua_tolstring(L, -1, &length);
	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline > 0 && !is_own_file(ar.source, own, length)) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			lua_remove(L, -2);
			return;
		}
	}
	lua_pop(L, 1);
	lua_pushliteral(L, "");
}

int bind_misuse(lua_State *L, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	bind_pushposition(L);
	lua_pushvfstring(L, format, arguments);
	va_end(arguments);
	lua_concat(L, 2);
	return lua_error(L);
}

void bind_set_own_files(lua_State *L, const char *prefix)
{
	lua_pushstring(L, prefix);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &own_key);
}

bool bind_is_own_file(lua_State *L, const char *source)
{
	size_t length = 0;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &own_key);
	const char *own = lua_tolstring(L, -1, &length);
	bool is_own = is_own_file(source, own, length);
	lua_pop(L, 1);
	return is_own;
}

const char *bind_checkpath(lua_State *L, int index, size_t *length)
{
	size_t size;
	const char *path = luaL_checklstring(L, index, &size);
	if (memchr(path, '\0', size) != NULL)
		bind_misuse(L, "a path must not contain a NUL byte");
	if (length != NULL)
		*length = size;
	return path;
}

int bind_findsignal(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TNUMBER)
		return signame_find(luaL_checkstring(L, index));
	lua_Integer number = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
	return number > 0 && number < NSIG ? (int)number : 0;
}

int bind_checksignal(lua_State *L, int index)
{
	int number = bind_findsignal(L, index);
	if (number == 0)
		bind_misuse(L, "there is no signal '%s'", luaL_tolstring(L, index, NULL));
	return number;
}

double bind_opttimeout(lua_State *L, int index)
{
	if (lua_isnoneornil(L, index))
		return -1;
	int is_number;
	double timeout = lua_tonumberx(L, index, &is_number);
	if (!is_number || !(timeout >= 0))
		bind_misuse(L, "a timeout is nil or a number of seconds from 0 up, not %s%s",
			is_number ? "" : "a ", is_number ? lua_tostring(L, index) : luaL_typename(L, index));
	return isinf(timeout) ? -1 : timeout;
}

/* --- classes -------------------------------------------------------------------------------------------------- */

/* Upvalues: metatable, methods, class. */
static int index_with_fields(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
		return 1;
	lua_pop(L, 1);
	const Class *class = lua_touserdata(L, lua_upvalueindex(3));
	return class->field(L);
}

static void set_functions(lua_State *L, int metatable, const luaL_Reg *functions)
{
	if (functions == NULL)
		return;
	lua_pushvalue(L, metatable);
	luaL_setfuncs(L, functions, 1);
}

static void set_index(lua_State *L, int metatable, const Class *class)
{
	lua_newtable(L);
	set_functions(L, metatable, class->methods);
	if (class->close != NULL)
		set_functions(L, metatable, (luaL_Reg[]){{"close", class->close}, {NULL, NULL}});
	if (class->field != NULL) {
		lua_pushvalue(L, metatable);
		lua_insert(L, -2);
		lua_pushlightuserdata(L, (void *)class);
		lua_pushcclosure(L, index_with_fields, 3);
	}
	lua_setfield(L, metatable, "__index");
}

/* Pushes the metatable and says whether it is new. */
static bool push_metatable(lua_State *L, const Class *class)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, class) != LUA_TNIL)
		return false;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, class);
	return true;
}

void bind_class(lua_State *L, const Class *class)
{
	luaL_checkstack(L, 10, NULL);
	if (push_metatable(L, class)) {
		int metatable = lua_gettop(L);
		lua_pushstring(L, class->name);
		lua_setfield(L, metatable, "__name");
		lua_pushboolean(L, class->is_source);
		lua_rawsetp(L, metatable, &source_key);
		if (class->close != NULL)
			set_functions(L, metatable,
				(luaL_Reg[]){{"__gc", class->close}, {"__close", class->close}, {NULL, NULL}});
		set_functions(L, metatable, class->meta);
		set_index(L, metatable, class);
	}
	lua_pop(L, 1);
}

void *bind_new(lua_State *L, const Class *class, size_t size, int uservalues)
{
	void *object = lua_newuserdatauv(L, size, uservalues);
	memset(object, 0, size);
	lua_rawgetp(L, LUA_REGISTRYINDEX, class);
	lua_setmetatable(L, -2);
	return object;
}

/* A method has its class's metatable as its first upvalue, which spares the look into the registry. */
void *bind_test(lua_State *L, int index, const Class *class)
{
	void *object = lua_touserdata(L, index);
	if (object == NULL || !lua_getmetatable(L, index))
		return NULL;
	bool is = lua_rawequal(L, -1, lua_upvalueindex(1));
	if (!is) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, class);
		is = lua_rawequal(L, -1, -2);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return is ? object : NULL;
}

void *bind_check(lua_State *L, int index, const Class *class)
{
	void *object = bind_test(L, index, class);
	if (object == NULL)
		luaL_typeerror(L, index, class->name);
	return object;
}

Source *bind_testsource(lua_State *L, int index)
{
	Source *source = lua_touserdata(L, index);
	if (source == NULL || !lua_getmetatable(L, index))
		return NULL;
	lua_rawgetp(L, -1, &source_key);
	bool is_source = lua_toboolean(L, -1);
	lua_pop(L, 2);
	return is_source ? source : NULL;
}

/* --- anchors -------------------------------------------------------------------------------------------------- */

/* Pushes how often `key` is anchored beyond the first time, and the table that says so below it. */
static lua_Integer push_count(lua_State *L, const void *key)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &counts_key);
	lua_rawgetp(L, -1, key);
	lua_Integer count = lua_tointeger(L, -1);
	lua_pop(L, 1);
	return count;
}

static void set_count(lua_State *L, const void *key, lua_Integer count)
{
	if (count > 0)
		lua_pushinteger(L, count);
	else
		lua_pushnil(L);
	lua_rawsetp(L, -2, key);
}

void bind_keep(lua_State *L, int index, const void *key)
{
	luaL_checkstack(L, 4, NULL);
	index = lua_absindex(L, index);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
	lua_pushvalue(L, index);
	lua_rawsetp(L, -2, key);
	lua_pop(L, 1);
}

void bind_release(lua_State *L, const void *key)
{
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
	lua_pushnil(L);
	lua_rawsetp(L, -2, key);
	lua_pop(L, 1);
}

bool bind_pushanchored(lua_State *L, const void *key)
{
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
	lua_rawgetp(L, -1, key);
	lua_remove(L, -2);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

void bind_anchor(lua_State *L, int index, const void *key)
{
	index = lua_absindex(L, index);
	if (bind_pushanchored(L, key)) {
		lua_pop(L, 1);
		set_count(L, key, push_count(L, key) + 1);
		lua_pop(L, 1);
	} else {
		bind_keep(L, index, key);
		bind_get(L)->anchored++;
	}
}

void bind_unanchor(lua_State *L, const void *key)
{
	if (!bind_pushanchored(L, key))
		return;
	lua_Integer count = push_count(L, key);
	if (count > 0) {
		set_count(L, key, count - 1);
	} else {
		bind_release(L, key);
		bind_get(L)->anchored--;
	}
	lua_pop(L, 2);
}
