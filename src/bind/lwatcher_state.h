/* SPDX-License-Identifier: MIT
 *
 * lwatcher_state.h - what the files of the watcher object share, and nobody else includes.
 */
#ifndef MOONWATCH_BIND_LWATCHER_STATE_H
#define MOONWATCH_BIND_LWATCHER_STATE_H

#include <limits.h>

#include "bind/bind.h"
#include "loop/watch.h"

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

Watcher *watcher_check(lua_State *L); /* at index 1 */
/* Misuse where it has its tree together with others. */
void watcher_refuse_shared(lua_State *L, const Watcher *watcher, const char *method);
/* Why something is not watched, in words. */
const char *watcher_reason(int error);
/* Readiness, as far as it has come by now. */
void watcher_advance(Watcher *watcher);
/* Waits on the barrier until `reached` is true of the mark, which was set now. Pushes true. */
int watcher_wait(
	lua_State *L, Watcher *watcher, double timeout, int (*take)(lua_State *L, Source *source));
/* A take for that: pushes true once all that happened before the mark can be had. */
int watcher_take_synced(lua_State *L, Source *source);
Watcher *watcher_of_barrier(Source *source);

/* lwatcher_roots.c */
extern const luaL_Reg watcher_root_methods[];

#endif
