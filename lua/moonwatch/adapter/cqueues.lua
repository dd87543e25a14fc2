-- SPDX-License-Identifier: MIT
--
-- cqueues.lua - moonwatch inside a cqueues controller.
--
--    local adapter = require "moonwatch.adapter.cqueues"
--    local queue = require "cqueues".new()
--
--    queue:wrap(function()
--       local result = adapter.await(moonwatch.exec, { "make" })  -- this coroutine waits, the others run
--    end)
--    local driver = adapter.start(queue)                          -- handlers, rules and tasks run, until driver:stop()
--    assert(queue:loop())
--
-- Watchers and inotify objects know cqueues' polling protocol by themselves: `cqueues.poll(watcher)`, then `watcher:get(0)`.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"

local core = require "moonwatch.core"
local Errand = require "moonwatch.adapter.errand"

local adapter = {}

-- Our whole loop, as cqueues polls it.
local loop = {}
function loop:pollfd() return core.pollfd() end
function loop:events() return "r" end
function loop:timeout() return core.next_timeout() end

--- Runs `fn(...)` as a task of moonwatch and lets this coroutine of cqueues wait for it; drives the loop meanwhile.
-- @return what fn returns; an error is raised as it was
function adapter.await(fn, ...)
   local ended = condition.new()
   local errand = Errand.new(function() ended:signal() end, fn, ...)
   while not errand.done do
      cqueues.poll(loop, ended)
      Errand.step()
   end
   return errand:unwrap()
end

local Driver = {}
Driver.__index = Driver

--- Ends the driving; again: no matter.
function Driver:stop()
   self._stopped = true
   self._bell:signal()
end
Driver.close = Driver.stop
Driver.__close = Driver.stop

--- From now on the controller drives moonwatch's loop: tasks, handlers and rules run whenever it runs.
-- @param queue a controller of cqueues
-- @return a driver, with `:stop()`
function adapter.start(queue)
   local driver = setmetatable({ _bell = condition.new(), _stopped = false }, Driver)
   queue:wrap(function()
      while not driver._stopped do
         cqueues.poll(loop, driver._bell)
         Errand.step()
      end
   end)
   return driver
end

return adapter
