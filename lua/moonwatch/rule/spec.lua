-- SPDX-License-Identifier: MIT
--
-- spec.lua - a rule's declaration, checked and brought into the one form that the engine reads.
--
-- compile() takes what the user wrote, and raises at the user's line or returns a plain table: lists where lists may be
-- given as one string, sets where something is looked up, argvs cut into templates. The engine never looks at raw keys.

local declare = require "moonwatch.rule.declare"
local fields = require "moonwatch.rule.fields"
local template = require "moonwatch.rule.template"

local spec = {}

local WATCH_OPTIONS = { "match", "ignore", "ignore_files", "filter", "follow", "one_filesystem", "recursive", "depth",
   "missing", "backend", "interval" }
local PROCESS_OPTIONS = { "timeout", "stop_signal", "grace", "descendants", "capture_limit", "user", "cwd" }

local function as_list(value)
   if value == nil or type(value) == "table" then
      return value
   end
   return { value }
end

local function pick(from, names)
   local picked = {}
   for _, name in ipairs(names) do
      picked[name] = declare.copy(from[name])
   end
   return picked
end

-- Which of run, each and service was given: exactly one.
local function mode_of(given, subject)
   local mode
   for _, name in ipairs { "run", "each", "service" } do
      if given[name] ~= nil then
         if mode then
            declare.misuse("%s: %s and %s exclude each other", subject, mode, name)
         end
         mode = name
      end
   end
   if not mode then
      declare.misuse("%s: one of run, each or service is required", subject)
   end
   return mode
end

local function steps_of(action, mode, subject)
   local argvs = type(action[1]) == "table" and action or { action }
   local steps = {}
   for i, argv in ipairs(argvs) do
      steps[i] = template.compile(argv, mode, subject .. ": " .. mode)
   end
   return steps
end

-- The function that gives the key of a change; nil: its path is the key.
local function key_function(key)
   if type(key) == "function" then
      return key
   elseif key == nil or key == "path" then
      return nil
   end
   return function(change) return template.value(key, change) end
end

local function default_ops(mode, complete)
   if mode == "each" or complete then
      return { "create", "modify", "move" }
   end
   return { "create", "modify", "delete", "move" }
end

-- A service is a run that starts at once, is restarted by a change, and is tried again for ever after a crash.
local SERVICE_RETRY = { times = math.huge, delay = 0.5, factor = 2, cap = 30, jitter = 0 }

local function retry_of(given, mode)
   if mode == "service" then
      local retry = declare.copy(SERVICE_RETRY)
      for key, value in pairs(given or {}) do
         retry[key] = declare.copy(value)
      end
      return retry
   end
   if not given then
      return nil
   end
   local retry = declare.fill(fields.retry, declare.copy(given))
   retry.codes = retry.codes and declare.set(as_list(retry.codes))
   return retry
end

local function busy_of(given, mode)
   if type(given) == "table" then
      return "signal", given.signal
   end
   return given or (mode == "service" and "restart" or "queue")
end

-- A service runs for as long as it likes, and there is one; what the defaults say of that is for the other rules.
local function check_service(values, given, subject)
   for _, key in ipairs { "timeout", "limit", "key" } do
      if given[key] ~= nil then
         declare.misuse("%s: a service has no %s", subject, key)
      end
      values[key] = nil
   end
end

-- All runs of a `run` are about one and the same thing.
local function check_run(values, given, subject)
   if given.key ~= nil then
      declare.misuse("%s: key belongs to each: run is called once for all", subject)
   end
   values.key = nil
end

-- run = { "make", timeout = 5 }: what is an option of exec is a key of the rule here.
local function check_command(given, subject)
   for _, mode in ipairs { "run", "each", "service" } do
      for key in pairs(type(given[mode]) == "table" and given[mode] or {}) do
         if type(key) == "string" then
            declare.misuse("%s: %s is a list of words; %s is a key of the rule, beside it", subject, mode, key)
         end
      end
   end
end

-- Keys of `defaults` that a rule of its own gives are not merged: the rule's wins.
local function with_defaults(given, defaults)
   local values = {}
   local has_action = given.run ~= nil or given.each ~= nil or given.service ~= nil
   for key, value in pairs(defaults or {}) do
      local is_action = key == "run" or key == "each" or key == "service"
      if not (is_action and has_action) then
         values[key] = value
      end
   end
   for key, value in pairs(given) do
      values[key] = value
   end
   return declare.copy(values)
end

local function normal_path(path, base)
   if path:sub(1, 1) == "/" or not base then
      return path
   end
   return base .. "/" .. path
end

local function compile_hold(hold, base)
   local paths = {}
   for i, path in ipairs(as_list(hold) or {}) do
      paths[i] = normal_path(path, base)
   end
   return #paths > 0 and paths or nil
end

-- Has the function a parameter for the job?
local function takes_job(fn, place)
   local info = debug.getinfo(fn, "u")
   return info.isvararg or info.nparams >= place
end

local function compile_action(self, values, mode)
   local action = values[mode]
   self.mode = mode
   if type(action) == "function" then
      self.fn, self.takes_job = action, takes_job(action, 2)
   else
      self.steps = steps_of(action, mode, self.subject)
   end
   self.each = mode == "each"
   self.service = mode == "service"
end

local function compile_meeting(self, values, mode)
   self.limit = values.limit or (mode == "each" and 4 or 1)
   self.key = key_function(values.key)
   self.busy, self.busy_signal = busy_of(values.busy, mode)
   self.retry = retry_of(values.retry, mode)
   self.guard = values.guard and declare.fill(fields.guard, declare.copy(values.guard))
end

local MAX_WAIT = 5 -- and never less than settle, where that alone was given

-- name: the rule's; given: the user's table; context: { defaults, base, position }.
function spec.compile(name, given, context)
   local subject = ("rule %q"):format(name):gsub("\\\n", "\\n")
   if type(given) == "table" then
      check_command(given, subject)
   end
   declare.check(fields.rule, given, subject)
   local values = with_defaults(given, context.defaults)
   local mode = mode_of(values, subject)
   if values.watch == nil then
      declare.misuse("%s: watch is required", subject)
   elseif mode == "service" then
      check_service(values, given, subject)
   elseif mode == "run" then
      check_run(values, given, subject)
   end
   declare.fill(fields.rule, values)
   values.max_wait = values.max_wait or math.max(MAX_WAIT, values.settle)
   local self = { name = name, subject = subject, position = context.position, base = context.base, values = values }
   compile_action(self, values, mode)
   compile_meeting(self, values, mode)
   self.watch = as_list(declare.copy(values.watch))
   self.watch_options = pick(values, WATCH_OPTIONS)
   self.process_options = pick(values, PROCESS_OPTIONS)
   self.success = declare.set(as_list(values.success))
   self.env = declare.copy(values.env) or {}
   self.stdin, self.stdout, self.stderr = values.stdin, values.stdout, values.stderr
   self.ops = declare.set(values.on and fields.ops_of(values.on) or default_ops(mode, values.complete))
   self.settle, self.max_wait, self.complete = values.settle, values.max_wait, values.complete
   self.cooldown, self.timeout = values.cooldown, values.timeout
   self.hold = compile_hold(values.hold, context.base)
   self.outputs = as_list(declare.copy(values.outputs))
   self.start = values.start or mode == "service"
   self.on_failure = values.on_failure
   return self
end

-- defaults { ... } of a script: any keys of a rule, checked like a rule's own.
function spec.check_defaults(given)
   declare.check(fields.rule, given, "defaults")
   return declare.copy(given)
end

-- A job on a timer: no watch, one function, `next(now)` gives its next moment.
function spec.timer(name, fn, next_time, position, when)
   return {
      when = when, name = name, subject = ("job %q"):format(name), position = position, values = {},
      mode = "run", fn = fn, takes_job = takes_job(fn, 1), limit = 1, busy = "drop", cooldown = 0, settle = 0, max_wait = 0,
      ops = {}, success = { [0] = true }, env = {}, process_options = {}, next_time = next_time,
   }
end

return spec
