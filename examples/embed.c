/* A C program with a libev loop of its own: rules and watchers in Lua live in it, beside the program's own work.
 *
 *    $ cc -o embed examples/embed.c $(pkg-config --cflags --libs moonwatch)
 *    $ mkdir inbox; ./embed inbox &
 *    $ echo hello > inbox/letter
 *    C was told of inbox/letter: hello
 */
#include <ev.h>
#include <lauxlib.h>
#include <lualib.h>
#include <moonwatch.h>
#include <signal.h>
#include <stdio.h>

static const char script[] =
	"local folder = ...\n"
	"local moonwatch = require 'moonwatch'\n"
	"watcher = assert(moonwatch.watch(folder))\n"
	"watcher:on('close_write', function(event)\n"
	"   local result = moonwatch.exec { 'cat', event.path } -- waits; the program goes on\n"
	"   tell(event.path, result.out)\n"
	"end)\n"
	"print 'ready'\n";

/* tell(path, text): called by the script. */
static int tell(lua_State *L)
{
	printf("C was told of %s: %s", luaL_checkstring(L, 1), luaL_checkstring(L, 2));
	return 0;
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)signal, (void)events;
	ev_break(loop, EVBREAK_ALL);
}

static int run_script(lua_State *L, const char *folder)
{
	lua_register(L, "tell", tell);
	luaL_loadstring(L, script);
	lua_pushstring(L, folder);
	return lua_pcall(L, 1, 0, 0);
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO); /* the default loop would reap our children */
	lua_State *L = luaL_newstate();
	setvbuf(stdout, NULL, _IOLBF, 0);
	luaL_openlibs(L);
	luaL_requiref(L, "moonwatch", luaopen_moonwatch, 0);
	moonwatch_set_loop(L, loop); /* before anything is watched */

	ev_signal term;
	ev_signal_init(&term, on_term, SIGTERM);
	ev_signal_start(loop, &term);

	int failed = run_script(L, argc > 1 ? argv[1] : ".");
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	else
		ev_run(loop, 0);
	lua_close(L); /* before its loop */
	ev_loop_destroy(loop);
	return failed;
}
