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
local log = require "moonwatch.rule.log"
local place = require "moonwatch.rule.place"
local set = require "moonwatch.rule.set"
local timers = require "moonwatch.rule.timers"

local testing = {}
local World = {}
World.__index = World

local ETIMEDOUT = 110

-- The clock ------------------------------------------------------------------------------------------------------

-- Runs tasks that can go on, until all of them wait.
local function settle_tasks(world)
   while #world.ready > 0 do
      local task = table.remove(world.ready, 1)
      world:resume(task)
   end
end

local function next_deadline(world)
   local mine, engines = world.timers:deadline(), world.set.engine and world.set.engine:deadline()
   return math.min(mine or math.huge, engines or math.huge)
end

local function turn(world)
   world.timers:expire(world.time)
   settle_tasks(world)
   if world.set.engine then
      world.set.engine:tick()
   end
   settle_tasks(world)
end

-- Lets so many seconds go by; everything that is due in them happens in its order.
function World:pass(seconds)
   local target = self.time + (seconds or 0)
   turn(self)
   while next_deadline(self) <= target do
      self.time = math.max(self.time, next_deadline(self))
      turn(self)
   end
   self.time = target
   turn(self)
   return self
end

-- Lets time go by until no rule has anything left to do, at most so many seconds (3600). true, or false where some has.
function World:pass_until_idle(seconds)
   local last = self.time + (seconds or 3600)
   turn(self)
   while not self.set.engine:is_idle() and next_deadline(self) <= last do
      self:pass(next_deadline(self) - self.time)
   end
   return self.set.engine:is_idle()
end

-- Sets the time of day, "HH:MM", of the same made-up day (1 January 2024) or the next.
function World:clock(text)
   local hour, minute = text:match "^(%d+):(%d+)$"
   local wall = os.time { year = 2024, month = 1, day = 1, hour = tonumber(hour), min = tonumber(minute) }
   self.wall_offset = wall - self.time
   return self
end

-- Tasks ----------------------------------------------------------------------------------------------------------

function World:resume(task)
   if task.cancelled or coroutine.status(task.thread) == "dead" then
      return
   end
   local before = self.task
   self.task = task
   local ok, err = coroutine.resume(task.thread, table.unpack(task.values or {}))
   self.task = before
   task.values = nil
   if coroutine.status(task.thread) == "dead" then
      task.done = true
      if not ok then
         self.log.error("task %s: %s", task.name, debug.traceback(task.thread, tostring(err)))
         coroutine.close(task.thread)
      end
      if task.on_end then
         task.on_end(ok)
      end
   end
end

function World:spawn(name, fn, ...)
   if type(name) == "function" then
      return self:spawn("task", name, fn, ...)
   end
   local task = { name = name, thread = coroutine.create(fn), values = { ... } }
   self.ready[#self.ready + 1] = task
   return task
end

-- Suspends the running task until wake(values...) is called.
local function suspend(world, arrange)
   local task = world.task
   if not task or coroutine.running() ~= task.thread then
      declare.misuse("in a test only what a rule runs can wait: call world:pass to let time go by")
   end
   arrange(function(...)
      task.values = { ... }
      world.ready[#world.ready + 1] = task
   end)
   return coroutine.yield()
end

function World:sleep(seconds)
   suspend(self, function(wake)
      self.timers:add(self.time + seconds, wake)
   end)
end

-- Ends a task as a cancel does: its <close> variables are closed, pcall cannot hold it.
function World:cancel(task, why)
   if task.done or task.cancelled then
      return
   end
   task.cancelled = why or "cancelled"
   coroutine.close(task.thread)
   if task.on_end then
      task.on_end(false)
   end
end

-- Processes ------------------------------------------------------------------------------------------------------

local function matches(pattern, argv)
   for i, word in ipairs(pattern) do
      if argv[i] ~= word then
         return false
      end
   end
   return true
end

-- How processes behave whose argv begins with these words: a table { code, signal, seconds, out, err, stubborn }, or a
-- function(argv, options) that gives one; nil, message, errno from the function is a command that cannot be started.
function World:process(words, behaviour)
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
   process.result = result
   for _, wake in ipairs(process.waiting) do
      wake(result)
   end
end

-- Ends it as its stop signal and, for a stubborn one, KILL after the grace would.
local function stop_process(world, process, fields)
   local result = { signal = process.options.stop_signal or "TERM", out = "", err = "" }
   for name, value in pairs(fields or {}) do
      result[name] = value
   end
   process.record.signals[#process.record.signals + 1] = result.signal
   if not process.behaviour.stubborn then
      return finish(world, process, result)
   end
   world.timers:add(world.time + (process.options.grace or 5), function()
      process.record.signals[#process.record.signals + 1] = "KILL"
      result.signal = "KILL"
      finish(world, process, result)
   end)
end

local function words_of(argv)
   return { table.unpack(argv) }
end

-- Starts a made-up process: a handle, or nil, message, errno.
function World:start_process(options, run)
   if type(options) ~= "table" or type(options[1]) ~= "string" then
      declare.misuse("a list of words expected, not %s", (declare.show(options)))
   end
   local record = { argv = words_of(options), rule = run and run.name, at = self.time, options = options, signals = {} }
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
         stop_process(self, process, { timed_out = true })
      end)
   end
   return process
end

function World:wait_process(process)
   if process.result then
      return process.result
   end
   return suspend(self, function(wake) process.waiting[#process.waiting + 1] = wake end)
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

-- The tree -------------------------------------------------------------------------------------------------------

-- One event for every rule that watches the path.
local function tell(world, op, path, more)
   for _, watched in ipairs(world.watched) do
      local root, rel = watched.place:find(path)
      if root then
         local event = { op = op, path = path, rel = rel, root = root, name = path:match "[^/]+$", type = "file",
            isdir = false, time = world.time }
         for name, value in pairs(more or {}) do
            event[name] = value
         end
         if event.from then
            local from_root, from_rel = watched.place:find(event.from)
            if from_root then
               event.from_root, event.from_rel = from_root, from_rel
            else
               event.from, event.op = nil, "create"
            end
         end
         watched.runtime:feed(event, world.time)
      elseif more and more.from and watched.place:find(more.from) then
         local from_root, from_rel = watched.place:find(more.from)
         watched.runtime:feed({ op = "delete", path = more.from, rel = from_rel, root = from_root,
            name = more.from:match "[^/]+$", type = more.type or "file", isdir = more.isdir or false,
            time = world.time }, world.time)
      end
   end
   turn(world)
end

-- Writes a file and closes it, as an editor that saves in place does.
function World:save(path, text)
   local is_new = not self.tree[path]
   self.tree[path] = { type = "file", text = text or "" }
   if is_new then
      tell(self, "create", path)
   end
   tell(self, "modify", path)
   tell(self, "close_write", path)
   return self
end

-- Begins to write a file and keeps it open, until world:close(path).
function World:write(path, text)
   local is_new = not self.tree[path]
   self.tree[path] = { type = "file", text = text or "", open = true }
   if is_new then
      tell(self, "create", path)
   end
   tell(self, "modify", path)
   return self
end

function World:close(path)
   self.tree[path].open = nil
   tell(self, "close_write", path)
   return self
end

function World:chmod(path)
   tell(self, "attrib", path)
   return self
end

function World:mkdir(path)
   self.tree[path] = { type = "directory" }
   tell(self, "create", path, { type = "directory", isdir = true })
   return self
end

function World:remove(path)
   local entry = self.tree[path]
   if not entry then
      return nil, path .. ": No such file or directory", 2
   end
   self.tree[path] = nil
   tell(self, "delete", path, { type = entry.type, isdir = entry.type == "directory" })
   return self
end

-- Renames a file or a directory with all below it.
function World:move(from, to)
   local entry = self.tree[from]
   if not entry then
      return nil, from .. ": No such file or directory", 2
   end
   local replaced = self.tree[to] and self.tree[to].type
   local moved = {}
   for path, inner in pairs(self.tree) do
      if path == from or path:sub(1, #from + 1) == from .. "/" then
         moved[path] = inner
      end
   end
   for path, inner in pairs(moved) do
      self.tree[path] = nil
      self.tree[to .. path:sub(#from + 1)] = inner
   end
   tell(self, "move", to, { from = from, type = entry.type, isdir = entry.type == "directory", replaced = replaced })
   return self
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

-- Watching -------------------------------------------------------------------------------------------------------

local function watch(world, runtime)
   if not runtime.spec.next_time then
      local seen = place.new(runtime.spec, world.patterns, function(path) return world.tree[path] end)
      world.watched[#world.watched + 1] = { runtime = runtime, place = seen }
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
      local root, rel = each.watched.place:find(each.path)
      for _, op in ipairs { "create", "close_write" } do
         runtime:feed_found({ op = op, path = each.path, rel = rel, root = root, type = "file", isdir = false,
            synthetic = true, time = world.time }, reason, world.time)
      end
   end
end

-- The engine's world ---------------------------------------------------------------------------------------------

local function start_run(world, run)
   run.processes = {}
   local outcome
   local task = world:spawn(run.name, function() outcome = action.perform(run) end)
   task.run = run
   run.task = task
   task.on_end = function()
      run.runtime.engine:finished(run, outcome or { ok = false, err = "cancelled" })
   end
end

local function stop_run(world, run)
   local processes = run.processes
   for process in pairs(processes) do
      if not process.ended then
         stop_process(world, process)
      end
   end
   if run.runtime.spec.fn then
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
      exists = function(path) return world.tree[path] ~= nil end,
      rearm = function() end,
      on_end = function() end,
      flush = function() end,
      watch = function(runtime) return watch(world, runtime) end,
      unmute = function() end,
      adopt = function(runtime) return watch(world, runtime) end,
      kind = function(path) return world.tree[path] and world.tree[path].type end,
      find = function(runtime, reason) find(world, runtime, reason) end,
      start = function(run) start_run(world, run) end,
      stop = function(run) stop_run(world, run) end,
      signal = function(run, name)
         for process in pairs(run.processes) do
            table.insert(process.record.signals, name)
         end
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
      idle = function(runtime)
         turn(world)
         if runtime:is_idle() then
            return true
         end
         return nil, "timeout", ETIMEDOUT
      end,
      all_ended = function() return true end,
      close = function() forget_watched(world, made.engine) end,
   }
   return made
end

-- What scripts see as `moonwatch`: the module, where waiting and processes are made up.
local function fake_module(world, kit)
   local there, real = pcall(require, "moonwatch")
   local fake = setmetatable({}, { __index = there and real or nil })
   fake.exec, fake.spawn, fake.sleep = kit.exec, kit.spawn, kit.sleep
   fake.now = function() return world.time end
   return fake
end

local function kit_of(world)
   local kit = {
      exec = function(options) return world:exec(options) end,
      spawn = function(...) return world:spawn(...) end,
      sleep = function(seconds) return world:sleep(seconds) end,
      log = world.log,
      os = fake_os(world),
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
      if event.path then
         apply(self.tree, event)
         tell(self, event.op, event.path, { from = event.from, type = event.type, isdir = event.isdir or false })
      end
   end
   return self
end

local function new_world(options)
   local world = setmetatable({
      time = 0, wall_offset = os.time { year = 2024, month = 1, day = 1, hour = 12 },
      timers = timers.new(), ready = {}, tree = {}, watched = {}, behaviours = {}, records = {}, alive = {},
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
      settings.writer = function(path) return world.tree[path] ~= nil and world.tree[path].open == true end
      return core.settle(settings)
   end
   return world
end

local function chunk_of(script, environment)
   if type(script) == "function" then
      return function() script(environment) end
   elseif script:find "\n" then
      return load(script, "=script", "t", environment)
   end
   return loadfile(script, "t", environment)
end

-- Reads a script into a new set of rules.
local function read_set(world, script, options)
   local rules = set.new { jobs = options.jobs, max_errors = options.max_errors,
      world = function() return engine_world(world) end }
   world.environment = rules:environment(kit_of(world), options.arg or {})
   local chunk, message = chunk_of(script, world.environment)
   if not chunk then
      error(message, 3)
   end
   chunk()
   return rules
end

-- Loads a rule script (its path, its text where that has several lines, or a function that is given the globals) into a
-- new world and starts its rules. options: what is there at the start, files = { path = text } and processes =
-- { command = behaviour }; clock = "HH:MM"; jobs; arg.
function testing.load(script, options)
   options = options or {}
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
