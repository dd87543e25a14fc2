-- SPDX-License-Identifier: MIT
--
-- testing.lua - a rule script in a made-up world: no disk, no processes, no waiting.
--
--    local testing = require "moonwatch.testing"
--    local world = testing.load "build.lua"
--    world:save "src/a.c"
--    world:pass(0.2)
--    assert.same({ { "make", "-j2" } }, world:runs "build")
--
-- The clock moves only by world:pass. The tree is a table of paths; saving, moving and removing in it makes the events
-- a watcher would give. Processes are *recorded*: world:process says how a command behaves, and anything else ends at
-- once with success. The rules run on the same engine as in the real world.

local action = require "moonwatch.rule.action"
local declare = require "moonwatch.rule.declare"
local files = require "moonwatch.testing.files"
local log = require "moonwatch.rule.log"
local place = require "moonwatch.rule.place"
local set = require "moonwatch.rule.set"
local timers = require "moonwatch.rule.timers"

local testing = {}
local World = {}
World.__index = World

for _, part in ipairs { "time", "processes", "tree" } do
   for name, method in pairs(require("moonwatch.testing." .. part)) do
      World[name] = method
   end
end

local ETIMEDOUT = 110

-- Watching -------------------------------------------------------------------------------------------------------

-- The rule's filter says no to this path, or to a folder on the way to it. Its errors are in the log; they keep the entry.
local function is_filtered(world, spec, rel, isdir)
   local filter = spec.watch_options.filter
   for upto in (filter and rel .. "/" or ""):gmatch "()/" do
      local ok, verdict = action.ask(filter, rel:sub(1, upto - 1), isdir or upto <= #rel)
      if not ok then
         world.log.error("%s: filter: %s", spec.name, verdict)
      elseif verdict == false then
         return true
      end
   end
   return false
end

-- A rule's place as place.lua has it, with its filter.
local function place_of(world, spec)
   local seen = place.new(spec, world.patterns, function(path) return world:_entry(path) end)
   return { find = function(_, path, isdir)
      local root, rel, why, shown = seen:find(path, isdir)
      if root and is_filtered(world, spec, rel, isdir) then
         return nil, nil, "the filter says no"
      end
      return root, rel, why, shown
   end }
end

local function watch(world, runtime)
   if not runtime.spec.next_time then
      world.watched[#world.watched + 1] = { runtime = runtime, place = place_of(world, runtime.spec) }
   end
   return true
end

-- The rules of one engine are no longer told.
local function forget_watched(world, engine)
   local kept = {}
   for _, watched in ipairs(world.watched) do
      if watched.runtime.engine ~= engine then
         kept[#kept + 1] = watched
      end
   end
   world.watched = kept
end

local function find(world, runtime, reason)
   local found = {}
   for _, watched in ipairs(world.watched) do
      for path, entry in pairs(watched.runtime == runtime and world.tree or {}) do
         if entry.type == "file" and watched.place:find(path) then
            found[#found + 1] = { watched = watched, path = path }
         end
      end
   end
   table.sort(found, function(a, b) return a.path < b.path end)
   for _, each in ipairs(found) do
      local root, rel, _, shown = each.watched.place:find(each.path)
      for _, op in ipairs { "create", "close_write" } do
         runtime:feed_found({ op = op, path = shown, rel = rel, root = root, type = "file", isdir = false,
            synthetic = true, time = world.time }, reason, world.time)
      end
   end
end

-- The engine's world ---------------------------------------------------------------------------------------------

-- Calls fn when the last of the run's processes has ended: a cancelled job may have left some that are being stopped.
local function after_processes(run, fn)
   local left = 1
   local function ended()
      left = left - 1
      if left == 0 then
         fn()
      end
   end
   for process in pairs(run.processes) do
      if not process.ended then
         left = left + 1
         table.insert(process.waiting, ended)
      end
   end
   ended()
end

local function start_run(world, run)
   run.processes = {}
   local outcome
   local task = world:spawn(run.name, function() outcome = action.perform(run) end)
   task.run = run
   run.task = task
   task.on_end = function()
      after_processes(run, function()
         run.runtime.engine:finished(run, outcome or { ok = false, err = "cancelled" })
      end)
   end
end

local function stop_run(world, run)
   local processes = run.processes
   for process in pairs(processes) do
      if not process.ended then
         world:_stop_process(process, {}, run.runtime.spec.process_options.grace)
      end
   end
   if run.is_in_script then
      world:cancel(run.task, run.stopped)
   end
end

local function engine_world(world)
   local made
   made = {
      now = function() return world.time end,
      wall = function() return world.time + world.wall_offset end,
      random = function() return 0.5 end,
      settle = world.settle,
      pattern = world.patterns,
      log = world.log,
      ask = action.ask,
      exists = function(path) return world:_entry(path) ~= nil end,
      is_behind = function() return false end,
      rearm = function() end,
      on_end = function()
         for _, wake in ipairs(world.idlers) do wake() end
         world.idlers = {}
      end,
      flush = function() end,
      watch = function(runtime) return watch(world, runtime) end,
      unmute = function() end,
      adopt = function(runtime) return watch(world, runtime) end,
      kind = function(path)
         local entry = world:_entry(path)
         return entry and entry.type
      end,
      find = function(runtime, reason) find(world, runtime, reason) end,
      start = function(run) start_run(world, run) end,
      stop = function(run) stop_run(world, run) end,
      signal = function(run, name)
         local is_told = false
         for process in pairs(run.processes) do
            if not process.ended then
               table.insert(process.record.signals, name)
               is_told = true
            end
         end
         return is_told
      end,
      execute = function(run, options)
         local process, message, errno = world:start_process(options, run)
         if not process then
            return nil, message, errno
         end
         run.processes[process] = true
         local result = world:wait_process(process)
         run.processes[process] = nil
         return result
      end,
      idle = function(runtime, timeout)
         if not world.task then
            world:_turn()
         end
         local deadline = timeout and world.time + timeout
         while not runtime:is_idle() do
            if not world.task or deadline and world.time >= deadline then
               return nil, "timeout", ETIMEDOUT
            end
            world:_wait(world.idlers, deadline and deadline - world.time)
         end
         return true
      end,
      all_ended = function() return true end,
      close = function() forget_watched(world, made.engine) end,
   }
   return made
end

-- What a script's os.rename and os.remove do here.
local function fake_os(world)
   local fake = setmetatable({}, { __index = os })
   function fake.rename(from, to)
      local ok, message, errno = world:move(from, to)
      return ok and true, message, errno
   end
   function fake.remove(path)
      local ok, message, errno = world:remove(path)
      return ok and true, message, errno
   end
   function fake.time(...)
      return select("#", ...) > 0 and os.time(...) or math.floor(world.time + world.wall_offset)
   end
   return fake
end

-- What scripts see as `moonwatch`: the module, where waiting and processes are made up.
local function fake_module(world, kit)
   local there, real = pcall(require, "moonwatch")
   local fake = setmetatable({}, { __index = there and real or nil })
   fake.exec, fake.spawn, fake.sleep = kit.exec, kit.spawn, kit.sleep
   fake.now = function() return world.time end
   fake.timeout = function(...) return world:_timeout(...) end
   for _, name in ipairs { "process", "watch", "inotify", "scope", "select", "channel", "interval", "signal" } do
      fake[name] = function() declare.misuse("moonwatch.%s: there is nothing real in a test", name) end
   end
   return fake
end

local function kit_of(world)
   local kit = {
      exec = function(options) return world:exec(options) end,
      spawn = function(...) return world:spawn(...) end,
      sleep = function(seconds) return world:sleep(seconds) end,
      log = world.log,
      os = fake_os(world), io = files.io(world),
   }
   kit.moonwatch = fake_module(world, kit)
   return kit
end

-- The lines that were logged, "level message", at least of the level given.
function World:logged(level)
   local lines = {}
   for _, record in ipairs(self.log_records) do
      if log.levels[record.level] >= log.levels[level or "debug"] then
         lines[#lines + 1] = record.level .. " " .. record.message
      end
   end
   return lines
end

-- The value of a rule, by its name.
function World:rule(name)
   local rule = self.set:find(name)
   if not rule then
      declare.misuse("there is no rule %s", (declare.show(name)))
   end
   return rule
end

-- What an event did to the tree, where it was recorded.
local function apply(tree, event)
   if event.op == "delete" or event.op == "move" then
      tree[event.op == "move" and event.from or event.path] = nil
   end
   if event.op ~= "delete" and event.path then
      tree[event.path] = tree[event.path] or { type = event.type or (event.isdir and "directory") or "file" }
   end
end

-- Feeds events that were recorded from a real tree: a list of tables with op, path and `time` (seconds), as
-- `moonwatch events --json` prints them; the clock moves as it did then.
function World:replay(events)
   local first = events[1] and events[1].time or 0
   local start = self.time
   for _, event in ipairs(events) do
      local at = start + (event.time or first) - first
      self:pass(math.max(0, at - self.time))
      if event.op == "move" and self:_entry(event.from) then
         self:move(event.from, event.path)
      elseif event.path then
         apply(self.tree, event)
         self:_tell(event.op, event.path, { from = event.from, type = event.type, isdir = event.isdir or false })
      end
   end
   return self
end

local function new_world(options)
   local world = setmetatable({
      time = 0, wall_offset = os.time { year = 2024, month = 1, day = 1, hour = 12 },
      timers = timers.new(), ready = {}, tree = {}, watched = {}, behaviours = {}, records = {}, alive = {}, idlers = {},
      log_records = {},
   }, World)
   for path, text in pairs(options.files or {}) do
      world.tree[path] = { type = "file", text = text }
   end
   for command, behaviour in pairs(options.processes or {}) do
      world:process(command, behaviour)
   end
   if options.clock then
      world:clock(options.clock)
   end
   world.log = log.new { level = "debug", wall = function() return world.time end, write = function(_, level, message)
      world.log_records[#world.log_records + 1] = { level = level, message = message, time = world.time }
   end }
   local core = options.core or require "moonwatch.core"
   world.patterns = core.pattern
   function world.settle(settings)
      settings.writer = function(path)
         local entry = world:_entry(path)
         return entry ~= nil and entry.open == true
      end
      return core.settle(settings)
   end
   return world
end

local function chunk_of(script, environment)
   if type(script) ~= "string" and type(script) ~= "function" then
      declare.misuse("testing.load: a path, a script or a function expected, not %s", (declare.show(script)))
   elseif type(script) == "function" then
      return function() script(environment) end
   elseif script:find "\n" then
      return load(script, "=script", "t", environment)
   end
   return loadfile(script, "t", environment)
end

-- Reads a script into a new set of rules.
local function read_set(world, script, options)
   local rules = set.new { jobs = options.jobs, max_errors = options.max_errors,
      base = function() return options.base end,
      world = function() return engine_world(world) end }
   local environment, complete = rules:environment(kit_of(world), options.arg or {})
   world.environment = environment
   local chunk, message = chunk_of(script, world.environment)
   if not chunk then
      error(message, 3)
   end
   chunk()
   local ok, problem = complete()
   if not ok then
      error(problem, 3)
   end
   return rules
end

local options_of_load = {
   files = { kinds = { "table" } }, processes = { kinds = { "table" } }, clock = { kinds = { "text" } },
   base = { kinds = { "path" } }, jobs = { kinds = { "count" } }, max_errors = { kinds = { "count" } },
   arg = { kinds = { "table" } }, core = { kinds = { "table" } },
}

-- Loads a rule script (its path, its text where that has several lines, or a function that is given the globals) into a
-- new world and starts its rules. options: what is there at the start, files = { path = text } and processes =
-- { command = behaviour }; clock = "HH:MM"; base (the folder it was started in); jobs; arg.
function testing.load(script, options)
   options = options or {}
   declare.check(options_of_load, options, "testing.load")
   local world = new_world(options)
   world.options = options
   world.set = read_set(world, script, options)
   assert(world.set:start())
   world:pass(0)
   return world
end

-- Reloads: the rules of another script take over from those at work.
function World:reload(script)
   local following = read_set(self, script, self.options)
   assert(following:succeed(self.set))
   self.set = following
   self:pass(0)
   return self
end

return testing
