-- SPDX-License-Identifier: MIT
--
-- due.lua - the second stage: what has settled finds its item, and meets what runs (`busy`).

local due = {}

-- `complete` is about files. (A type that is not known by now is no directory's, and needs no look at the disk.)
function due:wants(change)
   return self.spec.ops[change.op] and not (self.spec.complete and rawget(change, "type") == "directory")
end

function due:wanted(changes)
   local wanted = {}
   for _, change in ipairs(changes) do
      if self:wants(change) then
         wanted[#wanted + 1] = change
      end
   end
   return wanted
end

-- The lane that is free, else one that waits for a retry, else the first.
function due:pick_lane()
   local waiting
   for _, item in ipairs(self.items) do
      if not item.run and not item.changes then
         return item
      end
      waiting = waiting or (not item.run and item)
   end
   return waiting or self.items[1]
end

-- A settled batch stays in the gatherer, growing, until its run can start.
function due:due_batch(now)
   local item = self:pick_lane()
   if not item.run then
      item.tries = nil
      self:enqueue(item, "change")
   elseif self.spec.busy == "restart" then
      self:stop_run(item.run, "restart")
   elseif self.spec.busy ~= "queue" then
      self:spend(item.run, self:wanted(self.gather:take(now) or {}))
      self:arm_gather(now)
   end
end

-- Changes that a running job makes superfluous: dropped, or told to it by a signal.
function due:spend(run, changes)
   if #changes == 0 then
      return
   elseif self.spec.busy == "signal" then
      self.world.signal(run, self.spec.busy_signal)
   else
      self.world.log.debug("%s: busy, changes dropped: %d", self.spec.name, #changes)
   end
end

function due:due_changes(now)
   local reasons = self.reasons
   for _, change in ipairs(self.gather:take(now) or {}) do
      local reason = reasons and reasons[change.path]
      if reason then
         reasons[change.path] = nil
      end
      self:due_change(change, reason or "change")
   end
   if reasons and not next(reasons) then
      self.reasons = nil
   end
   self:arm_gather(now)
end

-- each: one settled change.
function due:due_change(change, reason)
   if change.temporary then -- a step of the batch, not a path of the disk (doc/changes.md)
      return
   end
   if change.op == "move" then
      change = self:follow_move(change)
   end
   local item = self.items[change.path]
   if self:wants(change) then
      item = item or { path = change.path, chain = 0 }
      self.items[change.path] = item
      self:due_item(item, change, reason)
   elseif change.op == "delete" and item then
      self:forget(item)
   end
end

-- What still waited under the old name goes with it.
function due:follow_move(change)
   local old = self.items[change.from]
   local waiting = old and old.changes
   if not waiting then
      return change
   end
   self:forget(old)
   return self.engine:compose(waiting, { change })[1] or change
end

function due:due_item(item, change, reason)
   local key = self:key_of(change)
   local holder = self.locks[key]
   if holder and holder.run then
      if self.spec.busy == "drop" or self.spec.busy == "signal" then
         self:spend(holder.run, { change })
         return self:tidy(item)
      elseif self.spec.busy == "restart" then
         self:stop_run(holder.run, "restart")
      end
   end
   local changes = { change }
   if item.changes then
      changes = self.engine:compose(item.changes, changes)
   end
   if #changes == 0 then
      return self:forget(item)
   end
   item.changes, item.tries = changes, nil
   if not item.queued then
      item.key = key
   end
   if item.run then
      item.again = reason
   else
      self:enqueue(item, reason)
   end
end

-- The key of a change; an error in the script's own function is told, and the path taken instead.
function due:key_of(change)
   local ok, key = pcall(self.spec.key, change)
   if ok and key ~= nil and key == key then
      return key
   end
   self.world.log.error("%s: key: %s", self.spec.name, ok and "the function gave no key" or tostring(key))
   return change.path
end

function due:forget(item)
   item.changes, item.again, item.tries = nil, nil, nil
   self.engine:cancel(item.timer)
   self:tidy(item)
end

-- An item of `each` that has nothing to remember goes.
function due:tidy(item)
   local is_needed = item.changes or item.run or item.queued or item.inside
   if item.path and not is_needed and self.items[item.path] == item then
      self.items[item.path] = nil
   end
end

return due
