-- SPDX-License-Identifier: MIT
--
-- others.lua - further watchers beside the first, which all have one tree together: each shows a part of its own, reads
-- when it likes, sometimes pauses, and sometimes ends and is replaced by another in the midst of the work.
--
-- Each is judged as the first one is: it is a run of its own that has the writers, the history and the folders of the
-- first.

local view = require "torture.view"

local others = {}

local COUNT = 4

-- What a watcher's own run has of its own; the rest is the first one's.
local function fresh(first)
   local own = {
      others = {}, recent = {}, events = {}, count = 0, overflows = 0, total_overflows = 0, seq = false, watcher = false,
      paused = false, restarted = false, is_other = true,
   }
   return setmetatable(own, { __index = first })
end

local function choose(self)
   self.view = view.shared(self.random, self.common) or false
   self.initial = self.random(3) == 1
end

--- The first watcher shows a part, too; the others are opened by `open(other)`.
function others.begin(first, open)
   for i = 1, COUNT do
      local other = fresh(first)
      choose(other)
      open(other)
      first.others[i] = other
   end
end

--- Before a round: who pauses, and who ends in it; `start(other)` opens that one anew.
function others.disturb(first, start)
   for _, other in ipairs(first.others) do
      local chance = other.random(6)
      if chance == 1 then
         other.watcher:pause()
         other.paused = true
      elseif chance < 4 then
         choose(other)
         start(other)
         other.restarted = true
      end
   end
end

--- All of them have one tree. Gives what is wrong, or nil.
function others.apart(first)
   local tree = first.watcher:_tree()
   for i, other in ipairs(first.others) do
      if other.watcher:_tree() ~= tree then return ("watcher %d has a tree of its own"):format(i + 1) end
   end
end

--- Directories into which none of them looks.
function others.pruned(first)
   return function(rel)
      if not (first.view and first.view.pruned(rel)) then return false end
      for _, other in ipairs(first.others) do
         if not (other.view and other.view.pruned(rel)) then return false end
      end
      return true
   end
end

return others
