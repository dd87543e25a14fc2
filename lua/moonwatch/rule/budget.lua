-- SPDX-License-Identifier: MIT
--
-- budget.lua - stops a function that neither waits nor returns.
--
-- A count hook looks at the processor's time every so many instructions (a stopped or starved process is not the
-- function's fault). That the function has *waited* in between is seen by a task of our own: the first look spawns it,
-- and it runs only when the loop does. Once the time is over the error is raised, and soon raised again, so that no
-- pcall can hold it for long.

local budget = {}

local INSTRUCTIONS = 10000 -- few enough to look in time where each of them is a long call of C

-- How many instructions until the error is raised again: from few enough to hit a loop around a pcall, each time another
-- number, and never so few that the handler of our own could not take the hook away.
local FEWEST, MOST = 3, 97

-- Of whatever coroutine runs: a generator of the script has the hook of the task that has made it (task.lua).
local function overdrawn(guard)
   local message = ("neither waited nor returned for %g s"):format(guard.seconds)
   local instructions = FEWEST
   local function again()
      instructions = instructions < MOST and instructions + 1 or FEWEST
      debug.sethook(again, "", instructions)
      error(message, 2)
   end
   debug.sethook(again, "", instructions)
   error(message, 3)
end

-- A guard of the coroutine `thread`.
function budget.guard(thread, moonwatch, seconds)
   local guard = { thread = thread, seconds = seconds }
   function guard.look()
      local now = os.clock()
      if not guard.since then
         guard.since = now
         moonwatch.spawn("time budget", function() guard.since = nil end)
      elseif now - guard.since > seconds then
         overdrawn(guard)
      end
   end
   return guard
end

-- From here on until it is disarmed. Each instruction under a hook takes its time, so this is for the script's own code.
function budget.arm(guard)
   guard.since = nil
   debug.sethook(guard.thread, guard.look, "", INSTRUCTIONS)
end

function budget.disarm(guard)
   debug.sethook(guard.thread)
end

local function disarmed(guard, ...)
   budget.disarm(guard)
   return ...
end

-- Calls a function that raises nothing, guarded in the coroutine that calls; where that is guarded already, by that.
function budget.call(moonwatch, seconds, fn, ...)
   local thread = coroutine.running()
   if debug.gethook(thread) then
      return fn(...)
   end
   local guard = budget.guard(thread, moonwatch, seconds)
   budget.arm(guard)
   return disarmed(guard, fn(...))
end

return budget
