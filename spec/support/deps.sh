#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh - installs from Debian's packages what a make target needs and the machine lacks.
#
#     sh spec/support/deps.sh run|test|check|bench|doc|deb|peers
#
# A line is a package and a command that succeeds where the thing is there, however it came. Where all is there nothing
# is asked of the network and nothing is updated. As root, or by sudo; otherwise one line says what to install.

lua() { command -v "${LUA:-lua5.4}" >/dev/null && "${LUA:-lua5.4}" -e "$1" 2>/dev/null; }
header() { echo "#include <$1>" | cc -E $(pkg-config --cflags lua5.4 2>/dev/null) - >/dev/null 2>&1; }

missing=
need() { # package, probe...
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

need_to_run() {
	need gcc command -v cc
	need libc6-dev header stdio.h
	need pkg-config command -v pkg-config
	need lua5.4 lua ''
	need liblua5.4-dev header lua.h
	need libev-dev header ev.h
	need lua-argparse lua 'require "argparse"'
	need lua-dkjson lua 'require "dkjson"'
}

need_to_test() {
	need_to_run
	need lua-busted lua 'require "busted"'
	need lua-filesystem lua 'require "lfs"'
	need luarocks command -v luarocks
	need git command -v git
	need zip command -v zip
	need unzip command -v unzip
	need rsync command -v rsync
	need openssl command -v openssl
}

need_to_check() {
	need_to_run
	need lua-check command -v luacheck
	need cppcheck command -v cppcheck
	need clang-format command -v clang-format
	need mandoc command -v mandoc
	need valgrind command -v valgrind
}

need_to_compare() {
	need_to_run
	need lua5.3 command -v lua5.3
	need lua-inotify lua5.3 -e 'require "inotify"'
	need lua-luv lua 'require "luv"'
	need lua-cqueues lua 'require "cqueues"'
	need inotify-tools command -v inotifywait
	need python3-pyinotify /usr/bin/python3 -c 'import pyinotify'
	need python3-watchdog /usr/bin/python3 -c 'import watchdog'
	need fswatch command -v fswatch
	need lsyncd command -v lsyncd
	need entr command -v entr
}

case $1 in
run) need_to_run ;;
test) need_to_test ;;
check) need_to_check ;;
bench) need_to_run ;;
peers) need_to_compare ;;
deb)
	need_to_run
	need dpkg-dev command -v dpkg-shlibdeps
	;;
doc)
	need lua5.4 lua ''
	need lua-ldoc command -v ldoc
	need lua-discount sh -c 'find /usr/lib/*/lua /usr/local/lib/lua -name discount.so | grep -q .'
	;;
'')
	need_to_test
	need_to_check
	;;
esac

[ -n "$missing" ] || exit 0
# Each package once.
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')

if ! command -v apt-get >/dev/null; then
	echo "please install what these packages of Debian hold: $missing" >&2
	exit 1
elif [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	as_root=sudo
else
	echo "please install: apt-get install $missing" >&2
	exit 1
fi

echo "installing: $missing" >&2
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
install() { $apt install -y --no-install-recommends $missing </dev/null; }
# The lists of a fresh machine are empty or old: asked anew only where the first try fails.
install >&2 || { $apt update && install; } >&2 || {
	echo "could not install:$missing" >&2
	exit 1
}
