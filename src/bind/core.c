/* SPDX-License-Identifier: MIT
 *
 * core.c - luaopen_moonwatch_core: the list of all objects.
 *
 * Each binding file gives one function, open_NAME(L), that adds its classes and functions to the table on the top of
 * the stack. To add an object: write its file, name it here twice.
 */
#include <lua.h>
#include <lauxlib.h>

#include "bind/bind.h"
#include "bind/core.h"
#include "bind/lchild.h"
#include "bind/levent.h"
#include "bind/lfile.h"
#include "bind/linotify.h"
#include "bind/llimits.h"
#include "bind/lmask.h"
#include "bind/lpattern.h"
#include "bind/lwatcher.h"
#include "bind/lsettle.h"

static const lua_CFunction parts[] = {
	open_mask,
	open_event,
	open_pattern,
	open_errno,
	open_system,
	open_keys,
	open_memory,
	open_hangup,
	open_socket,
	open_loop,
	open_task,
	open_coroutine,
	open_file,
	open_child,
	open_channel,
	open_timer,
	open_signal,
	open_select,
	open_inotify,
	open_limits,
	open_watcher,
	open_settle,
	NULL,
};

/* A part is called with the module's table as its argument. */
__attribute__((visibility("default"))) int luaopen_moonwatch_core(lua_State *L)
{
	bind_get(L); /* before all other objects, so that it is finalised last */
	lua_newtable(L);
	for (const lua_CFunction *part = parts; *part != NULL; part++) {
		lua_pushcfunction(L, *part);
		lua_pushvalue(L, -2);
		lua_call(L, 1, 0);
	}
	return 1;
}
