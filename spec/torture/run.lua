-- SPDX-License-Identifier: MIT
--
-- run.lua - one torture run: writers at work on a tree, a watcher on it, and the oracles at every quiet point.
--
-- Of the module under test only the public face is used: `watch(root, options)`, `watcher:get(timeout)`,
-- `watcher:sync(timeout)`, `watcher:entries()`, `watcher:close()`, and for the profile `changes` `watcher:changes()`; and,
-- to have several watchers on one tree, what rules use for that.

local probe = require "torture_probe"
local Model = require "torture.model"
local Net = require "torture.net"
local History = require "torture.history"
local oracles = require "torture.oracles"
local others = require "torture.others"

local Run = {}
Run.__index = Run

local SYNC_TIMEOUT = 60
local WORK_TIMEOUT = 120
local RECENT = tonumber(os.getenv "RECENT") or 30

--- What each profile changes; several are joined with "+".
local profiles = {
   plain = {},
   hostile = { hostile = true },
   modify = { modify = true },
   poll = { options = { backend = "poll", interval = 0.05 }, polled = true },
   frozen = { freeze = 9000 },
   noisy = { freeze = 30000, batch = 1000 },
   budget = { options = { max_watches = 40, interval = 0.05 }, limited = true },
   limit = { user_watches = 60, options = { interval = 0.05 }, limited = true },
   queue = { options = { queue = 400 }, reading = "lazy", folded = true },
   initial = { initial = true },
   slow = { reading = "slow" },
   lazy = { reading = "lazy" },
   nolinks = { links = false },
   saves = { work = "saves" },
   trees = { work = "trees" },
   renames = { work = "renames" },
   storm = { work = "storm" },
   filtered = { filtered = true },
   ignored = { ignored = true },
   comes = { comes = true },
   starts = { starts = true },
   shared = { shared = true },
   changes = { changes = true },
}

local function merge(into, from)
   for key, value in pairs(from) do
      if key == "options" then
         into.options = merge(into.options or {}, value)
      else
         into[key] = value
      end
   end
   return into
end

--- The settings of a profile such as "hostile+frozen"; nil and the name where one is not known.
local function settings_of(profile)
   local settings = {}
   for name in profile:gmatch("[^+]+") do
      if not profiles[name] then return nil, name end
      merge(settings, profiles[name])
   end
   return settings
end

-- Failures are raised as tables, with what a person needs to see.
local function fail(self, oracle, message, rel)
   error({
      oracle = oracle,
      message = message,
      view = self.is_other and (self.view and self.view.text or "everything"),
      recent = self.recent,
      log = rel and self.history:about(rel, 12) or {},
   }, 0)
end

-- The writers.

local function start_worker(self)
   local config = self.config
   local argv = {
      self.tools .. "/worker", "--root", self.root, "--outside", self.base .. "/O", "--elsewhere", self.base .. "/E",
      "--log", self.base .. "/log", "--seed", tostring(config.seed), "--writers", tostring(config.writers),
      "--entries", tostring(config.entries),
   }
   local function add(flag, value)
      argv[#argv + 1] = flag
      argv[#argv + 1] = value
   end
   if config.hostile then add "--hostile" end
   if config.modify then add "--truncate" end
   if config.links == false then add "--no-links" end
   if config.freeze then add("--freeze-pid", tostring(probe.pid())) end
   self.pid, self.commands, self.answers = probe.start(argv)
   if not self.pid then error(self.commands, 0) end
end

local function command(self, work, operations, freeze)
   local text = ("go %s %d"):format(work, operations)
   if freeze then text = text .. (" freeze %d"):format(freeze) end
   assert(probe.write(self.commands, text .. "\n"))
end

-- Has the round ended? The answer is "done".
local function is_done(self, timeout)
   local text = probe.read(self.answers, timeout)
   if text == nil then return false end
   if text ~= "done\n" then error("the worker ended: " .. tostring(text), 0) end
   return true
end

local function stop_worker(self)
   if not self.pid then return end
   probe.close(self.commands)
   probe.close(self.answers)
   probe.wait(self.pid)
   self.pid = nil
end

local function feed_history(self)
   for number = 0, self.config.writers - 1 do
      local log = self.logs[number] or assert(io.open(self.base .. "/log." .. number, "rb"))
      self.logs[number] = log
      log:seek("cur", 0)
      self.history:feed(log:read("a"))
   end
end

-- The events.

-- One line, whatever the name holds.
local function quoted(text)
   local line = ("%q"):format(text):gsub("\\\n", "\\n")
   return (line:gsub("[\128-\255]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

local function describe(event)
   local words = { ("#%s %s"):format(event.seq, event.op) }
   if event.from_rel then words[#words + 1] = quoted(event.from_rel) .. " ->" end
   words[#words + 1] = quoted(event.rel or "?")
   words[#words + 1] = event.isdir and "directory" or event.type
   for _, flag in ipairs { "replaced", "exchange", "synthetic", "moved_to", "moved_from" } do
      if event[flag] then words[#words + 1] = flag .. (event[flag] == true and "" or "=" .. event[flag]) end
   end
   return table.concat(words, " ")
end

local function join(root, rel)
   return rel == "" and root or root .. "/" .. rel
end

-- The fields agree with each other.
local function check_shape(self, event)
   if event.rel and event.path ~= join(self.root, event.rel) then
      return ("path is %q, rel is %q"):format(event.path, event.rel)
   end
   if event.from_rel and event.from ~= join(self.root, event.from_rel) then return "from and from_rel do not agree" end
   if event.rel and event.rel ~= "" and event.name ~= event.rel:match("[^/]*$") then return "name is not the path's end" end
   if self.seq and event.seq ~= self.seq + 1 then return ("seq %s after %s"):format(event.seq, self.seq) end
   if event.op == "move" and event.from_rel == nil then return "a move without from" end
   if event.op ~= "move" and event.from_rel then return "from, and no move" end
end

-- A copy, so that the oracles see what was said when it was said.
local function copy_of(event)
   local copy = {
      op = event.op, rel = event.rel, path = event.path, name = event.name, from = event.from, from_rel = event.from_rel,
      isdir = event.isdir, replaced = event.replaced, exchange = event.exchange, synthetic = event.synthetic,
      seq = event.seq, moved_to = event.moved_to, moved_from = event.moved_from, reason = event.reason,
   }
   if copy.op == "create" or copy.op == "move" then copy.type = event.type end
   return copy
end

local function take(self, raw)
   local event = copy_of(raw)
   event.text = describe(event)
   self.count = self.count + 1
   table.insert(self.recent, event.text)
   if #self.recent > RECENT then table.remove(self.recent, 1) end
   local wrong = check_shape(self, event)
   if wrong then fail(self, "shape", event.text .. ": " .. wrong, event.rel) end
   self.seq = event.seq
   if event.op == "overflow" then self.overflows = self.overflows + 1 end
   if event.rel then self.events[#self.events + 1] = event end
   local ok, why = self.model:apply(event)
   if not ok then
      feed_history(self)
      fail(self, "replay", event.text .. ": " .. why, event.rel)
   end
end

local function describe_change(change, from)
   local words = { change.op }
   if from then words[#words + 1] = quoted(from) .. " ->" end
   words[#words + 1] = quoted(change.rel)
   words[#words + 1] = change.type
   for _, flag in ipairs { "replaced", "exchange", "modified", "whole" } do
      if change[flag] then words[#words + 1] = flag .. (change[flag] == true and "" or "=" .. change[flag]) end
   end
   return table.concat(words, " ")
end

local function take_change(self, change)
   local from = change.from and change.from:sub(#self.root + 2)
   local text = describe_change(change, from)
   self.count = self.count + 1
   table.insert(self.recent, text)
   if #self.recent > RECENT then table.remove(self.recent, 1) end
   if change.path ~= join(self.root, change.rel) then fail(self, "shape", text .. ": path is " .. change.path) end
   local ok, why = self.net:apply(change, from)
   if not ok then
      feed_history(self)
      fail(self, "replay", text .. ": " .. why, change.rel)
   end
end

local function get(self, timeout)
   local event, message = self.watcher:get(timeout)
   if event then
      take(self, event)
      return true
   end
   if message ~= "timeout" then fail(self, "get", "get() gave " .. tostring(message)) end
   return false
end

-- The iterator is left now and then: what is gathered belongs to the watcher.
local function take_batches(self, settle, timeout)
   for batch in self.watcher:changes { settle = settle, max_wait = 0.05, timeout = timeout } do
      for _, change in ipairs(batch) do take_change(self, change) end
      if timeout < 0.05 and self.random(3) == 1 then return end
   end
end

local function drain(self)
   if self.net then
      take_batches(self, 0.005, 0.1)
   else
      while get(self, 0) do end
   end
end

-- How the events are read while the writers are at work.
local reading = {}

function reading.fast(self)
   get(self, 0.002)
end

function reading.slow(self)
   if get(self, 0.002) and self.moments(20) == 1 then probe.sleep(self.moments() * 0.003) end
end

function reading.bursts(self)
   probe.sleep(self.moments() * 0.01)
   drain(self)
end

function reading.lazy()
   probe.sleep(0.002)
end

function reading.batches(self)
   take_batches(self, self.random(4) * 0.004 - 0.004, 0.005)
end

local readings = { "fast", "fast", "slow", "bursts", "lazy" }

local works = { "mixed", "mixed", "mixed", "saves", "trees", "renames", "storm" }

local function read_while_working(self, name)
   local deadline = probe.now() + WORK_TIMEOUT
   while not is_done(self, 0) do
      reading[name](self)
      for _, other in ipairs(self.others) do
         if self.moments(5) == 1 then drain(other) end
      end
      if probe.now() > deadline then error("the writers do not end", 0) end
   end
end

-- The judgement.

local function visible_only(self, snapshot)
   if not self.view then return snapshot end
   local seen = {}
   for rel, entry in pairs(snapshot) do
      if self.view.sees(rel, entry.type == "directory") then seen[rel] = entry end
   end
   return seen
end

local function leak_rules(self)
   local config = self.config
   local pruned = self.view and self.view.pruned
   return { some = config.limited, none = config.polled, pruned = config.shared and others.pruned(self) or pruned }
end

local function verdict(self, oracle, message, rel)
   if not message then return end
   if type(rel) == "table" then rel = rel[1]:match('^"(.-)"') end
   fail(self, oracle, message, rel)
end

-- A fault of ours, and none of the watcher.
local function check_history(self, snapshot)
   local rel = self.history:misfit(snapshot)
   if not rel then return end
   error(("the logs do not fit the disk at %q\n%s"):format(rel, table.concat(self.history:about(rel, 12), "\n")), 0)
end

-- Between two quiet points batches lead from the one tree to the other.
local function judge_changes(self, snapshot)
   verdict(self, "changes", self.net:compare(snapshot, function(inode) return self.history:has_other_names(inode) end))
   verdict(self, "leak", oracles.leak(self.root, snapshot, leak_rules(self)))
   self.net:settle(snapshot)
end

local function judge(self, snapshot)
   local config = self.config
   local seen = visible_only(self, snapshot)
   verdict(self, "replay", oracles.replay(self.model, seen))
   verdict(self, "entries", oracles.entries(function() return self.next_entry() end, seen))
   verdict(self, "lie", oracles.lie(self.events, self.history, config.folded))
   verdict(self, "content", oracles.content(self.model, seen, {
      borders = self.view ~= nil,
      attributes = self.overflows == 0 and not (config.polled or config.limited or config.folded or config.starts
         or self.restarted),
      other_names = function(inode) return self.history:has_other_names(inode) end,
   }))
   verdict(self, "unchanged", oracles.unchanged(self.model, seen))
   if not self.is_other then
      verdict(self, "leak", oracles.leak(self.root, snapshot, leak_rules(self)))
      if config.shared then verdict(self, "share", others.apart(self)) end
   end
   self.model:settle(seen)
   self.events, self.restarted = {}, false
   self.total_overflows = self.total_overflows + self.overflows
   self.overflows = 0
end

-- What the watcher says it knows.
local function known(self)
   local snapshot = {}
   for rel, kind in self.watcher:entries() do snapshot[rel] = { type = kind } end
   return snapshot
end

-- What happened during a pause is known afterwards, and is not told.
local function resume(self)
   local before = self.watcher:stats().events
   local ok, message = self.watcher:resume(SYNC_TIMEOUT)
   if not ok then fail(self, "resume", "resume() gave " .. tostring(message)) end
   if self.watcher:stats().events > before then fail(self, "resume", "what happened during the pause was told") end
   drain(self)
   self.paused = false
   self.model = Model.new(known(self), self.view)
   self.model.read = self.read
   self.events = {}
end

local function hear(self)
   if self.paused then resume(self) end
   local ok, message = self.watcher:sync(SYNC_TIMEOUT)
   if not ok then fail(self, "sync", "sync() gave " .. tostring(message)) end
   drain(self)
   local next_entry, state, control = self.watcher:entries()
   self.next_entry = function()
      local rel, kind = next_entry(state, control)
      control = rel
      return rel, kind
   end
end

local function quiet(self)
   hear(self)
   for _, other in ipairs(self.others) do hear(other) end
   local snapshot = probe.snapshot(self.root)
   feed_history(self)
   check_history(self, snapshot)
   if self.net then
      judge_changes(self, snapshot)
      return
   end
   judge(self, snapshot)
   for _, other in ipairs(self.others) do judge(other, snapshot) end
end

local function options_of(config)
   local options = merge({}, config.options or {})
   if config.modify then options.events = { "create", "modify", "close_write", "attrib", "delete", "move" } end
   if config.initial then options.initial = true end
   return options
end

local function open_watcher(self)
   local options = options_of(self.config)
   local watch = self.config.shared and require("moonwatch.watcher").watch_together or self.moonwatch.watch
   if self.view then merge(options, self.view.options) end
   if self.initial then options.initial = true end
   self.watcher = assert(watch(self.root .. (self.view and self.view.path or ""), options))
end

-- Another watcher in the place of ours, started while the writers are at work: what it knows when it is ready is the
-- tree to which its events apply. Where some wait already, what it knows is ahead of them: then once more.
local function start_again(self)
   repeat
      if self.watcher then self.watcher:close() end
      open_watcher(self)
   until self.initial or self.watcher:stats().queued == 0
   self.seq, self.events = false, {}
   self.model = Model.new(self.initial and {} or known(self), self.view)
   self.model.read = self.read
end

-- The root goes and comes back: by itself, or with a folder above it.
local function go_and_come(self)
   local what = self.random(3) == 1 and self.base or self.root
   assert(probe.rename(what, what .. ".away"))
   local seen = self.random(2) == 1
   local ok, message
   if seen then
      ok, message = self.watcher:sync(SYNC_TIMEOUT)
      drain(self)
   end
   assert(probe.rename(what .. ".away", what))
   if seen and not ok then fail(self, "sync", "sync() without a root gave " .. tostring(message)) end
   if seen and (self.net or self.model).present then fail(self, "gone", "the root was away, and gone was not told") end
end

local function write_rules(self)
   local file = assert(io.open(join(self.root, self.view.file), "wb"))
   assert(file:write(self.view.content))
   file:close()
end

-- The ignore file says something else from now on.
local function change_rules(self)
   self.view.change()
   write_rules(self)
   quiet(self)
end

local function round(self, operations)
   local config = self.config
   if config.comes and self.random(2) == 1 then
      go_and_come(self)
      if self.random(2) == 1 then quiet(self) end
   end
   command(self, config.work or works[self.random(#works)], operations, config.freeze)
   if config.starts then start_again(self) end
   if config.shared then others.disturb(self, start_again) end
   read_while_working(self, self.net and "batches" or config.reading or readings[self.random(#readings)])
   quiet(self)
   if config.ignored then change_rules(self) end
   self.syncs = self.syncs + 1
end

-- Begin and end.

-- The first watcher may leave the loop's own descriptors behind: they are not counted.
local function warm_up(self)
   local watcher = assert(self.moonwatch.watch(self.base .. "/E", {}))
   watcher:sync(SYNC_TIMEOUT)
   watcher:close()
   watcher = nil -- luacheck: ignore
   collectgarbage()
   collectgarbage()
end

-- What is open, without the logs of our own writers.
local function open_now(self)
   local list, log = {}, self.base .. "/log."
   for _, target in pairs(probe.descriptors()) do
      if target:sub(1, #log) ~= log then list[#list + 1] = target end
   end
   table.sort(list)
   return list
end

local function begin(self)
   for _, name in ipairs { "R", "O", "E" } do assert(probe.mkdir(self.base .. "/" .. name)) end
   start_worker(self)
   command(self, "build", 120)
   while not is_done(self, 1) do end
   if self.config.ignored then
      write_rules(self)
      self.history:feed "c\0R/.gitignore\0f\0"
   end
   warm_up(self)
   self.descriptors = open_now(self)
   if self.config.initial then
      command(self, "mixed", self.config.batch)
      open_watcher(self)
      self.model = Model.new({}, self.view)
   else
      open_watcher(self)
      self.model = Model.new(visible_only(self, probe.snapshot(self.root)), self.view)
   end
   self.read = function(rel) return probe.content(join(self.root, rel)) end
   self.model.read = self.read
   if self.config.shared then others.begin(self, start_again) end
   if self.config.initial then
      read_while_working(self, "fast")
      quiet(self)
   else
      feed_history(self)
      self.model:settle(visible_only(self, probe.snapshot(self.root)))
   end
   if self.config.changes then self.net = Net.new(probe.snapshot(self.root)) end
end

-- Nothing comes when nothing happens, and nothing is left when all is closed.
local function finish(self)
   for _, other in ipairs(self.others) do
      if get(other, 0) then fail(other, "quiet", "an event came after sync: " .. other.recent[#other.recent]) end
      other.watcher:close()
      other.watcher = false
   end
   if not self.net and get(self, 0.05) then
      fail(self, "quiet", "an event came after sync: " .. self.recent[#self.recent])
   end
   self.watcher:close()
   self.watcher = nil
   collectgarbage()
   collectgarbage()
   local now = open_now(self)
   if #now ~= #self.descriptors then
      fail(self, "leak", ("open at the start: %s; at the end: %s"):format(table.concat(self.descriptors, " "),
         table.concat(now, " ")))
   end
   local _, watches = oracles.watches()
   if watches > 0 then fail(self, "leak", ("%d watches are left after close"):format(watches)) end
end

local function perform(self)
   begin(self)
   local left = self.config.ops
   while left > 0 do
      local operations = math.min(left, self.config.batch)
      round(self, operations)
      left = left - operations
   end
   finish(self)
end

local function traced(problem)
   if type(problem) == "table" and problem.oracle then return problem end
   return { oracle = "error", message = debug.traceback(tostring(problem), 2), recent = {}, log = {} }
end

local function clean_up(self)
   stop_worker(self)
   for _, log in pairs(self.logs) do log:close() end
   for _, other in ipairs(self.others) do
      if other.watcher then pcall(other.watcher.close, other.watcher) end
   end
   if self.watcher then pcall(self.watcher.close, self.watcher) end
   if not self.config.keep then probe.remove(self.base) end
end

-- The driver's choices belong to the seed too. Moments are drawn from a second generator: how many of them there are
-- belongs to the machine, and must not change the choices that follow.
local function new_random(seed)
   local state = seed * 2654435761 + 12345
   return function(limit)
      state = (state * 6364136223846793005 + 1442695040888963407)
      local bits = (state >> 33) & 0x7fffffff
      return limit and bits % limit + 1 or bits / 0x80000000
   end
end

--- Performs one run; `config`: seed, writers, ops, profile, and what its profile says.
-- Gives a table with `events`, `syncs`, `overflows`, `seconds` and, where an oracle was not content, `failure`.
local function run(moonwatch, given)
   local settings, unknown = settings_of(given.profile or "plain")
   if not settings then error("no profile " .. unknown, 2) end
   local config = merge(merge({ writers = 1, ops = 5000, batch = 500, entries = 500 }, settings), given)
   local self = setmetatable({
      moonwatch = moonwatch, config = config, tools = (os.getenv "BUILD" or "build") .. "/torture",
      base = assert(probe.temporary()), logs = {}, recent = {}, events = {}, count = 0, syncs = 0,
      overflows = 0, total_overflows = 0, random = new_random(config.seed), moments = new_random(~config.seed),
      history = History.new(config.writers == 1), others = {},
   }, Run)
   self.root = self.base .. "/R"
   if config.ignored then self.view = require("torture.view").changing(self.random) end
   if config.filtered then self.view = require("torture.view").random(self.random) end
   if config.shared then
      local view = require "torture.view"
      self.common = view.common(self.random)
      self.view = view.shared(self.random, self.common)
   end
   local started = probe.now()
   local ok, problem = xpcall(perform, traced, self)
   clean_up(self)
   return {
      config = config, events = self.count, syncs = self.syncs, overflows = self.total_overflows + self.overflows,
      seconds = probe.now() - started, base = self.base, view = self.view, failure = not ok and problem or nil,
   }
end

return { run = run, profiles = profiles, settings_of = settings_of, Run = Run }
