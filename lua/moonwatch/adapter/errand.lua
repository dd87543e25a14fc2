-- SPDX-License-Identifier: MIT
--
-- errand.lua - what the adapters have in common: a function that runs as a task of ours while a coroutine of the
-- foreign loop waits for its results.

require "moonwatch" -- misuse is told at the user's line only then
local core = require "moonwatch.core"

local Errand = {}
Errand.__index = Errand

-- Looks after whatever is ready, without waiting.
function Errand.step()
   core.step(0)
end

-- Starts fn(...) as a task; done() is called inside our loop once it has ended.
function Errand.new(done, fn, ...)
   if type(fn) ~= "function" then core.misuse "await: a function is needed" end
   local errand = setmetatable({ done = false }, Errand)
   local task = core.spawn("await", fn, ...)
   core.spawn("await", function()
      errand.results = table.pack(task:join())
      errand.done = true
      done(errand)
   end)
   return errand
end

-- What fn returned; its error is raised as it was.
function Errand:unwrap()
   local results = self.results
   if not results[1] then error(results[2], 0) end
   return table.unpack(results, 2, results.n)
end

return Errand
