-- SPDX-License-Identifier: MIT
--
-- generate.lua - writes the completions of the three shells from the commands' own declarations:
--
--    lua5.4 completion/generate.lua            writes moonwatch.bash, _moonwatch and moonwatch.fish beside this file
--    lua5.4 completion/generate.lua bash       prints one of them
--
-- The module must be built. A spec holds the files against what this prints.

package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
package.cpath = (os.getenv "BUILD" or "build") .. "/lib/?.so;" .. package.cpath

local cli = require "moonwatch.cli"
local options = require "moonwatch.cli.options"

local TAKES_RULE = { pause = true, resume = true, trigger = true, wait = true }
local TAKES_PATH = { run = true, events = true, exec = true, check = true, limits = true, explain = true,
   record = true, replay = true }

-- What the shells need to know of an option.
local function read_option(option)
   local names = {}
   for _, alias in ipairs(option._aliases) do names[#names + 1] = alias end
   local argname = option._argname
   return {
      names = names, text = option._description, choices = option._choices, takes_value = option._maxargs > 0,
      argname = type(argname) == "table" and argname[1] or argname or "VALUE",
      repeats = (option._maxcount or 1) > 1,
   }
end

local function read_command(name, summary)
   local parser = options.parser(name, require("moonwatch.cli." .. name))
   local found = {}
   for i, option in ipairs(parser._options) do found[i] = read_option(option) end
   local words
   for _, argument in ipairs(parser._arguments) do words = words or argument._choices end
   return { name = name, summary = summary, options = found, words = words }
end

local function read_all()
   local commands = {}
   for i, command in ipairs(cli.commands) do commands[i] = read_command(command[1], command[2]) end
   return commands
end

local HEAD = [==[
# SPDX-License-Identifier: MIT
#
# Written by completion/generate.lua: change the options of the commands instead.
]==]

-- The names of the rules of the host that runs, for all three shells.
local RULES = [==[moonwatch status 2>/dev/null | awk '/^rule  /{on=1;next} /^$/{on=0} on{print $1}']==]

local function quote(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- bash ----------------------------------------------------------------------------------------------------------------

local BASH = [==[
_moonwatch_words() { # words to choose from
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_moonwatch_files() {
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_moonwatch_rules() {
	_moonwatch_words "$(%s)"
}

_moonwatch() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) # what follows is a command of its own
			if declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); fi
			return
			;;
		%s) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done
	case "${command:-run} $prev" in
%s	*' --socket' | *' --pid-file' | *' --from') _moonwatch_files; return ;;
	esac
	if [[ $cur == -* ]]; then
		case ${command:-run} in
%s		esac
		return
	fi
	case $command in
	'')
		_moonwatch_files
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "%s" -- "$cur")
		;;
%s	*) _moonwatch_files ;;
	esac
}
complete -F _moonwatch moonwatch
]==]

local function command_names(commands)
   local names = {}
   for i, command in ipairs(commands) do names[i] = command.name end
   return names
end

local function bash_values(commands)
   local lines = {}
   for _, command in ipairs(commands) do
      for _, option in ipairs(command.options) do
         if option.choices then
            local patterns = {}
            for i, name in ipairs(option.names) do patterns[i] = ("'%s %s'"):format(command.name, name) end
            lines[#lines + 1] = ("\t%s) _moonwatch_words %q; return ;;\n"):format(table.concat(patterns, " | "),
               table.concat(option.choices, " "))
         end
      end
   end
   return table.concat(lines)
end

local function bash_options(commands)
   local lines = {}
   for _, command in ipairs(commands) do
      local names = {}
      for _, option in ipairs(command.options) do table.move(option.names, 1, #option.names, #names + 1, names) end
      if command.name == "run" then names[#names + 1] = "--version" end
      lines[#lines + 1] = ("\t\t%s) _moonwatch_words %q ;;\n"):format(command.name, table.concat(names, " "))
   end
   return table.concat(lines)
end

local function bash_arguments(commands)
   local lines = {}
   for _, command in ipairs(commands) do
      local act = TAKES_RULE[command.name] and "_moonwatch_rules"
         or command.words and ("_moonwatch_words %q"):format(table.concat(command.words, " "))
         or not TAKES_PATH[command.name] and ":"
      if act then lines[#lines + 1] = ("\t%s) %s ;;\n"):format(command.name, act) end
   end
   return table.concat(lines)
end

local function bash(commands)
   local names = command_names(commands)
   return HEAD .. BASH:format(RULES, table.concat(names, " | "), bash_values(commands), bash_options(commands),
      table.concat(names, " "), bash_arguments(commands))
end

-- zsh -----------------------------------------------------------------------------------------------------------------

local ZSH = [==[
_moonwatch_rules() {
	local -a rules
	rules=(${(f)"$(%s)"})
	_describe -t rules rule rules
}

_moonwatch_command() {
	local -a commands=(
%s	)
	_describe -t commands command commands
	_files
}

_moonwatch() {
	local curcontext=$curcontext state line
	local -a main=(
%s		'(- *)'{-V,--version}'[Show the version and end.]'
	)
	_arguments -C -A '-*' $main '1: :_moonwatch_command' '*:: :->rest'
	[[ $state == rest ]] || return
	case $words[1] in
%s	*) _files ;;
	esac
}

_moonwatch "$@"
]==]

local function zsh_escape(text)
   return (text:gsub("[%[%]:\\]", "\\%0"))
end

local function zsh_option(option)
   local spec = "[" .. zsh_escape(option.text or "") .. "]"
   if option.takes_value then
      spec = spec .. ":" .. option.argname .. ":" .. (option.choices and "(" .. table.concat(option.choices, " ") .. ")"
         or "_files")
   end
   if #option.names == 1 then return quote((option.repeats and "*" or "") .. option.names[1] .. spec) end
   local names = table.concat(option.names, ",")
   return quote(option.repeats and "*" or "(" .. names:gsub(",", " ") .. ")") .. "{" .. names .. "}" .. quote(spec)
end

local function zsh_options(command, indent, ending)
   local lines = {}
   for i, option in ipairs(command.options) do lines[i] = indent .. zsh_option(option) .. ending end
   return table.concat(lines)
end

local function zsh_argument(command)
   if TAKES_RULE[command.name] then return "'1:rule:_moonwatch_rules'" end
   if command.words then return quote("1:word:(" .. table.concat(command.words, " ") .. ")") end
   if command.name == "exec" then return "'*:pattern:_files'" end
   return TAKES_PATH[command.name] and "'*:path:_files'" or ""
end

local function zsh_cases(commands)
   local lines = {}
   for _, command in ipairs(commands) do
      lines[#lines + 1] = ("\t%s)\n\t\t_arguments \\\n%s\t\t\t%s ;;\n"):format(command.name,
         zsh_options(command, "\t\t\t", " \\\n"), zsh_argument(command))
   end
   return table.concat(lines)
end

local function zsh(commands)
   local summaries = {}
   for i, command in ipairs(commands) do
      summaries[i] = "\t\t" .. quote(command.name .. ":" .. command.summary) .. "\n"
   end
   return "#compdef moonwatch\n" .. HEAD .. ZSH:format(RULES, table.concat(summaries),
      zsh_options(commands[1], "\t\t", "\n"), zsh_cases(commands))
end

-- fish ----------------------------------------------------------------------------------------------------------------

local FISH = [==[
function __moonwatch_rules
	%s
end

function __moonwatch_is
	__fish_seen_subcommand_from $argv
end

function __moonwatch_is_script
	not __fish_seen_subcommand_from %s
end

]==]

local function fish_option(condition, option)
   local words = { "complete -c moonwatch -n " .. quote(condition) }
   for _, name in ipairs(option.names) do
      words[#words + 1] = name:find "^%-%-" and "-l " .. name:sub(3) or "-s " .. name:sub(2)
   end
   if option.takes_value then
      words[#words + 1] = option.choices and "-x -a " .. quote(table.concat(option.choices, " ")) or "-r"
   end
   words[#words + 1] = "-d " .. quote(option.text or "")
   return table.concat(words, " ") .. "\n"
end

local function fish_command(command, lines)
   local condition = "__moonwatch_is " .. command.name
   lines[#lines + 1] = ("\ncomplete -c moonwatch -n __moonwatch_is_script -a %s -d %s\n"):format(command.name,
      quote(command.summary))
   for _, option in ipairs(command.options) do
      lines[#lines + 1] = fish_option(condition, option)
      if command.name == "run" then lines[#lines + 1] = fish_option("__moonwatch_is_script", option) end
   end
   local words = TAKES_RULE[command.name] and "(__moonwatch_rules)" or command.words and table.concat(command.words, " ")
   if words then
      lines[#lines + 1] = ("complete -c moonwatch -f -n %s -a %s\n"):format(quote(condition), quote(words))
   end
end

local function fish(commands)
   local lines = { HEAD .. FISH:format(RULES, table.concat(command_names(commands), " ")) }
   lines[2] = "complete -c moonwatch -n __moonwatch_is_script -s V -l version -d 'Show the version and end.'\n"
   for _, command in ipairs(commands) do fish_command(command, lines) end
   return table.concat(lines)
end

-- Writing -------------------------------------------------------------------------------------------------------------

local shells = { bash = bash, zsh = zsh, fish = fish }
local files = { bash = "moonwatch.bash", zsh = "_moonwatch", fish = "moonwatch.fish" }

local commands = read_all()
if arg[1] then
   io.write(shells[arg[1]](commands))
else
   for shell, name in pairs(files) do
      local file = assert(io.open("completion/" .. name, "w"))
      file:write(shells[shell](commands))
      file:close()
   end
end
