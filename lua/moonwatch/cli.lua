-- SPDX-License-Identifier: MIT
--
-- cli.lua - the program: which command is meant, and what becomes of it.
--
--    moonwatch COMMAND ...          a command, a file of its own in cli/
--    moonwatch SCRIPT.lua ARG...    a rule script, also as a #! line
--    moonwatch -e CHUNK             the same for a line of Lua
--
-- A command is a table: `summary`, `usage`, `define(parser)` and `run(given)`, which returns the exit status or fails
-- through cli/exit.lua. Only the command at hand is loaded.

local exit = require "moonwatch.cli.exit"

local cli = {}

-- In the order in which they are shown.
cli.commands = {
   { "run", "runs rule scripts" },
   { "events", "prints events" },
   { "exec", "runs a command on changes" },
   { "check", "says what rule scripts would watch, and runs nothing" },
   { "record", "writes events as a log for replay" },
   { "replay", "says what a rule script would do about such a log" },
   { "limits", "the kernel's limits, what is used and by whom" },
   { "status", "what a running host does" },
   { "reload", "has a running host load its scripts anew" },
   { "stop", "ends a running host politely" },
   { "pause", "a rule collects changes and runs nothing" },
   { "resume", "a paused rule goes on" },
   { "trigger", "runs a rule now" },
   { "tail", "shows the log of a running host as it comes" },
   { "explain", "says which rules watch a path, and why not" },
   { "log", "sets the log level of a running host" },
   { "wait", "waits until all that changed is handled" },
   { "metrics", "the figures of a running host for Prometheus" },
}

local USAGE = [[
Usage: moonwatch [options] SCRIPT.lua [ARG...]
       moonwatch -e CHUNK [ARG...]
       moonwatch COMMAND [options] ...
       moonwatch COMMAND --help | --help | --version

Watches files and directories, exactly, and does what rules say when they change.

Commands:
]]

local EPILOG = [[

A script needs no command: `moonwatch SCRIPT.lua` is `moonwatch run SCRIPT.lua`, and takes the
options of `run` before the script. More: moonwatch(1), moonwatch-rules(5), moonwatch(3lua).
]]

local function is_command(word)
   for _, command in ipairs(cli.commands) do
      if command[1] == word then return true end
   end
   return false
end

local function help()
   local lines = {}
   for i, command in ipairs(cli.commands) do lines[i] = ("  %-9s %s\n"):format(command[1], command[2]) end
   exit.print(USAGE .. table.concat(lines) .. EPILOG)
   return exit.DONE
end

local function version()
   exit.print(("moonwatch %s (%s, libev, %s)\n"):format(require("moonwatch").version, _VERSION,
      require("moonwatch.core").system.kernel()))
   return exit.DONE
end

local function file_exists(path)
   return require("moonwatch.core").kind(path) ~= nil
end

-- What may have been meant: a script without its ending, the beginning of a command, or one that is spelt nearly so.
local function guess(word)
   if file_exists(word .. ".lua") then return word .. ".lua" end
   local names, begun = {}, nil
   for _, command in ipairs(cli.commands) do
      local name = command[1]
      names[name] = true
      if name:sub(1, #word) == word then begun = begun or name end
   end
   return begun or require("moonwatch.rule.declare").nearest(word, names)
end

local function unknown(word)
   local near = guess(word)
   exit.usage("%s: no such command or script%s", exit.escape(word), near and (" (did you mean '%s'?)"):format(near) or "")
end

-- A word that is no command is a script where it looks like one.
local function is_script(word)
   return word:find "%.lua$" ~= nil or word:find("/", 1, true) ~= nil or file_exists(word)
end

-- The command's name and what is left for it.
local function choose(arguments)
   local first = arguments[1]
   if first == nil then
      exit.print(USAGE:match "^(.-)\n\n" .. "\n", io.stderr)
      exit.usage "a script or a command is missing"
   elseif is_command(first) then
      return first, table.move(arguments, 2, #arguments, 1, {})
   elseif first:sub(1, 1) ~= "-" and not is_script(first) then
      unknown(first)
   end
   return "run", arguments, true
end

local function dispatch(arguments)
   local first = arguments[1]
   if first == "--help" or first == "-h" then return help() end
   if first == "--version" or first == "-V" then return version() end
   if first == "help" then
      if arguments[2] == nil then return help() end
      arguments = { arguments[2], "--help" }
   end
   local name, rest, is_script_line = choose(arguments)
   local command = require("moonwatch.cli." .. name)
   local given = command.parse and command.parse(rest, is_script_line)
      or require("moonwatch.cli.options").parse(name, command, rest)
   return command.run(given)
end

--- Does what the command line says.
-- @tparam table arguments the words after the program's name, from 1
-- @treturn integer the exit status
function cli.main(arguments)
   require("moonwatch.core").system.own_signals()
   return exit.guard(dispatch, arguments)
end

return cli
