-- SPDX-License-Identifier: MIT
--
-- budget.lua - stops a function that neither waits nor returns.
--
-- A count hook looks at the processor's time every so many instructions (a stopped or starved process is not the
-- function's fault). That the function has *waited* in between is seen by a task of our own: the first look spawns it,
-- and it runs only when the loop does. Once the time is over the error is raised, and soon raised again, so that no
-- pcall can hold it for long.

local budget = {}

local INSTRUCTIONS = 1000000

-- How many instructions until the error is raised again: from few enough to hit a loop around a pcall, each time another
-- number, and never so few that the handler of our own could not take the hook away.
local FEWEST, MOST = 3, 97

local function overdrawn(thread, guard)
   local message = ("neither waited nor returned for %g s"):format(guard.seconds)
   local instructions = FEWEST
   local function again()
      instructions = instructions < MOST and instructions + 1 or FEWEST
      debug.sethook(thread, again, "", instructions)
      error(message, 2)
   end
   debug.sethook(thread, again, "", instructions)
   error(message, 3)
end

-- Watches the coroutine `thread`, which is the running one.
function budget.arm(thread, moonwatch, seconds)
   local guard = { seconds = seconds }
   debug.sethook(thread, function()
      local now = os.clock()
      if not guard.since then
         guard.since = now
         moonwatch.spawn("time budget", function() guard.since = nil end)
      elseif now - guard.since > seconds then
         overdrawn(thread, guard)
      end
   end, "", INSTRUCTIONS)
   return guard
end

function budget.disarm(thread)
   debug.sethook(thread)
end

return budget
