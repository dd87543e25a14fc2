-- SPDX-License-Identifier: MIT
--
-- host.lua - a host at work: its rules from the first load to the polite end.
--
-- One channel carries what is asked of the host, by signals or over the socket: "stop" and "reload" are done one after
-- the other, in the order they came.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local logging = require "moonwatch.cli.logging"
local moonwatch = require "moonwatch"
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
   local set, message, errno = rules.load(self.given.script, {
      log = self.log, jobs = self.given.jobs, arg = self.given.arg,
   })
   if not set then return nil, message, errno end
   if #self.given.eval > 0 then
      local ok, problem = rules.add_chunk(set, table.concat(self.given.eval, "\n"), self.given.arg)
      if not ok then return nil, problem end
   end
   return set
end

-- The watchers at work, one for each of the folders that rules share.
local function distinct_watchers(set)
   local largest = {}
   for _, runtime in ipairs(set.engine and set.engine.runtimes or {}) do
      local key = runtime.watcher and table.concat(runtime.spec.watch, "\0")
      local other = largest[key]
      if key and not (other and other:stats().directories >= runtime.watcher:stats().directories) then
         largest[key] = runtime.watcher
      end
   end
   return largest
end

function Host:directories()
   local count = 0
   for _, watcher in pairs(distinct_watchers(self.set)) do count = count + watcher:stats().directories end
   return count
end

function Host:start()
   local set, message, errno = self:load()
   if not set then load_failed(message, errno) end
   self.set = set
   self.is_loaded = true
   exit.check(set:start())
end

-- The first line is for people who wait for it, whatever the log's level is.
function Host:tell_ready()
   local words = ("watching %s for %s"):format(supervise.directories(self:directories()),
      #self.set.rules == 1 and "1 rule" or #self.set.rules .. " rules")
   if self.given.log_format == "json" or self.sink.journal then
      self.log.info("%s", words)
   else
      exit.say("%s", words)
   end
end

-- The end -------------------------------------------------------------------------------------------------------------

-- Waits for all that runs; what is asked to end has its own time to do so.
function Host:finish()
   local set = self.set
   if not set.engine then return end
   local world = set.world
   self.runtimes = set.engine.runtimes
   set:stop()
   world.all_ended(self.runtimes, LONGEST)
end

-- Nothing may be left behind by an end that does not wait.
function host.kill_all(runtimes)
   for _, runtime in ipairs(runtimes) do
      for _, item in pairs(runtime.items) do
         for handle in pairs(item.run and item.run.processes or {}) do handle:kill "KILL" end
      end
   end
end

function Host:runtimes_at_work()
   return self.runtimes or (self.set and self.set.engine and self.set.engine.runtimes) or {}
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

-- The middle ----------------------------------------------------------------------------------------------------------

function Host:reload()
   self.log.info "loading the scripts anew"
   local set, message = self:load()
   local ok = set
   if set then ok, message = set:succeed(self.set) end
   if not ok then
      self.log.error("not loaded, the old rules go on: %s", exit.tidy(message))
      return nil, message
   end
   self.set = set
   self:tell_ready()
   return true
end

-- A line of Lua without rules is done when nothing of what it started is left.
function Host:outlive(tasks, objects)
   while true do
      local now_tasks, now_objects = core.living()
      if now_tasks <= tasks and now_objects <= objects then return end
      moonwatch.sleep(0.05)
   end
end

function Host:is_mere_chunk()
   return #self.given.script == 0 and #self.set.rules == 0
end

-- Does what is asked until that is to end.
function Host:serve()
   while true do
      local request = self.requests:get()
      if request == "stop" or request == nil then return exit.DONE end
      self:reload()
   end
end

function Host:main()
   local tasks, objects = core.living()
   self:start()
   if self:is_mere_chunk() then
      self:outlive(tasks, objects)
      return exit.DONE
   end
   self:tell_ready()
   local status = self.given.once and self:once_or_stop() or self:serve()
   self:finish()
   return status
end

-- HUP is also what a terminal says when it goes away.
function Host:has_lost_terminal()
   return self.had_terminal and not core.system.isatty(2)
end

-- A signal: before the rules are at work there is nothing to end politely.
function Host:on_signal(name, main)
   if name == "HUP" and not self:has_lost_terminal() then
      self.requests:put("reload", 0)
      return false
   elseif not self.is_loaded then
      main:cancel(name)
   end
   self.requests:put("stop", 0)
   return true
end

--- A log on standard error, for commands that have rules and are no host.
function host.logger(options)
   return logging.start(options).log
end

--- Runs a host with the given options: its status.
function host.run(given)
   local sink = logging.start { level = given.log_level, format = given.log_format }
   local self = setmetatable({
      given = given, sink = sink, log = sink.log, requests = moonwatch.channel(), had_terminal = core.system.isatty(2),
   }, Host)
   return supervise.run(function() return self:main() end, {
      signals = { "TERM", "INT", "HUP" },
      polite = function(name, main) return self:on_signal(name, main) end,
      at_once = function() host.kill_all(self:runtimes_at_work()) end,
   })
end

return host
