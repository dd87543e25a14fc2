#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sanitize.sh - runs the specs with the sanitized build (BUILD) and fails on any report, wherever it came from: the
# sanitizers of every process write into BUILD/reports (undefined behaviour as SIGILL in the line of the fault). First a module with known faults must be reported.

build=${BUILD:-build/sanitize}
reports=$PWD/$build/reports
rm -rf "$reports"
mkdir -p "$reports"
# The leak detector of gcc 12 guesses where loaded libraries keep their thread-local data, and crashes where it guesses
# wrong: it is not to guess. Ours have none.
common=log_path=$reports/report:log_exe_name=1:print_stacktrace=1:malloc_context_size=20:intercept_tls_get_addr=0
export ASAN_OPTIONS="$common:detect_leaks=1:detect_stack_use_after_return=1:exitcode=99:handle_sigill=1"
export LSAN_OPTIONS="suppressions=$PWD/spec/support/lsan.supp:print_suppressions=0"

found() { # fault, words of its report
	echo "package.cpath = '$build/lib/?.so;' .. package.cpath; require 'leak'.$1()" >"$reports/fault.lua"
	"$build/bin/lua" "$reports/fault.lua" >/dev/null 2>&1
	grep -qs "$2" "$reports"/report.* || { echo "the sanitizers do not see: $1"; exit 1; }
	rm -f "$reports"/*
}
found leak 'Direct leak of 4321 byte'
found use_after_free heap-use-after-free
found overflow 'ILL on unknown address.*\|in overflow.*leak.c:33'

LUA=$build/bin/lua SPEC_SECONDS=${SPEC_SECONDS:-600} "${LUA_PLAIN:-lua5.4}" spec/support/run.lua "$@" >"$reports/specs.log" 2>&1
status=$?
sed '$d' "$reports/specs.log"
last=$(tail -n 1 "$reports/specs.log")
rm -f "$reports/specs.log"

count=0
for report in "$reports"/*; do
	[ -f "$report" ] || continue
	# The leak detector of a process that was killed while it looked says this, or has got no further than to open its file.
	if ! grep -qv 'Unable to get registers from thread' "$report"; then
		echo "--- $report: killed while it looked for leaks"
		continue
	fi
	count=$((count + 1))
	echo "--- $report"
	head -n 60 "$report"
done
if [ "$count" -gt 0 ]; then
	echo "$count reports of the sanitizers in $build/reports"
	# A report is a failure like any other, also where every spec passed.
	last=$(echo "$last" | awk -v reports="$count" '{ $3 += reports; print }')
	status=1
fi
echo "$last"
exit $status
