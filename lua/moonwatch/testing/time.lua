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

local ETIMEDOUT = 110

local Task = { __name = "moonwatch.task" }

function Task:__index(key)
   if key == "status" then
      return self.ended or (self.world.task == self and "running" or "waiting")
   end
   return Task[key]
end

-- Suspends the running task until one of `list` is woken: true; nil, "timeout", ETIMEDOUT.
function World:_wait(list, timeout)
   return self:_suspend(function(wake)
      list[#list + 1] = wake
      if timeout then
         self.timers:add(self.time + timeout, function() wake(nil, "timeout", ETIMEDOUT) end)
      end
   end)
end

-- true, results...; false, error, traceback; false, "cancelled", why; nil, "timeout", ETIMEDOUT.
function Task:join(timeout)
   if not self.ended then
      local woken, message, errno = self.world:_wait(self.joiners, timeout)
      if not woken then
         return nil, message, errno
      end
   end
   return table.unpack(self.outcome, 1, self.outcome.n)
end

function Task:cancel(why)
   return self.world:cancel(self, why)
end

Task.__close = Task.cancel

-- Whoever waits for the task goes on; an error that nobody waits for is logged.
local function end_task(task, status, ...)
   task.ended, task.outcome = status, table.pack(...)
   if status == "failed" and #task.joiners == 0 then
      task.world.log.error("task %s: %s", task.name, task.outcome[3])
   end
   for _, wake in ipairs(task.joiners) do
      wake(true)
   end
   if task.on_end then
      task.on_end()
   end
end

-- fn's results, or nil, "timeout", ETIMEDOUT with fn cancelled.
function World:_timeout(seconds, fn, ...)
   local task <close> = self:spawn("timeout", fn, ...)
   local result = table.pack(task:join(seconds))
   if result[1] == false then
      error(result[2], 0)
   elseif not result[1] then
      return nil, "timeout", ETIMEDOUT
   end
   return table.unpack(result, 2, result.n)
end

function World:resume(task)
   if task.ended then
      return
   end
   local before = self.task
   self.task = task
   local result = table.pack(coroutine.resume(task.thread, table.unpack(task.values, 1, task.values.n)))
   self.task = before
   if coroutine.status(task.thread) ~= "dead" then
      return
   elseif result[1] then
      return end_task(task, "done", table.unpack(result, 1, result.n))
   end
   local traceback = debug.traceback(task.thread, tostring(result[2]))
   coroutine.close(task.thread)
   end_task(task, "failed", false, result[2], traceback)
end

function World:spawn(name, fn, ...)
   if type(name) == "function" then
      return self:spawn("task", name, fn, ...)
   end
   local task = setmetatable({ name = name, world = self, thread = coroutine.create(fn), values = table.pack(...),
      joiners = {} }, Task)
   self.ready[#self.ready + 1] = task
   return task
end

-- Suspends the running task until wake(values...) is called, for the first time.
function World:_suspend(arrange)
   local task = self.task
   if not task or coroutine.running() ~= task.thread then
      declare.misuse("in a test only what a rule runs can wait: call self:pass to let time go by")
   end
   local is_woken = false
   arrange(function(...)
      if not is_woken then
         is_woken, task.values = true, table.pack(...)
         self.ready[#self.ready + 1] = task
      end
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
   if task.ended then
      return false
   end
   coroutine.close(task.thread)
   end_task(task, "cancelled", false, "cancelled", why)
   return true
end

return World
