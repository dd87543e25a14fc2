/* SPDX-License-Identifier: MIT
 *
 * tree_overtaken_driver.c - runs a line of Lua in which records of inotify can be made to overtake each other, as they do
 * where a file is written while another thread renames it.
 *
 *     tree_overtaken_driver CHUNK ARG
 *
 * Globals: moonwatch; exchange(a, b), of two names; overtaken(how), for the next records that are read at once, of which
 * the first is about a file's content and the rest about its rename: with "late" it comes behind them, with "early" it
 * bears the new name already.
 */
#include <fcntl.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "moonwatch.h"

enum { NAME = 16, RECORD = sizeof(struct inotify_event) + NAME }; /* of names below 16 bytes */

static const char *how;

static void get_head(const char *record, struct inotify_event *head)
{
	memcpy(head, record, sizeof *head);
}

/* Where the file has got its new name, or NULL. */
static const char *find_moved(const char *records, const char *end)
{
	struct inotify_event head;
	for (const char *at = records; at < end; at += sizeof head + head.len) {
		get_head(at, &head);
		if ((head.mask & (IN_MOVED_TO | IN_ISDIR)) == IN_MOVED_TO)
			return at;
	}
	return NULL;
}

static void overtake(char *records, size_t length, const char *moved)
{
	char first[RECORD];
	memcpy(first, records, RECORD);
	if (strcmp(how, "late") == 0) {
		memmove(records, records + RECORD, length - RECORD);
		memcpy(records + length - RECORD, first, RECORD);
	} else {
		struct inotify_event early;
		get_head(moved, &early);
		early.mask = IN_CLOSE_WRITE;
		early.cookie = 0;
		memcpy(records, moved, RECORD);
		memcpy(records, &early, sizeof early);
	}
	how = NULL;
}

ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t length = syscall(SYS_read, fd, buffer, size);
	char *records = buffer;
	struct inotify_event head;
	if (how == NULL || length < 3 * RECORD)
		return length;
	get_head(records, &head);
	const char *moved = find_moved(records, records + length);
	if (head.mask == IN_CLOSE_WRITE && moved != NULL)
		overtake(records, (size_t)length, moved);
	return length;
}

static int l_overtaken(lua_State *L)
{
	if (how != NULL)
		return luaL_error(L, "nothing was overtaken");
	how = lua_tostring(L, 1);
	return 0;
}

static int l_exchange(lua_State *L)
{
	const char *a = luaL_checkstring(L, 1), *b = luaL_checkstring(L, 2);
	if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2) < 0)
		return luaL_error(L, "no exchange of %s and %s", a, b);
	return 0;
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	if (argc < 3 || L == NULL)
		return 2;
	luaL_openlibs(L);
	luaL_requiref(L, "moonwatch", luaopen_moonwatch, 1);
	lua_register(L, "overtaken", l_overtaken);
	lua_register(L, "exchange", l_exchange);
	lua_pushstring(L, argv[2]);
	lua_setglobal(L, "R");
	int status = luaL_dostring(L, argv[1]);
	if (status != LUA_OK)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return status;
}
