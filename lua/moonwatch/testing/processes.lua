-- SPDX-License-Identifier: MIT
--
-- processes.lua - recorded processes: world:process says how they behave, world.records what was started.

local check = require("moonwatch.process").check
local declare = require "moonwatch.rule.declare"

local World = {}

local function matches(pattern, argv)
   for i, word in ipairs(pattern) do
      if argv[i] ~= word then
         return false
      end
   end
   return true
end

local behaviours = {
   code = { kinds = { "natural" } }, signal = { kinds = { "text" } }, seconds = { kinds = { "seconds" } },
   out = { kinds = { "bytes" } }, err = { kinds = { "bytes" } }, stubborn = { kinds = { "boolean" } },
}

-- How processes behave whose argv begins with these words: a table { code, signal, seconds, out, err, stubborn }, or a
-- function(argv, options) that gives one; nil, message, errno from the function is a command that cannot be started.
function World:process(words, behaviour)
   if type(behaviour) ~= "function" then
      declare.check(behaviours, behaviour, "world:process")
   end
   table.insert(self.behaviours, 1, { words = type(words) == "table" and words or { words }, behaviour = behaviour })
   return self
end

local function behaviour_of(world, argv)
   for _, known in ipairs(world.behaviours) do
      if matches(known.words, argv) then
         if type(known.behaviour) == "function" then
            return known.behaviour(argv, argv)
         end
         return known.behaviour
      end
   end
   return {}
end

local function succeeded(code, success)
   for _, wanted in ipairs(success or { 0 }) do
      if code == wanted then
         return true
      end
   end
   return false
end

-- Output that a function is to get, line by line, is not in the result.
local function hand_out(result, options)
   for _, kind in ipairs { "stdout", "stderr" } do
      local stream = kind:sub(4)
      local text = result[stream]
      if type(options[kind]) == "function" and text ~= "" then
         for line in text:gsub("\n?$", "\n"):gmatch "(.-)\n" do
            options[kind](line)
         end
         result[stream] = ""
      end
   end
end

local function finish(world, process, result)
   if process.ended then
      return
   end
   process.ended = true
   world.timers:cancel(process.timer)
   world.timers:cancel(process.limit)
   world.alive[process] = nil
   result.seconds = world.time - process.started
   result.ok = result.code ~= nil and not result.timed_out and succeeded(result.code, process.options.success)
   world:spawn("output", function() -- the functions may wait, and the result waits for them
      hand_out(result, process.options)
      process.result = result
      for _, wake in ipairs(process.waiting) do
         wake(result)
      end
   end)
end

-- Ends it as its stop signal and, for a stubborn one, KILL after the grace would.
function World:_stop_process(process, fields, grace)
   local result = { signal = process.options.stop_signal or "TERM", out = "", err = "" }
   for name, value in pairs(fields) do
      result[name] = value
   end
   process.record.signals[#process.record.signals + 1] = result.signal
   if not process.behaviour.stubborn then
      return finish(self, process, result)
   end
   self.timers:add(self.time + (grace or process.options.grace or 5), function()
      process.record.signals[#process.record.signals + 1] = "KILL"
      result.signal = "KILL"
      finish(self, process, result)
   end)
end

-- Starts a made-up process: a handle, or nil, message, errno.
function World:start_process(options, run)
   local argv = check(options, "exec")
   local record = { argv = argv, rule = run and run.name, at = self.time, options = options, signals = {} }
   local behaviour, message, errno = behaviour_of(self, options)
   if not behaviour then
      return nil, message or options[1] .. ": No such file or directory", errno or 2
   end
   self.records[#self.records + 1] = record
   local process = { record = record, options = options, behaviour = behaviour, started = self.time, waiting = {} }
   self.alive[process] = true
   process.timer = self.timers:add(self.time + (behaviour.seconds or 0), function()
      local code = not behaviour.signal and (behaviour.code or 0) or nil
      finish(self, process, { code = code, signal = behaviour.signal, out = behaviour.out or "",
         err = behaviour.err or "" })
   end)
   if options.timeout then
      process.limit = self.timers:add(self.time + options.timeout, function()
         self:_stop_process(process, { timed_out = true })
      end)
   end
   return process
end

function World:wait_process(process)
   if process.result then
      return process.result
   end
   return self:_suspend(function(wake) process.waiting[#process.waiting + 1] = wake end)
end

-- exec of scripts.
function World:exec(options)
   local run = self.task and self.task.run
   local process, message, errno = self:start_process(options, run)
   if not process then
      return nil, message, errno
   end
   if run then
      run.processes[process] = true
   end
   return self:wait_process(process)
end

-- The argvs that a rule (or all) started, in order.
function World:runs(name)
   local argvs = {}
   for _, record in ipairs(self.records) do
      if name == nil or record.rule == name then
         argvs[#argvs + 1] = record.argv
      end
   end
   return argvs
end

-- The argvs that run at this moment.
function World:running()
   local argvs = {}
   for _, record in ipairs(self.records) do
      for process in pairs(self.alive) do
         if process.record == record then
            argvs[#argvs + 1] = record.argv
         end
      end
   end
   return argvs
end

return World
