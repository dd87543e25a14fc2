#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check.sh - everything about the sources that can be known without running them. Each check prints what it found and
# its verdict; the last line is "N passed, N failed".

build=${BUILD:-build}
passed=0
failed=0

check() { # title, command...
	title=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok      $title"
	else
		failed=$((failed + 1))
		echo "FAILED  $title"
	fi
}

layers() { awk -f spec/support/layers.awk $(find src -name '*.[ch]' | sort); }

formatting() { # `make format` mends it
	bad=0
	for file in $(find src spec -name '*.[ch]' | sort); do
		clang-format --dry-run -Werror "$file" 2>/dev/null || { echo "not in its form: $file"; bad=1; }
	done
	return $bad
}

lua_lint() {
	luacheck --no-color --quiet --codes $(find lua src rocks spec examples -name '*.lua' -o -name '*.rockspec' 2>/dev/null)
}

c_lint() {
	mkdir -p "$build/cppcheck"
	cppcheck --quiet -j 2 --cppcheck-build-dir="$build/cppcheck" --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability --suppress=missingIncludeSystem --suppress=unusedStructMember \
		-D_GNU_SOURCE -D__linux__ -Isrc src
}

# No warning of the compiler's analyser that costs little: format strings, shifts, null, switch fallthrough.
c_warnings() {
	cc -fsyntax-only -std=c11 -D_GNU_SOURCE -Isrc $LUA_CFLAGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion \
		-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wimplicit-fallthrough -Wvla -Werror \
		$(find src -name '*.c')
}

headers_stand_alone() {
	for header in $(find src -name '*.h'); do
		echo "#include \"${header#src/}\"" |
			cc -fsyntax-only -std=c11 -D_GNU_SOURCE -Wall -Werror -Isrc $LUA_CFLAGS -x c - || return 1
	done
}

# Every file that the documentation names in `back quotes` or as the target of a link is there.
named_files() {
	bad=0
	for page in README.md src/README.md $(find doc spec -name '*.md' 2>/dev/null); do
		[ -f "$page" ] || continue
		for name in $(grep -oE '(`|\]\()(src|lua|spec|examples|rocks|doc|completion)/[A-Za-z0-9_./-]*[A-Za-z0-9_](`|\))' "$page" |
			tr -d '`)' | sed 's/^](//' | sort -u); do
			[ -e "$name" ] || { echo "$page names $name, which is not there"; bad=1; }
		done
	done
	return $bad
}

# The map of the C side names each of its files.
mapped_files() {
	bad=0
	for file in src/*/*.c; do
		grep -qF "| \`${file##*/}\` |" src/README.md || { echo "src/README.md does not name $file"; bad=1; }
	done
	return $bad
}

# References to pages that are not installed here are no fault.
manual_pages() {
	command -v mandoc >/dev/null || return 0
	! mandoc -T lint -W style doc/man/moonwatch* 2>/dev/null | grep -v 'referenced manual not found'
}

licences() {
	bad=$(grep -L 'SPDX-License-Identifier: MIT' $(find src spec lua -name '*.[ch]' -o -name '*.lua' 2>/dev/null))
	[ -z "$bad" ] || { echo "without SPDX line:" $bad; return 1; }
}

no_machine_paths() { ! git grep -nF -e "$PWD/" -e "${HOME:-/nowhere}/" -- . ':!LICENSE' 2>/dev/null; }

# Slower by instructions and calls, not by a clock: fails on no machine for being slow.
costs() { "${LUA:-lua5.4}" spec/bench/cost.lua; }

check "include layers" layers
check "headers stand alone" headers_stand_alone
check "formatting" formatting
check "luacheck" lua_lint
check "cppcheck" c_lint
check "further warnings" c_warnings
check "files named in the documentation" named_files
check "files named in the map" mapped_files
check "manual pages" manual_pages
check "licence lines" licences
check "no paths of one machine" no_machine_paths
check "instructions and calls" costs
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
