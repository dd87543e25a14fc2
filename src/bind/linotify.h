/* SPDX-License-Identifier: MIT
 *
 * linotify.h - private to linotify*.c: an inotify object and its watches.
 *
 * The kernel knows one watch per inode, scripts may have several: all with one descriptor form a chain (the *sharers*),
 * found by that descriptor. A watch object is kept alive by the inotify object's tables from its adding until its
 * IGNORED has been handed over; the C pointers between them are good for just as long.
 *
 *      inotify, user values:   SLOT_BY_WD    descriptor -> first sharer
 *                              SLOT_ALL      address -> watch object
 *                              SLOT_BY_PATH  path -> first active watch of that path
 *                              SLOT_QUEUE    events decoded before they were asked for
 *                              SLOT_HANDLED  the same for handlers: handler, event, handler, event, ...
 *
 * **Rules change on an empty queue.** Which watch gets a record is decided when it is decoded. So whoever changes who
 * gets what (a further watch on an inode, another mask, one sharer removed) first decodes all that the kernel holds by
 * the rules as they were: inotify_settle. That also keeps the kernel from merging a new event into an old record.
 */
#ifndef MOONWATCH_BIND_LINOTIFY_H
#define MOONWATCH_BIND_LINOTIFY_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "bind/bind.h"
#include "bind/levent.h"
#include "loop/loop.h"
#include "os/notify.h"

enum {
	SLOT_BY_WD = 1,
	SLOT_ALL,
	SLOT_BY_PATH,
	SLOT_QUEUE,
	SLOT_HANDLED,
	SLOT_COUNT = SLOT_HANDLED
};

enum { WATCH_PATH = 1, WATCH_INOTIFY, WATCH_HANDLER, WATCH_SLOTS = WATCH_HANDLER };

typedef struct Inotify Inotify;
typedef struct Watch Watch;

/* A queue in a Lua table: [head, tail). */
typedef struct Fifo {
	lua_Integer head, tail;
	int slot;
} Fifo;

static inline bool fifo_empty(const Fifo *fifo)
{
	return fifo->head == fifo->tail;
}

struct Inotify {
	Source source;    /* first member */
	LoopIo io;        /* started only while somebody waits or a handler lives */
	LoopTimer gather; /* runs while a `read` lets the kernel pile events up */
	Dispatch dispatch;
	int fd;
	pid_t owner; /* who opened it */
	int poll_fd; /* a dup for foreign loops; -1: not asked for yet */
	bool open;
	bool coalesce;
	bool interested; /* somebody waits */
	bool refilled;   /* the handlers' batch has had its one read of this turn */
	bool anchored;   /* kept alive for its handlers */
	bool suspect;    /* after an overflow: IGNOREDs may be lost */
	bool flooded;    /* the queue is full, and an overflow at its end says so */
	size_t active;   /* watches */
	size_t handlers; /* watches with a handler whose IGNORED has not come */
	List watches;    /* all that are in SLOT_ALL, in the order of their adding */
	Fifo queue, handled;
	int *listed;           /* what watch_check_all asked the kernel for last */
	unsigned char *buffer; /* of NOTIFY_BUFFER_SIZE */
	NotifyReader reader;   /* what of the last read has not been handed over */
	uint64_t bytes_read;
	double time, wall; /* of that read */
};

struct Watch {
	Inotify *inotify; /* NULL once it is dead */
	List link;        /* in Inotify.watches */
	Watch *sharer;    /* the next with the same descriptor */
	Watch *namesake;  /* the next with the same path */
	uint32_t mask;    /* its own, as asked for */
	int wd;
	bool active;    /* gets events, as far as we have been told */
	bool spent;     /* ONESHOT: has had its event, only IGNORED is to come */
	bool isdir;     /* the watched thing is a directory */
	bool no_follow; /* how its path is to be understood */
	bool handler;   /* WATCH_HANDLER holds one */
};

extern const Class inotify_class, watch_class;

/* --- linotify.c; `self` is at stack index `object` throughout --- */

/* Starts and stops looking at the descriptor, as waiters and handlers ask for it. 0 or a negative errno. */
int inotify_look(Inotify *self);
/* A watch got a handler: keeps the object alive and in the loop. 0 or a negative errno. */
int inotify_handle(lua_State *L, Inotify *self, int object);

int open_inotify(lua_State *L);

/* --- linotify_route.c --- */

/* Whom records are decoded for: the first event for them is left on the stack (for handlers: handler, event), all others
 * are queued. */
typedef enum Audience { NOBODY, READER, HANDLER } Audience;
/* The next event of the buffer for the audience; false: the buffer is empty. */
bool inotify_decode(lua_State *L, Inotify *self, int object, Audience audience);
/* The next bytes from the kernel into the empty buffer: how many, 0 or a negative errno. */
ssize_t inotify_refill(Inotify *self);
/* Decodes all that waits, by the rules of now. */
void inotify_settle(lua_State *L, Inotify *self, int object);
/* Makes an event for the watch and queues it for whoever gets it. */
void inotify_queue(
	lua_State *L, Inotify *self, int object, Watch *watch, const NotifyRecord *record);
/* An event of no watch in particular, with the stamps of the last read. */
Event *inotify_push_event(lua_State *L, const Inotify *self, const NotifyRecord *record);
double inotify_wall_clock(void);
/* Pushes the first value of a queue that is not empty, and takes it out. */
void fifo_push(lua_State *L, int object, Fifo *fifo);

/* --- linotify_chain.c --- */

/* Pushes the object of a watch that is in SLOT_ALL. */
void watch_push(lua_State *L, int object, const Watch *watch);
Watch *watch_first_sharer(lua_State *L, int object, int wd); /* or NULL */
/* The first active watch of the path on the top of the stack, which is popped; or NULL. */
Watch *watch_first_namesake(lua_State *L, int object);
/* Into and out of the chain of SLOT_BY_WD or SLOT_BY_PATH. */
void watch_join(lua_State *L, int object, int slot, Watch *watch);
void watch_leave(lua_State *L, int object, int slot, Watch *watch);

/* --- linotify_watch.c --- */

/* The bits of a record that this watch is to be told of. */
uint32_t watch_wants(const Watch *watch, const NotifyRecord *record);
/* Its ONESHOT has had its event. */
void watch_spend(lua_State *L, Inotify *self, int object, Watch *watch);
/* IGNORED was told: the watch is dead. */
void watch_bury(lua_State *L, Inotify *self, int object, Watch *watch);
/* After an overflow: watches that the kernel no longer has and says no more about. */
void watch_check_all(lua_State *L, Inotify *self, int object);
/* All at once, when the object is closed. */
void watch_clear(Inotify *self);

int watch_l_add(lua_State *L);
int watch_l_remove(lua_State *L);
int watch_l_find(lua_State *L);
int watch_l_watches(lua_State *L);

void watch_open_class(lua_State *L);

#endif
