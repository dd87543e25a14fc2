-- SPDX-License-Identifier: MIT
--
-- due.lua - the second stage: what has settled finds its item, and meets what runs (`busy`).

local guard = require "moonwatch.rule.guard"

local due = {}

local ASK_AGAIN = 0.1 -- seconds until a run without a process is looked at again
local NONE = {} -- no changes; never written to

-- Of a batch, each change by itself. Where files swap their names a batch has steps over a temporary name, which never
-- was on the disk (doc/changes.md): there the change says where it came from in truth.
local function single(changes)
   local singles, origins = {}, nil
   for _, change in ipairs(changes) do
      if change.op == "move" and change.temporary then
         origins = origins or {}
         origins[change.path] = change
      else
         local origin = origins and change.from and origins[change.from]
         if origin then
            change.from, change.from_rel, change.from_root = origin.from, origin.from_rel, origin.from_root
         end
         singles[#singles + 1] = change
      end
   end
   return singles
end

local NO_FILES = { directory = true, fifo = true, socket = true, char = true, block = true }

-- `complete` is about files: nobody ever closes a FIFO.
function due:takes(kind)
   return not (self.spec.complete and NO_FILES[kind])
end

-- A type costs a look at the disk: it is asked for last, and where it counts.
function due:wants(change)
   local spec = self.spec
   return spec.ops[change.op] and (not spec.complete or self:takes(change.type))
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

-- The gatherer's deadline has come.
function due:due(now)
   if self.spec.each then
      self:due_changes(now)
   else
      self:due_batch(now)
   end
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
      local changes = self.gather:take(now) or {}
      if self:spend(item.run, self:wanted(changes)) then
         self:arm_gather(now)
      else
         self.gather:merge(changes)
         self:look_later(now + ASK_AGAIN, now)
      end
   end
end

-- Changes that a running job makes superfluous: dropped, or told to it by a signal. False where there is no process left
-- to be told: then they wait for the end of the run.
function due:spend(run, changes)
   if #changes == 0 then
      return true
   elseif self.spec.busy == "signal" then
      return self.world.signal(run, self.spec.busy_signal)
   end
   self.world.log.debug("%s: busy, changes dropped: %d", self.spec.name, #changes)
   return true
end

function due:due_changes(now)
   local reasons = self.reasons
   for _, change in ipairs(single(self.gather:take(now) or NONE)) do
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
   local born = guard.birth_of(self, change.path)
   if change.op == "move" then
      change = self:follow_move(change)
   end
   local item = change and self.items[change.path]
   if not change then
      return
   elseif self:wants(change) then
      item = item or self:new_item(change.path)
      item.born = born
      self:due_item(item, change, reason)
   elseif change.op == "delete" and item then
      self:forget(item)
   end
end

-- Most items come and go with one change: the fields are named so that the table has room for them at once.
function due:new_item(path)
   local item = { path = path, chain = 0, key = nil, changes = nil, queued = nil, reason = nil, run = nil, born = nil }
   self.items[path] = item
   return item
end

-- What still waited under the old name goes with it. nil: so it comes down to nothing.
function due:follow_move(change)
   local old = self.items[change.from]
   local waiting = old and old.changes
   if not waiting then
      return change
   end
   self:forget(old)
   return self:own_part(change.path, self.engine:compose(waiting, { change }))
end

-- Of changes that were composed, the one of this path. They may speak of others as well, as where two files were moved
-- onto one name, one after the other: that goes to those.
function due:own_part(path, changes)
   local own
   for _, change in ipairs(single(changes)) do
      if change.path == path then
         own = change
      else
         self:due_before(change)
      end
   end
   return own
end

-- A change that is older than what its item has.
function due:due_before(change)
   if not self:wants(change) then
      return
   end
   local item = self.items[change.path] or self:new_item(change.path)
   for _, net in ipairs(self.engine:compose({ change }, item.changes or NONE)) do
      change = net.path == item.path and net or change
   end
   self:set_changes(item, change, self:key_of(change), "change")
end

-- Puts back what a run had before what its item has got since.
function due:put_back(item, older)
   local changes = self.engine:compose_attempted(older, item.changes or NONE)
   if self.spec.each then
      changes = { self:own_part(item.path, changes) }
   end
   item.changes, item.is_attempted = #changes > 0 and changes or nil, true
end

-- What an item has, then what is newer.
function due:compose(item, newer)
   if item.is_attempted and item.changes then
      return self.engine:compose_attempted(item.changes, newer)
   end
   return self.engine:compose(item.changes or NONE, newer)
end

function due:due_item(item, change, reason)
   local key = self:key_of(change)
   local holder = self.locks[key]
   if holder and holder.run then
      local is_spent = (self.spec.busy == "drop" or self.spec.busy == "signal") and self:spend(holder.run, { change })
      if is_spent then
         return self:tidy(item)
      elseif self.spec.busy == "restart" then
         self:stop_run(holder.run, "restart")
      end
   end
   if item.changes then
      change = self:own_part(item.path, self:compose(item, { change }))
   end
   if not (change and self:wants(change)) then
      return self:forget(item)
   end
   self:set_changes(item, change, key, reason)
end

-- What an item of `each` is to do next.
function due:set_changes(item, change, key, reason)
   item.changes, item.tries = { change }, nil
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
   if not self.spec.key then
      return change.path
   end
   local ok, key = self.world.ask(self.spec.key, change)
   if ok and key ~= nil and key == key then
      return key
   end
   self.world.log.error("%s: key: %s", self.spec.name, ok and "the function gave no key" or key)
   return change.path
end

function due:forget(item)
   item.changes, item.again, item.tries, item.is_attempted = nil, nil, nil, nil
   item.inside, item.outside, item.born = nil, nil, nil
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
