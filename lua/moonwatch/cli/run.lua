-- SPDX-License-Identifier: MIT
--
-- run.lua - moonwatch run, moonwatch SCRIPT.lua, moonwatch -e CHUNK: the host of rule scripts.

local exit = require "moonwatch.cli.exit"

local run = {
   summary = "Runs rule scripts; a folder means its *.lua files.",
   usage = "moonwatch [options] SCRIPT.lua [ARG...]\n"
      .. "       moonwatch [options] -e CHUNK [ARG...]\n"
      .. "       moonwatch run [options] SCRIPT.lua... [-- ARG...]",
   epilog = [[
HUP loads the scripts anew, TERM and INT end politely, a second one at once.
Ends with 0 when told to, 1 where something cannot be watched or read, 2 on a wrong option
or a script error; with --once as the run that failed first, else 0.]],
}

-- Options with a value: where those end the script's name begins.
local VALUED = {
   ["-e"] = true, ["--eval"] = true, ["--jobs"] = true, ["-j"] = true, ["--log-level"] = true, ["--log-format"] = true,
   ["--socket"] = true, ["--pid-file"] = true, ["--user"] = true,
   ["--memory-limit"] = true,
}

function run.define(parser)
   parser:argument("script", "A rule script, or a folder of them."):args "*"
   run.define_options(parser)
end

function run.define_options(parser)
   local options = require "moonwatch.cli.options"
   local logging = require "moonwatch.cli.logging"
   parser:option("-e --eval", "Lua instead of a script; several are several lines."):argname("CHUNK"):count "*"
   parser:flag("--once", "Do what `start` asks for, then end.")
   parser:option("-j --jobs", "At most N runs at a time, over all rules."):argname("N"):convert(options.count)
   parser:option("--memory-limit", "At most so much memory for the scripts, such as 64M."):argname("SIZE")
      :convert(options.memory)
   parser:option("--log-level", "The least important level that is logged (info)."):choices(logging.levels)
   parser:option("--log-format", "How the log is written (text)."):choices(logging.formats)
   parser:option("--socket", "Where to listen for `moonwatch status` and its kind."):argname("PATH"):convert(options.path)
   parser:flag("--no-socket", "Do not listen.")
   parser:flag("--daemon", "Go on in the background once all is watched.")
   parser:option("--pid-file", "Write the process id to FILE, and keep it locked."):argname("FILE")
      :convert(options.path)
   parser:option("--user", "Drop to this user before a script runs."):argname "NAME[:GROUP]"
end

local function takes_value(word)
   return VALUED[word] == true
end

-- Where the options end: the place of the script's name.
local function script_place(words)
   local at = 1
   while words[at] and words[at] ~= "--" and words[at]:sub(1, 1) == "-" do
      at = at + (takes_value(words[at]) and 2 or 1)
   end
   return at
end

local function has_option(words, last)
   for i = 1, last do
      if words[i]:sub(1, 1) == "-" then return true end
   end
   return false
end

local function parse_options(words)
   return require("moonwatch.cli.options").parse("run", run, words)
end

-- [options] SCRIPT ARG..., or [options] -e CHUNK ARG...
local function parse_line(words)
   local at = script_place(words)
   local given = at > 1 and parse_options(table.move(words, 1, at - 1, 1, {})) or { script = {}, eval = {} }
   if words[at] == "--" then at = at + 1 end
   if #given.eval == 0 then
      given.script = { words[at] }
      at = at + 1
   end
   given.arg = table.move(words, at, #words, 1, {})
   return given
end

local function parse_command(words)
   local options = require "moonwatch.cli.options"
   local first, rest = options.split(words)
   local given = has_option(first, #first) and parse_options(first) or { script = first, eval = {} }
   given.arg = rest or {}
   return given
end

--- The command line as a table; options are looked at only where there are some, which saves memory.
function run.parse(words, is_script_line)
   local given = (is_script_line and parse_line or parse_command)(words)
   if #given.script == 0 and #given.eval == 0 then
      exit.usage "run: a script is missing\nTry 'moonwatch run --help'."
   end
   return given
end

function run.run(given)
   return require("moonwatch.cli.host").run(given)
end

return run
