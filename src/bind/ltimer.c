/* SPDX-License-Identifier: MIT
 *
 * ltimer.c - intervals: ticks at start + n * period, however late one is asked for.
 *
 * The ticks are counted by the clock when somebody asks; the timer runs only while somebody waits.
 */
#include "bind/bind.h"

#include <errno.h>
#include <math.h>

#include "bind/core.h"

typedef struct Interval {
	Source source; /* first member */
	LoopTimer timer;
	double period, next;
	int error; /* of starting the timer */
} Interval;

static const Class interval_class;

/* --- accessors ------------------------------------------------------------------------------------------------ */

static Interval *check_interval(lua_State *L)
{
	return bind_check(L, 1, &interval_class);
}

static void arm(Interval *interval)
{
	Loop *loop = source_loop(&interval->source);
	interval->error = loop_timer_start(loop, &interval->timer, interval->next);
	if (interval->error < 0)
		source_wake(&interval->source, 1);
}

static void set_interest(Source *source, bool on)
{
	Interval *interval = (Interval *)source;
	if (on)
		arm(interval);
	else
		loop_timer_stop(&interval->timer);
}

static void tick(LoopTimer *timer)
{
	source_wake(&list_item(timer, Interval, timer)->source, 1);
}

/* Missed ticks are one value: how many they are. */
static int take_ticks(lua_State *L, Source *source)
{
	Interval *interval = (Interval *)source;
	if (interval->error < 0)
		return bind_fail(L, "interval", -interval->error);
	double late = loop_now() - interval->next;
	if (late < 0 || source->closed)
		return 0;
	double ticks = floor(late / interval->period) + 1;
	interval->next += ticks * interval->period;
	if (source_has_waiters(source))
		arm(interval);
	lua_pushinteger(L, (lua_Integer)ticks);
	return 1;
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

static int l_interval(lua_State *L)
{
	double period = luaL_checknumber(L, 1);
	if (!(period > 0) || isinf(period))
		return bind_misuse(L, "interval: a period is a number of seconds above 0");
	Interval *interval = bind_new(L, &interval_class, sizeof(*interval), 0);
	source_init(L, &interval->source, take_ticks, set_interest);
	interval->timer.fire = tick;
	interval->period = period;
	interval->next = loop_now() + period;
	return 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

static int interval_get(lua_State *L)
{
	Interval *interval = check_interval(L);
	return bind_wait(L, &interval->source);
}

static int interval_each(lua_State *L)
{
	Interval *interval = check_interval(L);
	return bind_each(L, &interval->source, bind_opttimeout(L, 2));
}

static int interval_close(lua_State *L)
{
	source_close(&check_interval(L)->source);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class interval_class = {
	.name = "moonwatch.interval",
	.methods = (const luaL_Reg[]){{"get", interval_get}, {"each", interval_each}, {NULL, NULL}},
	.close = interval_close,
	.is_source = true,
};

int open_timer(lua_State *L)
{
	bind_class(L, &interval_class);
	lua_pushcfunction(L, l_interval);
	lua_setfield(L, 1, "interval");
	return 0;
}
