-- SPDX-License-Identifier: MIT
--
-- words.lua - what a rule script can say: rule, defaults, every, at, and its other globals.

local clock = require "moonwatch.rule.clock"
local declare = require "moonwatch.rule.declare"
local spec = require "moonwatch.rule.spec"

local words = {}

local function check_name(name, what)
   if type(name) ~= "string" or name == "" then
      declare.misuse("%s: a name expected, not %s", what, (declare.show(name)))
   end
end

local function rule_function(self, script)
   return function(name, given)
      check_name(name, "rule")
      if given ~= nil then
         return self:declare(name, given, script.defaults)
      end
      local begun = { name = name, position = declare.position() }
      script.begun = script.begun or begun
      return function(table_of_keys)
         if script.begun == begun then script.begun = nil end
         return self:declare(name, table_of_keys, script.defaults)
      end
   end
end

-- (first, [name,] fn) as name, fn.
local function named_function(what, first, name, fn)
   if fn == nil and type(name) == "function" then
      return ("%s %s"):format(what, first), name
   elseif fn == nil and type(name) ~= "string" then
      declare.misuse("%s: a function expected, not %s", what, (declare.show(name)))
   end
   check_name(name, what)
   if type(fn) ~= "function" then
      declare.misuse("%s: a function expected, not %s", what, (declare.show(fn)))
   end
   return name, fn
end

-- Two nameless jobs may have the same times.
local function free_name(self, name, given)
   local candidate, count = name, 1
   while not given and self.by_name[candidate] do
      count = count + 1
      candidate = ("%s (%d)"):format(name, count)
   end
   return candidate
end

local function every_function(self)
   return function(seconds, name, fn)
      if not declare.kinds.positive[2](seconds) then
         declare.misuse("every: a number of seconds above 0 expected, not %s", (declare.show(seconds)))
      end
      local job, body = named_function("every", ("%g s"):format(seconds), name, fn)
      return self:declare_timer(free_name(self, job, fn), body, clock.every(seconds), ("every %g s"):format(seconds))
   end
end

local function at_function(self)
   return function(time, name, fn)
      local hour, minute, second
      if type(time) == "string" then
         hour, minute, second = clock.parse(time)
      end
      if not hour then
         declare.misuse('at: a time of day such as "03:30" expected, not %s', (declare.show(time)))
      end
      local job, body = named_function("at", time, name, fn)
      return self:declare_timer(free_name(self, job, fn), body, clock.at(hour, minute, second), "at " .. time)
   end
end

-- Whether each `rule "name"` was given its table: true, or nil and a message. To Lua itself it is no error.
local function finish_function(script)
   return function()
      if not script.begun then return true end
      return nil, ("%s: rule %q: its table of keys is missing"):format(script.begun.position, script.begun.name)
   end
end

local function defaults_function(script)
   return function(given)
      script.defaults = spec.check_defaults(given)
   end
end

-- rule, defaults, every and at of one script; and a function to be called at its end: true, or nil and a message.
function words.of(self)
   local script = { defaults = nil }
   return {
      rule = rule_function(self, script),
      defaults = defaults_function(script),
      every = every_function(self),
      at = at_function(self),
   }, finish_function(script)
end

local LUAS_OWN = { "assert", "collectgarbage", "dofile", "error", "getmetatable", "ipairs", "load", "loadfile", "next",
   "pairs", "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable",
   "tonumber", "tostring", "type", "warn", "xpcall", "_VERSION", "coroutine", "debug", "io", "math", "os", "package",
   "string", "table", "utf8" }

-- What a script loads by itself has the script's globals, unless it says otherwise.
local function loaders(environment)
   local own = {}
   function own.load(chunk, name, mode, ...)
      local env = select("#", ...) > 0 and ... or environment
      return load(chunk, name, mode, env)
   end
   function own.loadfile(path, mode, ...)
      local env = select("#", ...) > 0 and ... or environment
      return loadfile(path, mode, env)
   end
   function own.dofile(path)
      return assert(loadfile(path, nil, environment))()
   end
   return own
end

-- The globals of one script: Lua's own, the set's words, and what `kit` gives (exec, spawn, sleep, log, moonwatch). And
-- what is to be called at the script's end (words.of).
function words.environment(self, kit, arg)
   local environment = {}
   for _, name in ipairs(LUAS_OWN) do
      environment[name] = _G[name]
   end
   for name, loader in pairs(loaders(environment)) do
      environment[name] = loader
   end
   for name, value in pairs(kit) do
      environment[name] = value
   end
   local own, finish = words.of(self)
   for name, value in pairs(own) do
      environment[name] = value
   end
   environment._G = environment
   environment.arg = arg
   if kit.require then
      environment.require = kit.require(self)
   end
   return environment, finish
end

return words
