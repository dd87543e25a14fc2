-- SPDX-License-Identifier: MIT
--
-- running.lua - the third stage: items wait for a slot and their key, run, and end: done, tried again, restarted.

local guard = require "moonwatch.rule.guard"
local queue = require "moonwatch.rule.queue"
local verdict = require "moonwatch.rule.verdict"

local running = {}

local NONE = {} -- no changes; never written to

function running:enqueue(item, reason)
   if item.timer then
      self.engine:cancel(item.timer)
   end
   item.reason = (item.reason == nil or item.reason == "retry") and reason or item.reason
   if not item.queued then
      item.queued = true
      self.queue:push(item)
   end
   self.engine:offer(self)
end

function running:is_startable()
   return not self.paused and self.running < self.spec.limit and not self.queue:is_empty()
end

-- Starts the next item that may run, if there is one.
function running:start_one(now)
   while self:is_startable() do
      local item = self.queue:pop()
      if self:take_lock(item) then
         item.queued = false
         local changes, reason = self:changes_of(item, now)
         if changes and not guard.holds(self, item, changes, reason, now) then
            return self:launch(item, changes, reason, now)
         end
         self:release(item.key)
         self:tidy(item)
      end
   end
end

-- The key, or a place in the row of those who wait for it.
function running:take_lock(item)
   local key = item.key
   local holder = self.locks[key]
   if holder == nil then
      self.locks[key] = item
   elseif holder ~= item or item.run or self.cooling[key] then
      self.rows[key] = self.rows[key] or queue.new()
      self.rows[key]:push(item)
      return false
   end
   return true
end

-- Hands the key to the next in its row.
function running:release(key)
   local row = self.rows[key]
   local following = row and row:pop()
   self.locks[key] = following
   if following then
      self.queue:push(following)
      self.engine:offer(self)
   else
      self.rows[key] = nil
   end
end

-- Paths that are gone end their retry.
local function still_there(self, changes)
   local there = {}
   for _, change in ipairs(changes) do
      if change.op == "delete" or self.world.exists(change.path) then
         there[#there + 1] = change
      end
   end
   return there
end

-- run: all that is due at this moment.
function running:take_fresh(now)
   if not self.gather then
      return NONE
   end
   local fresh = self.gather:take(now)
   self:arm_gather(now)
   return fresh or NONE
end

-- What the item's next run is about, and why it runs; nil where there is nothing to do after all.
function running:changes_of(item, now)
   local reason = item.reason
   local fresh = self.spec.each and NONE or self:take_fresh(now) -- each: its changes are with their items
   if #fresh > 0 and reason == "retry" then
      reason, item.tries = "change", nil
   end
   local is_gone = false
   if reason == "retry" and item.changes and #item.changes > 0 then
      item.changes = still_there(self, item.changes)
      is_gone = #item.changes == 0
   end
   local changes = self.spec.each and (item.changes or NONE) or self:wanted(self:compose(item, fresh))
   local may_be_empty = not self.spec.each and (item.must or reason ~= "change" and not is_gone)
   local is_nothing = #changes == 0 and not may_be_empty
   item.changes, item.reason, item.must, item.is_attempted = nil, nil, nil, nil
   if is_nothing then
      item.tries = nil
      return nil
   end
   return changes, reason
end

function running:launch(item, changes, reason, now)
   local run = setmetatable({
      item = item, key = item.key, changes = changes, reason = reason, try = (item.tries or 0) + 1,
      started = now,
   }, self.run_metatable)
   item.run, self.at_work[item] = run, true
   self.running = self.running + 1
   self.stats.runs = self.stats.runs + 1
   if not self.spec.service then
      self.engine.active = self.engine.active + 1
   end
   if self.spec.fn and self.spec.timeout then
      run.timeout = self.spec.timeout -- it stays its own over a reload
      run.timer = self.engine:at(now + run.timeout, function() self:stop_run(run, "timeout") end)
   end
   self.world.start(run)
end

function running:stop_run(run, why)
   if not run.stopped then
      run.stopped = why
      self.world.stop(run, why)
   end
end

-- The end of a run ------------------------------------------------------------------------------------------------

-- Exactly one of: tried again, restarted, given up, done. A run whose on_failure is still to be called goes on.
function running:finished(run, outcome, now)
   if run.timer then
      self.engine:cancel(run.timer)
   end
   local step, err = verdict.of(self, run, outcome, now)
   if step == "on_failure" then
      run.phase, run.err = "on_failure", err
      self.world.start(run)
      return
   end
   local item = run.item
   self:leave(run, now)
   if step == "restart" then
      self:put_back(item, run.changes)
      item.must, item.again = self.spec.service, nil
      self:enqueue(item, "change")
   elseif item.again then
      self:run_again(item, run, step)
   elseif step == "retry" then
      self:retry_later(item, run, now)
   end
   self:unlock(run.key, now)
   self:tidy(item)
   if not self.spec.each then
      self:look(now) -- what is due has waited in the gatherer
   end
   self.engine:offer(self)
end

function running:leave(run, now)
   run.item.run, self.at_work[run.item], self.last_end = nil, nil, now
   self.running = self.running - 1
   if not self.spec.service then
      self.engine.active = self.engine.active - 1
   end
end

-- Something came while it ran: a new start of the count, merged with what has failed.
function running:run_again(item, run, step)
   local reason = item.again
   item.again, item.tries = nil, nil
   if step == "retry" then
      self:put_back(item, run.changes)
   end
   self:enqueue(item, reason)
end

function running:retry_later(item, run, now)
   item.changes, item.tries, item.is_attempted = run.changes, run.try, true
   item.timer = self.engine:at(now + run.delay, function()
      self:enqueue(item, "retry")
      self.engine:pump()
   end)
end

-- The key is free, after the cooldown.
function running:unlock(key, now)
   if self.spec.cooldown == 0 then
      return self:release(key)
   end
   self:cool(key, now + self.spec.cooldown)
end

-- The key, which somebody has, is kept until that time.
function running:cool(key, time)
   self.cooling[key] = time
   self.engine:at(time, function(now)
      self.cooling[key] = nil
      self:release(key)
      self:look(now)
   end)
end

return running
