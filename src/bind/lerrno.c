/* SPDX-License-Identifier: MIT
 *
 * lerrno.c - moonwatch.errno: the error codes by name, and the names by code.
 */
#include <errno.h>
#include <lua.h>
#include <lauxlib.h>

#include "bind/core.h"
#include "moonwatch.h"

typedef struct Code {
	const char *name;
	int code;
} Code;

/* Where two names share a code, the first one is what the code is called. */
static const Code codes[] = {
	{"EPERM", EPERM},
	{"ENOENT", ENOENT},
	{"ESRCH", ESRCH},
	{"EINTR", EINTR},
	{"EIO", EIO},
	{"ENXIO", ENXIO},
	{"E2BIG", E2BIG},
	{"ENOEXEC", ENOEXEC},
	{"EBADF", EBADF},
	{"ECHILD", ECHILD},
	{"EAGAIN", EAGAIN},
	{"EWOULDBLOCK", EWOULDBLOCK},
	{"ENOMEM", ENOMEM},
	{"EACCES", EACCES},
	{"EFAULT", EFAULT},
	{"ENOTBLK", ENOTBLK},
	{"EBUSY", EBUSY},
	{"EEXIST", EEXIST},
	{"EXDEV", EXDEV},
	{"ENODEV", ENODEV},
	{"ENOTDIR", ENOTDIR},
	{"EISDIR", EISDIR},
	{"EINVAL", EINVAL},
	{"ENFILE", ENFILE},
	{"EMFILE", EMFILE},
	{"ENOTTY", ENOTTY},
	{"ETXTBSY", ETXTBSY},
	{"EFBIG", EFBIG},
	{"ENOSPC", ENOSPC},
	{"ESPIPE", ESPIPE},
	{"EROFS", EROFS},
	{"EMLINK", EMLINK},
	{"EPIPE", EPIPE},
	{"EDOM", EDOM},
	{"ERANGE", ERANGE},
	{"EDEADLK", EDEADLK},
	{"ENAMETOOLONG", ENAMETOOLONG},
	{"ENOLCK", ENOLCK},
	{"ENOSYS", ENOSYS},
	{"ENOTEMPTY", ENOTEMPTY},
	{"ELOOP", ELOOP},
	{"ENODATA", ENODATA},
	{"ETIME", ETIME},
	{"EPROTO", EPROTO},
	{"EBADMSG", EBADMSG},
	{"EOVERFLOW", EOVERFLOW},
	{"EILSEQ", EILSEQ},
	{"ENOTSUP", ENOTSUP},
	{"EOPNOTSUPP", EOPNOTSUPP},
	{"EADDRINUSE", EADDRINUSE},
	{"ENOBUFS", ENOBUFS},
	{"ECONNREFUSED", ECONNREFUSED},
	{"ECONNRESET", ECONNRESET},
	{"ENOTCONN", ENOTCONN},
	{"ETIMEDOUT", ETIMEDOUT},
	{"EALREADY", EALREADY},
	{"EINPROGRESS", EINPROGRESS},
	{"ESTALE", ESTALE},
	{"EDQUOT", EDQUOT},
	{"ECANCELED", ECANCELED},
	{NULL, 0},
};

int open_errno(lua_State *L)
{
	lua_newtable(L);
	for (const Code *code = codes; code->name != NULL; code++) {
		lua_pushinteger(L, code->code);
		lua_setfield(L, -2, code->name);
		if (lua_rawgeti(L, -1, code->code) == LUA_TNIL) {
			lua_pushstring(L, code->name);
			lua_rawseti(L, -3, code->code);
		}
		lua_pop(L, 1);
	}
	lua_setfield(L, 1, "errno");
	lua_pushliteral(L, MOONWATCH_VERSION);
	lua_setfield(L, 1, "version");
	return 0;
}
