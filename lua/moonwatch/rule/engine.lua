-- SPDX-License-Identifier: MIT
--
-- engine.lua - a set of rules, with time, changes and processes handed in.
--
-- The engine never waits, reads no clock and starts nothing itself. Its world gives it
--
--   now()                  monotonic seconds
--   wall()                 seconds since 1970
--   settle(options)        an object that gathers events into net changes: feed, deadline, take, merge, pending
--   start(run, body)       runs body(run) in a task and calls engine:finished(run, outcome) when that has ended
--   stop(run, why)         ends it politely; `finished` still follows
--   exists(path)           is there such an entry
--   kind(path)             "file", "directory", ...; nil where there is none
--   find(runtime, reason)  calls runtime:feed_found with events for what is there now, at once or later
--   ask(fn, ...)           calls a function of the script that is no run: true and its value, or false and the error
--   rearm(time)            the earliest deadline is now this; call engine:tick() then
--   log                    debug, info, warn, error
--   on_end()               something may have become idle
--
-- and calls feed, tick and finished. The real world is world.lua, a made-up one moonwatch.testing: the rules between
-- them cannot tell the difference.

local queue = require "moonwatch.rule.queue"
local runtime = require "moonwatch.rule.runtime"
local timers = require "moonwatch.rule.timers"

local engine = {}
engine.__index = engine

-- options: jobs (runs at a time over all rules), max_errors (script errors in a row until a rule is paused).
function engine.new(world, options)
   options = options or {}
   return setmetatable({
      world = world,
      jobs = options.jobs or math.huge,
      max_errors = options.max_errors or 5,
      active = 0,            -- runs that hold one of `jobs`
      runtimes = {},         -- in the order of their declaration
      ready = queue.new(),   -- runtimes that may start a run where there is a slot: each once, served in turn
      timers = timers.new(),
      armed = math.huge,     -- the deadline the world knows
   }, engine)
end

function engine:add(spec, rule)
   local added = runtime.new(self, spec, rule)
   self.runtimes[#self.runtimes + 1] = added
   return added
end

function engine:remove(gone)
   for i, candidate in ipairs(self.runtimes) do
      if candidate == gone then
         table.remove(self.runtimes, i)
         return
      end
   end
end

function engine:now()
   return self.world.now()
end

-- Calls action(now) at `time`; the returned entry can be cancelled.
function engine:at(time, action)
   local entry = self.timers:add(time, action)
   if time < self.armed then
      self.armed = time
      self.world.rearm(time)
   end
   return entry
end

function engine:cancel(entry)
   self.timers:cancel(entry)
end

function engine:deadline()
   return self.timers:deadline()
end

-- Runs what is due, starts what can be started.
function engine:tick()
   self.armed = math.huge
   self.timers:expire(self:now())
   self:pump()
   local deadline = self.timers:deadline()
   if deadline and deadline < self.armed then
      self.armed = deadline
      self.world.rearm(deadline)
   end
   self.world.on_end()
end

-- A runtime may have something to start.
function engine:offer(candidate)
   if not candidate.offered then
      candidate.offered = true
      self.ready:push(candidate)
   end
end

-- Starts runs while there are slots, one per rule in turn, so that none is starved by another's backlog.
function engine:pump(now)
   while self.active < self.jobs do
      local candidate = self.ready:pop()
      if not candidate then
         return
      end
      candidate.offered = false
      now = now or self:now()
      candidate:start_one(now)
      if candidate:is_startable() then
         self:offer(candidate)
      end
   end
end

-- The run has ended. Called by the world exactly once for each start; a run may have gone over to another engine.
function engine.finished(_, run, outcome)
   local owner = run.runtime
   local self = owner.engine
   local now = self:now()
   owner:finished(run, outcome, now)
   self:pump(now)
   self.world.on_end()
end

function engine:is_idle()
   for _, candidate in ipairs(self.runtimes) do
      if not candidate:is_idle() then
         return false
      end
   end
   return true
end

-- What is net of older changes followed by newer ones.
function engine:compose(older, newer)
   if #older == 0 or #newer == 0 then
      return #older == 0 and newer or older
   end
   local scratch = self.world.settle { settle = 0, max_wait = 0 }
   scratch:merge(newer)
   scratch:merge(older)
   return scratch:take(self:now()) or {}
end

-- A change that says how a path is, whatever was before. As the events have it: the disk may be ahead of them, and a
-- file that was there for a moment would never be told as gone.
local function as_it_is(exists, path, rel, root)
   return {
      op = exists and "modify" or "delete", path = path, rel = rel, root = root, name = path:match "[^/]+$", count = 1,
   }
end

-- Was there something at the path of a change before it?
local function replaces(change)
   return change.replaced ~= nil or (change.op ~= "create" and change.op ~= "move")
end

-- The same where a run has already seen the older changes, and has done nobody knows how much about them: what comes
-- down to nothing (created and deleted, moved and moved back) is told as it is, which is as it was before them.
function engine:compose_attempted(older, newer)
   local changes, told = {}, {}
   for i, change in ipairs(self:compose(older, newer)) do
      changes[i] = change
      told[change.path], told[change.from or change.path] = true, true
   end
   local function tell(existed, path, rel, root)
      if path and not told[path] then
         told[path] = true
         changes[#changes + 1] = as_it_is(existed, path, rel, root)
      end
   end
   for _, change in ipairs(older) do
      tell(replaces(change), change.path, change.rel, change.root)
      tell(true, change.from, change.from_rel, change.from_root or change.root)
   end
   return changes
end

return engine
