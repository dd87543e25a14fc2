-- SPDX-License-Identifier: MIT
--
-- set.lua - the rules that live together: their values, their engine, and the globals of the scripts they come from.
--
-- A rule is a value: checked when it is read, frozen, printable. It is declared into a set; the set is started with a
-- world (engine.lua), and from then on the value's methods reach its runtime.

local declare = require "moonwatch.rule.declare"
local engine = require "moonwatch.rule.engine"
local place = require "moonwatch.rule.place"
local spec = require "moonwatch.rule.spec"
local succession = require "moonwatch.rule.succession"
local words = require "moonwatch.rule.words"

local set = {}
set.__index = set

-- The rule value -------------------------------------------------------------------------------------------------

local hidden = setmetatable({}, { __mode = "k" }) -- rule -> { spec, set, runtime }

local methods = {}

-- The runtime of a rule at work; after a reload that of the rule that has its name now.
local function started(rule)
   local inside = hidden[rule]
   if not inside then
      declare.misuse("a rule expected: call it as rule:method()")
   end
   while inside.set.successor do
      inside = hidden[inside.set.successor:find(inside.spec.name)]
      if not inside then
         declare.misuse("rule %q is no more: the reload has taken it away", hidden[rule].spec.name)
      end
   end
   if inside.set.has_ended then
      declare.misuse("rule %q has ended", inside.spec.name)
   elseif inside.set.asked then
      declare.misuse("rule %q is not at work before its script has been read", inside.spec.name)
   end
   assert(inside.set:start())
   return inside.runtime, inside
end

-- What a script asks of its rules while it is being read is done when they are at work: they may yet be refused.
local function ask(rule, action)
   local inside = hidden[rule]
   local asked = inside and inside.set.asked
   if asked then
      asked[#asked + 1] = function() action(inside.runtime) end
   else
      action(started(rule))
   end
   return rule
end

-- Runs now, whatever changed.
function methods:trigger()
   return ask(self, function(runtime) runtime:trigger() end)
end

-- Stops starting runs; what changes is collected, or with "drop" forgotten.
function methods:pause(how)
   if how ~= nil and how ~= "collect" and how ~= "drop" then
      declare.misuse('rule:pause: "collect" or "drop" expected, not %s', (declare.show(how)))
   end
   return ask(self, function(runtime) runtime:pause(how) end)
end

function methods:resume()
   return ask(self, function(runtime) runtime:resume() end)
end

local function check_timeout(timeout)
   if timeout ~= nil and not declare.kinds.seconds[2](timeout) then
      declare.misuse("idle: a number of seconds expected, not %s", (declare.show(timeout)))
   end
end

-- true once all that changed before is handled and nothing runs; nil, "timeout", ETIMEDOUT.
function methods:idle(timeout)
   check_timeout(timeout)
   local runtime, inside = started(self)
   return inside.set.world.idle(runtime, timeout)
end

-- What a function has given as a code may be anything.
local function plain(value)
   return (type(value) == "number" or type(value) == "string") and value or nil
end

-- The last run as a plain table.
local function last_of(last)
   return last and {
      ok = last.ok, err = last.err, seconds = last.seconds, wall = last.wall, reason = last.reason, try = last.try,
      changes = last.changes, code = last.result and plain(last.result.code), signal = last.result and plain(last.result.signal),
   }
end

-- What it does at this moment: a plain table.
function methods:status()
   local runtime = started(self)
   return {
      name = runtime.spec.name, position = runtime.spec.position, mode = runtime.spec.mode, state = runtime:state(),
      paused = runtime.pause_reason or runtime.paused, held_by = runtime.held_by,
      running = runtime.running, queued = #runtime.queue, pending = runtime.gather and runtime.gather:pending() or 0,
      runs = runtime.stats.runs, failures = runtime.stats.failures, last = last_of(runtime.stats.last),
   }
end

local function names_of(ops)
   local names = {}
   for op in pairs(ops) do
      names[#names + 1] = op
   end
   table.sort(names)
   return table.concat(names, ", ")
end

-- Does the rule see it, and why: by the rule's own patterns, then by what its watcher knows of ignore files and filters.
local function sees(runtime, world, path)
   local watcher = runtime.watcher
   local root, rel, why = place.new(runtime.spec, world.pattern, world.kind):find(path, world.kind(path) == "directory")
   if root and watcher and watcher.covers and not watcher:covers(path) then
      return nil, nil, watcher:explain(path)
   end
   return root, rel, why
end

-- Would a change at this path fire it: true or false, and why, in words.
function methods:explain(path)
   if type(path) ~= "string" then
      declare.misuse("rule:explain: a path expected, not %s", (declare.show(path)))
   end
   local runtime, inside = started(self)
   local compiled = inside.spec
   if compiled.next_time then
      return false, "it runs by the clock"
   end
   local root, rel, why = sees(runtime, inside.set.world, path)
   if not root then
      return false, why
   elseif runtime.paused then
      return false, ("%s, but the rule is paused%s"):format(why,
         runtime.pause_reason and ": " .. runtime.pause_reason or "")
   end
   local kind = inside.set.world.kind(path)
   if kind and not runtime:takes(kind) then
      return false, ("%s, but it is no file, and complete is about files"):format(why)
   end
   local holder = runtime:holder()
   if holder then
      why = ("%s; but it waits while %s is there"):format(why, holder)
   end
   if runtime.outputs and runtime.outputs:match(rel, false) then
      return true, ("%s; but not while it runs: outputs has %s; fires on %s"):format(why,
         runtime.outputs:explain(rel, false) or "it", names_of(compiled.ops))
   end
   return true, ("%s; fires on %s"):format(why, names_of(compiled.ops))
end

local function show_action(action)
   if type(action) == "function" then
      local info = debug.getinfo(action, "S")
      return ("function at %s:%d"):format(info.short_src, info.linedefined)
   end
   local steps = {}
   for i, step in ipairs(type(action[1]) == "table" and action or { action }) do
      steps[i] = table.concat(step, " ")
   end
   return table.concat(steps, "; ")
end

local function show(rule)
   local compiled = hidden[rule].spec
   if compiled.next_time then
      return ("job %q (%s): %s"):format(compiled.name, compiled.position, compiled.when)
   end
   return ("rule %q (%s): watch %s, %s %s"):format(compiled.name, compiled.position,
      table.concat(compiled.watch, ", "), compiled.mode, show_action(compiled.values[compiled.mode]))
end

local rule_metatable = {
   __name = "moonwatch.rule",
   __index = function(rule, key)
      local compiled = hidden[rule].spec
      if methods[key] then
         return methods[key]
      elseif key == "name" or key == "position" then
         return compiled[key]
      end
      return declare.freeze(compiled.values[key])
   end,
   __newindex = function(rule, key)
      declare.misuse("rule %q is frozen: %s cannot be set", hidden[rule].spec.name, tostring(key))
   end,
   __pairs = function(rule)
      return pairs(declare.freeze(hidden[rule].spec.values))
   end,
   __tostring = show,
   __metatable = "moonwatch.rule",
}

-- The compiled form of a rule value; nil for anything else.
function set.spec_of(rule)
   return hidden[rule] and hidden[rule].spec
end

function set.runtime_of(rule)
   return hidden[rule] and hidden[rule].runtime
end

-- The set --------------------------------------------------------------------------------------------------------

-- options: world (a function that gives the world when the set starts), base, jobs, max_errors, on_declare.
function set.new(options)
   return setmetatable({ rules = {}, by_name = {}, options = options or {} }, set)
end

local join -- below

local function add(self, compiled)
   local other = self.by_name[compiled.name]
   if other then
      declare.misuse("%s is already declared at %s", compiled.subject, other.position)
   end
   local rule = setmetatable({}, rule_metatable)
   hidden[rule] = { spec = compiled, set = self }
   self.rules[#self.rules + 1] = rule
   self.by_name[compiled.name] = rule
   if self.engine then
      local ok, message = join(self, rule)
      if not ok then
         declare.misuse("%s", message)
      end
   elseif self.options.on_declare then
      self.options.on_declare(self)
   end
   return rule
end

-- Declares a rule; `defaults` are those of its script. Misuse is raised at the user's line.
function set:declare(name, given, defaults)
   return add(self, spec.compile(name, given, {
      defaults = defaults, base = self.options.base and self.options.base(), position = declare.position(),
   }))
end

-- `when` in words.
function set:declare_timer(name, fn, next_time, when)
   return add(self, spec.timer(name, fn, next_time, declare.position(), when))
end

-- Gives the set its world and every rule its runtime; nothing is watched yet.
function set:prepare()
   self.world = self.options.world(self)
   self.engine = engine.new(self.world, self.options)
   self.world.engine = self.engine
   for _, rule in ipairs(self.rules) do
      hidden[rule].runtime = self.engine:add(hidden[rule].spec, rule)
   end
end

-- A rule that is declared while the set is at work.
function join(self, rule)
   local inside = hidden[rule]
   local runtime = self.engine:add(inside.spec, rule)
   local ok, message, errno = self.world.watch(runtime)
   if not ok then
      self.engine:remove(runtime)
      return nil, ("%s: %s"):format(inside.spec.subject, message), errno
   end
   inside.runtime = runtime
   runtime:start()
   return true
end

local function watch_all(self)
   for _, runtime in ipairs(self.engine.runtimes) do
      local ok, message, errno = self.world.watch(runtime)
      if not ok then
         self:retire()
         return nil, ("%s: %s"):format(runtime.spec.subject, message), errno
      end
   end
   self:do_asked()
   for _, runtime in ipairs(self.engine.runtimes) do
      runtime:start()
   end
   return true
end

-- Does what the scripts have asked of their rules while they were read.
function set:do_asked()
   local asked = self.asked or {}
   self.asked = nil
   for _, action in ipairs(asked) do
      action()
   end
end

-- Watches everything and starts the rules: true, or nil, message, errno with nothing left at work. Where a start is
-- under way already it waits for that.
function set:start()
   local world = self.world
   if self.is_starting then
      repeat
         world.wait_for_an_end()
      until not self.is_starting
      return table.unpack(self.start_result, 1, 3)
   elseif self.engine then
      return true
   end
   self:prepare()
   world, self.has_ended = self.world, nil
   self.is_starting, self.start_result = true, { nil, "not started", 125 }
   local _ <close> = setmetatable({}, { __close = function()
      self.is_starting = false
      world.on_end()
   end })
   self.start_result = table.pack(watch_all(self))
   return table.unpack(self.start_result, 1, 3)
end

-- Takes over from a set at work (a reload): true, or nil, message, errno with that one as it was.
function set:succeed(old)
   local ok, message, errno = succession.succeed(self, old)
   if ok then
      old.successor = self
   end
   return ok, message, errno
end

-- Ends the tasks that the scripts have spawned.
function set:discard()
   for task in pairs(self.tasks or {}) do
      task:cancel "its rules have ended"
   end
end

-- Starts nothing more and watches no more; what still runs here goes on, but for services.
function set:retire()
   self.has_ended = true
   for _, runtime in ipairs(self.engine.runtimes) do
      runtime:retire()
   end
   self.world.close()
   self:discard()
   for _, rule in ipairs(self.rules) do
      hidden[rule].runtime = nil
   end
   self.engine, self.world = nil, nil
end

-- Ends everything politely: what runs gets its stop signal. With a timeout it waits for the end of the runs: true, or
-- nil, "timeout", ETIMEDOUT.
function set:stop(timeout)
   if not self.engine then
      return true
   end
   local world, runtimes = self.world, self.engine.runtimes
   for _, runtime in ipairs(runtimes) do
      runtime:stop()
   end
   self:retire()
   if timeout then
      return world.all_ended(runtimes, timeout)
   end
   return true
end

function set:find(name)
   return self.by_name[name]
end

-- The runtime of the rule of this name, where the set is at work.
function set:runtime(name)
   local rule = self.by_name[name]
   return rule and hidden[rule].runtime
end

-- A list of { rule = name, fires = boolean, why = words } for a change at this path.
function set:explain(path)
   local list = {}
   for i, rule in ipairs(self.rules) do
      local fires, why = rule:explain(path)
      list[i] = { rule = rule.name, fires = fires, why = why }
   end
   return list
end

-- true once every rule is idle at the same moment; nil, "timeout", ETIMEDOUT.
function set:idle(timeout)
   check_timeout(timeout)
   if not self.engine then
      return true
   end
   local now = self.world.now
   local deadline = timeout and now() + timeout
   repeat
      for _, runtime in ipairs(self.engine.runtimes) do
         local left = deadline and math.max(0, deadline - now())
         local ok, message, errno = self.world.idle(runtime, left)
         if not ok then
            return nil, message, errno
         end
      end
   until self.engine:is_idle()
   return true
end

-- A list of what each rule's status() gives.
function set:status()
   local list = {}
   for i, rule in ipairs(self.rules) do
      list[i] = rule:status()
   end
   return list
end

-- rule, defaults, every and at of one script: `defaults` holds for the rules after it in the same script.
function set:words()
   return words.of(self)
end

-- The globals of one script: Lua's own, the set's words, and what `kit` gives (exec, spawn, sleep, log, moonwatch).
function set:environment(kit, arg)
   self.asked = self.asked or not self.engine and {} or nil
   return words.environment(self, kit, arg)
end

return set
