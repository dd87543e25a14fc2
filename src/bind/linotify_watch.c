/* SPDX-License-Identifier: MIT
 *
 * linotify_watch.c - the watches of an inotify object: several on one inode, each with its own path, mask and end.
 *
 * The kernel keeps one mask per inode, and changes it by a path only. So a first watch is added by its path as it is;
 * whatever touches an inode that has one already pins it by an O_PATH descriptor and goes through that (notify.c, a and
 * b). IN_MASK_ADD without any bit is the kernel's look-up from an inode to its descriptor.
 *
 * Life of a watch:   added -> active -> (removed, or ONESHOT spent: inactive) -> IGNORED handed over: dead
 *
 * A lone watch leaves that to the kernel. One among sharers ends alone: it leaves the chain at once, an IGNORED made
 * here follows what was queued for it, and the kernel's mask becomes the union of the rest.
 */
#include "bind/linotify.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/lmask.h"
#include "loop/loop.h"
#include "os/forked.h"
#include "os/limits.h"

/* Said once, at adding; no property of the watch. */
#define ORDERS (NOTIFY_MASK_ADD | NOTIFY_MASK_CREATE)
/* About the path, which an O_PATH descriptor has settled. */
#define PATH_FLAGS (NOTIFY_ONLYDIR | NOTIFY_DONT_FOLLOW)

static Watch *check_watch(lua_State *L)
{
	return bind_check(L, 1, &watch_class);
}

/* --- life ----------------------------------------------------------------------------------------------------- */

uint32_t watch_wants(const Watch *watch, const NotifyRecord *record)
{
	uint32_t wanted = NOTIFY_UNASKED;
	if (watch->spent)
		wanted = NOTIFY_IGNORED;
	else
		wanted |= watch->mask & NOTIFY_ALL_EVENTS;
	return record->mask & wanted;
}

static void deactivate(lua_State *L, Inotify *self, int object, Watch *watch)
{
	if (!watch->active)
		return;
	watch_leave(L, object, SLOT_BY_PATH, watch);
	watch->active = false;
	self->active--;
}

void watch_bury(lua_State *L, Inotify *self, int object, Watch *watch)
{
	deactivate(L, self, object, watch);
	watch_leave(L, object, SLOT_BY_WD, watch);
	list_remove(&watch->link);
	if (watch->handler)
		self->handlers--;
	watch->handler = false;
	watch->inotify = NULL;
	lua_getiuservalue(L, object, SLOT_ALL);
	lua_pushnil(L);
	lua_rawsetp(L, -2, watch);
	lua_pop(L, 1);
}

void watch_clear(Inotify *self)
{
	for (List *link; (link = list_pop(&self->watches)) != NULL;) {
		Watch *watch = list_item(link, Watch, link);
		watch->active = watch->handler = false;
		watch->inotify = NULL;
	}
	self->active = self->handlers = 0;
}

/* What the kernel is to watch for a chain. EXCL_UNLINK takes events away, so all must want it; ONESHOT ends the
 * kernel's watch, so there must be nobody else. A mask without any bit is refused: ISDIR is one that means nothing. */
static uint32_t union_mask(const Watch *first)
{
	uint32_t all = first->mask, some = 0;
	for (const Watch *watch = first; watch != NULL; watch = watch->sharer) {
		some |= watch->mask;
		all &= watch->mask;
	}
	uint32_t once = first->sharer == NULL ? some & NOTIFY_ONESHOT : 0;
	return (some & NOTIFY_ALL_EVENTS) | (all & NOTIFY_EXCL_UNLINK) | once | NOTIFY_ISDIR;
}

static int remove_from_kernel(const Inotify *self, int wd)
{
	return forked_from(self->owner) ? 0 : notify_remove(self->fd, wd);
}

/* A descriptor that pins what the path means, or a negative errno. */
static int pin(const char *path, bool no_follow)
{
	int fd = open(path, O_PATH | O_CLOEXEC | (no_follow ? O_NOFOLLOW : 0));
	return fd < 0 ? -errno : fd;
}

/* The wd of a pinned inode among our watches: or -ESTALE where it has none. */
static int look_up(lua_State *L, Inotify *self, int object, int entry)
{
	int wd = notify_add_fd(self->fd, entry, NOTIFY_MASK_ADD);
	if (wd == -ENOSPC)
		return -ESTALE;
	if (wd < 0 || watch_first_sharer(L, object, wd) != NULL)
		return wd;
	remove_from_kernel(self, wd);
	return -ESTALE;
}

/* Sets the kernel's mask to the union of the chain, by a path that may mean something else by now. Where none leads
 * there any more the kernel goes on telling too much, and watch_wants leaves it out. */
static int set_union(lua_State *L, Inotify *self, int object, Watch *first, Watch *by)
{
	watch_push(L, object, by);
	lua_getiuservalue(L, -1, WATCH_PATH);
	int entry = pin(lua_tostring(L, -1), by->no_follow);
	lua_pop(L, 2);
	if (entry < 0)
		return entry;
	int wd = look_up(L, self, object, entry);
	if (wd >= 0 && wd != first->wd)
		wd = -ESTALE;
	if (wd >= 0)
		wd = notify_add_fd(self->fd, entry, union_mask(first));
	/* The kernel's watch ended in this very moment: its IGNORED comes, the new one is not wanted. */
	if (wd >= 0 && wd != first->wd) {
		remove_from_kernel(self, wd);
		wd = -ESTALE;
	}
	close(entry);
	return wd < 0 ? wd : 0;
}

static void narrow(lua_State *L, Inotify *self, int object, int wd)
{
	Watch *first = watch_first_sharer(L, object, wd);
	for (Watch *by = first; by != NULL; by = by->sharer)
		if (set_union(L, self, object, first, by) == 0)
			return;
}

/* One of several sharers ends: told at once, the others go on. */
static void end_alone(lua_State *L, Inotify *self, int object, Watch *watch)
{
	const NotifyRecord ignored = {.wd = watch->wd, .mask = NOTIFY_IGNORED, .name = ""};
	int wd = watch->wd;
	inotify_queue(L, self, object, watch, &ignored);
	watch_bury(L, self, object, watch);
	narrow(L, self, object, wd);
}

static bool is_shared(lua_State *L, int object, const Watch *watch)
{
	return watch->sharer != NULL || watch_first_sharer(L, object, watch->wd) != watch;
}

void watch_spend(lua_State *L, Inotify *self, int object, Watch *watch)
{
	bool shared = is_shared(L, object, watch);
	deactivate(L, self, object, watch);
	watch->spent = true;
	if (shared)
		end_alone(L, self, object, watch);
	else
		remove_from_kernel(self, watch->wd); /* mostly gone already, by its own ONESHOT */
}

/* False where it was gone already. */
static bool end_watch(lua_State *L, Inotify *self, int object, Watch *watch)
{
	bool once = (watch->mask & NOTIFY_ONESHOT) != 0;
	if (watch->active && (once || is_shared(L, object, watch)))
		inotify_settle(L, self, object); /* it, or the others, may have had their ONESHOT */
	if (!watch->active)
		return false;
	if (is_shared(L, object, watch)) {
		end_alone(L, self, object, watch);
		return true;
	}
	deactivate(L, self, object, watch);
	return remove_from_kernel(self, watch->wd) == 0;
}

/* Every sharer of a descriptor at once: the kernel tells each. */
static bool end_wd(lua_State *L, Inotify *self, int object, int wd)
{
	bool any = false;
	Watch *first = watch_first_sharer(L, object, wd);
	if (first != NULL && first->sharer != NULL) {
		inotify_settle(L, self, object); /* some may have had their ONESHOT */
		first = watch_first_sharer(L, object, wd);
	}
	for (Watch *watch = first; watch != NULL; watch = watch->sharer) {
		any |= watch->active;
		deactivate(L, self, object, watch);
	}
	return any && remove_from_kernel(self, wd) == 0;
}

/* The path is on the top of the stack and popped. */
static bool end_path(lua_State *L, Inotify *self, int object)
{
	bool any = false;
	int path = lua_gettop(L);
	for (;;) {
		lua_pushvalue(L, path);
		Watch *watch = watch_first_namesake(L, object);
		if (watch == NULL)
			break;
		any |= end_watch(L, self, object, watch);
	}
	lua_pop(L, 1);
	return any;
}

static bool is_listed(const int *wds, size_t count, int wd)
{
	size_t low = 0;
	while (count > 0) {
		size_t half = count / 2;
		if (wds[low + half] == wd)
			return true;
		if (wds[low + half] < wd) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return false;
}

static bool any_missing(const Inotify *self, const int *wds, size_t count)
{
	for (const List *link = self->watches.next; link != &self->watches; link = link->next)
		if (!is_listed(wds, count, list_item(link, Watch, link)->wd))
			return true;
	return false;
}

static void bury_missing(lua_State *L, Inotify *self, int object, const int *wds, size_t count)
{
	for (List *link = self->watches.next, *next; link != &self->watches; link = next) {
		Watch *watch = list_item(link, Watch, link);
		next = link->next;
		if (is_listed(wds, count, watch->wd))
			continue;
		const NotifyRecord ignored = {.wd = watch->wd, .mask = NOTIFY_IGNORED, .name = ""};
		inotify_queue(L, self, object, watch, &ignored);
		watch_bury(L, self, object, watch);
	}
}

/* The list of the kernel's watches is taken before the queue is emptied (and kept in case that raises): who is missing there and still unburied
 * after that had its IGNORED swallowed. */
void watch_check_all(lua_State *L, Inotify *self, int object)
{
	size_t count;
	free(self->listed);
	self->listed = NULL;
	if (notify_list(self->fd, &self->listed, &count) < 0)
		return;
	if (any_missing(self, self->listed, count)) {
		inotify_settle(L, self, object);
		bury_missing(L, self, object, self->listed, count);
	}
}

/* --- adding --------------------------------------------------------------------------------------------------- */

/* add's stack */
enum { ADD_OBJECT = 1, ADD_PATH, ADD_MASK, ADD_HANDLER, ADD_WATCH };

/* A watch object that is in the tables of life but watches nothing yet: what can run out of memory does so now. */
static Watch *new_watch(lua_State *L, Inotify *self, uint32_t own)
{
	Watch *watch = bind_new(L, &watch_class, sizeof *watch, WATCH_SLOTS);
	watch->mask = own;
	watch->wd = -1;
	watch->no_follow = (own & NOTIFY_DONT_FOLLOW) != 0;
	lua_pushvalue(L, ADD_PATH);
	lua_setiuservalue(L, ADD_WATCH, WATCH_PATH);
	lua_pushvalue(L, ADD_OBJECT);
	lua_setiuservalue(L, ADD_WATCH, WATCH_INOTIFY);
	lua_getiuservalue(L, ADD_OBJECT, SLOT_ALL);
	lua_pushvalue(L, ADD_WATCH);
	lua_rawsetp(L, -2, watch);
	lua_pop(L, 1);
	list_append(&self->watches, &watch->link);
	return watch;
}

static void forget_watch(lua_State *L, Watch *watch)
{
	list_remove(&watch->link);
	lua_getiuservalue(L, ADD_OBJECT, SLOT_ALL);
	lua_pushnil(L);
	lua_rawsetp(L, -2, watch);
	lua_pop(L, 1);
}

/* The watch begins to live. */
static void enlist(lua_State *L, Inotify *self, Watch *watch, int wd)
{
	if (watch->wd != wd) {
		watch->wd = wd;
		watch_join(L, ADD_OBJECT, SLOT_BY_WD, watch);
	}
	watch_join(L, ADD_OBJECT, SLOT_BY_PATH, watch);
	watch->inotify = self;
	watch->active = true;
	self->active++;
}

/* An inode that has no watch yet, else -EEXIST. Asking for a directory first tells what it is without another look,
 * which could see another thing. */
static int add_fresh(Inotify *self, const char *path, uint32_t own, bool *isdir)
{
	int wd = notify_add(self->fd, path, own | NOTIFY_MASK_CREATE | NOTIFY_ONLYDIR);
	*isdir = wd != -ENOTDIR;
	if (wd == -ENOTDIR && !(own & NOTIFY_ONLYDIR))
		wd = notify_add(self->fd, path, own | NOTIFY_MASK_CREATE);
	return wd;
}

static bool is_directory(int entry)
{
	struct stat status;
	return fstat(entry, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A further user of a chain. The wd, or a negative errno and nothing changed. */
static int share(lua_State *L, Inotify *self, int entry, Watch *watch, Watch *first)
{
	watch->wd = first->wd;
	watch->isdir = first->isdir;
	watch_join(L, ADD_OBJECT, SLOT_BY_WD, watch);
	int wd = notify_add_fd(self->fd, entry, union_mask(first));
	if (wd == first->wd)
		return wd;
	watch_leave(L, ADD_OBJECT, SLOT_BY_WD, watch);
	watch->wd = -1;
	/* A ONESHOT ended the kernel's watch in this very moment, and this is a new one. */
	return wd < 0 ? wd : notify_add_fd(self->fd, entry, watch->mask & ~PATH_FLAGS);
}

/* The active watch of this very path in a chain, for MASK_ADD; or NULL. */
static Watch *same_path(lua_State *L, const Watch *first)
{
	lua_pushvalue(L, ADD_PATH);
	for (Watch *watch = watch_first_namesake(L, ADD_OBJECT); watch != NULL; watch = watch->namesake)
		if (watch->wd == first->wd)
			return watch;
	return NULL;
}

static int extend(Inotify *self, int entry, Watch *watch, const Watch *first, uint32_t mask)
{
	uint32_t before = watch->mask;
	watch->mask = mask;
	int wd = notify_add_fd(self->fd, entry, union_mask(first));
	if (wd == first->wd)
		return wd;
	watch->mask = before;
	if (wd >= 0)
		remove_from_kernel(self, wd);
	return wd < 0 ? wd : -ESTALE;
}

/* The inode, pinned, had a watch a moment ago. *extended: the watch of the same path that took the bits instead. */
static int add_pinned(
	lua_State *L, Inotify *self, int entry, Watch *watch, bool may_extend, Watch **extended)
{
	int wd = look_up(L, self, ADD_OBJECT, entry);
	if (wd == -ESTALE) {
		watch->isdir = is_directory(entry);
		return notify_add_fd(self->fd, entry, watch->mask & ~PATH_FLAGS);
	}
	if (wd < 0)
		return wd;
	Watch *first = watch_first_sharer(L, ADD_OBJECT, wd);
	*extended = may_extend ? same_path(L, first) : NULL;
	if (*extended == NULL)
		return share(L, self, entry, watch, first);
	return extend(self, entry, *extended, first, (*extended)->mask | watch->mask);
}

static int add_shared(lua_State *L, Inotify *self, Watch *watch, bool may_extend, Watch **extended)
{
	inotify_settle(L, self, ADD_OBJECT);
	int entry = pin(lua_tostring(L, ADD_PATH), watch->no_follow);
	if (entry < 0)
		return entry;
	int wd = add_pinned(L, self, entry, watch, may_extend, extended);
	close(entry);
	return wd;
}

/* Leaves the watch object at ADD_WATCH: 0, or a negative errno. */
static int add(lua_State *L, Inotify *self, const char *path, uint32_t mask)
{
	uint32_t own = mask & ~ORDERS;
	if (own == 0 || (own & ~NOTIFY_ALL_BITS) || (mask & ORDERS) == ORDERS)
		return -EINVAL;
	Watch *watch = new_watch(L, self, own), *extended = NULL;
	int wd = add_fresh(self, path, own, &watch->isdir);
	if (wd == -EEXIST && !(mask & NOTIFY_MASK_CREATE))
		wd = add_shared(L, self, watch, (mask & NOTIFY_MASK_ADD) != 0, &extended);
	if (wd >= 0 && extended == NULL) {
		enlist(L, self, watch, wd);
		return 0;
	}
	forget_watch(L, watch);
	if (wd < 0)
		return wd;
	watch_push(L, ADD_OBJECT, extended);
	lua_replace(L, ADD_WATCH);
	return 0;
}

static int add_failed(lua_State *L, const char *path, int error)
{
	char text[512];
	if (error != ENOSPC)
		return bind_fail(L, path, error);
	limits_explain(text, sizeof text, LIMIT_USER_WATCHES, 1, loop_now());
	return bind_fail_because(L, path, ENOSPC, text);
}

static void check_handler(lua_State *L)
{
	if (lua_isnoneornil(L, ADD_HANDLER) || lua_isfunction(L, ADD_HANDLER))
		return;
	if (luaL_getmetafield(L, ADD_HANDLER, "__call") == LUA_TNIL)
		bind_misuse(L, "a handler is a function, not a %s", luaL_typename(L, ADD_HANDLER));
	lua_pop(L, 1);
}

static int set_handler(lua_State *L, Inotify *self, Watch *watch)
{
	if (lua_isnil(L, ADD_HANDLER))
		return 0;
	lua_pushvalue(L, ADD_HANDLER);
	lua_setiuservalue(L, ADD_WATCH, WATCH_HANDLER);
	if (!watch->handler)
		self->handlers++;
	watch->handler = true;
	return inotify_handle(L, self, ADD_OBJECT);
}

int watch_l_add(lua_State *L)
{
	Inotify *self = bind_check(L, ADD_OBJECT, &inotify_class);
	const char *path = bind_checkpath(L, ADD_PATH, NULL);
	uint32_t mask = mask_check(L, ADD_MASK);
	check_handler(L);
	lua_settop(L, ADD_HANDLER);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	if (!self->open)
		return bind_closed(L);
	int error = add(L, self, path, mask);
	if (error != 0)
		return add_failed(L, path, -error);
	Watch *watch = lua_touserdata(L, ADD_WATCH);
	error = set_handler(L, self, watch);
	if (error == 0)
		return 1;
	end_watch(L, self, ADD_OBJECT, watch);
	return bind_fail(L, path, -error);
}

/* --- the inotify object's other methods ----------------------------------------------------------------------- */

/* A number at index 2 as a descriptor; -1 for one that no watch can have. */
static int check_wd(lua_State *L)
{
	lua_Integer wd = luaL_checkinteger(L, 2);
	return wd >= 0 && wd <= INT_MAX ? (int)wd : -1;
}

static bool remove_any(lua_State *L, Inotify *self)
{
	Watch *watch = bind_test(L, 2, &watch_class);
	if (watch != NULL) {
		lua_getiuservalue(L, 2, WATCH_INOTIFY);
		if (!lua_rawequal(L, -1, 1))
			bind_misuse(L, "this watch belongs to another inotify object");
		return end_watch(L, self, 1, watch);
	}
	switch (lua_type(L, 2)) {
	case LUA_TNUMBER:
		return end_wd(L, self, 1, check_wd(L));
	case LUA_TSTRING:
		bind_checkpath(L, 2, NULL);
		lua_pushvalue(L, 2);
		return end_path(L, self, 1);
	default:
		bind_misuse(L, "a watch, its descriptor or its path expected, got %s", luaL_typename(L, 2));
		return false;
	}
}

int watch_l_remove(lua_State *L)
{
	Inotify *self = bind_check(L, 1, &inotify_class);
	lua_settop(L, 2);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	if (!self->open)
		return bind_closed(L);
	lua_pushboolean(L, remove_any(L, self));
	return 1;
}

int watch_l_find(lua_State *L)
{
	Inotify *self = bind_check(L, 1, &inotify_class);
	Watch *watch = NULL;
	lua_settop(L, 2);
	if (lua_type(L, 2) == LUA_TNUMBER) {
		watch = watch_first_sharer(L, 1, check_wd(L));
	} else {
		bind_checkpath(L, 2, NULL);
		watch = watch_first_namesake(L, 1);
	}
	if (!self->open || watch == NULL || !watch->active)
		lua_pushnil(L);
	else
		watch_push(L, 1, watch);
	return 1;
}

static int l_next_watch(lua_State *L)
{
	lua_Integer index = lua_tointeger(L, lua_upvalueindex(2)) + 1;
	lua_pushinteger(L, index);
	lua_replace(L, lua_upvalueindex(2));
	lua_rawgeti(L, lua_upvalueindex(1), index);
	return 1;
}

/* Over those that are active now, in the order of their adding; the loop's body may remove any. */
int watch_l_watches(lua_State *L)
{
	Inotify *self = bind_check(L, 1, &inotify_class);
	lua_Integer count = 0;
	lua_settop(L, 1);
	lua_createtable(L, (int)self->active, 0);
	for (List *link = self->watches.next; link != &self->watches; link = link->next) {
		Watch *watch = list_item(link, Watch, link);
		if (!watch->active)
			continue;
		watch_push(L, 1, watch);
		lua_rawseti(L, 2, ++count);
	}
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, l_next_watch, 2);
	return 1;
}

/* --- the watch object ----------------------------------------------------------------------------------------- */

/* __index for what is no method */
static int l_field(lua_State *L)
{
	Watch *watch = check_watch(L);
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	if (strcmp(name, "path") == 0)
		lua_getiuservalue(L, 1, WATCH_PATH);
	else if (strcmp(name, "mask") == 0)
		lua_pushinteger(L, watch->mask);
	else if (strcmp(name, "wd") == 0)
		lua_pushinteger(L, watch->wd);
	else if (strcmp(name, "active") == 0)
		lua_pushboolean(L, watch->active);
	else if (strcmp(name, "inotify") == 0)
		lua_getiuservalue(L, 1, WATCH_INOTIFY);
	else
		lua_pushnil(L);
	return 1;
}

static const char *watch_path(lua_State *L)
{
	lua_getiuservalue(L, 1, WATCH_PATH);
	const char *path = lua_tostring(L, -1);
	lua_pop(L, 1);
	return path;
}

/* Another mask by the same path. 0 or a negative errno, and nothing changed. */
static int update(lua_State *L, Inotify *self, Watch *watch, int object, uint32_t mask)
{
	uint32_t own = mask & ~ORDERS;
	if (mask & NOTIFY_MASK_CREATE)
		return -EEXIST;
	if (own == 0 || (own & ~NOTIFY_ALL_BITS))
		return -EINVAL;
	if ((own & NOTIFY_ONLYDIR) && !watch->isdir)
		return -ENOTDIR;
	inotify_settle(L, self, object);
	if (!watch->active)
		return -ESTALE;
	int entry = pin(watch_path(L), watch->no_follow);
	if (entry < 0)
		return entry;
	int wd = look_up(L, self, object, entry);
	if (wd >= 0 && wd != watch->wd)
		wd = -ESTALE;
	if (wd >= 0)
		wd = extend(self, entry, watch, watch_first_sharer(L, object, wd),
			mask & NOTIFY_MASK_ADD ? watch->mask | own : own);
	close(entry);
	return wd < 0 ? wd : 0;
}

static int l_update(lua_State *L)
{
	Watch *watch = check_watch(L);
	uint32_t mask = mask_check(L, 2);
	lua_settop(L, 2);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	lua_getiuservalue(L, 1, WATCH_INOTIFY);
	Inotify *self = lua_touserdata(L, 3);
	if (!self->open)
		return bind_closed(L);
	int error = watch->active ? update(L, self, watch, 3, mask) : -ESTALE;
	if (error != 0)
		return bind_fail(L, watch_path(L), -error);
	lua_pushboolean(L, true);
	return 1;
}

static int l_remove(lua_State *L)
{
	Watch *watch = check_watch(L);
	lua_settop(L, 1);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	lua_getiuservalue(L, 1, WATCH_INOTIFY);
	lua_pushboolean(L, end_watch(L, lua_touserdata(L, 2), 2, watch));
	return 1;
}

static int l_tostring(lua_State *L)
{
	Watch *watch = check_watch(L);
	const char *path = watch_path(L);
	bind_pushescaped(L, path, strlen(path));
	lua_pushfstring(L, "moonwatch.watch (%s, %s%d)", lua_tostring(L, -1),
		watch->active ? "descriptor " : "ended, was ", watch->wd);
	return 1;
}

static const luaL_Reg methods[] = {
	{"update", l_update},
	{"remove", l_remove},
	{NULL, NULL},
};

static const luaL_Reg meta[] = {
	{"__tostring", l_tostring},
	{NULL, NULL},
};

const Class watch_class = {
	.name = "moonwatch.watch",
	.methods = methods,
	.meta = meta,
	.field = l_field,
};

void watch_open_class(lua_State *L)
{
	bind_class(L, &watch_class);
}
