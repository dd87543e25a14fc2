-- SPDX-License-Identifier: MIT
--
-- task.lua - what tasks are built into: scopes, time limits, generators.
--
-- Everything here stands on three things of the core: a task, its `cancel`, and a group, which gives each of its tasks
-- when that has ended.

local core = require "moonwatch.core"

local task = {}

-- Generators ----------------------------------------------------------------------------------------------------------

-- As Lua's own `coroutine`, but a wait inside passes through to the task.
task.coroutine = {}
for name, value in pairs(coroutine) do task.coroutine[name] = value end
for name, value in pairs(core.coroutine) do task.coroutine[name] = value end

-- A hook is for one coroutine alone: a generator gets that of its maker, so that it can be stopped where that one can.
local function hooked(make)
   return function(fn)
      local hook, mask, count = debug.gethook()
      -- One of C, a profiler's, is inherited as it is.
      if type(hook) ~= "function" or type(fn) ~= "function" then return make(fn) end
      return make(function(...)
         debug.sethook(hook, mask, count)
         return fn(...)
      end)
   end
end

task.coroutine.create = hooked(core.coroutine.create)
task.coroutine.wrap = hooked(core.coroutine.wrap)

-- Scopes --------------------------------------------------------------------------------------------------------------

-- Held in a <close> variable: no child outlives the function that waits for it, be that left by an error or a cancel.
local Guard = {}
Guard.__index = Guard

function Guard:__close()
   self.group:cancel(self.why)
   self.group:close()
end

local function guarded(why)
   return setmetatable({ group = core.group(), why = why }, Guard)
end

local Scope = {}
Scope.__index = Scope
Scope.__name = "moonwatch.scope"

local function group_of(scope)
   if getmetatable(scope) ~= Scope then core.misuse "a scope is needed: call it as scope:method()" end
   return scope._group
end

--- Starts a child.
function Scope:spawn(...)
   return group_of(self):spawn(...)
end

--- Cancels the children that still live; the scope ends when they have ended.
function Scope:cancel(why)
   group_of(self):cancel(why)
end

-- Waits until every task of the group has ended; the first that failed cancels the others and is returned.
local function wait_for_all(group)
   local failed
   for child in function() return group:get() end do
      if child.status == "failed" and not failed then
         failed = child
         group:cancel "another child of its scope failed"
      end
   end
   return failed
end

-- What a joined task gave, or its error, raised as it is.
local function unwrap(ok, ...)
   if ok then return ... end
   error((...), 0)
end

--- Runs `fn(scope)` as a child and waits for it and for all that was started by `scope:spawn`. A child that fails
-- cancels the others, and its error is raised. Returns what `fn` returns.
function task.scope(fn, ...)
   if type(fn) ~= "function" then core.misuse "scope: a function is needed" end
   local guard <close> = guarded "its scope was left"
   local scope = setmetatable({ _group = guard.group }, Scope)
   local body = guard.group:spawn("scope", fn, scope, ...)
   return unwrap((wait_for_all(guard.group) or body):join(0))
end

-- Time limits ---------------------------------------------------------------------------------------------------------

--- Runs `fn(...)` for at most so many seconds. Returns its results, or nil, "timeout", ETIMEDOUT with `fn` cancelled.
function task.timeout(seconds, fn, ...)
   if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then core.misuse "timeout: a number of seconds is needed" end
   if type(fn) ~= "function" then core.misuse "timeout: a function is needed" end
   local guard <close> = guarded "timeout"
   local child = guard.group:spawn("timeout", fn, ...)
   local ended, message, code = guard.group:get(seconds)
   if not ended then return nil, message, code end
   return unwrap(child:join(0))
end

return task
