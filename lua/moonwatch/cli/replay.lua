-- SPDX-License-Identifier: MIT
--
-- replay.lua - moonwatch replay: what a rule script would have done about recorded events. Nothing is watched or run,
-- and the clock of the log is not waited for.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"
local options = require "moonwatch.cli.options"

local replay = {
   summary = "Feeds a log of events to a rule script and says what it would have run, and when. No process is started "
      .. "(each is taken to succeed at once) and nothing is waited for; functions of the script do run.",
   usage = "moonwatch replay [options] SCRIPT.lua [LOG]",
   epilog = "The log is what `moonwatch record` writes, a JSON object a line. Ends with 0, or 1 where a run failed, or 2 "
      .. "on a script error.",
}

function replay.define(parser)
   parser:argument("script", "A rule script.")
   parser:argument("log", "The log; standard input where there is none."):args "?"
   parser:option("-j --jobs", "At most N runs at a time, over all rules."):argname("N"):convert(options.count)
   parser:flag("--json", "One JSON object a line.")
end

local function open_log(path)
   if not path or path == "-" then return io.stdin end
   local file, message = io.open(path, "rb")
   if not file then exit.refused("%s", exit.escape(message)) end
   return file
end

-- The events of the log. A line that is no event, such as the one that says "ready", is passed over.
local function read_log(path)
   local file, events, number = open_log(path), {}, 0
   for line in file:lines() do
      number = number + 1
      local event, message = json.decode(line)
      if type(event) ~= "table" then
         exit.with(exit.USAGE, "%s:%d: no JSON object: %s", exit.escape(path or "standard input"), number,
            message or "a plain value")
      end
      if type(event.op) == "string" and type(event.path) == "string" then events[#events + 1] = event end
   end
   return events
end

local function quote(word)
   if word:find "^[%w%-%+%./:=@_,]+$" then return word end
   return "'" .. exit.escape(word):gsub("'", "'\\''") .. "'"
end

local function command_line(argv)
   local words = {}
   for i, word in ipairs(argv) do words[i] = quote(word) end
   return table.concat(words, " ")
end

-- What was run and what was logged, in the order of the clock.
local function lines_of(world)
   local lines = {}
   for _, run in ipairs(world.records) do
      lines[#lines + 1] = { time = run.at, rule = run.rule or "a task", argv = run.argv }
   end
   for _, record in ipairs(world.log_records) do
      if record.level ~= "debug" then
         lines[#lines + 1] = { time = record.time, level = record.level, message = record.message }
      end
   end
   for i, line in ipairs(lines) do line.order = i end
   table.sort(lines, function(a, b)
      if a.time ~= b.time then return a.time < b.time end
      return a.order < b.order
   end)
   for _, line in ipairs(lines) do line.order = nil end
   return lines
end

local function as_text(line)
   local words = line.argv and ("%s: %s"):format(line.rule, command_line(line.argv))
      or ("%s %s"):format(line.level, line.message:gsub("\n", "\n             "))
   return ("%12.3f %s\n"):format(line.time, words)
end

local ORDER = { "time", "rule", "argv", "level", "message" }

function replay.run(given)
   local testing = require "moonwatch.testing"
   local there, message = core.kind(given.script)
   if not there then exit.refused("%s", message) end
   local events = read_log(given.log)
   local ok, world = pcall(testing.load, given.script, { jobs = given.jobs })
   if not ok then exit.with(exit.USAGE, "%s", exit.tidy(world)) end
   world:replay(events):pass_until_idle()
   local status = exit.DONE
   for _, line in ipairs(lines_of(world)) do
      exit.print(given.json and json.encode(line, ORDER) .. "\n" or as_text(line))
      if line.level == "error" then status = exit.REFUSED end
   end
   return status
end

return replay
