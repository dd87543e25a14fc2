-- SPDX-License-Identifier: MIT
--
-- runtime.lua - one rule at work: gathering, due, running.
--
-- Events flow into the rule's *gatherer*, which knows when changes are settled. What is due belongs to an *item*: one
-- for all of `run` and `service` (a lane each where `limit` allows several), one per path for `each`:
--
--   idle ──due──> queued ──slot free, key free──> running ──> idle
--                   ^                                │
--                   └──────── retry, restart ────────┘   (its changes go back to item.changes)
--
-- Keys are locks: two items with one key never run at once; a cooldown only keeps the lock longer. A change is at every
-- moment in exactly one place: the gatherer, item.changes, or the changes of a run. So nothing is lost in the moment
-- in which a run ends, and nothing is handed over twice. The stages: gathering.lua, due.lua, running.lua; here are the
-- beginning, and what is asked from outside.

local due = require "moonwatch.rule.due"
local gathering = require "moonwatch.rule.gathering"
local queue = require "moonwatch.rule.queue"
local running = require "moonwatch.rule.running"

local runtime = {}
runtime.__index = runtime

-- The three stages are a file each; their functions are methods here.
for _, stage in ipairs { gathering, due, running } do
   for name, method in pairs(stage) do
      runtime[name] = method
   end
end

local function lanes(spec)
   local items = {}
   for lane = 1, spec.each and 0 or spec.limit do
      items[lane] = { key = lane, chain = 0 }
   end
   return items
end

function runtime.new(engine, spec, rule)
   local self = setmetatable({
      engine = engine, world = engine.world, spec = spec, rule = rule,
      items = lanes(spec),   -- run: lane -> item; each: path -> item
      locks = {},            -- key -> the item that has it, or is next to have it
      rows = {},             -- key -> the items that wait for it
      cooling = {},          -- key -> until when it is kept after a run
      queue = queue.new(),   -- items that want to run
      running = 0,
      at_work = {},          -- the items that have a run
      births = {},           -- path -> the chain of the run from which it seems to come (guard.lua)
      last_end = -math.huge, -- when a run ended last
      errors = 0,            -- script errors in a row
      stats = { runs = 0, failures = 0 },
   }, runtime)
   self.run_metatable = { __index = { runtime = self, name = spec.name } } -- what all runs of the rule have
   if not spec.next_time then
      self.outputs = spec.outputs and engine.world.pattern(spec.outputs)
      self:new_gatherer()
   end
   function self.on_look(now)
      self.gather_timer = nil
      self:look(now)
   end
   return self
end

-- The start ------------------------------------------------------------------------------------------------------

function runtime:start()
   if self.spec.next_time then
      self:arm_clock(self.engine:now())
   elseif self.spec.start then
      self:force("start")
   end
   self.engine:pump()
end

-- every, at: `next_time` gives the next moment, and false where it is only to be asked again then.
function runtime:arm_clock(now)
   self:set_clock(self.spec.next_time(now, self.world.wall()))
end

function runtime:set_clock(time, is_tick)
   self.clock = self.engine:at(time, function(at)
      if is_tick and not self.paused then
         self:force("timer")
      end
      self:arm_clock(at)
   end)
   self.clock.is_tick = is_tick
end

-- What is there is gathered as if it had just been found: so it settles, and is held until it is whole, like any other.
function runtime:feed_found(event, reason, now)
   if not event.isdir then
      self.reasons = self.reasons or {}
      self.reasons[event.path] = reason
      self.gather:feed(event, now)
      self:arm_gather(now)
   end
end

-- Wants a run whatever changed: with all that is due, or, for `each`, one for every match that is there.
function runtime:force(reason)
   if self.spec.each then
      return self.world.find(self, reason)
   end
   local item = self:pick_lane()
   if not item.run then
      self:enqueue(item, reason)
   elseif self.spec.busy == "restart" then
      self:stop_run(item.run, "restart")
   elseif self.spec.busy == "queue" then
      item.again = reason
   end
end

-- From outside ---------------------------------------------------------------------------------------------------

function runtime:trigger()
   self:force("trigger")
   self.engine:pump()
end

-- "collect" keeps what changes for later, "drop" forgets it.
function runtime:pause(how, why)
   self.paused, self.pause_reason = how or "collect", why
   if how == "drop" and self.gather then
      self:new_gatherer()
   end
end

function runtime:resume()
   if self.paused and self.paused ~= "stopped" then
      self.paused, self.pause_reason, self.errors = nil, nil, 0
      self:look(self.engine:now())
      self.engine:offer(self)
      self.engine:pump()
   end
end

-- Starts nothing more; what runs goes on, but a service ends.
function runtime:retire()
   self.paused = "stopped"
   for _, timer in ipairs { "clock", "gather_timer" } do
      self.engine:cancel(self[timer])
   end
   if self.spec.service then
      self:stop()
   end
end

-- Ends what runs, starts nothing more.
function runtime:stop()
   self.paused = "stopped"
   for _, item in pairs(self.items) do
      if item.run then
         self:stop_run(item.run, "stop")
      end
   end
end

-- Nothing runs and nothing waits; a service at work and what a paused rule keeps do not count.
function runtime:is_idle()
   if self.running > 0 and not self.spec.service then
      return false
   elseif self.paused then
      return true
   elseif #self.queue > 0 or self.finding or (self.gather and self.gather:pending() > 0) then
      return false
   end
   for _, item in pairs(self.items) do
      if item.changes or item.queued or (item.run and item.run.stopped) then
         return false
      end
   end
   return true
end

-- A word for people: what the rule does at this moment.
function runtime:state()
   if self.paused then
      return self.paused == "stopped" and "stopped" or "paused"
   elseif self.running > 0 then
      return "running"
   elseif self.held_by then
      return "held"
   elseif self.gather and self.gather:pending() > 0 then
      return "gathering"
   end
   return self:is_idle() and "idle" or "waiting"
end

return runtime
