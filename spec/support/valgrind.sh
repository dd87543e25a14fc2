#!/bin/sh
# SPDX-License-Identifier: MIT
#
# valgrind.sh - an interpreter for run.lua that is the system's own under valgrind: reads of what is not there and
# definite losses go into REPORTS. Slow: for a file or a folder of specs at a time.
exec valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99 \
	--child-silent-after-fork=yes --log-file="${REPORTS:-/tmp}/valgrind.%p" "${LUA_PLAIN:-lua5.4}" "$@"
