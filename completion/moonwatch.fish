# SPDX-License-Identifier: MIT
#
# Written by completion/generate.lua: change the options of the commands instead.
function __moonwatch_rules
	moonwatch status 2>/dev/null | awk '/^rule  /{on=1;next} /^$/{on=0} on{print $1}'
end

function __moonwatch_is
	__fish_seen_subcommand_from $argv
end

function __moonwatch_is_script
	not __fish_seen_subcommand_from run events exec check limits status reload stop pause resume trigger tail explain log wait metrics
end

complete -c moonwatch -n __moonwatch_is_script -s V -l version -d 'Show the version and end.'

complete -c moonwatch -n __moonwatch_is_script -a run -d 'runs rule scripts'
complete -c moonwatch -n '__moonwatch_is run' -s e -l eval -r -d 'Lua instead of a script; several are several lines.'
complete -c moonwatch -n '__moonwatch_is_script' -s e -l eval -r -d 'Lua instead of a script; several are several lines.'
complete -c moonwatch -n '__moonwatch_is run' -l once -d 'Do what `start` asks for, then end.'
complete -c moonwatch -n '__moonwatch_is_script' -l once -d 'Do what `start` asks for, then end.'
complete -c moonwatch -n '__moonwatch_is run' -s j -l jobs -r -d 'At most N runs at a time, over all rules.'
complete -c moonwatch -n '__moonwatch_is_script' -s j -l jobs -r -d 'At most N runs at a time, over all rules.'
complete -c moonwatch -n '__moonwatch_is run' -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error.'
complete -c moonwatch -n '__moonwatch_is_script' -l log-level -x -a 'debug info warn error' -d 'debug, info, warn or error.'
complete -c moonwatch -n '__moonwatch_is run' -l log-format -x -a 'text json' -d 'text or json.'
complete -c moonwatch -n '__moonwatch_is_script' -l log-format -x -a 'text json' -d 'text or json.'
complete -c moonwatch -n '__moonwatch_is run' -l socket -r -d 'Where to listen for `moonwatch status` and its kind.'
complete -c moonwatch -n '__moonwatch_is_script' -l socket -r -d 'Where to listen for `moonwatch status` and its kind.'
complete -c moonwatch -n '__moonwatch_is run' -l no-socket -d 'Do not listen.'
complete -c moonwatch -n '__moonwatch_is_script' -l no-socket -d 'Do not listen.'
complete -c moonwatch -n '__moonwatch_is run' -l daemon -d 'Go on in the background once all is watched.'
complete -c moonwatch -n '__moonwatch_is_script' -l daemon -d 'Go on in the background once all is watched.'
complete -c moonwatch -n '__moonwatch_is run' -l pid-file -r -d 'Write the process id to FILE, and keep it locked.'
complete -c moonwatch -n '__moonwatch_is_script' -l pid-file -r -d 'Write the process id to FILE, and keep it locked.'
complete -c moonwatch -n '__moonwatch_is run' -l user -r -d 'Drop to this user before a script runs.'
complete -c moonwatch -n '__moonwatch_is_script' -l user -r -d 'Drop to this user before a script runs.'
complete -c moonwatch -n '__moonwatch_is run' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -n '__moonwatch_is_script' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a events -d 'prints events'
complete -c moonwatch -n '__moonwatch_is events' -l from -r -d 'Read further paths from FILE, one a line ('\''-'\'': standard input).'
complete -c moonwatch -n '__moonwatch_is events' -l count -r -d 'End after N events.'
complete -c moonwatch -n '__moonwatch_is events' -l timeout -r -d 'End when nothing happened for S seconds (with --summary: after S).'
complete -c moonwatch -n '__moonwatch_is events' -l json -d 'One JSON object a line; a name that is not UTF-8 also as NAME_base64.'
complete -c moonwatch -n '__moonwatch_is events' -s 0 -l null -d 'End each record with NUL, and leave names as they are.'
complete -c moonwatch -n '__moonwatch_is events' -l format -r -d 'One line per event, as FORMAT says (codes: see below).'
complete -c moonwatch -n '__moonwatch_is events' -l time-format -r -d 'What %T is, in strftime'\''s codes, %N for microseconds.'
complete -c moonwatch -n '__moonwatch_is events' -l summary -d 'At the end print a table of counts per directory, and no events.'
complete -c moonwatch -n '__moonwatch_is events' -s q -l quiet -d 'Do not say when all is watched.'
complete -c moonwatch -n '__moonwatch_is events' -s e -l events -r -d 'Only these, separated by commas: create, close_write, attrib, delete, move (the default), modify, open, access, close_nowrite, close, all.'
complete -c moonwatch -n '__moonwatch_is events' -l match -r -d 'Only what PATTERN matches (gitignore'\''s language and {a,b}).'
complete -c moonwatch -n '__moonwatch_is events' -l ignore -r -d 'Neither report nor watch what PATTERN matches.'
complete -c moonwatch -n '__moonwatch_is events' -l gitignore -d 'Obey .gitignore files.'
complete -c moonwatch -n '__moonwatch_is events' -s r -l recursive -d 'Directories below, too (the default).'
complete -c moonwatch -n '__moonwatch_is events' -s R -l no-recursive -d 'The given directories alone.'
complete -c moonwatch -n '__moonwatch_is events' -l depth -r -d 'At most so many levels below.'
complete -c moonwatch -n '__moonwatch_is events' -l follow -d 'Go through symbolic links to directories.'
complete -c moonwatch -n '__moonwatch_is events' -l one-filesystem -d 'Do not cross mounts.'
complete -c moonwatch -n '__moonwatch_is events' -l initial -d 'First report what is there, as synthetic creates.'
complete -c moonwatch -n '__moonwatch_is events' -l wait-for-path -d 'A path may come later.'
complete -c moonwatch -n '__moonwatch_is events' -l backend -x -a 'auto inotify poll' -d 'auto, inotify or poll.'
complete -c moonwatch -n '__moonwatch_is events' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a exec -d 'runs a command on changes'
complete -c moonwatch -n '__moonwatch_is exec' -l from -r -d 'Read further paths from FILE, one a line ('\''-'\'': standard input).'
complete -c moonwatch -n '__moonwatch_is exec' -l settle -r -d 'Wait until nothing has changed for S seconds (0.1).'
complete -c moonwatch -n '__moonwatch_is exec' -l max-wait -r -d 'But no longer than S seconds (5).'
complete -c moonwatch -n '__moonwatch_is exec' -l busy -x -a 'queue restart drop signal' -d 'When it still runs: queue (the default), restart, drop or signal.'
complete -c moonwatch -n '__moonwatch_is exec' -l each -d 'A run for each changed path.'
complete -c moonwatch -n '__moonwatch_is exec' -l start -d 'Run at the start, too (with --each for every path there is).'
complete -c moonwatch -n '__moonwatch_is exec' -l once -d 'End after the first run, with its status.'
complete -c moonwatch -n '__moonwatch_is exec' -l clear -d 'Clear the screen before each run.'
complete -c moonwatch -n '__moonwatch_is exec' -l signal -r -d 'Stops the command (TERM); with --busy signal: is sent to it.'
complete -c moonwatch -n '__moonwatch_is exec' -l grace -r -d 'Seconds from that signal to KILL (5).'
complete -c moonwatch -n '__moonwatch_is exec' -l ignore -r -d 'Neither report nor watch what PATTERN matches.'
complete -c moonwatch -n '__moonwatch_is exec' -l gitignore -d 'Obey .gitignore files.'
complete -c moonwatch -n '__moonwatch_is exec' -l wait-for-path -d 'A path may come later.'
complete -c moonwatch -n '__moonwatch_is exec' -s q -l quiet -d 'Do not say when all is watched.'
complete -c moonwatch -n '__moonwatch_is exec' -s v -l verbose -d 'Say when a run is done.'
complete -c moonwatch -n '__moonwatch_is exec' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a check -d 'says what rule scripts would watch, and runs nothing'
complete -c moonwatch -n '__moonwatch_is check' -l json -d 'One JSON object.'
complete -c moonwatch -n '__moonwatch_is check' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a limits -d 'the kernel'\''s limits, what is used and by whom'
complete -c moonwatch -n '__moonwatch_is limits' -l set -r -d 'Set a limit, where the rights allow.'
complete -c moonwatch -n '__moonwatch_is limits' -l json -d 'One JSON object.'
complete -c moonwatch -n '__moonwatch_is limits' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a status -d 'what a running host does'
complete -c moonwatch -n '__moonwatch_is status' -l json -d 'One JSON object (with --watch one a line).'
complete -c moonwatch -n '__moonwatch_is status' -l watch -d 'Live, until q or Ctrl-C: with the busiest folders and events per second.'
complete -c moonwatch -n '__moonwatch_is status' -l interval -r -d 'Seconds between two looks of --watch (1).'
complete -c moonwatch -n '__moonwatch_is status' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is status' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a reload -d 'has a running host load its scripts anew'
complete -c moonwatch -n '__moonwatch_is reload' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is reload' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a stop -d 'ends a running host politely'
complete -c moonwatch -n '__moonwatch_is stop' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is stop' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a pause -d 'a rule collects changes and runs nothing'
complete -c moonwatch -n '__moonwatch_is pause' -l drop -d 'Forget what changes meanwhile.'
complete -c moonwatch -n '__moonwatch_is pause' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is pause' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -f -n '__moonwatch_is pause' -a '(__moonwatch_rules)'

complete -c moonwatch -n __moonwatch_is_script -a resume -d 'a paused rule goes on'
complete -c moonwatch -n '__moonwatch_is resume' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is resume' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -f -n '__moonwatch_is resume' -a '(__moonwatch_rules)'

complete -c moonwatch -n __moonwatch_is_script -a trigger -d 'runs a rule now'
complete -c moonwatch -n '__moonwatch_is trigger' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is trigger' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -f -n '__moonwatch_is trigger' -a '(__moonwatch_rules)'

complete -c moonwatch -n __moonwatch_is_script -a tail -d 'shows the log of a running host as it comes'
complete -c moonwatch -n '__moonwatch_is tail' -l json -d 'One JSON object a line.'
complete -c moonwatch -n '__moonwatch_is tail' -l new -d 'Only what is logged from now on.'
complete -c moonwatch -n '__moonwatch_is tail' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is tail' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a explain -d 'says which rules watch a path, and why not'
complete -c moonwatch -n '__moonwatch_is explain' -l json -d 'One JSON object.'
complete -c moonwatch -n '__moonwatch_is explain' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is explain' -s h -l help -d 'Show this help and end.'

complete -c moonwatch -n __moonwatch_is_script -a log -d 'sets the log level of a running host'
complete -c moonwatch -n '__moonwatch_is log' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is log' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -f -n '__moonwatch_is log' -a 'debug info warn error'

complete -c moonwatch -n __moonwatch_is_script -a wait -d 'waits until all that changed is handled'
complete -c moonwatch -n '__moonwatch_is wait' -l timeout -r -d 'Wait no longer than S seconds.'
complete -c moonwatch -n '__moonwatch_is wait' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is wait' -s h -l help -d 'Show this help and end.'
complete -c moonwatch -f -n '__moonwatch_is wait' -a '(__moonwatch_rules)'

complete -c moonwatch -n __moonwatch_is_script -a metrics -d 'the figures of a running host for Prometheus'
complete -c moonwatch -n '__moonwatch_is metrics' -l socket -r -d 'Where the host listens (else the only one that runs).'
complete -c moonwatch -n '__moonwatch_is metrics' -s h -l help -d 'Show this help and end.'
