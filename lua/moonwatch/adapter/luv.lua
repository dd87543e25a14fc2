-- SPDX-License-Identifier: MIT
--
-- luv.lua - moonwatch inside libuv's loop.
--
--    local adapter = require "moonwatch.adapter.luv"
--    local uv = require "luv"
--
--    coroutine.wrap(function()
--       local result = adapter.await(moonwatch.exec, { "make" })  -- this coroutine waits, uv's loop goes on
--    end)()
--    local driver = adapter.start()                               -- handlers, rules and tasks run, until driver:stop()
--    uv.run()
--
-- uv.run goes on while someone awaits or a driver is at work. Callbacks of luv must not wait: there `moonwatch.spawn`.

local uv = require "luv"

local core = require "moonwatch.core"
local Errand = require "moonwatch.adapter.errand"

local adapter = {}

local handle          -- polls our loop's descriptor; nil while nobody uses it
local users = 0
local finished = {}   -- errands that have ended, in their order

-- Outside of our loop, since the coroutines may come back to it.
local function resume_finished()
   while #finished > 0 do
      local errand = table.remove(finished, 1)
      local ok, err = coroutine.resume(errand.waiter)
      if not ok then error(debug.traceback(errand.waiter, tostring(err)), 0) end
   end
end

local function step()
   Errand.step()
   resume_finished()
end

local function enter()
   users = users + 1
   if handle then return end
   handle = assert(uv.new_poll(core.pollfd()))
   handle:start("r", step)
end

local function leave()
   users = users - 1
   if users > 0 or not handle then return end
   handle:close()
   handle = nil
end

--- Runs `fn(...)` as a task of moonwatch and lets this coroutine wait for it; uv's loop, which must be run, drives it.
-- @return what fn returns; an error is raised as it was
function adapter.await(fn, ...)
   if not coroutine.isyieldable() then core.misuse "await: the main program cannot wait here, only a coroutine can" end
   local errand = Errand.new(function(errand) finished[#finished + 1] = errand end, fn, ...)
   errand.waiter = coroutine.running()
   enter()
   repeat coroutine.yield() until errand.done
   leave()
   return errand:unwrap()
end

local Driver = {}
Driver.__index = Driver

--- Ends the driving; again: no matter.
function Driver:stop()
   if self._stopped then return end
   self._stopped = true
   leave()
end
Driver.close = Driver.stop
Driver.__close = Driver.stop

--- From now on uv's loop drives moonwatch's: tasks, handlers and rules run whenever it runs.
-- @return a driver, with `:stop()`
function adapter.start()
   enter()
   return setmetatable({ _stopped = false }, Driver)
end

return adapter
