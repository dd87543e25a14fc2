/* SPDX-License-Identifier: MIT
 *
 * state.h - private to bind.c, wait.c and ltask.c: what one Lua state has, and how tasks and waits hang together.
 *
 *      Source.waiters -> Waiter -> Wait -> Task -> coroutine
 *      Bind.ready     -> Ready  (a Wait or a Dispatch)
 *
 * A task waits by linking its waiter into a source's list and yielding with Bind.suspended set: that alone tells a wait
 * from a stray coroutine.yield. Whatever may end the wait (source, deadline, close) puts the Wait on the ready list; the
 * drain resumes the coroutine, and its continuation looks what happened.
 */
#ifndef MOONWATCH_BIND_STATE_H
#define MOONWATCH_BIND_STATE_H

#include "bind/bind.h"

typedef struct Task Task;
typedef struct Wait Wait;
typedef struct Waiter Waiter;

/* One place in one source's queue. */
struct Waiter {
	List link; /* in Source.waiters */
	Source *source;
	Wait *wait;
	bool woken; /* something should be there for this one */
};

/* One suspended function: of a task, or of the main program (task NULL). */
struct Wait {
	Ready ready;
	Bind *bind;
	Task *task;
	LoopTimer timer;
	bool active;    /* the function is suspended; else whatever still points here is stale */
	bool expired;   /* the deadline has passed */
	bool external;  /* the outside can end it: a deadline, or a source that is not internal */
	Waiter one;     /* the usual case; select has an array of its own */
	Waiter *waiter; /* &one, or select's; NULL for a mere sleep */
	size_t count;
	size_t chosen; /* which of them gave the value */
	int (*take)(lua_State *L, Source *source);
};

typedef enum TaskState {
	TASK_NEW,
	TASK_WAITING,
	TASK_RUNNING,
	TASK_DONE,
	TASK_FAILED,
	TASK_CANCELLED
} TaskState;

/* User values of a task. UV_ERROR is the error of a failed one and the reason of a cancelled one. */
enum {
	UV_THREAD = 1,
	UV_NAME,
	UV_ERROR,
	UV_TRACEBACK,
	UV_GROUP,
	UV_GENERATORS,
	TASK_UVS = UV_GENERATORS
};

struct Task {
	Source joined; /* first member: a task is a source of its own result */
	Wait wait;
	lua_State *co;
	List all;    /* in Bind.tasks while it lives */
	List failed; /* in Bind.failed while its error waits for someone to ask */
	TaskState state;
	int values;         /* arguments before the start, results after the end: on co's stack */
	bool strict;        /* Bind.strict, while it waits */
	bool cancelled;     /* to be closed at the next chance */
	bool closing;       /* its <close> variables are run by a cancel */
	bool is_reporter;   /* runs on_error: its own failure goes to standard error */
	bool is_awaited;    /* by run: its error is not on_error's */
	bool is_worker;     /* pooled; works off batches */
	int handled;        /* values of the present batch */
	Dispatch *dispatch; /* the batch at hand; NULL when it was given to another */
	List idle;          /* in Bind.workers */
	Group *group;       /* gets it when it has ended; NULL none */
	List member;        /* in Group.living or Group.ended */
};

/* Ended tasks are its values. */
struct Group {
	Source source;
	List living, ended; /* of Task.member */
	size_t count;       /* both */
};

struct Bind {
	lua_State *main;
	Loop *loop; /* NULL until needed */
	struct ev_loop *foreign;
	bool polled;  /* someone outside polls our descriptor */
	LoopJob poke; /* asks a foreign loop to come by, since something is ready */
	List ready;
	List tasks;
	List failed;
	List lingering; /* of Source.lingering */
	List workers;   /* idle ones */
	size_t idle_workers;
	size_t external;    /* waits that the outside can end */
	size_t anchored;    /* objects kept alive by the loop, tasks not counted */
	size_t created;     /* generators, for the order in which they are closed */
	Task *running;      /* NULL in the main program */
	lua_State *inner;   /* the coroutine in which the running task may wait; NULL: nowhere */
	const char *nowait; /* inside which function of the user's no wait is possible */
	bool suspended;     /* the yield that is under way is a wait */
	bool waking;  /* the resume that is under way goes to a wait: only continuations of ours run */
	bool strict;  /* a script's function runs: no use of the reserve (lmemory.c) */
	bool driving; /* the main program waits or runs */
	bool stopping;
	unsigned rotation;    /* fairness of select */
	int drain_left;       /* resumes before the loop is looked at again */
	unsigned quick_takes; /* without a yield since the last resume */
	Wait main_wait;
	bool main_is_ready;
};

/* --- bind.c --- */

/* The loop for C that has a Bind: opened now if need be. 0 or a negative errno. */
int bind_open_loop(Bind *bind);

/* As bind_anchor, but not counted: what is kept so does not hold `run` back. */
void bind_keep(lua_State *L, int index, const void *key);
void bind_release(lua_State *L, const void *key);
/* The Source with which a value begins, or NULL where it is none of ours. */
Source *bind_testsource(lua_State *L, int index);
/* Chunk names that begin so are moonwatch's own: misuse is never reported there. */
void bind_set_own_files(lua_State *L, const char *prefix);
/* Pushes "file:line: " of the nearest Lua function of the user's, or "". */
void bind_pushposition(lua_State *L);
bool bind_is_own_file(lua_State *L, const char *source);

/* --- wait.c --- */

void wait_make_ready(Wait *wait);
/* To be called before the loop is looked at: whoever lost his last waiter and got no new one stops looking. */
void wait_settle_interest(Bind *bind);
/* Takes a wait that will not go on out of everything it is linked into. */
void wait_abandon(Wait *wait);
/* Raises where the running function may not suspend. */
void wait_check(lua_State *L, Bind *bind);
/* The wait of whoever runs now. */
Wait *wait_of(Bind *bind);
/* Then wait_enter or nothing (a sleep), then wait_suspend, whose result the caller returns. wait_begin raises where the
 * loop cannot be opened or the deadline not be kept. */
void wait_begin(lua_State *L, Wait *wait, double timeout);
/* Waits for several sources at once; the array belongs to the caller and must outlive the wait. */
void wait_enter(Wait *wait, Waiter *waiters, size_t count);
int wait_suspend(lua_State *L, Bind *bind);
/* This waiter is to look whether something is there. */
void wait_wake(Waiter *waiter);
/* The running function has taken so much without a yield that the others must get a turn. */
bool wait_had_enough(lua_State *L, Bind *bind, double timeout);

/* --- ltask.c --- */

/* Pops a function and `nargs` arguments, pushes a new task that is not on any list yet. */
Task *task_new(lua_State *L, const char *name, int nargs);
bool task_has_ended(const Task *task);
/* Closes it, or has it closed as soon as that is possible. True: it is or will be cancelled. May run the user's code. */
bool task_cancel(lua_State *L, Task *task);
/* The one place that resumes. `inner` is the coroutine that may wait; NULL: none. */
int task_resume_coroutine(
	lua_State *L, Bind *bind, lua_State *co, int nargs, int *results, lua_State *inner);
/* Runs a task that task_new made at once, on top of whatever runs now. */
void task_run_now(lua_State *L, Task *task);
/* Somebody has asked for the result: it is no longer on_error's. */
void task_ask(lua_State *L, Task *task);

/* --- lcoroutine.c --- */

/* The generator that `co` waits in, or NULL. */
lua_State *generator_inside(lua_State *co);
/* Closes the generators made by the task at the top of the stack, the last one first. */
void generators_close(lua_State *L);

/* --- lloop.c --- */

/* Pops error, traceback (or nil) and the name of whose code it was; hands them to on_error. Raises nothing. */
void loop_report(lua_State *L);
/* Runs the ready list; raises nothing. */
void task_drain(lua_State *L, Bind *bind);
/* Errors that nobody has asked for go to on_error. Raises nothing. */
void task_report_failures(lua_State *L, Bind *bind);
/* Pushes where each task stands. */
void task_push_deadlock(lua_State *L, Bind *bind, bool main_waits);

typedef enum DriveEnd { DRIVE_DONE, DRIVE_STOPPED, DRIVE_DEADLOCK } DriveEnd;
/* Turns the loop until `done` says so. Raises nothing. */
DriveEnd task_drive(
	lua_State *L, Bind *bind, bool (*done)(Bind *bind, void *context), void *context);

#endif
