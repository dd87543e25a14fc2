-- SPDX-License-Identifier: MIT
--
-- survey.lua - how many watches something would need, found without using one: a polled watcher lists the same tree.

local core = require "moonwatch.core"
local moonwatch = require "moonwatch"

local survey = {}

local NEVER = 1e6 -- seconds between two looks

--- How many directories a watcher of these paths would watch; nil, message, errno. `seen` is a set of all that were
-- counted so far: who watches the same directory twice needs one watch.
function survey.directories(paths, options, seen)
   local copy = {}
   for key, value in pairs(options or {}) do copy[key] = value end
   copy.backend, copy.interval = "poll", NEVER
   local watcher <close>, message, errno = moonwatch.watch(paths, copy)
   if not watcher then return nil, message, errno end
   watcher:_directories(seen)
   return watcher:stats().polled
end

--- How many directories such a set holds.
function survey.size(seen)
   local size = 0
   for _ in pairs(seen) do size = size + 1 end
   return size
end

-- The watches that this user holds now.
local function in_use()
   local usage = core.limits_usage(core.system.uid())
   return usage and usage.watches or 0
end

--- Whether so many watches can be had: words, and true or false.
function survey.verdict(needed)
   local limit, used = moonwatch.limits().max_user_watches, in_use()
   local words = ("%d %s needed; max_user_watches is %d, %d in use"):format(needed, needed == 1 and "watch" or "watches",
      limit, used)
   local fits = needed <= limit - used
   if not fits then
      words = words .. (": too few; try moonwatch limits --set max_user_watches=%d"):format(2 * (needed + used))
   end
   return words, fits
end

return survey
