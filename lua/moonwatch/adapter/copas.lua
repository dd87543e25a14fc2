-- SPDX-License-Identifier: MIT
--
-- copas.lua - moonwatch inside copas.
--
--    local adapter = require "moonwatch.adapter.copas"
--    local copas = require "copas"
--
--    copas.addthread(function()
--       local result = adapter.await(moonwatch.exec, { "make" })  -- this thread waits, the others run
--    end)
--    local driver = adapter.start()                               -- handlers, rules and tasks run, until driver:stop()
--    copas.loop()
--
-- copas waits by LuaSocket's select, which asks any object for its descriptor and takes one that says it is dirty as
-- readable: so a wait is one copas.receive from a socket that is none. select knows descriptors below 1,024 only.

local copas = require "copas"

local core = require "moonwatch.core"
local Errand = require "moonwatch.adapter.errand"

local adapter = {}

-- Waits until is_over(), driving our loop meanwhile.
local function drive_until(is_over)
   local socket = {}
   function socket.getfd() return core.pollfd() end
   function socket.dirty() return is_over() end
   function socket.receive()
      Errand.step()
      if is_over() then return true end
      return nil, "timeout"
   end
   -- What copas does to a socket whose thread has ended.
   function socket.close() return true end
   function socket.settimeout() return true end
   repeat local ended = copas.receive(socket) until ended
end

--- Runs `fn(...)` as a task of moonwatch and lets this thread of copas wait for it; drives the loop meanwhile.
-- @return what fn returns; an error is raised as it was
function adapter.await(fn, ...)
   local errand = Errand.new(function() end, fn, ...)
   drive_until(function() return errand.done end)
   return errand:unwrap()
end

local Driver = {}
Driver.__index = Driver

--- Ends the driving; again: no matter.
function Driver:stop()
   self._stopped = true
end
Driver.close = Driver.stop
Driver.__close = Driver.stop

--- From now on copas drives moonwatch's loop: tasks, handlers and rules run whenever it runs.
-- @return a driver, with `:stop()`
function adapter.start()
   local driver = setmetatable({ _stopped = false }, Driver)
   copas.addthread(function()
      drive_until(function() return driver._stopped end)
   end)
   return driver
end

return adapter
