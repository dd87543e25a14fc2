-- SPDX-License-Identifier: MIT
--
-- world.lua - the engine's real world: the monotonic clock, watchers, tasks and processes.
--
-- One watcher and one reader task per rule (rules that look at the same roots in the same way have one index together,
-- so a thousand rules over a tree cost the tree once), one task that sleeps until the engine's deadline, one task per
-- run.

local action = require "moonwatch.rule.action"
local budget = require "moonwatch.rule.budget"
local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"
local log = require "moonwatch.rule.log"
local process = require "moonwatch.process"

local watch_together = require("moonwatch.watcher").watch_together

local world = {}

local EVENTS = { "create", "modify", "close_write", "delete", "move" }
local ETIMEDOUT, EPIPE = 110, 32
local MOST_EVENTS = 4096 -- read in a row until the others have their turn

-- Time -----------------------------------------------------------------------------------------------------------

-- One task sleeps until the engine's deadline; an earlier one replaces it.
local function new_alarm(moonwatch, self)
   local task, due
   return function(time)
      if due and due <= time then
         return
      elseif task then
         task:cancel "an earlier deadline"
      end
      due = time
      task = moonwatch.spawn("rules clock", function()
         moonwatch.sleep(math.max(0, time - moonwatch.now()))
         task, due = nil, nil
         self.engine:tick()
      end)
   end, function()
      if task then
         task:cancel "stopped"
         task, due = nil, nil
      end
   end
end

-- Watching -------------------------------------------------------------------------------------------------------

local notices = {
   overflow = "%s: the kernel's queue overflowed; what differs is looked up",
   gone = "%s: %s is gone",
   back = "%s: %s is there again",
   unwatched = "%s: %s is not watched: %s",
}

local function notice(place, event)
   local words, runtime = notices[event.op], place.runtime
   if event.op == "back" and not place.gone[event.path] then -- a single file may be new in a folder that has always been
      runtime.world.log.info("%s: %s is watched now", runtime.spec.name, event.root)
   elseif words then
      place.gone[event.path] = event.op == "gone" or nil
      runtime.world.log.warn(words, runtime.spec.name, event.path, tostring(event.reason))
   end
end

-- What was there when the watcher was ready, where the rule asked for it.
local function read_initial(place)
   for event in function() return place.watcher:get(0) end do
      if event.synthetic then
         place.runtime:feed_found(event, "start", event.time)
      else
         place.runtime:feed(event, event.time)
      end
   end
   place.runtime.finding = nil
end

-- `place.runtime` is whom the events are for: a reload puts another one there.
local function read(place)
   if place.is_initial then
      read_initial(place)
   end
   local count = 0
   for event in place.watcher:each() do
      local runtime = place.runtime
      if not runtime:feed(event) then
         notice(place, event)
      end
      count = count + 1 + runtime:feed_queued(place.watcher)
      if count > MOST_EVENTS then
         place.sleep(0)
         count = 0
      end
   end
end

-- The script's filter, with its errors in the log: then the entry is kept.
local function filter_of(self, spec)
   local filter = spec.watch_options.filter
   return filter and function(...)
      local ok, verdict = self.ask(filter, ...)
      if not ok then
         self.log.error("%s: filter: %s", spec.name, verdict)
      end
      return not ok or verdict
   end
end

local function watch_options(self, spec)
   local options = declare.copy(spec.watch_options)
   options.filter = filter_of(self, spec)
   options.events = { table.unpack(EVENTS) }
   if spec.ops.attrib then
      options.events[#options.events + 1] = "attrib"
   end
   return options
end

-- Opens the rule's watcher and its reader; muted, it tells nothing until `unmute`.
local function watch(moonwatch, self, runtime, is_muted)
   local spec = runtime.spec
   if spec.next_time then
      return true
   end
   local options = watch_options(self, spec)
   options.initial = spec.start and spec.each and not is_muted
   local watcher, message, errno = watch_together(spec.watch, options)
   if not watcher then
      return nil, message, errno
   elseif is_muted and watcher.pause then
      watcher:pause()
      self.muted[watcher] = true
   end
   local place = { watcher = watcher, runtime = runtime, sleep = moonwatch.sleep, is_initial = options.initial, gone = {} }
   runtime.finding = options.initial or nil
   runtime.watcher, runtime.place = watcher, place
   self.watchers[watcher] = place
   moonwatch.spawn("rule " .. spec.name, read, place)
   return true
end

local function unmute(self)
   for watcher in pairs(self.muted) do
      watcher:resume()
   end
   self.muted = {}
end

-- Takes over the watcher of a forerunner, with its reader and whatever that has still to read.
local function adopt(self, runtime, forerunner)
   local watcher, place = forerunner.watcher, forerunner.place
   forerunner.world.watchers[watcher] = nil
   self.watchers[watcher] = place
   place.runtime = runtime
   runtime.watcher, runtime.place = watcher, place
   forerunner.watcher, forerunner.place = nil, nil
end

-- All that happened before has been read by the rule's own reader, which feeds an event in the turn in which it takes it.
local function flush(moonwatch, runtime, timeout)
   local watcher = runtime.watcher
   if not watcher then
      return true
   end
   local ok, message, errno = watcher:sync(timeout)
   local stats = ok and watcher:stats()
   while stats and stats.queued > 0 do
      moonwatch.sleep(0)
      stats = watcher:stats()
   end
   return ok, message, errno
end

local function is_behind(runtime)
   local watcher = runtime.watcher
   return watcher ~= nil and watcher:_is_behind()
end

-- Before a run ends: what was changed until now is read, so that the guard knows it was made during the run.
local function flush_run(moonwatch, runtime)
   if runtime.spec.guard and is_behind(runtime) then
      flush(moonwatch, runtime, 0.1)
   end
end

-- What is there now: told by a second watcher that ends when it is ready. At the start the reader has it already.
local function find(moonwatch, self, runtime, reason)
   if reason == "start" and runtime.place.is_initial then
      return
   end
   runtime.finding = true
   moonwatch.spawn("rule " .. runtime.spec.name .. ", looking", function()
      local options = watch_options(self, runtime.spec)
      options.initial = true
      local watcher <close>, message = watch_together(runtime.spec.watch, options)
      if not watcher then
         runtime.world.log.error("%s: %s", runtime.spec.name, message)
      end
      for event in function() return watcher and watcher:get(0) end do
         if event.synthetic then
            runtime:feed_found(event, reason, event.time)
         end
      end
      runtime.finding = nil
      runtime.engine:tick()
   end)
end

-- Runs -----------------------------------------------------------------------------------------------------------

local workers = setmetatable({}, { __mode = "k" }) -- coroutine -> the worker that it is

-- The run that the calling coroutine is at.
local function run_here()
   local worker = workers[coroutine.running()]
   return worker and worker.run
end

local MOST_IN_A_ROW = 64 -- runs of one worker until the loop turns

-- A cancelled job may have left processes behind that are still being stopped: the run ends with the last of them.
local function ended(moonwatch, self, run, outcome)
   outcome = outcome or { ok = false, err = "cancelled" }
   if not (run.processes and next(run.processes)) then
      return self.engine:finished(run, outcome)
   end
   moonwatch.spawn(run.name .. ", ending", function()
      for handle in pairs(run.processes) do
         handle:wait()
      end
      self.engine:finished(run, outcome)
   end)
end

-- A worker is a task that does runs of one rule: the next one too, where that is started by the end of the last. So a
-- thousand short runs cost a few tasks and not a thousand.
local Worker = {}
Worker.__index = Worker

-- The worker's task ends, however it comes to that: a run it has in hand ends with it.
function Worker:__close()
   budget.disarm(self.guard)
   if self.run then
      self:finish()
   end
end

function Worker:finish()
   local run, outcome = self.run, self.outcome
   self.run, self.outcome = nil, nil
   ended(self.moonwatch, self.world, run, outcome)
end

function Worker:perform(run)
   self.run = run
   budget.arm(self.guard)
   self.outcome = action.perform(run)
   budget.disarm(self.guard)
   flush_run(self.moonwatch, run.runtime)
   self.world.spare = self
   self:finish()
   self.world.spare = nil
end

local function work(worker)
   local _ <close> = worker
   local thread = coroutine.running()
   workers[thread] = worker
   worker.guard = budget.guard(thread, worker.moonwatch, worker.world.budget)
   for _ = 1, MOST_IN_A_ROW do
      local run = worker.following
      if not run then
         return
      end
      worker.following = nil
      worker:perform(run)
   end
   if worker.following then
      worker.world.start(worker.following)
   end
end

-- Hands a run to the worker whose last run has just ended, if that was of the same rule, else to a new one.
local function start(moonwatch, self, run)
   local spare = self.spare
   if spare and spare.name == run.name and not spare.following then
      spare.following, run.worker = run, spare
      return
   end
   local worker = setmetatable({ moonwatch = moonwatch, world = self, name = run.name, following = run }, Worker)
   run.worker = worker
   worker.task = moonwatch.spawn(run.name, work, worker)
end

-- A run whose worker has not come to it is over at once; else its task is cancelled.
local function cancel(moonwatch, self, run)
   local worker = run.worker
   if worker.run == run then
      worker.task:cancel(run.stopped)
   elseif worker.following == run then
      worker.following = nil
      ended(moonwatch, self, run)
   end
end

-- Ends a run: its processes get their stop signal, then, where a function is at work, the task is cancelled.
local function stop(moonwatch, self, run)
   moonwatch.spawn(run.name .. ", stopping", function()
      if run.is_in_script or run.worker.run ~= run then
         cancel(moonwatch, self, run)
      end
      local grace = run.runtime.spec.process_options.grace
      for handle in pairs(run.processes or {}) do
         moonwatch.spawn(run.name .. ", stopping", function() handle:stop(grace) end)
      end
   end)
end

-- A process belongs to a run from its start to its end.
local function attend(run, handle)
   run.processes = run.processes or {}
   run.processes[handle] = true
   local result, message, errno = handle:wait()
   run.processes[handle] = nil
   return result, message, errno
end

local function execute(run, options)
   local handle, message, errno = process.process(options)
   if not handle then
      return nil, message, errno
   end
   return attend(run, handle)
end

-- Does a job of a rule run at this moment?
function world.in_job()
   return run_here() ~= nil
end

-- exec in the function of a rule: a restart or a time limit ends the process too, and the run waits for that.
local attend_alone = process.attend
function process.attend(handle)
   local run = run_here()
   if run then
      return attend(run, handle)
   end
   return attend_alone(handle)
end

-- Tells the processes of a run, not what they have started: whether any has been told.
local function signal(run, name)
   local is_told = false
   for handle in pairs(run.processes or {}) do
      is_told = handle:kill(name, "leader") or is_told
   end
   return is_told
end

-- Idle -----------------------------------------------------------------------------------------------------------

-- Waits until the rule has nothing left to do: true; nil, "timeout", ETIMEDOUT; nil, "closed", EPIPE.
local function idle(moonwatch, self, runtime, timeout)
   local deadline = timeout and moonwatch.now() + timeout
   local function left()
      return deadline and math.max(0, deadline - moonwatch.now())
   end
   local ok, message, errno = flush(moonwatch, runtime, timeout)
   while ok and not runtime:is_idle() do
      if self.closed then
         return nil, "closed", EPIPE
      elseif deadline and left() == 0 then
         return nil, "timeout", ETIMEDOUT
      end
      self.wait_for_an_end(left())
   end
   if not ok then
      return nil, message, errno
   end
   return true
end

-- Waits until a run ends, or the time is over.
local function wait_for_an_end(moonwatch, self, timeout)
   local channel = moonwatch.channel(1)
   self.idlers[#self.idlers + 1] = channel
   channel:get(timeout)
end

local function wake_idlers(self)
   local idlers = self.idlers
   self.idlers = {}
   for _, channel in ipairs(idlers) do
      channel:put(true, 0)
   end
end

-- Waits until nothing of these runs any more.
local function all_ended(moonwatch, self, runtimes, timeout)
   local deadline = moonwatch.now() + timeout
   for _, runtime in ipairs(runtimes) do
      while runtime.running > 0 do
         if moonwatch.now() >= deadline then
            return nil, "timeout", ETIMEDOUT
         end
         self.wait_for_an_end(deadline - moonwatch.now())
      end
   end
   return true
end

-- The whole ------------------------------------------------------------------------------------------------------

local function close(self, disarm)
   self.closed = true
   disarm()
   for watcher in pairs(self.watchers) do
      watcher:close()
   end
   self.watchers = {}
   wake_idlers(self)
end

-- options: log, budget (seconds a script may neither wait nor return).
function world.new(options)
   local moonwatch = require "moonwatch"
   options = options or {}
   local self = {
      now = moonwatch.now, wall = os.time, random = math.random,
      settle = core.settle, pattern = core.pattern,
      log = options.log or log.new(), budget = options.budget or 10,
      watchers = {}, muted = {}, idlers = {},
      exists = function(path) return core.kind(path) ~= nil end,
      kind = core.kind, is_behind = is_behind,
   }
   function self.find(runtime, reason) find(moonwatch, self, runtime, reason) end
   local disarm
   self.rearm, disarm = new_alarm(moonwatch, self)
   function self.watch(runtime, is_muted) return watch(moonwatch, self, runtime, is_muted) end
   function self.unmute() unmute(self) end
   function self.adopt(runtime, forerunner) adopt(self, runtime, forerunner) end
   function self.wait_for_an_end(timeout) wait_for_an_end(moonwatch, self, timeout) end
   function self.all_ended(runtimes, timeout) return all_ended(moonwatch, self, runtimes, timeout) end
   function self.start(run) start(moonwatch, self, run) end
   function self.stop(run) stop(moonwatch, self, run) end
   function self.ask(...) return budget.call(moonwatch, self.budget, action.ask, ...) end
   self.signal = signal
   self.execute = execute
   function self.idle(runtime, timeout) return idle(moonwatch, self, runtime, timeout) end
   function self.flush(runtime, timeout) return flush(moonwatch, runtime, timeout) end
   function self.on_end()
      if #self.idlers > 0 then
         wake_idlers(self)
      end
   end
   function self.close() close(self, disarm) end
   return self
end

return world
