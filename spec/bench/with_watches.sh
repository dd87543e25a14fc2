#!/bin/sh
# SPDX-License-Identifier: MIT
#
# with_watches.sh NUMBER COMMAND... - runs the command with room for so many inotify watches: the limit is raised as far as
# the rights allow, and set back however the command ends.
limit=/proc/sys/fs/inotify/max_user_watches
wanted=$1
shift
before=$(cat $limit)
if [ "$before" -lt "$wanted" ]; then
	trap 'echo "$before" >$limit' EXIT
	trap 'kill $! 2>/dev/null; exit 130' INT TERM HUP
	{ echo "$wanted" >$limit; } 2>/dev/null ||
		echo "fs.inotify.max_user_watches is $before; all figures need $wanted" >&2
fi
"$@" &
wait $!
