-- SPDX-License-Identifier: MIT
--
-- time.lua - the clock and the tasks of a made-up world: nothing moves but by world:pass.

local declare = require "moonwatch.rule.declare"

local World = {}

-- Runs tasks that can go on, until all of them wait.
local function settle_tasks(world)
   while #world.ready > 0 do
      local task = table.remove(world.ready, 1)
      world:resume(task)
   end
end

local function next_deadline(world)
   local mine, engines = world.timers:deadline(), world.set.engine and world.set.engine:deadline()
   return math.min(mine or math.huge, engines or math.huge)
end

function World:_turn()
   self.timers:expire(self.time)
   settle_tasks(self)
   if self.set.engine then
      self.set.engine:tick()
   end
   settle_tasks(self)
end

-- Lets so many seconds go by; everything that is due in them happens in its order.
function World:pass(seconds)
   local target = self.time + (seconds or 0)
   self:_turn()
   while next_deadline(self) <= target do
      self.time = math.max(self.time, next_deadline(self))
      self:_turn()
   end
   self.time = target
   self:_turn()
   return self
end

-- Lets time go by until no rule has anything left to do, at most so many seconds (3600). true, or false where some has.
function World:pass_until_idle(seconds)
   local last = self.time + (seconds or 3600)
   self:_turn()
   while not self.set.engine:is_idle() and next_deadline(self) <= last do
      self:pass(next_deadline(self) - self.time)
   end
   return self.set.engine:is_idle()
end

-- Sets the time of day, "HH:MM", of the same made-up day (1 January 2024) or the next.
function World:clock(text)
   local hour, minute = text:match "^(%d+):(%d+)$"
   local wall = os.time { year = 2024, month = 1, day = 1, hour = tonumber(hour), min = tonumber(minute) }
   self.wall_offset = wall - self.time
   return self
end

-- Tasks ----------------------------------------------------------------------------------------------------------

function World:resume(task)
   if task.cancelled or coroutine.status(task.thread) == "dead" then
      return
   end
   local before = self.task
   self.task = task
   local ok, err = coroutine.resume(task.thread, table.unpack(task.values or {}))
   self.task = before
   task.values = nil
   if coroutine.status(task.thread) == "dead" then
      task.done = true
      if not ok then
         self.log.error("task %s: %s", task.name, debug.traceback(task.thread, tostring(err)))
         coroutine.close(task.thread)
      end
      if task.on_end then
         task.on_end(ok)
      end
   end
end

function World:spawn(name, fn, ...)
   if type(name) == "function" then
      return self:spawn("task", name, fn, ...)
   end
   local task = { name = name, thread = coroutine.create(fn), values = { ... } }
   self.ready[#self.ready + 1] = task
   return task
end

-- Suspends the running task until wake(values...) is called.
function World:_suspend(arrange)
   local task = self.task
   if not task or coroutine.running() ~= task.thread then
      declare.misuse("in a test only what a rule runs can wait: call self:pass to let time go by")
   end
   arrange(function(...)
      task.values = { ... }
      self.ready[#self.ready + 1] = task
   end)
   return coroutine.yield()
end

function World:sleep(seconds)
   self:_suspend(function(wake)
      self.timers:add(self.time + seconds, wake)
   end)
end

-- Ends a task as a cancel does: its <close> variables are closed, pcall cannot hold it.
function World:cancel(task, why)
   if task.done or task.cancelled then
      return
   end
   task.cancelled = why or "cancelled"
   coroutine.close(task.thread)
   if task.on_end then
      task.on_end(false)
   end
end

return World
