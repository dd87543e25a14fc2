-- SPDX-License-Identifier: MIT
--
-- rules.lua - rules for modules and for the host.
--
-- In a module:
--
--    local moonwatch = require "moonwatch"
--    local rule = require "moonwatch.rules".rule
--    rule "build" { watch = "src", run = { "make" } }
--    moonwatch.run()
--
-- These rules live in one set per Lua state, which starts by itself when the loop next turns. A host makes its own:
--
--    local set = assert(rules.load({ "rules.d" }, { jobs = 4 }))
--    assert(set:start())
--
-- doc/rules.md is the reference of the rule language.

local budget = require "moonwatch.rule.budget"
local log = require "moonwatch.rule.log"
local script_require = require "moonwatch.rule.require"
local rule_set = require "moonwatch.rule.set"

local rules = {}

local sethook = debug.sethook

-- Sets -----------------------------------------------------------------------------------------------------------

local function core()
   return require "moonwatch.core"
end

-- The folder from which relative paths are taken, asked once.
local function base_once()
   local base
   return function()
      base = base or core().current()
      return base
   end
end

-- A new set. options: jobs (runs at a time over all rules), log (rules.log), max_errors (script errors in a row until a
-- rule is paused: 5), budget (seconds a script may neither wait nor return: 10).
function rules.new(options)
   options = options or {}
   local logger = options.log or rules.log
   return rule_set.new {
      jobs = options.jobs, max_errors = options.max_errors, base = base_once(), on_declare = options.on_declare,
      log = logger, budget = options.budget or 10,
      world = function()
         return require "moonwatch.rule.world".new { log = logger, budget = options.budget }
      end,
   }
end

-- What log.info and its kind write to; log:set { level =, format = } changes it.
rules.log = log.new()

-- The set of this Lua state: its rules start when the loop next turns.
local function start_soon(set)
   if set.is_scheduled then
      return
   end
   set.is_scheduled = true
   require "moonwatch".spawn("rules", function()
      set.is_scheduled = false
      local ok, message = set:start()
      if not ok then
         error(message, 0)
      end
   end)
end

local default = rules.new { on_declare = start_soon }
for name, word in pairs(default:words()) do
   rules[name] = word
end

-- Watches and starts now what was declared: true, or nil, message, errno.
function rules.start()
   return default:start()
end

-- Ends the rules; what runs gets its stop signal.
function rules.stop()
   return default:stop()
end

-- true once all that changed before is handled and nothing runs.
function rules.idle(timeout)
   return default:idle(timeout)
end

-- The rule of this name, or nil.
function rules.find(name)
   return default:find(name)
end

function rules.status()
   return default:status()
end

-- Scripts --------------------------------------------------------------------------------------------------------

-- (name, fn, ...) as it is, (fn, ...) with the name it would get.
local function named(fn, ...)
   if type(fn) ~= "function" then
      return fn, ...
   end
   local info = debug.getinfo(fn, "S")
   return ("%s:%d"):format(info.short_src, info.linedefined), fn, ...
end

-- spawn of scripts: what a job spawns is the job's; any other task ends with the set. Neither may compute for ever.
local function spawn_for(set)
   local moonwatch = require "moonwatch"
   local world = require "moonwatch.rule.world"
   local function guarded(fn, ...)
      budget.arm(budget.guard(coroutine.running(), moonwatch, set.options.budget))
      return fn(...)
   end
   local function spawn(name, fn, ...)
      if type(fn) ~= "function" then
         return moonwatch.spawn(name, fn)
      end
      return moonwatch.spawn(name, guarded, fn, ...)
   end
   return function(...)
      local task = spawn(named(...))
      if not world.in_job() then
         set.tasks = set.tasks or setmetatable({}, { __mode = "k" })
         set.tasks[task] = true
      end
      return task
   end
end

-- The globals of a rule script: Lua's own, rule, defaults, exec, spawn, sleep, every, at, log, moonwatch and arg.
function rules.environment(set, arg)
   local moonwatch = require "moonwatch"
   return set:environment({
      exec = moonwatch.exec, spawn = spawn_for(set), sleep = moonwatch.sleep, log = set.options.log,
      moonwatch = moonwatch, coroutine = moonwatch.coroutine,
      require = function()
         return script_require(set, function() return rules.environment(set, arg) end)
      end,
   }, arg or {})
end

-- A path as the files it stands for: a folder is its *.lua files, in order.
local function files_of(path)
   local kind, message, errno = core().kind(path)
   if not kind then
      return nil, message, errno
   elseif kind ~= "directory" then
      return { path }
   end
   local names, problem, code = core().names(path)
   if not names then
      return nil, problem, code
   end
   table.sort(names)
   local files = {}
   for _, name in ipairs(names) do
      if name:find "%.lua$" and not name:find "^%." then
         files[#files + 1] = path:gsub("/*$", "/", 1) .. name
      end
   end
   return files
end

local function with_traceback(err)
   sethook() -- as in rule/action.lua
   if type(err) ~= "string" then
      return ("(error is a %s)"):format(type(err))
   end
   return (debug.traceback(err, 2):gsub("\n%s*%[C%]: in function 'xpcall'.*", ""))
end

-- Runs a chunk in globals of its own: true, or nil and the error with its traceback.
local function run_chunk(set, chunk, name, arg)
   local environment, finish = rules.environment(set, arg)
   local loaded, message = load(chunk, name, "t", environment)
   if not loaded then
      return nil, message
   end
   local moonwatch = require "moonwatch"
   local guard = budget.guard(coroutine.running(), moonwatch, set.options.budget)
   budget.arm(guard)
   local ok, err = xpcall(loaded, with_traceback, table.unpack(arg or {}))
   budget.disarm(guard)
   if not ok then
      return nil, err
   end
   return finish()
end

local function read_script(path)
   local file, message, errno = io.open(path, "rb")
   if not file then
      return nil, message, errno
   end
   local text, problem, code = file:read "a"
   file:close()
   if not text then
      return nil, ("%s: %s"):format(path, problem), code
   end
   return (text:gsub("^#[^\n]*", "", 1))
end

-- Adds a script to a set: true; nil, message where it cannot be read or has an error (the message begins with the file).
function rules.add(set, path, arg)
   local text, message, errno = read_script(path)
   if not text then
      return nil, message, errno
   end
   local script_arg = { [0] = path, table.unpack(arg or {}) }
   return run_chunk(set, text, "@" .. path, script_arg)
end

-- The same for a line of Lua.
function rules.add_chunk(set, text, arg)
   return run_chunk(set, text, "=(command line)", { [0] = "-e", table.unpack(arg or {}) })
end

-- Loads scripts and folders of scripts into a new set, each file in globals of its own: the set, not yet started, or
-- nil and a message. options: as for rules.new, and arg, a list for the scripts.
function rules.load(paths, options)
   options = options or {}
   local set = rules.new(options)
   for _, path in ipairs(type(paths) == "table" and paths or { paths }) do
      local files, message, errno = files_of(path)
      if not files then
         return nil, message, errno
      end
      if #files == 0 then
         set.options.log.warn("%s: no *.lua file is in it", path)
      end
      for _, file in ipairs(files) do
         local ok, problem, code = rules.add(set, file, options.arg)
         if not ok then
            set:discard()
            return nil, problem, code
         end
      end
   end
   return set
end

return rules
