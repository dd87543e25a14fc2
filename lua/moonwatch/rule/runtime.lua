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
-- in which a run ends, and nothing is handed over twice.

local batch = require "moonwatch.rule.batch"
local guard = require "moonwatch.rule.guard"
local queue = require "moonwatch.rule.queue"
local verdict = require "moonwatch.rule.verdict"

local runtime = {}
runtime.__index = runtime

local NONE = {}       -- no changes; never written to
local MOST_AT_ONCE = 4096
local HOLD_POLL = 0.1 -- seconds between two looks at the paths of `hold`

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
      queue = queue.new(),   -- items that want to run
      running = 0,
      last_end = -math.huge, -- when a run ended last
      errors = 0,            -- script errors in a row
      stats = { runs = 0, failures = 0 },
   }, runtime)
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

function runtime:new_gatherer()
   local spec = self.spec
   self.gather = self.world.settle {
      settle = spec.settle, max_wait = spec.max_wait, each = spec.each, complete = spec.complete,
      lazy = true,
   }
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
   local time, is_tick = self.spec.next_time(now, self.world.wall())
   self.clock = self.engine:at(time, function(at)
      if is_tick and not self.paused then
         self:force("timer")
      end
      self:arm_clock(at)
   end)
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

-- Gathering ------------------------------------------------------------------------------------------------------

-- An event of the rule's watcher, in their order. Is it one that can change something?
function runtime:feed(event, now)
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
function runtime:feed_queued(watcher)
   if self.outputs or self.paused == "drop" or (self.spec.guard and self.spec.each and next(self.items)) then
      return 0
   end
   local count = watcher:_settle(self.gather, MOST_AT_ONCE)
   if count > 0 then
      self.outside = self.outside or self.running == 0
      local timer = self.gather_timer
      if not timer or timer.is_late then
         self:arm_gather(self.engine:now())
      end
   end
   return count
end

function runtime:is_ignored(event)
   return self.paused == "drop" or self:is_output(event, self.engine:now())
end

-- Has the rule written this itself: one of `outputs`, from a run's start until `settle` after its end.
function runtime:is_output(event, now)
   local outputs = self.outputs
   return outputs ~= nil and (self.running > 0 or now <= self.last_end + self.spec.settle)
      and outputs:match(event.rel, event.isdir)
end

function runtime:look_at(time, now)
   self.gather_timer = self.engine:at(time, self.on_look)
   self.gather_timer.is_late = time > now + self.spec.settle
end

-- Sets the timer to the gatherer's deadline; a timer that comes earlier looks again by itself. A deadline that a coming
-- event may bring forward is marked as late: only then must it be looked at again with each event.
function runtime:arm_gather(now)
   local timer = self.gather_timer
   local deadline = self.gather and self.gather:deadline()
   if not deadline or (timer and timer.time <= deadline) then
      return
   elseif timer then
      self.engine:cancel(timer)
   end
   self:look_at(math.max(deadline, now), now)
end

-- Is something due? Asked at the gatherer's deadline, and whenever what was in the way is gone.
function runtime:look(now)
   local deadline = self.gather and self.gather:deadline()
   if not deadline or self.paused then
      return
   elseif deadline > now then
      self:arm_gather(now)
   elseif self:is_held() then
      self.engine:cancel(self.gather_timer)
      self:look_at(now + HOLD_POLL, now)
   elseif self.spec.each then
      self:due_changes(now)
   else
      self:due_batch(now)
   end
end

-- `hold`: while one of the paths exists the batch waits and grows.
function runtime:is_held()
   self.held_by = nil
   for _, path in ipairs(self.spec.hold or {}) do
      if self.world.exists(path) then
         self.held_by = path
         return true
      end
   end
   return false
end

-- Due ------------------------------------------------------------------------------------------------------------

-- `complete` is about files. (A type that is not known by now is no directory's, and needs no look at the disk.)
function runtime:wants(change)
   return self.spec.ops[change.op] and not (self.spec.complete and rawget(change, "type") == "directory")
end

function runtime:wanted(changes)
   local wanted = {}
   for _, change in ipairs(changes) do
      if self:wants(change) then
         wanted[#wanted + 1] = change
      end
   end
   return wanted
end

-- The lane that is free, else one that waits for a retry, else the first.
function runtime:pick_lane()
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
function runtime:due_batch(now)
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
function runtime:spend(run, changes)
   if #changes == 0 then
      return
   elseif self.spec.busy == "signal" then
      self.world.signal(run, self.spec.busy_signal)
   else
      self.world.log.debug("%s: busy, changes dropped: %d", self.spec.name, #changes)
   end
end

function runtime:due_changes(now)
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
function runtime:due_change(change, reason)
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
function runtime:follow_move(change)
   local old = self.items[change.from]
   local waiting = old and old.changes
   if not waiting then
      return change
   end
   self:forget(old)
   return self.engine:compose(waiting, { change })[1] or change
end

function runtime:due_item(item, change, reason)
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
function runtime:key_of(change)
   local ok, key = pcall(self.spec.key, change)
   if ok and key ~= nil and key == key then
      return key
   end
   self.world.log.error("%s: key: %s", self.spec.name, ok and "the function gave no key" or tostring(key))
   return change.path
end

function runtime:forget(item)
   item.changes, item.again, item.tries = nil, nil, nil
   self.engine:cancel(item.timer)
   self:tidy(item)
end

-- An item of `each` that has nothing to remember goes.
function runtime:tidy(item)
   local is_needed = item.changes or item.run or item.queued or item.inside
   if item.path and not is_needed and self.items[item.path] == item then
      self.items[item.path] = nil
   end
end

-- Starting -------------------------------------------------------------------------------------------------------

function runtime:enqueue(item, reason)
   self.engine:cancel(item.timer)
   item.reason = (item.reason == nil or item.reason == "retry") and reason or item.reason
   if not item.queued then
      item.queued = true
      self.queue:push(item)
   end
   self:offer()
end

function runtime:offer()
   if self:is_startable() then
      self.engine:offer(self)
   end
end

function runtime:is_startable()
   return #self.queue > 0 and self.running < self.spec.limit and not self.paused
end

-- Starts the next item that may run, if there is one.
function runtime:start_one(now)
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
function runtime:take_lock(item)
   local key = item.key
   local holder = self.locks[key]
   if holder == nil then
      self.locks[key] = item
   elseif holder ~= item or item.run or item.cooling then
      self.rows[key] = self.rows[key] or queue.new()
      self.rows[key]:push(item)
      return false
   end
   return true
end

-- Hands the key to the next in its row.
function runtime:release(key)
   local row = self.rows[key]
   local following = row and row:pop()
   self.locks[key] = following
   if following then
      self.queue:push(following)
      self:offer()
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

-- run: all that is due at this moment. each: nothing, its changes are with their items.
function runtime:take_fresh(now)
   if self.spec.each or not self.gather then
      return NONE
   end
   local fresh = self.gather:take(now)
   self:arm_gather(now)
   return fresh or NONE
end

-- What the item's next run is about, and why it runs; nil where there is nothing to do after all.
function runtime:changes_of(item, now)
   local older, reason = item.changes or NONE, item.reason
   local fresh = self:take_fresh(now)
   if #fresh > 0 and reason == "retry" then
      reason, item.tries = "change", nil
   end
   local is_gone = false
   if reason == "retry" and #older > 0 then
      older = still_there(self, older)
      is_gone = #older == 0
   end
   local changes = self.spec.each and older or self:wanted(self.engine:compose(older, fresh))
   local is_nothing = #changes == 0 and not item.must and (reason == "change" or is_gone)
   item.changes, item.reason, item.must = nil, nil, nil
   if is_nothing then
      item.tries = nil
      return nil
   end
   return changes, reason
end

function runtime:launch(item, changes, reason, now)
   local run = {
      runtime = self, item = item, key = item.key, name = self.spec.name,
      changes = batch.new(changes), reason = reason, try = (item.tries or 0) + 1, started = now,
   }
   item.run = run
   self.running = self.running + 1
   self.stats.runs = self.stats.runs + 1
   if not self.spec.service then
      self.engine.active = self.engine.active + 1
   end
   if self.spec.fn and self.spec.timeout then
      run.timer = self.engine:at(now + self.spec.timeout, function() self:stop_run(run, "timeout") end)
   end
   self.world.start(run)
end

function runtime:stop_run(run, why)
   if not run.stopped then
      run.stopped = why
      self.world.stop(run, why)
   end
end

-- The end of a run -----------------------------------------------------------------------------------------------

-- Exactly one of: tried again, restarted, given up, done. A run whose on_failure is still to be called goes on.
function runtime:finished(run, outcome, now)
   self.engine:cancel(run.timer)
   local step = verdict.of(self, run, outcome, now)
   if step == "on_failure" then
      run.phase, run.err = "on_failure", outcome.err
      self.world.start(run)
      return
   end
   local item = run.item
   self:leave(run, now)
   if step == "restart" then
      item.changes = self.engine:compose(run.changes, item.changes or {})
      item.must, item.again = self.spec.service, nil
      self:enqueue(item, "change")
   elseif item.again then
      self:run_again(item, run, step)
   elseif step == "retry" then
      self:retry_later(item, run, now)
   end
   self:unlock(run.key, now)
   self:tidy(item)
   self:look(now)
   self:offer()
end

function runtime:leave(run, now)
   run.item.run, self.last_end = nil, now
   self.running = self.running - 1
   if not self.spec.service then
      self.engine.active = self.engine.active - 1
   end
end

-- Something came while it ran: a new start of the count, merged with what has failed.
function runtime:run_again(item, run, step)
   local reason = item.again
   item.again, item.tries = nil, nil
   if step == "retry" then
      item.changes = self.engine:compose(run.changes, item.changes or {})
   end
   self:enqueue(item, reason)
end

function runtime:retry_later(item, run, now)
   item.changes, item.tries = run.changes, run.try
   item.timer = self.engine:at(now + verdict.delay(self, run, now), function()
      self:enqueue(item, "retry")
      self.engine:pump()
   end)
end

-- The key is free, after the cooldown.
function runtime:unlock(key, now)
   if self.spec.cooldown == 0 then
      return self:release(key)
   end
   local holder = self.locks[key]
   holder.cooling = true
   self.engine:at(now + self.spec.cooldown, function(at)
      holder.cooling = nil
      self:release(key)
      self:look(at)
   end)
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
      self:offer()
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
