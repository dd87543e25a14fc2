/* SPDX-License-Identifier: MIT
 *
 * bind.h - what every object of the Lua side stands on: failures, objects, anchors, sources, waits, tasks.
 *
 * One Lua state has one Bind: its loop (opened at the first need, never by require alone), its ready list, the running
 * task, the table of anchors. Every function that takes a lua_State may be called with any coroutine of that state and
 * never keeps it.
 */
#ifndef MOONWATCH_BIND_BIND_H
#define MOONWATCH_BIND_BIND_H

#include <lua.h>
#include <lauxlib.h>
#include <stdbool.h>

#include "base/list.h"
#include "loop/loop.h"

typedef struct Bind Bind;
typedef struct Source Source;
typedef struct Dispatch Dispatch;
typedef struct Group Group;

/* Something that is to be run by the next drain of the ready list. */
typedef struct Ready {
	List link; /* linked: it is on the list */
	void (*run)(lua_State *L, struct Ready *ready);
} Ready;
/* Puts it on the list, at once or not at all: callable from loop callbacks. Off again: list_remove(&ready->link). */
void bind_make_ready(Bind *bind, Ready *ready);

Bind *bind_get(lua_State *L); /* never NULL; raises out of memory */
Loop *bind_loop(
	lua_State *L); /* the loop, opened now if need be; raises where it cannot be opened */
/* The same for C that has only a Bind (a source's interest): NULL where it cannot be opened. */
Loop *bind_loop_of(Bind *bind);

/* --- failures ------------------------------------------------------------------------------------------------- */

/* Pushes nil, "SUBJECT: strerror", errno and returns 3; the subject is escaped. error is positive. */
int bind_fail(lua_State *L, const char *subject, int error);
/* The same with other words than the system's. */
int bind_fail_because(lua_State *L, const char *subject, int error, const char *reason);
int bind_failf(lua_State *L, int error, const char *format,
	...);                       /* the whole message given, escaped by the caller */
int bind_timeout(lua_State *L); /* nil, "timeout", ETIMEDOUT */
int bind_closed(lua_State *L);  /* nil, "closed", EPIPE */
/* Pushes the bytes fit for people: what is not printable as an escape, UTF-8 as it is. */
void bind_pushescaped(lua_State *L, const char *bytes, size_t length);
/* Misuse: raises with the position of the nearest Lua function that is not one of moonwatch's own files. */
int bind_misuse(lua_State *L, const char *format, ...);
/* A path argument: a string without NUL, or misuse. */
const char *bind_checkpath(lua_State *L, int index, size_t *length);
/* A signal by number or name; 0 where there is no such signal. */
int bind_findsignal(lua_State *L, int index);
int bind_checksignal(lua_State *L, int index); /* or misuse */
/* An optional timeout argument: absent or nil gives a negative number (for ever); negative or NaN is misuse. */
double bind_opttimeout(lua_State *L, int index);

/* --- objects -------------------------------------------------------------------------------------------------- */

/* Declares a class once: metatable with __name, __index (methods, then `field` if given), __gc/__close/close where
 * `close` is given. Leaves nothing on the stack. */
typedef struct Class {
	const char *name;        /* "moonwatch.watcher" */
	const luaL_Reg *methods; /* may be NULL */
	const luaL_Reg *meta;    /* further metamethods, may be NULL */
	lua_CFunction
		field; /* called for names that are no method: (object, name) -> value; may be NULL */
	lua_CFunction close; /* tolerant; also __gc and __close; may be NULL */
	bool is_source;      /* the userdata begins with a Source: select takes it */
} Class;
void bind_class(lua_State *L, const Class *class);
/* A zeroed userdata that already has its metatable. */
void *bind_new(lua_State *L, const Class *class, size_t size, int uservalues);
void *bind_check(
	lua_State *L, int index, const Class *class);             /* or misuse that names what it got */
void *bind_test(lua_State *L, int index, const Class *class); /* or NULL */

/* Keeps the object at index alive (counted: as many unanchors as anchors) until bind_unanchor; keyed by `key`. */
void bind_anchor(lua_State *L, int index, const void *key);
void bind_unanchor(lua_State *L, const void *key);
bool bind_pushanchored(
	lua_State *L, const void *key); /* pushes the anchored object, or nothing and false */

/* --- sources and waits ---------------------------------------------------------------------------------------- */

/* Whatever can be waited for has a Source as the FIRST member of its userdata. */
struct Source {
	Bind *bind;
	List waiters; /* tasks in the order they came */
	bool closed;  /* waits end with nil, "closed", EPIPE */
	const char *
		refusal; /* why nobody may wait for it now ("it delivers to handlers"), for select; NULL: anybody may */
	bool internal; /* only other tasks can make something be there (for the deadlock report) */
	/* Interest is given up only before the loop looks again, which spares who takes one value after the other two calls
	 * of epoll each time. To be set only by an object that always does source_close before it is freed. */
	bool lingers;
	List lingering; /* private */
	int (*take)(lua_State *L,
		Source *source); /* pushes one value and returns how many results; 0: nothing there */
	void (*interest)(Source *source, bool on); /* first waiter came / last one left; may be NULL */
};

void source_init(lua_State *L, Source *source, int (*take)(lua_State *L, Source *source),
	void (*interest)(Source *source, bool on));
/* Something is there for `count` waiters: the first that many become ready. C only; callable from loop callbacks. */
void source_wake(Source *source, size_t count);
/* Every waiter ends with "closed" (what is still queued may be taken first if `take` gives it). Idempotent. */
void source_close(Source *source);
bool source_has_waiters(const Source *source);
Loop *source_loop(const Source *source); /* never NULL in `interest(source, true)` */

/* The body of every method that waits. The object is at stack index 1 and stays there. Takes at once where something
 * is there and nobody waited before; else suspends the task (or drives the loop, outside tasks) until something is,
 * the deadline passes, the source is closed or the wait is cancelled. timeout as bind_opttimeout gives it. */
int source_get(lua_State *L, Source *source, double timeout);
/* The same with a take of one's own (a list instead of one value, a condition that must hold). */
int source_get_with(
	lua_State *L, Source *source, double timeout, int (*take)(lua_State *L, Source *source));

/* The body of `sleep`: pushes true once the time is over. */
int bind_sleep(lua_State *L, double seconds);

/* The `get([timeout])` and `each([timeout])` of an object whose values come by source_get alone; the object is at index
 * 1 and checked by the caller. bind_wait reads its timeout from index 2; bind_each pushes an iterator that ends with nil
 * (deadline, close). */
int bind_wait(lua_State *L, Source *source);
int bind_each(lua_State *L, Source *source, double timeout);

/* --- running the user's functions ------------------------------------------------------------------------------ */

/* Starts a task: function and `nargs` arguments are popped from the stack, the task object is pushed. It runs at the
 * next drain of the ready list. `name` may be NULL. */
void bind_spawn(lua_State *L, const char *name, int nargs);
/* Hands an error of the user's code to on_error: message on the top of the stack is popped. `where` says whose code it
 * was, for people ("filter of watcher src"). Raises nothing. */
void bind_report(lua_State *L, const char *where);
/* Calls a function of the user's that must not wait ("a filter"): lua_pcall, and a wait inside it raises "cannot wait
 * inside `what`". Returns what lua_pcall does. */
int bind_pcall_nowait(lua_State *L, int nargs, int nresults, const char *what);

/* --- handlers: one function of the user's for many values -------------------------------------------------------
 *
 * An object with a handler embeds a Dispatch. When there is something to handle, C calls dispatch_wake; the next drain
 * gives the batch to a pooled coroutine, which calls `next` and the handler it pushed until nothing is left: one
 * protected call for the batch. A handler may wait:
 *
 *   serial       what is left waits until the handler goes on (a subscription: one event after the other)
 *   not serial   what is left goes to another coroutine at once (inotify handlers: an event, a task)
 *
 * A handler that raises: the error goes to on_error with its traceback, the rest of the batch goes on. */
struct Dispatch {
	Ready ready;
	Bind *bind;
	const void *
		key; /* bind_anchor's: the object is at stack index 1 of next and done; it must be anchored */
	const char *name; /* of the tasks, for reports; static or owned by the object */
	bool serial;
	/* Pushes a handler and its arguments and returns how many arguments; -1: nothing left, nothing pushed. */
	int (*next)(lua_State *L, Dispatch *dispatch);
	/* Looks at the handler's first result, on the top of the stack; it is popped afterwards. May be NULL. */
	void (*done)(lua_State *L, Dispatch *dispatch);
	/* Before the rest goes on after a handler has raised. May be NULL. */
	void (*failed)(Dispatch *dispatch);
	struct Task *worker; /* at work on the batch now; private */
};

void dispatch_init(lua_State *L, Dispatch *dispatch, const void *key, const char *name, bool serial,
	int (*next)(lua_State *L, Dispatch *dispatch));
void dispatch_wake(Dispatch *dispatch); /* C only; callable from loop callbacks; again: no matter */
/* Nothing more is handled; a handler that runs or waits goes on to its end. Before the object is unanchored. */
void dispatch_stop(Dispatch *dispatch);
void dispatch_cancel(lua_State *L, Dispatch *dispatch); /* ends a handler that waits, too */
bool dispatch_is_busy(
	const Dispatch *dispatch); /* on the ready list, or a handler runs or waits (serial) */

#endif
