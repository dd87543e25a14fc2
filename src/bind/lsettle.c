/* SPDX-License-Identifier: MIT
 *
 * lsettle.c - net changes in Lua.
 *
 *    local settle = core.settle { settle = 0.2, max_wait = 5 }
 *    settle:feed(event)                --> an event of a watcher, or a table with the same fields
 *    settle:deadline()                 --> when it wants to be asked; nil: nothing is pending
 *    settle:take(now)                  --> a list of changes; nil: nothing is due
 *    settle:merge(changes)             --> puts back what could not be handled
 */
#include "bind/lsettle.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/filetype.h"
#include "base/nearest.h"
#include "bind/bind.h"
#include "bind/levent.h"
#include "os/lease.h"
#include "os/notify.h"

typedef struct SettleObject {
	Settle settle;
	Batch
		batch; /* of the call under way; cleared by the next one where that was left by an error */
	char *bytes;  /* likewise */
	lua_State *L; /* during take, for the question about writers */
	bool is_open;
	bool is_lazy; /* the type of a change is looked up when it is asked for */
} SettleObject;

enum { VALUE_WRITER = 1, VALUES = 1 };

static const Class settle_class;

/* --- accessors --------------------------------------------------------------------------------------------------- */

static void clear_call(SettleObject *object)
{
	batch_clear(&object->batch);
	free(object->bytes);
	object->bytes = NULL;
}

static SettleObject *check(lua_State *L)
{
	SettleObject *object = bind_check(L, 1, &settle_class);
	if (!object->is_open)
		bind_misuse(L, "the settle object is closed");
	clear_call(object);
	return object;
}

Settle *lsettle_check(lua_State *L, int index)
{
	SettleObject *object = bind_check(L, index, &settle_class);
	if (!object->is_open)
		bind_misuse(L, "the settle object is closed");
	return &object->settle;
}

static void check_memory(lua_State *L, int error)
{
	if (error == -ENOMEM)
		luaL_error(L, "not enough memory");
}

static double time_at(lua_State *L, int index)
{
	if (lua_isnoneornil(L, index))
		return loop_now();
	if (lua_type(L, index) != LUA_TNUMBER)
		bind_misuse(L, "a time in seconds expected, got %s", luaL_typename(L, index));
	return lua_tonumber(L, index);
}

/* --- the question about writers ---------------------------------------------------------------------------------- */

static int ask_disk(void *asker, const char *path, uint64_t *signature)
{
	(void)asker;
	switch (lease_ask(path, signature)) {
	case LEASE_FREE:
		return WRITER_NONE;
	case LEASE_WRITER:
		return WRITER_AT_WORK;
	case LEASE_UNSURE:
		return WRITER_UNSURE;
	default:
		return WRITER_UNKNOWN;
	}
}

/* (function, path): nothing may be raised into the settling, not even by the making of a string. */
static int call_writer(lua_State *L)
{
	const char *path = lua_touserdata(L, 2);
	lua_settop(L, 1);
	lua_pushstring(L, path);
	lua_call(L, 1, 1);
	return 1;
}

static int ask_function(void *asker, const char *path, uint64_t *signature)
{
	SettleObject *object = asker;
	lua_State *L = object->L;
	(void)signature;
	lua_pushcfunction(L, call_writer);
	lua_getiuservalue(L, 1, VALUE_WRITER);
	lua_pushlightuserdata(L, (void *)path);
	if (bind_pcall_nowait(L, 2, 1, "the writer function of a settle object") != LUA_OK) {
		bind_report(L, "the writer function of a settle object");
		return WRITER_UNKNOWN;
	}
	int answer = lua_toboolean(L, -1) ? WRITER_AT_WORK : WRITER_NONE;
	lua_pop(L, 1);
	return answer;
}

/* --- constructor ------------------------------------------------------------------------------------------------- */

static const char *const option_names[] = {
	"settle", "max_wait", "each", "complete", "on", "writer", "lazy"};

static void check_option(lua_State *L, const char *name)
{
	Nearest nearest = {0};
	for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++) {
		if (strcmp(name, option_names[i]) == 0)
			return;
		nearest_offer(&nearest, name, option_names[i]);
	}
	if (nearest.word == NULL)
		bind_misuse(L, "unknown option '%s'", name);
	bind_misuse(L, "unknown option '%s' (did you mean '%s'?)", name, nearest.word);
}

static void check_options(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE)
		bind_misuse(L, "a table of options expected, got %s", luaL_typename(L, index));
	lua_pushnil(L);
	while (lua_next(L, index) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			bind_misuse(L, "the name of an option must be a string, not %s", luaL_typename(L, -1));
		check_option(L, lua_tostring(L, -1));
	}
}

static double seconds_option(lua_State *L, int index, const char *name, double otherwise)
{
	double value = otherwise;
	if (lua_getfield(L, index, name) == LUA_TNUMBER)
		value = lua_tonumber(L, -1);
	else if (!lua_isnil(L, -1))
		bind_misuse(L, "%s must be a number of seconds, not %s", name, luaL_typename(L, -1));
	if (!(value >= 0))
		bind_misuse(L, "%s must be a number of seconds from 0 on", name);
	lua_pop(L, 1);
	return value;
}

/* -1: off. */
static double complete_option(lua_State *L, int index)
{
	int type = lua_getfield(L, index, "complete");
	bool is_on = lua_toboolean(L, -1);
	lua_pop(L, 1);
	if (type == LUA_TNIL || type == LUA_TBOOLEAN)
		return is_on ? INFINITY : -1;
	return seconds_option(L, index, "complete", -1);
}

static bool boolean_option(lua_State *L, int index, const char *name)
{
	lua_getfield(L, index, name);
	bool value = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

static const EventOp change_ops[] = {OP_CREATE, OP_MODIFY, OP_DELETE, OP_MOVE, OP_ATTRIB};

/* OP_NONE where it names no change. */
static EventOp change_op(const char *name)
{
	for (size_t i = 0; i < sizeof change_ops / sizeof *change_ops; i++)
		if (strcmp(event_op_name(change_ops[i]), name) == 0)
			return change_ops[i];
	return OP_NONE;
}

static uint32_t op_bit(lua_State *L, int index)
{
	EventOp op = lua_type(L, index) == LUA_TSTRING ? change_op(lua_tostring(L, index)) : OP_NONE;
	if (op == OP_NONE)
		bind_misuse(L, "on: %s is no change; there are create, modify, delete, move and attrib",
			luaL_tolstring(L, index, NULL));
	return SETTLE_OP(op);
}

static uint32_t ops_option(lua_State *L, int index)
{
	uint32_t ops = 0;
	int type = lua_getfield(L, index, "on");
	if (type != LUA_TNIL && type != LUA_TTABLE)
		bind_misuse(L, "on must be a list of changes, not %s", luaL_typename(L, -1));
	if (type == LUA_TTABLE) {
		lua_Integer count = luaL_len(L, -1);
		for (lua_Integer i = 1; i <= count; i++) {
			lua_geti(L, -1, i);
			ops |= op_bit(L, lua_gettop(L));
			lua_pop(L, 1);
		}
	}
	lua_pop(L, 1);
	return ops;
}

static void writer_option(lua_State *L, int index, SettleOptions *options)
{
	int type = lua_getfield(L, index, "writer");
	if (type != LUA_TNIL && type != LUA_TFUNCTION)
		bind_misuse(L, "writer must be a function, not %s", luaL_typename(L, -1));
	options->writer = type == LUA_TFUNCTION ? ask_function : ask_disk;
	lua_setiuservalue(L, -2, VALUE_WRITER);
}

/* settle { settle = 0.1, max_wait = 5, each = false, complete = false, on = { ... }, writer = function(path),
 * lazy = false } */
static int l_settle(lua_State *L)
{
	lua_settop(L, 1);
	check_options(L, 1);
	SettleOptions options = {
		.settle = seconds_option(L, 1, "settle", 0.1),
		.max_wait = seconds_option(L, 1, "max_wait", 5),
		.complete = complete_option(L, 1),
		.each = boolean_option(L, 1, "each"),
		.ops = ops_option(L, 1),
	};
	SettleObject *object = bind_new(L, &settle_class, sizeof *object, VALUES);
	writer_option(L, 1, &options);
	options.asker = object;
	settle_init(&object->settle, &options);
	object->is_lazy = boolean_option(L, 1, "lazy");
	object->is_open = true;
	return 1;
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* The string in a user value: it lives as long as the event. */
static const char *event_string(lua_State *L, int event, int slot, size_t *length)
{
	const char *text = NULL;
	*length = 0;
	if (lua_getiuservalue(L, event, slot) == LUA_TSTRING)
		text = lua_tolstring(L, -1, length);
	lua_pop(L, 1);
	return text;
}

static void read_from(lua_State *L, int index, const Event *event, SettleEvent *out)
{
	PathRef *from = &out->from;
	from->dir = event_string(L, index, EVENT_FROM, &from->dir_length);
	from->name = event->names + event->name_length;
	from->name_length = event->from_name_length;
	from->rel_at = event->from_rel_at;
	from->root = event_string(L, index, EVENT_FROM_ROOT, &from->root_length);
	if (from->root == NULL) {
		from->root = out->path.root;
		from->root_length = out->path.root_length;
	}
}

static FileType type_of(const Event *event)
{
	return event->isdir ? TYPE_DIRECTORY : (FileType)event->type;
}

static void read_event(lua_State *L, int index, const Event *event, SettleEvent *out)
{
	if (!event->is_watcher_event)
		bind_misuse(L, "an event of a watcher expected, got one of an inotify object");
	out->op = event->op;
	out->type = (uint8_t)type_of(event);
	out->replaced = event->replaced;
	out->exchange = event->exchange;
	out->synthetic = event->synthetic;
	out->moved = (event->mask & NOTIFY_MOVED_TO) != 0;
	out->whole = event->whole;
	out->path.dir = event_string(L, index, EVENT_DIRECTORY, &out->path.dir_length);
	out->path.name = event->names;
	out->path.name_length = event->name_length;
	out->path.rel_at = event->rel_at;
	out->path.root = event_string(L, index, EVENT_ROOT, &out->path.root_length);
	if (event->op == OP_MOVE)
		read_from(L, index, event, out);
}

/* --- events and changes as tables -------------------------------------------------------------------------------- */

static bool has_flag(lua_State *L, int index, const char *key)
{
	return boolean_option(L, index, key);
}

/* The string field, left on the stack so that it lives; nil gives NULL. */
static const char *string_field(lua_State *L, int index, const char *key, size_t *length)
{
	*length = 0;
	int type = lua_getfield(L, index, key);
	if (type != LUA_TSTRING && type != LUA_TNIL)
		bind_misuse(L, "the field '%s' must be a string, not %s", key, luaL_typename(L, -1));
	return type == LUA_TSTRING ? lua_tolstring(L, -1, length) : NULL;
}

static FileType type_field(lua_State *L, int index, const char *key)
{
	size_t length;
	const char *name = string_field(L, index, key, &length);
	FileType type = TYPE_UNKNOWN;
	for (int i = TYPE_FILE; name != NULL && i <= TYPE_BLOCK; i++)
		if (strcmp(name, filetype_name(i)) == 0)
			type = (FileType)i;
	if (name != NULL && type == TYPE_UNKNOWN)
		bind_misuse(L, "'%s' is no type of a directory entry", name);
	lua_pop(L, 1);
	return type;
}

/* path, rel and root under other names for `from`. Leaves two strings on the stack. */
static void read_path(
	lua_State *L, int index, PathRef *out, const char *path, const char *rel, const char *root)
{
	size_t rel_length;
	bool has_rel = string_field(L, index, rel, &rel_length) != NULL;
	lua_pop(L, 1);
	out->dir = string_field(L, index, path, &out->dir_length);
	if (out->dir == NULL || out->dir_length == 0)
		bind_misuse(L, "the field '%s' is missing", path);
	if (has_rel && rel_length > out->dir_length)
		bind_misuse(L, "'%s' is longer than '%s'", rel, path);
	out->root = string_field(L, index, root, &out->root_length);
	out->rel_at = has_rel ? (uint32_t)(out->dir_length - rel_length) : 0;
}

/* A move inside one root says so but once. */
static void read_paths(lua_State *L, int index, SettleEvent *out)
{
	read_path(L, index, &out->path, "path", "rel", "root");
	if (out->op != OP_MOVE)
		return;
	read_path(L, index, &out->from, "from", "from_rel", "from_root");
	if (out->from.root == NULL) {
		out->from.root = out->path.root;
		out->from.root_length = out->path.root_length;
	}
	if (out->from.rel_at == 0 && out->path.rel_at <= out->from.dir_length &&
		memcmp(out->from.dir, out->path.dir, out->path.rel_at) == 0)
		out->from.rel_at = out->path.rel_at;
}

static EventOp event_op(lua_State *L, int index)
{
	size_t length;
	const char *name = string_field(L, index, "op", &length);
	for (int op = OP_CREATE; name != NULL && op < OP_COUNT; op++)
		if (strcmp(event_op_name((EventOp)op), name) == 0)
			return (EventOp)op;
	bind_misuse(L, "the field 'op' is no event's: %s", name != NULL ? name : "nil");
	return OP_NONE;
}

/* Leaves strings on the stack that `out` points to. */
static void read_table(lua_State *L, int index, SettleEvent *out)
{
	out->op = (uint8_t)event_op(L, index);
	out->type =
		(uint8_t)(has_flag(L, index, "isdir") ? TYPE_DIRECTORY : type_field(L, index, "type"));
	out->replaced = (uint8_t)type_field(L, index, "replaced");
	out->exchange = has_flag(L, index, "exchange");
	out->synthetic = has_flag(L, index, "synthetic");
	out->moved = has_flag(L, index, "moved_to");
	out->whole = out->synthetic || has_flag(L, index, "moved_from") || has_flag(L, index, "whole");
	if (out->op != OP_OVERFLOW && out->op != OP_UNWATCHED)
		read_paths(L, index, out);
}

static int copy_path(Batch *batch, const PathRef *path, ChangePath *out)
{
	out->rel_at = path->rel_at;
	if (batch_copy(batch, path->dir, path->dir_length, &out->path) < 0)
		return -ENOMEM;
	return path->root != NULL ? batch_copy(batch, path->root, path->root_length, &out->root) : 0;
}

static void read_change(lua_State *L, int index, Batch *batch)
{
	SettleEvent event = {0};
	int top = lua_gettop(L);
	read_table(L, index, &event);
	if (change_op(event_op_name(event.op)) == OP_NONE)
		bind_misuse(L, "'%s' is no net change", event_op_name(event.op));
	Change change = {.op = event.op,
		.type = event.type,
		.replaced = event.replaced,
		.exchange = event.exchange,
		.modified = has_flag(L, index, "modified"),
		.temporary = has_flag(L, index, "temporary"),
		.whole = has_flag(L, index, "whole"),
		.first = -INFINITY,
		.last = -INFINITY};
	lua_getfield(L, index, "count");
	change.count =
		lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0 ? (uint32_t)lua_tointeger(L, -1) : 1;
	int error = copy_path(batch, &event.path, &change.to);
	if (error == 0 && event.op == OP_MOVE)
		error = copy_path(batch, &event.from, &change.from);
	Change *added = error == 0 ? batch_add(batch) : NULL;
	if (added != NULL)
		*added = change;
	check_memory(L, added == NULL ? -ENOMEM : 0);
	lua_settop(L, top);
}

static void set_span(lua_State *L, const Batch *batch, Span span, const char *key)
{
	lua_pushlstring(L, batch_text(batch, span), span.length);
	lua_setfield(L, -2, key);
}

static void set_string(lua_State *L, const char *value, const char *key)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, bool value, const char *key)
{
	if (!value)
		return;
	lua_pushboolean(L, true);
	lua_setfield(L, -2, key);
}

static Span from_byte(Span span, uint32_t skip)
{
	return (Span){.at = span.at + skip, .length = span.length - skip};
}

static Span last_component(const Batch *batch, Span path)
{
	const char *text = batch_text(batch, path);
	const char *slash = memrchr(text, '/', path.length);
	return slash != NULL && path.length > 1 ? from_byte(path, (uint32_t)(slash + 1 - text)) : path;
}

static void set_from(lua_State *L, const Batch *batch, const Change *change)
{
	const ChangePath *from = &change->from;
	set_span(L, batch, from->path, "from");
	set_span(L, batch, from_byte(from->path, from->rel_at), "from_rel");
	if (from->root.length > 0 && from->root.at != change->to.root.at)
		set_span(L, batch, from->root, "from_root");
}

/* A record does not tell the type of what is no directory: looked up now. */
static const char *find_type(const char *path)
{
	struct stat status;
	if (lstat(path, &status) < 0 || S_ISDIR(status.st_mode))
		return NULL;
	return filetype_name(filetype_of_mode(status.st_mode));
}

static const char
	lazy_key; /* the metatable of changes whose type is not known yet, in the registry */

/* (change, key): the one key that may be missing for now */
static int l_lazy_type(lua_State *L)
{
	const char *key = lua_tostring(L, 2);
	if (lua_type(L, 2) != LUA_TSTRING || strcmp(key, "type") != 0)
		return 0;
	lua_getfield(L, 1, "path");
	const char *path = lua_tostring(L, -1);
	const char *type = path != NULL ? find_type(path) : NULL;
	lua_pushnil(L);
	lua_setmetatable(L, 1);
	lua_pushstring(L, type);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

static void set_type(lua_State *L, const Batch *batch, const Change *change, bool is_lazy)
{
	const char *type = change->type != TYPE_UNKNOWN ? filetype_name(change->type) : NULL;
	if (type == NULL && change->op != OP_DELETE && is_lazy) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &lazy_key);
		lua_setmetatable(L, -2);
	} else if (type == NULL && change->op != OP_DELETE) {
		lua_pushlstring(L, batch_text(batch, change->to.path), change->to.path.length);
		type = find_type(lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	if (type != NULL)
		set_string(L, type, "type");
}

static void push_change(lua_State *L, const Batch *batch, const Change *change, bool is_lazy)
{
	const ChangePath *to = &change->to;
	lua_createtable(L, 0, 8);
	set_string(L, event_op_name(change->op), "op");
	set_span(L, batch, to->path, "path");
	set_span(L, batch, from_byte(to->path, to->rel_at), "rel");
	set_span(L, batch, last_component(batch, to->path), "name");
	if (to->root.length > 0)
		set_span(L, batch, to->root, "root");
	set_type(L, batch, change, is_lazy);
	lua_pushinteger(L, change->count);
	lua_setfield(L, -2, "count");
	if (change->op == OP_MOVE)
		set_from(L, batch, change);
	if (change->replaced != TYPE_UNKNOWN)
		set_string(L, filetype_name(change->replaced), "replaced");
	set_flag(L, change->modified, "modified");
	set_flag(L, change->exchange, "exchange");
	set_flag(L, change->temporary, "temporary");
	set_flag(L, change->whole, "whole");
}

/* --- methods ----------------------------------------------------------------------------------------------------- */

/* feed(event [, now]): is it an event that can change something, and not overflow, gone, back, unwatched, open ...? */
static int l_feed(lua_State *L)
{
	SettleObject *object = check(L);
	SettleEvent event = {0};
	double now = time_at(L, 3);
	lua_settop(L, 2);
	const Event *userdata = event_test(L, 2);
	if (userdata != NULL)
		read_event(L, 2, userdata, &event);
	else if (lua_istable(L, 2))
		read_table(L, 2, &event);
	else
		bind_misuse(L, "an event expected, got %s", luaL_typename(L, 2));
	if (event.path.dir != NULL)
		check_memory(L, settle_feed(&object->settle, &event, now));
	lua_pushboolean(L, event.op >= OP_CREATE && event.op <= OP_MOVE);
	return 1;
}

static int l_deadline(lua_State *L)
{
	double deadline = settle_deadline(&check(L)->settle);
	if (deadline < INFINITY)
		lua_pushnumber(L, deadline);
	else
		lua_pushnil(L);
	return 1;
}

static int l_pending(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)settle_pending(&check(L)->settle));
	return 1;
}

static void push_batch(lua_State *L, const Batch *batch, bool is_lazy)
{
	lua_createtable(L, (int)batch->count, 0);
	for (size_t i = 0; i < batch->count; i++) {
		push_change(L, batch, &batch->changes[i], is_lazy);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* take([now]) */
static int l_take(lua_State *L)
{
	SettleObject *object = check(L);
	double now = time_at(L, 2);
	object->L = L;
	int count = settle_take(&object->settle, now, &object->batch);
	check_memory(L, count);
	if (count == 0)
		return lua_pushnil(L), 1;
	push_batch(L, &object->batch, object->is_lazy);
	clear_call(object);
	return 1;
}

/* merge(changes) */
static int l_merge(lua_State *L)
{
	SettleObject *object = check(L);
	if (!lua_istable(L, 2))
		bind_misuse(L, "a list of changes expected, got %s", luaL_typename(L, 2));
	lua_settop(L, 2);
	lua_Integer count = luaL_len(L, 2);
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_geti(L, 2, i) != LUA_TTABLE)
			bind_misuse(L, "a list of changes expected, got %s in it", luaL_typename(L, -1));
		read_change(L, 3, &object->batch);
		lua_settop(L, 2);
	}
	check_memory(L, settle_merge(&object->settle, &object->batch));
	clear_call(object);
	return 0;
}

/* dump(): all that is pending, as bytes */
static int l_dump(lua_State *L)
{
	SettleObject *object = check(L);
	size_t length = 0;
	check_memory(L, settle_drain(&object->settle, &object->batch));
	int error = batch_write(&object->batch, &object->bytes, &length);
	int back = settle_merge(&object->settle, &object->batch);
	check_memory(L, error < 0 ? error : back);
	lua_pushlstring(L, object->bytes, length);
	clear_call(object);
	return 1;
}

/* load(bytes): what another object has dumped, before all that this one was fed */
static int l_load(lua_State *L)
{
	SettleObject *object = check(L);
	size_t length;
	if (lua_type(L, 2) != LUA_TSTRING)
		bind_misuse(L, "a string of dump() expected, got %s", luaL_typename(L, 2));
	const char *bytes = lua_tolstring(L, 2, &length);
	int error = batch_read(&object->batch, bytes, length);
	if (error == -EBADMSG)
		return bind_failf(L, EBADMSG, "these bytes do not come from dump()");
	check_memory(L, error);
	check_memory(L, settle_merge(&object->settle, &object->batch));
	clear_call(object);
	lua_pushboolean(L, true);
	return 1;
}

static int l_close(lua_State *L)
{
	SettleObject *object = bind_test(L, 1, &settle_class);
	if (object == NULL || !object->is_open)
		return 0;
	object->is_open = false;
	clear_call(object);
	settle_clear(&object->settle);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static const luaL_Reg methods[] = {
	{"feed", l_feed},
	{"deadline", l_deadline},
	{"take", l_take},
	{"merge", l_merge},
	{"pending", l_pending},
	{"dump", l_dump},
	{"load", l_load},
	{NULL, NULL},
};

static const Class settle_class = {
	.name = "moonwatch.settle",
	.methods = methods,
	.close = l_close,
};

int open_settle(lua_State *L)
{
	bind_class(L, &settle_class);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_lazy_type);
	lua_setfield(L, -2, "__index");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &lazy_key);
	lua_pushcfunction(L, l_settle);
	lua_setfield(L, 1, "settle");
	return 0;
}
