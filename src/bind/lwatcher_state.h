/* SPDX-License-Identifier: MIT
 *
 * lwatcher_state.h - what the files of the watcher object share, and nobody else includes.
 */
#ifndef MOONWATCH_BIND_LWATCHER_STATE_H
#define MOONWATCH_BIND_LWATCHER_STATE_H

#include <limits.h>

#include "bind/bind.h"
#include "loop/watch.h"

/* User values: the path of the directory of the last event and the root of the last event (events of one directory share
 * the strings), the thread in which the filter is called, the subscriptions, the event that is handed to them. */
enum { UV_DIRECTORY = 1, UV_ROOT, UV_THREAD, UV_SUBSCRIPTIONS, UV_EVENT, UV_COUNT = UV_EVENT };

typedef struct Watcher {
	Source source;  /* events */
	Source barrier; /* ready and sync */
	Dispatch dispatch;
	Watch watch;
	lua_State *filter_thread; /* user value; NULL without a filter */
	Text *last_dir, *last_root;
	WatchMark first; /* the barrier behind the first look at new roots */
	bool looking;    /* some roots are not ready yet */
	bool marked;     /* ... but looked through: the barrier is set */
	bool opened;     /* all roots were added */
	bool ready;      /* the first roots are */
	bool subscribed;
	bool asking; /* the filter is at work */
	int poll_fd; /* a dup of the hub's descriptor; -1: not asked for */
	uint8_t
		op_at_hand; /* of the event that is handed to the subscriptions; OP_NONE: there is none */
	size_t subscription;  /* the next one to be asked about it */
	size_t subscriptions; /* how many there are */
} Watcher;

extern const Class watcher_class;

/* --- lwatcher.c --- */

Watcher *watcher_check(lua_State *L); /* at index 1 */
/* Misuse where it has its tree together with others. */
void watcher_refuse_shared(lua_State *L, const Watcher *watcher, const char *method);
void watcher_changed(Watch *watch);
int watcher_take_event(lua_State *L, Source *source);
int watcher_take_ready(lua_State *L, Source *source);
/* Readiness, as far as it has come by now. */
void watcher_advance(Watcher *watcher);
/* Waits on the barrier for what `take` pushes. The mark of now is at index 3 of whoever calls that. */
int watcher_wait(
	lua_State *L, Watcher *watcher, double timeout, int (*take)(lua_State *L, Source *source));
/* A take for that: pushes true once all that happened before the mark can be had. */
int watcher_take_synced(lua_State *L, Source *source);
Watcher *watcher_of_barrier(Source *source);

/* --- lwatcher_events.c --- */

/* The watcher's object is at index 1. */
void watcher_push_item(lua_State *L, Watcher *watcher, const Item *item);
/* Why something is not watched, in words. */
const char *watcher_reason(int error);
/* Which limit of watches it is, and what is needed beyond it. */
void watcher_push_limit(lua_State *L, const Tree *tree);

/* --- lwatcher_open.c --- */

/* Once per Lua state. */
void watcher_reserve_asking(lua_State *L);
int watcher_l_new(lua_State *L);
int watcher_l_widen(lua_State *L);

/* --- lwatcher_known.c, lwatcher_roots.c: methods beside those of the class --- */

extern const luaL_Reg watcher_known_methods[], watcher_root_methods[];

#endif
