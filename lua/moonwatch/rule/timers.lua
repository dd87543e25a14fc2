-- SPDX-License-Identifier: MIT
--
-- timers.lua - deadlines in a binary heap; time comes in as an argument.
--
-- An entry is { time, action }. Cancelling only clears the action: the entry leaves the heap when its time comes, so
-- both adding and cancelling stay cheap however many wait.

local timers = {}
timers.__index = timers

function timers.new()
   return setmetatable({}, timers)
end

function timers:add(time, action)
   local entry = { time = time, action = action }
   local i = #self + 1
   while i > 1 and self[i // 2].time > time do
      self[i] = self[i // 2]
      i = i // 2
   end
   self[i] = entry
   return entry
end

function timers.cancel(_, entry)
   if entry then
      entry.action = nil
   end
end

local function pop(self)
   local top, last = self[1], table.remove(self)
   local count = #self
   if count == 0 then
      return top
   end
   local i = 1
   while 2 * i <= count do
      local child = 2 * i
      if child < count and self[child + 1].time < self[child].time then
         child = child + 1
      end
      if self[child].time >= last.time then
         break
      end
      self[i] = self[child]
      i = child
   end
   self[i] = last
   return top
end

-- The earliest time something is due, or nil.
function timers:deadline()
   while self[1] and not self[1].action do
      pop(self)
   end
   return self[1] and self[1].time
end

-- Runs what is due; what an action adds for the same moment runs too.
function timers:expire(now)
   while true do
      local time = self:deadline()
      if not time or time > now then
         return
      end
      pop(self).action(now)
   end
end

return timers
