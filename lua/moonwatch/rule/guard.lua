-- SPDX-License-Identifier: MIT
--
-- guard.lua - a rule that feeds itself is found and paused.
--
-- An item's *chain* counts its runs in a row whose changes all came while the run before was at work (the world sees to
-- it that a run ends only when what changed until then has been read). When it is longer than `runs`, the next run is
-- held for a while. Somebody who really saves all the time saves in that while too: then the chain begins anew. Where
-- nothing changes, it was the rule itself: it is paused, and the paths are named.
--
-- With `each` the run before is that of the same path, or of one whose stem is part of a name that came during it: who
-- makes a.gz of a makes a.gz.gz of that.

local template = require "moonwatch.rule.template"

local guard = {}

local SHOWN = 5 -- how many paths a message names

-- The chain of a name that is new while a run is at work from whose name it seems to be made; nil where there is none.
local function chain_of_birth(runtime, event)
   local longest
   for item in pairs(runtime.at_work) do
      local stem = template.value("stem", item.run.changes[1])
      if event.path ~= item.path and event.name and event.name:find(stem, 1, true) then
         longest = math.max(longest or 0, item.chain)
      end
   end
   return longest
end

-- An event comes in: is its item at work?
function guard.note(runtime, event)
   if not runtime.spec.each then
      runtime.outside = runtime.outside or runtime.running == 0
      return
   end
   local item = next(runtime.items) and runtime.items[event.path]
   if item and item.run then
      item.inside = true
   elseif item then
      item.outside = true
   elseif event.op == "create" or event.op == "move" then
      runtime.births[event.path] = chain_of_birth(runtime, event)
   end
   if event.op == "delete" or event.op == "move" then
      runtime.births[event.from or event.path] = nil
   end
end

-- The chain with which a path was born, asked when its change has settled.
function guard.birth_of(runtime, path)
   local chain = runtime.births[path]
   runtime.births[path] = nil
   return chain
end

local function came_from_inside(runtime, item)
   local inside
   if runtime.spec.each then
      inside = (item.inside or item.born) and not item.outside
      item.chain = math.max(item.chain, item.born or 0)
      item.inside, item.outside, item.born = nil, nil, nil
   else
      inside = not runtime.outside
      runtime.outside = nil
   end
   return inside
end

local function names(changes)
   local shown = {}
   for i = 1, math.min(#changes, SHOWN) do
      shown[i] = changes[i].path
   end
   if #changes > SHOWN then
      shown[#shown + 1] = ("and %d more"):format(#changes - SHOWN)
   end
   return table.concat(shown, ", ")
end

-- Nothing of the rule ran while it was held: what came meanwhile came from outside.
local function held_long_enough(runtime, item, changes)
   local others = item.outside or runtime.outside
   if others then
      item.chain = 0
      runtime:enqueue(item, "change")
      runtime.engine:pump()
      return
   end
   local why = "it feeds itself through " .. names(changes)
   runtime.world.log.error("%s: paused: %s (name what it writes in `outputs`, or ignore it)", runtime.spec.name, why)
   item.chain, item.reason = 0, nil
   runtime:pause("collect", why)
   runtime:enqueue(item, "change")
end

-- Must this run be held? If so, its changes are back in the item, and the guard's timer runs.
function guard.holds(runtime, item, changes, reason, now)
   local limits = runtime.spec.guard
   if not limits or reason ~= "change" then
      return false
   end
   item.chain = came_from_inside(runtime, item) and item.chain + 1 or 0
   if item.chain <= limits.runs then
      return false
   end
   item.changes = changes
   item.timer = runtime.engine:at(now + limits.hold, function()
      held_long_enough(runtime, item, changes)
   end)
   return true
end

return guard
