-- SPDX-License-Identifier: MIT
--
-- exec.lua - moonwatch exec: one rule from the command line.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local moonwatch = require "moonwatch"
local options = require "moonwatch.cli.options"
local supervise = require "moonwatch.cli.supervise"

local exec = {
   summary = "Runs a command when files change.",
   usage = "moonwatch exec [options] PATTERN... -- CMD [ARG...]",
   epilog = [[
{paths} alone is one argument per changed path; with --each every path has a run of its own
and {path} {rel} {name} {dir} {stem} {ext} {op} {root} stand for its parts. There is no shell:
for one say -- sh -c '...'. On a terminal space runs the command now and q ends.

Ends with 0 after q, 1 where something cannot be watched, 2 on a wrong option, 128 + n by
signal n; with --once with the command's own status.]],
}

local BUSY = { "queue", "restart", "drop", "signal" }

function exec.define(parser)
   parser:argument("pattern", "What to watch: files, directories, patterns in quotes."):args "*"
   options.define_from(parser)
   parser:option("--settle", "Wait until nothing has changed for S seconds (0.1)."):argname("S"):convert(options.seconds)
   parser:option("--max-wait", "But no longer than S seconds (5)."):argname("S"):convert(options.seconds)
   parser:option("--busy", "When it still runs: queue (the default), restart, drop or signal."):choices(BUSY)
   parser:flag("--each", "A run for each changed path.")
   parser:flag("--start", "Run at the start, too (with --each for every path there is).")
   parser:flag("--once", "End after the first run, with its status.")
   parser:flag("--clear", "Clear the screen before each run.")
   parser:option("--signal", "Stops the command (TERM); with --busy signal: is sent to it."):argname "NAME"
   parser:option("--grace", "Seconds from that signal to KILL (5)."):argname("S"):convert(options.seconds)
   parser:option("--ignore", "Neither report nor watch what PATTERN matches."):argname("PATTERN"):convert(options.pattern)
      :count "*"
   parser:flag("--gitignore", "Obey .gitignore files.")
   parser:flag("--wait-for-path", "A path may come later.")
   parser:flag("-q --quiet", "Do not say when all is watched.")
   parser:flag("-v --verbose", "Say when a run is done, and what was dropped.")
end

-- One word with spaces is a line for a shell, and there is none.
local function check_command(command)
   local word = command[1]
   if #command == 1 and word:find "%s" and not core.kind(word) then
      exit.usage("exec: '%s' is one word and no program: leave the quotes away, or say -- sh -c '...'", exit.escape(word))
   end
end

-- What stands before the first "--" is ours, what stands behind it the command.
function exec.parse(words)
   local own, command = options.split(words)
   local given = options.parse("exec", exec, own)
   if not command or #command == 0 then
      exit.usage "exec: the command is missing: put it behind --\nTry 'moonwatch exec --help'."
   end
   check_command(command)
   given.command = command
   return given
end

local function check_signal(given)
   if given.signal and not core.signal_number(given.signal) then
      exit.usage("exec: there is no signal '%s'", exit.escape(given.signal))
   elseif given.busy == "signal" and not given.signal then
      exit.usage "exec: --busy signal needs a --signal"
   end
end

local function some(list)
   return list and #list > 0 and list or nil
end

-- The keys of the rule; nil where an option was not given.
local function keys_of(given)
   local is_told = given.busy == "signal"
   return {
      watch = options.paths("exec", given.pattern, given.from, "a pattern is missing"),
      [given.each and "each" or "run"] = given.command,
      settle = given.settle, max_wait = given.max_wait,
      busy = is_told and { signal = given.signal } or given.busy,
      stop_signal = not is_told and given.signal or nil, grace = given.grace,
      start = given.start, ignore = some(given.ignore),
      ignore_files = given.gitignore and { ".gitignore" } or nil,
      missing = given.wait_for_path and "wait" or nil,
   }
end

-- What is said of the keys of a rule, in the words of the command line.
local function in_our_words(message)
   return (message:gsub("^.-: rule \"exec\": ", ""):gsub("^run: ", ""):gsub("^each: ", "--each: ")
      :gsub("run is once per batch: use each, or", "the command runs once for all: use --each, or"))
end

-- Misuse of the rule is misuse of the command line.
local function declare_rule(set, keys)
   local ok, rule = pcall(set.declare, set, "exec", keys)
   if ok then return rule end
   exit.usage("exec: %s", exit.escape(in_our_words(tostring(rule))))
end

-- The screen is empty when a command starts.
local function clear_before_runs(set)
   local execute = set.world.execute
   set.world.execute = function(...)
      io.stdout:write "\27[H\27[2J\27[3J"
      io.stdout:flush()
      return execute(...)
   end
end

-- Space runs now, q ends.
local function obey_keys(rule, requests)
   local keys <close> = core.system.isatty(0) and core.keys() or nil
   while keys do
      local key = keys:get()
      if key == nil then return end
      if key == " " then rule:trigger() end
      if key == "q" or key == "\4" then return requests:put(exit.DONE) end
   end
end

-- The status of the first run, once there is one.
local function first_status(set, rule)
   local status_of = require("moonwatch.cli.host").status_of
   while not rule:status().last do set.world.wait_for_an_end() end
   return status_of(rule:status().last)
end

local function start(given, set)
   local progress = supervise.show_progress(function()
      local watchers = {}
      for watcher in pairs(set.world and set.world.watchers or {}) do watchers[#watchers + 1] = watcher end
      return watchers
   end)
   local ok, message = set:start()
   if not ok then exit.refused("%s", (message:gsub('^rule "exec": ', ""))) end
   if progress then progress:cancel() end
   if given.clear and core.system.isatty(1) then clear_before_runs(set) end
   if not given.quiet then exit.say("%s", supervise.watching { set.engine.runtimes[1].watcher }) end
end

local function work(given, set, rule, requests)
   start(given, set)
   local world, runtimes = set.world, set.engine.runtimes
   given.runtimes = runtimes
   local keys = moonwatch.spawn("keys", obey_keys, rule, requests)
   if given.once then
      moonwatch.spawn("once", function() requests:put(first_status(set, rule)) end)
   end
   local status = requests:get()
   keys:cancel()
   set:stop()
   world.all_ended(runtimes, 86400)
   return status
end

function exec.run(given)
   check_signal(given)
   local host = require "moonwatch.cli.host"
   local set = require("moonwatch.rules").new { log = host.logger { level = given.verbose and "debug" or "warn" } }
   local rule = declare_rule(set, keys_of(given))
   local requests = moonwatch.channel()
   return supervise.run(function() return work(given, set, rule, requests) end, {
      polite = function(name, main)
         if set.engine then
            requests:put(exit.SIGNAL + core.signal_number(name))
         else
            main:cancel(name)
         end
         return true
      end,
      signals = { "TERM", "INT", "HUP" },
      at_once = function() host.kill_all(given.runtimes or {}) end,
   })
end

return exec
