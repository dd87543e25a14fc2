-- SPDX-License-Identifier: MIT
--
-- gathering.lua - the first stage of a rule at work: events flow into the gatherer (core.settle) until they are settled.
--
-- One timer per rule stands for the gatherer's deadline. A coming event moves that deadline further away as a rule, and
-- then the timer is left alone: it looks again when it goes off.

local guard = require "moonwatch.rule.guard"

local gathering = {}

local MOST_AT_ONCE = 4096 -- events taken from the queue in one go
local HOLD_POLL = 0.1     -- seconds between two looks at the paths of `hold`
local TURN = 0.001        -- seconds for which a look gives way to the reader of the events

function gathering:new_gatherer()
   local spec = self.spec
   self.gather = self.world.settle {
      settle = spec.settle, max_wait = spec.max_wait, each = spec.each, complete = spec.complete,
      lazy = true,
   }
end

-- An event of the rule's watcher, in their order. Is it one that can change something?
function gathering:feed(event, now)
   if (self.paused or self.outputs) and self:is_ignored(event) then
      return true
   end
   if self.spec.guard then
      guard.note(self, event)
   end
   local is_change = self.gather:feed(event, now)
   local timer = self.gather_timer
   if not timer or timer.is_late then
      self:arm_gather(now or self.engine:now())
   end
   return is_change
end

-- The same for all that waits in the watcher's queue, without making events of it; does nothing where each of them must
-- be looked at. How many there were.
function gathering:feed_queued(watcher)
   if self.outputs or self.paused == "drop" or (self.spec.guard and self.spec.each and next(self.items)) then
      return 0
   end
   local count = watcher:_settle(self.gather, MOST_AT_ONCE)
   if count > 0 then
      self.outside = self.outside or (self.running == 0 and not self.spec.each)
      local timer = self.gather_timer
      if not timer or timer.is_late then
         self:arm_gather(self.engine:now())
      end
   end
   return count
end

function gathering:is_ignored(event)
   return self.paused == "drop" or self:is_output(event, self.engine:now())
end

-- Has the rule written this itself: one of `outputs`, from a run's start until `settle` after its end.
function gathering:is_output(event, now)
   local outputs = self.outputs
   return outputs ~= nil and (self.running > 0 or now <= self.last_end + self.spec.settle)
      and outputs:match(event.rel, event.isdir)
end

function gathering:look_at(time, now)
   self.gather_timer = self.engine:at(time, self.on_look)
   self.gather_timer.is_late = time > now + self.spec.settle
end

-- Sets the timer to the gatherer's deadline; a timer that comes earlier looks again by itself. A deadline that a coming
-- event may bring forward is marked as late: only then must it be looked at again with each event.
function gathering:arm_gather(now)
   local timer = self.gather_timer
   local deadline = self.gather and self.gather:deadline()
   if not deadline or (timer and timer.time <= deadline) then
      return
   elseif timer then
      self.engine:cancel(timer)
   end
   self:look_at(math.max(deadline, now), now)
end

-- Is something due? Asked at the gatherer's deadline, and whenever what was in the way is gone. On a busy machine what
-- has happened may still wait to be read: that goes first, once, for it may be the end of a save.
function gathering:look(now)
   local deadline = self.gather and self.gather:deadline()
   if not deadline or self.paused then
      return
   elseif deadline > now then
      self:arm_gather(now)
   elseif self:is_held() then
      self:look_later(now + HOLD_POLL, now)
   elseif not self.has_given_way and self.world.is_behind(self) then
      self.has_given_way = true
      self:look_later(now + TURN, now)
   else
      self.has_given_way = nil
      self:due(now)
   end
end

function gathering:look_later(time, now)
   self.engine:cancel(self.gather_timer)
   self:look_at(time, now)
end

-- `hold`: while one of the paths exists the batch waits and grows.
function gathering:is_held()
   self.held_by = self:holder()
   return self.held_by ~= nil
end

-- The first of the paths of `hold` that is there.
function gathering:holder()
   for _, path in ipairs(self.spec.hold or {}) do
      if self.world.exists(path) then
         return path
      end
   end
end

return gathering
