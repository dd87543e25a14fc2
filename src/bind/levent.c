/* SPDX-License-Identifier: MIT
 *
 * levent.c - the one event type of both faces.
 *
 * An event is one block without a finaliser: making it is one allocation, and the collector frees
 * it in passing. What a script may never ask for is not made: path, rel and names are composed when
 * they are read. A field is found by one look-up in a table (an upvalue) from its name to a number,
 * and one switch.
 */
#include "bind/levent.h"

#include <lauxlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/filetype.h"
#include "bind/bind.h"
#include "bind/lmask.h"
#include "bind/lwatcher.h"
#include "os/notify.h"

typedef enum Field {
	FIELD_OP = 1,
	FIELD_PATH,
	FIELD_NAME,
	FIELD_MASK,
	FIELD_NAMES,
	FIELD_COOKIE,
	FIELD_WD,
	FIELD_WATCH,
	FIELD_ISDIR,
	FIELD_TIME,
	FIELD_WALL,
	FIELD_REL,
	FIELD_ROOT,
	FIELD_FROM,
	FIELD_FROM_REL,
	FIELD_FROM_ROOT,
	FIELD_REPLACED,
	FIELD_EXCHANGE,
	FIELD_TYPE,
	FIELD_SYNTHETIC,
	FIELD_SEQ,
	FIELD_REASON,
	FIELD_FLAG, /* the first of notify_flags, then the others */
} Field;

static const char *const field_names[FIELD_FLAG] = {
	[FIELD_OP] = "op",
	[FIELD_PATH] = "path",
	[FIELD_NAME] = "name",
	[FIELD_MASK] = "mask",
	[FIELD_NAMES] = "names",
	[FIELD_COOKIE] = "cookie",
	[FIELD_WD] = "wd",
	[FIELD_WATCH] = "watch",
	[FIELD_ISDIR] = "isdir",
	[FIELD_TIME] = "time",
	[FIELD_WALL] = "wall",
	[FIELD_REL] = "rel",
	[FIELD_ROOT] = "root",
	[FIELD_FROM] = "from",
	[FIELD_FROM_REL] = "from_rel",
	[FIELD_FROM_ROOT] = "from_root",
	[FIELD_REPLACED] = "replaced",
	[FIELD_EXCHANGE] = "exchange",
	[FIELD_TYPE] = "type",
	[FIELD_SYNTHETIC] = "synthetic",
	[FIELD_SEQ] = "seq",
	[FIELD_REASON] = "reason",
};

static const char *const op_names[OP_COUNT] = {
	[OP_CREATE] = "create",
	[OP_MODIFY] = "modify",
	[OP_CLOSE_WRITE] = "close_write",
	[OP_ATTRIB] = "attrib",
	[OP_DELETE] = "delete",
	[OP_MOVE] = "move",
	[OP_OPEN] = "open",
	[OP_ACCESS] = "access",
	[OP_CLOSE_NOWRITE] = "close_nowrite",
	[OP_OVERFLOW] = "overflow",
	[OP_GONE] = "gone",
	[OP_BACK] = "back",
	[OP_UNWATCHED] = "unwatched",
};

static const char event_key; /* its address is the metatable's key in the registry */

/* --- accessors --------------------------------------------------------------------------------------------------- */

const char *event_op_name(EventOp op)
{
	return op_names[op];
}

Event *event_test(lua_State *L, int index)
{
	Event *event = lua_touserdata(L, index);
	if (event == NULL || !lua_getmetatable(L, index))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &event_key);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same ? event : NULL;
}

static Event *check(lua_State *L)
{
	Event *event = event_test(L, 1);
	if (event == NULL)
		bind_misuse(L, "an event expected, got %s", luaL_typename(L, 1));
	return event;
}

/* The string in user value `slot`, pushed; for a watch object its path. False, and nothing pushed,
 * where there is none. */
static bool push_directory(lua_State *L, int event, int slot)
{
	if (lua_getiuservalue(L, event, slot) == LUA_TUSERDATA) {
		lua_getiuservalue(L, -1, 1);
		lua_remove(L, -2);
	}
	if (lua_type(L, -1) == LUA_TSTRING)
		return true;
	lua_pop(L, 1);
	return false;
}

/* directory "/" name from byte `skip` on, in place of the directory on the top of the stack. */
static void join(lua_State *L, const char *name, size_t name_length, size_t skip)
{
	char joined[1024];
	size_t length;
	const char *directory = lua_tolstring(L, -1, &length);
	bool slash = name_length > 0 && length > 0 && directory[length - 1] != '/';
	size_t total = length + slash + name_length;
	if (skip > total)
		skip = total;
	if (total <= sizeof joined) {
		memcpy(joined, directory, length);
		if (slash)
			joined[length] = '/';
		memcpy(joined + length + slash, name, name_length);
		lua_pushlstring(L, joined + skip, total - skip);
	} else {
		lua_pushvalue(L, -1);
		lua_pushlstring(L, "/", slash);
		lua_pushlstring(L, name, name_length);
		lua_concat(L, 3);
		lua_pushstring(L, lua_tostring(L, -1) + skip);
		lua_remove(L, -2);
	}
	lua_remove(L, -2);
}

static int push_path(lua_State *L, int index, const Event *event, size_t skip)
{
	if (!push_directory(L, index, EVENT_DIRECTORY))
		lua_pushnil(L);
	else if (event->name_length > 0 || skip > 0)
		join(L, event->names, event->name_length, skip);
	return 1;
}

static int push_from(lua_State *L, int index, const Event *event, size_t skip)
{
	if (!push_directory(L, index, EVENT_FROM))
		lua_pushnil(L);
	else if (event->from_name_length > 0 || skip > 0)
		join(L, event->names + event->name_length, event->from_name_length, skip);
	return 1;
}

static int push_name(lua_State *L, const Event *event)
{
	if (event->name_length == 0)
		lua_pushnil(L);
	else
		lua_pushlstring(L, event->names, event->name_length);
	return 1;
}

static int push_watch(lua_State *L, int index)
{
	if (lua_getiuservalue(L, index, EVENT_DIRECTORY) != LUA_TUSERDATA) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	return 1;
}

/* A user value that watcher events alone have. */
static int push_uservalue(lua_State *L, int index, const Event *event, int slot)
{
	if (event->is_watcher_event)
		lua_getiuservalue(L, index, slot);
	else
		lua_pushnil(L);
	return 1;
}

/* The lowest event bit's name; the flags stand in the order of their bits, with bit 12 left out. */
static const char *flag_name(uint32_t mask)
{
	uint32_t bits = mask & (NOTIFY_ALL_EVENTS | NOTIFY_UNASKED);
	if (bits == 0)
		return NULL;
	int bit = __builtin_ctz(bits);
	return notify_flags[bit < 12 ? bit : bit - 1].name;
}

static const char *op_name(const Event *event)
{
	return event->op == OP_NONE ? flag_name(event->mask) : op_names[event->op];
}

static bool may_be_looked_at(const Event *event)
{
	switch (event->op) {
	case OP_DELETE:
	case OP_GONE:
	case OP_OVERFLOW:
	case OP_UNWATCHED:
		return false;
	default:
		return event->is_watcher_event;
	}
}

/* A single file that is a root is what its path leads to. */
static int look_at(lua_State *L, int index, int path, struct stat *status)
{
	lua_getiuservalue(L, index, EVENT_ROOT);
	bool is_root = lua_rawequal(L, path, -1);
	lua_pop(L, 1);
	return is_root ? stat(lua_tostring(L, path), status) : lstat(lua_tostring(L, path), status);
}

/* A record does not tell the type of what is no directory. Looked up once, when somebody asks, and believed only where
 * nothing newer is known about the path. */
static FileType event_type(lua_State *L, int index, Event *event)
{
	struct stat status;
	if (event->type == TYPE_UNKNOWN && event->isdir)
		event->type = TYPE_DIRECTORY;
	if (event->type == TYPE_UNKNOWN && may_be_looked_at(event)) {
		push_path(L, index, event, 0);
		size_t length;
		const char *path = lua_tolstring(L, -1, &length);
		if (path != NULL && look_at(L, index, lua_gettop(L), &status) == 0 &&
			!S_ISDIR(status.st_mode) && watcher_confirms(L, index, path, length, &status))
			event->type = (uint8_t)filetype_of_mode(status.st_mode);
		lua_pop(L, 1);
	}
	return (FileType)event->type;
}

static int push_string(lua_State *L, const char *text)
{
	lua_pushstring(L, text);
	return 1;
}

static int push_boolean(lua_State *L, bool value)
{
	lua_pushboolean(L, value);
	return 1;
}

static int push_integer(lua_State *L, lua_Integer value)
{
	lua_pushinteger(L, value);
	return 1;
}

static int push_number(lua_State *L, double value)
{
	lua_pushnumber(L, value);
	return 1;
}

static int push_names(lua_State *L, const Event *event)
{
	mask_pushnames(L, event->mask);
	return 1;
}

static int push_nil(lua_State *L)
{
	lua_pushnil(L);
	return 1;
}

/* What watchers alone know. */
static int push_watcher_field(lua_State *L, int index, Event *event, int field)
{
	if (!event->is_watcher_event)
		return push_nil(L);
	switch (field) {
	case FIELD_REL:
		return push_path(L, index, event, event->rel_at);
	case FIELD_FROM:
		return push_from(L, index, event, 0);
	case FIELD_FROM_REL:
		return push_from(L, index, event, event->from_rel_at);
	case FIELD_ROOT:
		return push_uservalue(L, index, event, EVENT_ROOT);
	case FIELD_FROM_ROOT:
		return push_uservalue(L, index, event, EVENT_FROM_ROOT);
	case FIELD_REASON:
		return push_uservalue(L, index, event, EVENT_REASON);
	case FIELD_REPLACED:
		return push_string(L, filetype_name(event->replaced));
	case FIELD_SEQ:
		return push_integer(L, (lua_Integer)event->seq);
	default:
		return push_nil(L);
	}
}

/* Pushes one value, nil where the field does not apply. An interpreter's switch: long, and one line
 * a case. */
static int push_field(lua_State *L, int index, Event *event, int field)
{
	switch (field) {
	case FIELD_OP:
		return push_string(L, op_name(event));
	case FIELD_PATH:
		return push_path(L, index, event, 0);
	case FIELD_NAME:
		return push_name(L, event);
	case FIELD_MASK:
		return push_integer(L, event->mask);
	case FIELD_NAMES:
		return push_names(L, event);
	case FIELD_COOKIE:
		return push_integer(L, event->cookie);
	case FIELD_WD:
		return push_integer(L, event->wd);
	case FIELD_WATCH:
		return push_watch(L, index);
	case FIELD_ISDIR:
		return push_boolean(L, event->isdir);
	case FIELD_TIME:
		return push_number(L, event->time);
	case FIELD_WALL:
		return push_number(L, event->wall);
	case FIELD_EXCHANGE:
		return push_boolean(L, event->exchange);
	case FIELD_SYNTHETIC:
		return push_boolean(L, event->synthetic);
	case FIELD_TYPE:
		return push_string(L, filetype_name(event_type(L, index, event)));
	default:
		if (field >= FIELD_FLAG)
			return push_boolean(L, event->mask & notify_flags[field - FIELD_FLAG].bits);
		return push_watcher_field(L, index, event, field);
	}
}

/* __index(event, key); upvalues: the table from key to number or method, the metatable. */
static int l_index(lua_State *L)
{
	Event *event = lua_touserdata(L, 1);
	if (event == NULL || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(2)))
		return bind_misuse(L, "an event expected, got %s", luaL_typename(L, 1));
	lua_settop(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER)
		return 1;
	return push_field(L, 1, event, (int)lua_tointeger(L, 2));
}

/* --- constructor ----------------------------------------------------------------------------------------------- */

Event *event_push(lua_State *L, size_t name_length, size_t from_name_length, int uservalues)
{
	size_t size = sizeof(Event) + name_length + from_name_length;
	Event *event = lua_newuserdatauv(L, size, uservalues);
	memset(event, 0, sizeof *event);
	event->name_length = (uint16_t)name_length;
	event->from_name_length = (uint16_t)from_name_length;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &event_key);
	lua_setmetatable(L, -2);
	return event;
}

/* --- methods ----------------------------------------------------------------------------------------------------- */

static int l_has(lua_State *L)
{
	Event *event = check(L);
	return push_boolean(L, event->mask & mask_check(L, 2));
}

/* A plain copy: every field that applies, but for the watch; of the flags those that are set. */
static int l_table(lua_State *L)
{
	Event *event = check(L);
	lua_newtable(L);
	for (int field = FIELD_OP; field < FIELD_FLAG + NOTIFY_FLAG_COUNT; field++) {
		bool is_flag = field >= FIELD_FLAG;
		bool is_all = is_flag && notify_flags[field - FIELD_FLAG].bits == NOTIFY_ALL_EVENTS;
		if (field == FIELD_WATCH || is_all)
			continue;
		push_field(L, 1, event, field);
		if (lua_isnil(L, -1) || (is_flag && !lua_toboolean(L, -1)))
			lua_pop(L, 1);
		else
			lua_setfield(
				L, 2, is_flag ? notify_flags[field - FIELD_FLAG].name : field_names[field]);
	}
	return 1;
}

static void add_escaped(luaL_Buffer *buffer, const char *text, size_t length)
{
	char *room = luaL_prepbuffsize(buffer, escape_size(text, length));
	luaL_addsize(buffer, escape_write(room, text, length));
}

/* Adds the string at `index`, escaped; nothing where it is nil. */
static void add_text(lua_State *L, luaL_Buffer *buffer, int index, const char *before)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);
	if (text == NULL)
		return;
	luaL_addstring(buffer, before);
	add_escaped(buffer, text, length);
}

static void add_notes(luaL_Buffer *buffer, const Event *event)
{
	if (event->replaced != TYPE_UNKNOWN) {
		luaL_addstring(buffer, " (replaced ");
		luaL_addstring(buffer, filetype_name(event->replaced));
		luaL_addstring(buffer, ")");
	}
	if (event->exchange)
		luaL_addstring(buffer, " (exchange)");
	if (event->synthetic)
		luaL_addstring(buffer, " (synthetic)");
}

/* "close_write inbox/a.txt", "create inbox/sub/", "move old -> new", "unwatched dir/: Permission
 * denied" */
static int l_tostring(lua_State *L)
{
	enum { PATH = 2, FROM, REASON };
	Event *event = check(L);
	const char *op = op_name(event);
	luaL_Buffer buffer;
	lua_settop(L, 1);
	push_path(L, 1, event, 0);
	push_watcher_field(L, 1, event, FIELD_FROM);
	push_watcher_field(L, 1, event, FIELD_REASON);
	luaL_buffinit(L, &buffer);
	luaL_addstring(&buffer, op == NULL ? "event" : op);
	add_text(L, &buffer, FROM, " ");
	add_text(L, &buffer, PATH, lua_isnil(L, FROM) ? " " : " -> ");
	if (lua_isnil(L, PATH) && event->name_length > 0) {
		luaL_addchar(&buffer, ' ');
		add_escaped(&buffer, event->names, event->name_length);
	}
	if (event->isdir && (!lua_isnil(L, PATH) || event->name_length > 0))
		luaL_addchar(&buffer, '/');
	add_text(L, &buffer, REASON, ": ");
	add_notes(&buffer, event);
	luaL_pushresult(&buffer);
	return 1;
}

static int l_readonly(lua_State *L)
{
	return bind_misuse(L, "an event is not to be changed");
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static const luaL_Reg methods[] = {
	{"has", l_has},
	{"table", l_table},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__tostring", l_tostring},
	{"__newindex", l_readonly},
	{NULL, NULL},
};

static void push_keys(lua_State *L)
{
	lua_createtable(L, 0, FIELD_FLAG + NOTIFY_FLAG_COUNT + 2);
	for (int i = 0; i < NOTIFY_FLAG_COUNT; i++) {
		lua_pushinteger(L, FIELD_FLAG + i);
		lua_setfield(L, -2, notify_flags[i].name);
	}
	for (int field = FIELD_OP; field < FIELD_FLAG; field++) {
		lua_pushinteger(L, field);
		lua_setfield(L, -2, field_names[field]);
	}
	luaL_setfuncs(L, methods, 0);
}

int open_event(lua_State *L)
{
	luaL_newlib(L, meta);
	lua_pushliteral(L, "moonwatch.event");
	lua_setfield(L, -2, "__name");
	lua_pushliteral(L, "moonwatch.event");
	lua_setfield(L, -2, "__metatable");
	push_keys(L);
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, l_index, 2);
	lua_setfield(L, -2, "__index");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &event_key);
	return 0;
}
