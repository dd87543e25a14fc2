# SPDX-License-Identifier: MIT
#
# Written by completion/generate.lua: change the options of the commands instead.
_moonwatch_words() { # words to choose from
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_moonwatch_files() {
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_moonwatch_rules() {
	_moonwatch_words "$(moonwatch status 2>/dev/null | awk '/^rule  /{on=1;next} /^$/{on=0} on{print $1}')"
}

_moonwatch() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) # what follows is a command of its own
			if declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); fi
			return
			;;
		run | events | exec | check | record | replay | limits | status | reload | stop | pause | resume | trigger | tail | explain | log | wait | metrics) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done
	case "${command:-run} $prev" in
	'run --log-level') _moonwatch_words "debug info warn error"; return ;;
	'run --log-format') _moonwatch_words "text json"; return ;;
	'events --backend') _moonwatch_words "auto inotify poll"; return ;;
	'exec --busy') _moonwatch_words "queue restart drop signal"; return ;;
	'record --backend') _moonwatch_words "auto inotify poll"; return ;;
	*' --socket' | *' --pid-file' | *' --from') _moonwatch_files; return ;;
	esac
	if [[ $cur == -* ]]; then
		case ${command:-run} in
		run) _moonwatch_words "-e --eval --once -j --jobs --memory-limit --log-level --log-format --socket --no-socket --daemon --pid-file --user -h --help --version" ;;
		events) _moonwatch_words "--from --count --timeout -q --quiet --json -0 --null --format --time-format --summary -e --events --match --ignore --gitignore -r --recursive -R --no-recursive --depth --follow --one-filesystem --initial --wait-for-path --backend -h --help" ;;
		exec) _moonwatch_words "--from --settle --max-wait --busy --each --start --once --clear --signal --grace --ignore --gitignore --wait-for-path -q --quiet -v --verbose -h --help" ;;
		check) _moonwatch_words "--json -h --help" ;;
		record) _moonwatch_words "--from --count --timeout -q --quiet --match --ignore --gitignore -r --recursive -R --no-recursive --depth --follow --one-filesystem --initial --wait-for-path --backend -h --help" ;;
		replay) _moonwatch_words "-j --jobs --json -h --help" ;;
		limits) _moonwatch_words "--set --json -h --help" ;;
		status) _moonwatch_words "--json --watch --interval --socket -h --help" ;;
		reload) _moonwatch_words "--socket -h --help" ;;
		stop) _moonwatch_words "--socket -h --help" ;;
		pause) _moonwatch_words "--drop --socket -h --help" ;;
		resume) _moonwatch_words "--socket -h --help" ;;
		trigger) _moonwatch_words "--socket -h --help" ;;
		tail) _moonwatch_words "--json --new --socket -h --help" ;;
		explain) _moonwatch_words "--json --socket -h --help" ;;
		log) _moonwatch_words "--socket -h --help" ;;
		wait) _moonwatch_words "--timeout --socket -h --help" ;;
		metrics) _moonwatch_words "--socket -h --help" ;;
		esac
		return
	fi
	case $command in
	'')
		_moonwatch_files
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "run events exec check record replay limits status reload stop pause resume trigger tail explain log wait metrics" -- "$cur")
		;;
	status) : ;;
	reload) : ;;
	stop) : ;;
	pause) _moonwatch_rules ;;
	resume) _moonwatch_rules ;;
	trigger) _moonwatch_rules ;;
	tail) : ;;
	log) _moonwatch_words "debug info warn error" ;;
	wait) _moonwatch_rules ;;
	metrics) : ;;
	*) _moonwatch_files ;;
	esac
}
complete -F _moonwatch moonwatch
