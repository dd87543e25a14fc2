-- SPDX-License-Identifier: MIT
--
-- host.lua - a host at work: its rules from the first load to the polite end.
--
-- One channel carries what is asked of the host, by signals or over the socket: { verb = "stop" } and { verb = "reload",
-- answer = channel } are done one after the other, in the order they came.

local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"
local exit = require "moonwatch.cli.exit"
local logging = require "moonwatch.cli.logging"
local moonwatch = require "moonwatch"
local notify = require "moonwatch.cli.notify"
local rules = require "moonwatch.rules"
local supervise = require "moonwatch.cli.supervise"

local host = {}

local Host = {}
Host.__index = Host

local LONGEST = 86400 -- seconds a polite end may take: every job has its own limit

-- Loading -------------------------------------------------------------------------------------------------------------

-- A message of the world has an errno, one of a script has not.
local function load_failed(message, errno)
   exit.with(errno and exit.REFUSED or exit.USAGE, "%s", exit.tidy(message))
end

-- A new set of all scripts; nil, message, errno.
function Host:load()
   local given = self.given
   require("moonwatch.cli.trust").check(given.script, self.user_id)
   local set, message, errno = rules.load(given.script, { log = self.log, jobs = given.jobs, arg = given.arg })
   if not set then return nil, message, errno end
   if #given.eval > 0 then
      local ok, problem = rules.add_chunk(set, table.concat(given.eval, "\n"), given.arg)
      if not ok then return nil, problem end
   end
   return set
end

local function runtimes_of(self)
   return self.set.engine and self.set.engine.runtimes or {}
end

-- The watchers at work, one for each of the places that rules share.
function Host:watchers()
   local largest = {}
   for _, runtime in ipairs(runtimes_of(self)) do
      local key = runtime.watcher and table.concat(runtime.watcher:roots(), "\0")
      local other = key and largest[key]
      if key and not (other and other:stats().directories >= runtime.watcher:stats().directories) then
         largest[key] = runtime.watcher
      end
   end
   return largest
end

-- The same as a list.
function Host:watcher_list()
   local watchers = {}
   for _, watcher in pairs(self:watchers()) do watchers[#watchers + 1] = watcher end
   return watchers
end

-- What each rule has of its own; all else belongs to the place.
local OF_RULES = { events = true, queued = true, coalesced = true }

-- The sum of a figure over all rules, or over the places that they share.
function Host:sum(name)
   local sum = 0
   if OF_RULES[name] then
      for _, runtime in ipairs(runtimes_of(self)) do sum = sum + (runtime.watcher and runtime.watcher:stats()[name] or 0) end
      return sum
   end
   for _, watcher in pairs(self:watchers()) do sum = sum + (watcher:stats()[name] or 0) end
   return sum
end

function Host:summary()
   local all, jobs = self.set.rules, 0
   for _, rule in ipairs(all) do
      if not rule.watch then jobs = jobs + 1 end
   end
   return supervise.watching(self:watcher_list(), " for " .. supervise.rules(#all - jobs, jobs))
end

-- The first line is for people who wait for it, whatever the log's level is.
function Host:tell_ready()
   local words = self:summary()
   if self.given.log_format == "json" or self.sink.journal then
      self.log.info("%s", words)
   else
      exit.say("%s", words)
   end
   notify.ready(words)
end

-- The end -------------------------------------------------------------------------------------------------------------

-- Nothing may be left behind by an end that does not wait.
function host.kill_all(runtimes)
   for _, runtime in ipairs(runtimes) do
      for _, item in pairs(runtime.items) do
         for handle in pairs(item.run and item.run.processes or {}) do handle:kill "KILL" end
      end
   end
end

-- Every rule with something at work: those of now, and those a reload has put aside.
function Host:runtimes()
   local all = {}
   for _, group in ipairs(self.groups) do table.move(group.runtimes, 1, #group.runtimes, #all + 1, all) end
   return all
end

-- Remembers what is to be waited for at the end; what has ended is forgotten.
function Host:note_group(set)
   local groups = { { world = set.world, runtimes = set.engine.runtimes } }
   for _, group in ipairs(self.groups) do
      for _, runtime in ipairs(group.runtimes) do
         if runtime.running > 0 then
            groups[#groups + 1] = group
            break
         end
      end
   end
   self.groups = groups
end

-- Waits for all that runs; what is asked to end has its own time to do so.
function Host:finish()
   notify.stopping()
   self.set:stop()
   for _, runtime in ipairs(self:runtimes()) do runtime:stop() end
   for _, group in ipairs(self.groups) do group.world.all_ended(group.runtimes, LONGEST) end
end

-- --once --------------------------------------------------------------------------------------------------------------

-- The status of a run that has ended: the command's own.
function host.status_of(last)
   if last.ok then return exit.DONE end
   if last.signal then return exit.SIGNAL + (core.signal_number(last.signal) or 0) end
   return math.type(last.code) == "integer" and last.code > 0 and last.code or exit.REFUSED
end

-- Waits until what `start` asks for is done: the status of the first rule with a failure.
function Host:once()
   self.set:idle()
   for _, rule in ipairs(self.set.rules) do
      local status = rule:status()
      if status.failures > 0 then
         return status.last.ok and exit.REFUSED or host.status_of(status.last)
      end
   end
   return exit.DONE
end

-- The same, unless it is told to end before.
function Host:once_or_stop()
   local task = moonwatch.spawn("once", self.once, self)
   local source, ok, status = moonwatch.select { task, self.requests }
   if source ~= task then return exit.DONE end
   if not ok then error(status, 0) end
   return status
end

-- Reload --------------------------------------------------------------------------------------------------------------

-- A set that has taken over, or nil and why the old one goes on.
function Host:succeed()
   local loaded, set, message = pcall(self.load, self)
   if not loaded then return nil, tostring(set) end
   if not set then return nil, exit.tidy(message) end
   local ok, problem = set:succeed(self.set)
   return ok and set, problem
end

function Host:reload()
   notify.reloading()
   local set, message = self:succeed()
   if not set then
      self.reloads.failed, self.reloads.error = self.reloads.failed + 1, message
      self.log.error("not loaded anew, the old rules go on: %s", message)
      notify.ready(self:summary())
      return { ok = false, message = message }
   end
   self.set = set
   self:at_work()
   collectgarbage() -- the old rules, and the memory that Lua does not see behind them
   self.reloads.done, self.reloads.error = self.reloads.done + 1, nil
   self:tell_ready()
   return { ok = true, rules = #set.rules }
end

-- The middle ----------------------------------------------------------------------------------------------------------

function Host:at_work()
   self:note_group(self.set)
   self.gauges:attach(self.set)
end

-- Does what is asked until that is to end.
function Host:serve()
   while true do
      local request = self.requests:get()
      if not request or request.verb == "stop" then return exit.DONE end
      local result = self:reload()
      if request.answer then request.answer:put(result) end
   end
end

-- A line of Lua without rules is done when nothing of what it started is left.
function Host:outlive(tasks, objects)
   while true do
      local now_tasks, now_objects = core.living()
      if now_tasks <= tasks and now_objects <= objects then return exit.DONE end
      moonwatch.sleep(0.05)
   end
end

function Host:is_mere_chunk()
   return #self.given.script == 0 and #self.set.rules == 0
end

local function close(object)
   if object then object:close() end
end

-- A host that starts beside us holds what a killed one has left there for a moment, to remove it (place.lua).
local function listen(path)
   local deadline = moonwatch.now() + 1
   repeat
      local listener, message, errno, holder = core.listen(path)
      if errno ~= moonwatch.errno.EADDRINUSE or moonwatch.now() > deadline then return listener, message, errno, holder end
      moonwatch.sleep(0.01)
   until false
end

-- Takes a place for `moonwatch status` and its kind. Only one that was asked for, or that is taken, is worth an end.
function Host:listen()
   local given = self.given
   if given.no_socket or given.once then return end
   local path, why, is_usual = require("moonwatch.cli.place").of_host(given)
   if not path then return self.log[is_usual and "debug" or "warn"]("no control socket: %s", why) end
   local listener, message, errno, holder = listen(path)
   if listener then
      self.listener, self.socket = listener, path
   elseif errno == moonwatch.errno.EADDRINUSE then
      exit.refused("%s: another host is at work there%s", exit.escape(path),
         holder and (", process %d"):format(holder) or "")
   elseif given.socket then
      exit.refused("%s", message)
   else
      self.log.warn("no control socket: %s", message)
   end
end

function Host:serve_socket()
   local listener = self.listener
   if not listener then return end
   moonwatch.spawn("control", function() require("moonwatch.cli.control").serve(self, listener) end)
end

function Host:start()
   local tasks, objects = core.living()
   local set, message, errno = self:load()
   if not set then load_failed(message, errno) end
   self.set = set
   if self:is_mere_chunk() then return self:outlive(tasks, objects) end
   if #self.given.script == 0 then self:listen() end
   self:serve_socket()
   local progress = supervise.show_progress(function() return self:starting() end)
   exit.check(set:start())
   if progress then progress:cancel() end
   self:at_work()
end

function Host:starting()
   local list = {}
   for watcher in pairs(self.set.world and self.set.world.watchers or {}) do list[#list + 1] = watcher end
   return list
end

function Host:main()
   local _ <close> = setmetatable({}, { __close = function() close(self.listener) end })
   local status = self:start()
   if status then return status end
   self.is_at_work = true
   self:tell_ready()
   core.system.background_ready()
   notify.start_watchdog()
   status = self.given.once and self:once_or_stop() or self:serve()
   self:finish()
   return status
end

-- HUP is also what a terminal says when it goes away.
function Host:has_lost_terminal()
   return self.had_terminal and not core.system.isatty(2)
end

-- True where that is the end. Before the rules are at work there is nothing to end politely.
function Host:on_signal(name, main)
   if name == "HUP" and not self:has_lost_terminal() then
      self.requests:put { verb = "reload" }
      return false
   elseif self.is_at_work then
      self.requests:put { verb = "stop" }
   else
      main:cancel(name)
   end
   return true
end

-- What is asked by others ---------------------------------------------------------------------------------------------

function Host:status(request)
   return require("moonwatch.cli.report").of(self, request)
end

function Host:explain(path)
   return self.set:explain(path)
end

-- The beginning -------------------------------------------------------------------------------------------------------

local function write_pid_file(path)
   local file, message, errno, holder = core.system.pid_file(path)
   if not file and errno == moonwatch.errno.EADDRINUSE then
      exit.refused("%s: held by process %d, which is at work", exit.escape(path), holder)
   end
   return exit.check(file, message)
end

-- Becomes another user, for good. Returns its id.
local function drop_rights(name)
   exit.check(core.system.become(name))
   return core.system.uid()
end

--- A log on standard error, for commands that have rules and are no host.
function host.logger(options)
   return logging.start(options).log
end

local function new_host(given)
   local sink = logging.start { level = given.log_level, format = given.log_format }
   return setmetatable({
      given = given, sink = sink, log = sink.log, requests = moonwatch.channel(), groups = {},
      had_terminal = core.system.isatty(2), gauges = require("moonwatch.cli.gauges").new(),
      reloads = { done = 0, failed = 0 }, started = os.time(), started_at = moonwatch.now(),
   }, Host)
end

-- print as scripts have it: at once, and with a word in the log where nobody can read it any more. (With a buffer for
-- lines the C library hides what went wrong.)
local function mend_print(log)
   local is_told = false
   io.stdout:setvbuf "no"
   function _G.print(...)
      local words = table.pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      local ok, message = io.stdout:write(table.concat(words, "\t") .. "\n")
      if not ok and not is_told then log.error("what scripts print is lost: standard output: %s", message) end
      is_told = is_told or not ok
   end
end

-- What the tasks of scripts fail with goes into the log, unless a script asks for it itself.
local function log_errors(log)
   moonwatch.on_error(function(err, traceback, where)
      log.error("%s: %s", where, declare.tidy(traceback or tostring(err)))
   end)
end

-- What a script's function may not have, the host still has a reserve of: to say so, and to go on.
local function limit_memory(bytes)
   core.limit_memory(bytes)
   require("moonwatch.rule.action").in_script = core.strict_memory
end

--- Runs a host with the given options: its status. What needs rights comes before they are dropped.
function host.run(given)
   if given.daemon then exit.check(core.system.background()) end
   local pid_file = given.pid_file and write_pid_file(given.pid_file)
   if given.memory_limit then limit_memory(given.memory_limit) end
   local self = new_host(given)
   mend_print(self.log)
   log_errors(self.log)
   if #given.script > 0 then self:listen() end
   self.user_id = given.user and drop_rights(given.user)
   local status = supervise.run(function() return self:main() end, {
      signals = { "TERM", "INT", "HUP" },
      polite = function(name, main) return self:on_signal(name, main) end,
      at_once = function() host.kill_all(self:runtimes()) end,
   })
   close(pid_file)
   return status
end

return host
