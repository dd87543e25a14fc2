-- SPDX-License-Identifier: MIT
--
-- succession.lua - a set of rules takes over from another one at work: a reload.
--
-- Everything that may fail comes first (new watchers, watching but muted). Then, without a wait in between, each rule
-- that has a forerunner of its name takes over what that one has: its watcher where it watches the same, what is
-- gathered, what waits or is to be tried again, its running jobs with their keys. So a change is neither lost nor
-- handled twice, and no running job is disturbed. Any failure leaves the old set as it was.

local succession = {}

local function equal(a, b)
   if type(a) ~= "table" or type(b) ~= "table" then
      return a == b
   end
   for key, value in pairs(a) do
      if not equal(value, b[key]) then
         return false
      end
   end
   for key in pairs(b) do
      if a[key] == nil then
         return false
      end
   end
   return true
end

local function is_job(runtime)
   return runtime.spec.next_time ~= nil
end

local function watches_the_same(new, old)
   return not new.next_time and not old.next_time and equal(new.watch, old.watch)
      and equal(new.watch_options, old.watch_options) and new.ops.attrib == old.ops.attrib
end

local function gathers_the_same(new, old)
   return new.settle == old.settle and new.max_wait == old.max_wait and new.complete == old.complete
      and new.each == old.each
end

-- What a service is started with: where that is the same, a running one is left alone.
local function runs_the_same(new, old)
   return equal(new.steps, old.steps) and equal(new.env, old.env) and equal(new.process_options, old.process_options)
end

-- Opens what the new rules need and the old ones do not have; all or nothing.
local function open_watchers(new, forerunners)
   for _, runtime in ipairs(new.engine.runtimes) do
      local old = forerunners[runtime]
      if not (old and watches_the_same(runtime.spec, old.spec)) then
         local ok, message, errno = new.world.watch(runtime, "muted")
         if not ok then
            return nil, ("%s: %s"):format(runtime.spec.subject, message), errno
         end
      end
   end
   return true
end

-- A watcher that will be closed has handed on all that happened before the new one was ready.
local function read_to_the_end(new, old, forerunners)
   for _, runtime in ipairs(new.engine.runtimes) do
      local forerunner = forerunners[runtime]
      if forerunner and not watches_the_same(runtime.spec, forerunner.spec) then
         old.world.flush(forerunner, 1)
      end
   end
end

local function take_gathered(new, old, engine)
   if not (new.gather and old.gather) then
      return
   elseif gathers_the_same(new.spec, old.spec) then
      new.gather, old.gather = old.gather, new.gather
   else
      new.gather:load(old.gather:dump())
   end
   new:arm_gather(engine:now())
end

-- The new rule's item for an old one: the same lane, or the same path.
local function item_for(new, old_item, name)
   if not new.spec.each then
      return new.items[name]
   end
   local item = { path = old_item.path, key = old_item.key, chain = old_item.chain }
   new.items[old_item.path] = item
   return item
end

local function take_run(new, old, item, run)
   run.runtime, run.item = new, item
   item.run, new.at_work[item] = run, true
   new.locks[run.key] = item
   new.running, old.running = new.running + 1, old.running - 1
   if not old.spec.service then
      old.engine.active = old.engine.active - 1
   end
   if not new.spec.service then
      new.engine.active = new.engine.active + 1
   end
   if run.timer then
      local left = run.timer
      old.engine:cancel(run.timer)
      run.timer = new.engine:at(left.time, function() new:stop_run(run, "timeout") end)
   end
end

local function take_waiting(new, old, item, old_item)
   local timer = old_item.timer
   item.changes, item.tries, item.again = old_item.changes, old_item.tries, old_item.again
   item.is_attempted = old_item.is_attempted
   if not item.run and old_item.queued and not new.spec.each then -- a trigger has no changes
      item.must = old_item.must
      return new:enqueue(item, old_item.reason)
   elseif item.run or not item.changes then
      return
   end
   item.key = new.spec.each and new:key_of(item.changes[1]) or item.key
   if timer and timer.action and not old_item.queued then
      old.engine:cancel(timer)
      item.timer = new.engine:at(timer.time, function()
         new:enqueue(item, "retry")
         new.engine:pump()
      end)
   else
      new:enqueue(item, old_item.reason or "change")
   end
end

-- What was waiting path by path is to be a batch, or the other way round: it is gathered again. Moves count as older, for
-- what else is told of the name that they come from is about another file.
local function gather_again(new, old)
   local moves, others = {}, {}
   for _, item in pairs(old.items) do
      for _, change in ipairs(item.changes or {}) do
         local list = change.op == "move" and moves or others
         list[#list + 1] = change
      end
      item.changes = nil
   end
   for _, list in ipairs { others, moves } do
      table.sort(list, function(a, b) return a.path < b.path end)
      new.gather:merge(list)
   end
   new:arm_gather(new.engine:now())
end

local KEPT = {} -- has the keys that cool down

local function take_cooling(new, old)
   new.last_end = old.last_end
   for key, time in pairs(old.cooling) do
      new.locks[key] = new.locks[key] or KEPT
      new:cool(key, time)
   end
   old.cooling = {}
end

local function take_items(new, old)
   if new.spec.each ~= old.spec.each then
      return gather_again(new, old)
   end
   take_cooling(new, old)
   for name, old_item in pairs(old.items) do
      local item = item_for(new, old_item, name)
      if item then
         if old_item.run then
            take_run(new, old, item, old_item.run)
         end
         take_waiting(new, old, item, old_item)
         old.items[name] = { key = old_item.key, chain = 0 }
      end
   end
end

-- A job whose times are the same keeps its next one: an hour that began anew with each reload might never be over.
local function take_clock(new, old)
   if new.spec.when == old.spec.when then
      new.spec.next_time = old.spec.next_time
      new:set_clock(old.clock.time, old.clock.is_tick)
   else
      new:start()
   end
end

-- A service that is now another command is started anew; one that has become something else is ended.
local function judge_service(new, old)
   for _, item in pairs(new.items) do
      if item.run and old.spec.service and not (new.spec.service and runs_the_same(new.spec, old.spec)) then
         new:stop_run(item.run, new.spec.service and "restart" or "stop")
      end
   end
end

local function take_over(new_set, new, old)
   new.stats = old.stats
   if old.paused and not old.pause_reason then
      new.paused = old.paused
   end
   if watches_the_same(new.spec, old.spec) then
      new_set.world.adopt(new, old)
   end
   if new.spec.next_time then
      take_clock(new, old)
   end
   if is_job(new) == is_job(old) then
      take_gathered(new, old, new_set.engine)
      take_items(new, old)
   end
   judge_service(new, old)
   if new.spec.service and not old.spec.service then
      new:start()
   end
end

-- new: a set that was loaded and not started; old: one at work. true, or nil, message, errno with `old` untouched.
function succession.succeed(new, old)
   new:prepare()
   local forerunners = {}
   for _, runtime in ipairs(new.engine.runtimes) do
      forerunners[runtime] = old:runtime(runtime.spec.name)
   end
   local ok, message, errno = open_watchers(new, forerunners)
   if not ok then
      new:retire()
      return nil, message, errno
   end
   read_to_the_end(new, old, forerunners)
   for _, runtime in ipairs(new.engine.runtimes) do
      if forerunners[runtime] then
         take_over(new, runtime, forerunners[runtime])
      end
   end
   new.world.unmute()
   old:retire()
   new:do_asked()
   for _, runtime in ipairs(new.engine.runtimes) do
      if not forerunners[runtime] then
         runtime:start()
      end
   end
   new.engine:tick()
   return true
end

return succession
