/* SPDX-License-Identifier: MIT
 *
 * lsignal.c - signals: each get gives the name of one that was raised, and how often since it was given last.
 */
#include "bind/bind.h"

#include <errno.h>

#include "bind/core.h"
#include "loop/signal.h"
#include "os/signame.h"

typedef struct Entry {
	LoopSignal signal;
	struct Signals *owner;
} Entry;

/* One object for one or several signals. */
typedef struct Signals {
	Source source; /* first member */
	int error;     /* of looking at the eventfd */
	int count;     /* started */
	Entry entries[];
} Signals;

static const Class signal_class;

/* --- accessors ------------------------------------------------------------------------------------------------ */

static Signals *check_signals(lua_State *L)
{
	return bind_check(L, 1, &signal_class);
}

static void raised(LoopSignal *signal)
{
	source_wake(&list_item(signal, Entry, signal)->owner->source, 1);
}

static void set_interest(Source *source, bool on)
{
	Signals *signals = (Signals *)source;
	for (int i = 0; i < signals->count; i++) {
		int error = loop_signal_watch(&signals->entries[i].signal, on);
		if (error < 0)
			signals->error = error;
	}
	if (on && signals->error < 0)
		source_wake(source, 1);
}

static int take_signal(lua_State *L, Source *source)
{
	Signals *signals = (Signals *)source;
	char name[SIGNAME_SIZE];
	if (signals->error < 0)
		return bind_fail(L, "signal", -signals->error);
	for (int i = 0; i < signals->count; i++) {
		unsigned times = loop_signal_take(&signals->entries[i].signal);
		if (times == 0)
			continue;
		lua_pushstring(L, signame_of(signals->entries[i].signal.number, name));
		lua_pushinteger(L, times);
		return 2;
	}
	return 0;
}

static void stop_all(Signals *signals)
{
	for (int i = 0; i < signals->count; i++)
		loop_signal_stop(&signals->entries[i].signal);
	signals->count = 0;
}

/* --- constructor ---------------------------------------------------------------------------------------------- */

static int fail(lua_State *L, int index, int error)
{
	const char *name = lua_tostring(L, index);
	if (error == -EBUSY)
		return bind_failf(L, EBUSY, "%s: another loop of this process has taken the signal", name);
	if (error == -EINVAL)
		return bind_failf(L, EINVAL, "%s: the signal cannot be caught", name);
	return bind_fail(L, name, -error);
}

/* signal(name, ...) -> an object; nil, message, errno */
static int l_signal(lua_State *L)
{
	int count = lua_gettop(L);
	luaL_argcheck(L, count > 0, 1, "the name of a signal expected");
	for (int i = 1; i <= count; i++)
		bind_checksignal(L, i);
	Loop *loop = bind_loop(L);
	Signals *signals =
		bind_new(L, &signal_class, sizeof(*signals) + (size_t)count * sizeof(Entry), 0);
	source_init(L, &signals->source, take_signal, set_interest);
	for (int i = 0; i < count; i++) {
		Entry *entry = &signals->entries[i];
		entry->owner = signals;
		entry->signal.fire = raised;
		int error = loop_signal_start(loop, &entry->signal, bind_checksignal(L, i + 1));
		if (error < 0) {
			stop_all(signals);
			return fail(L, i + 1, error);
		}
		signals->count++;
	}
	return 1;
}

/* --- methods -------------------------------------------------------------------------------------------------- */

static int signal_get(lua_State *L)
{
	Signals *signals = check_signals(L);
	return bind_wait(L, &signals->source);
}

static int signal_each(lua_State *L)
{
	Signals *signals = check_signals(L);
	return bind_each(L, &signals->source, bind_opttimeout(L, 2));
}

static int signal_close(lua_State *L)
{
	Signals *signals = check_signals(L);
	source_close(&signals->source);
	stop_all(signals);
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------------------- */

static const Class signal_class = {
	.name = "moonwatch.signal",
	.methods = (const luaL_Reg[]){{"get", signal_get}, {"each", signal_each}, {NULL, NULL}},
	.close = signal_close,
	.is_source = true,
};

int open_signal(lua_State *L)
{
	bind_class(L, &signal_class);
	lua_pushcfunction(L, l_signal);
	lua_setfield(L, 1, "signal");
	return 0;
}
