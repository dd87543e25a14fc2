-- SPDX-License-Identifier: MIT
--
-- watcher.lua - watchers: the options of `watch`, and those methods that need no C.

local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"

local watcher = {}

-- Each op and its number in the core (base/eventop.h).
local OPS = {
   create = 1, modify = 2, close_write = 3, attrib = 4, delete = 5, move = 6, open = 7, access = 8, close_nowrite = 9,
   overflow = 10, gone = 11, back = 12, unwatched = 13,
}
local FAMILIES = {
   close = { "close_write", "close_nowrite" },
}
local ALWAYS = { overflow = true, gone = true, back = true, unwatched = true }
local DEFAULT_EVENTS = "create close_write attrib delete move"

local function nearest(word)
   local names = {}
   for name in pairs(OPS) do names[name] = true end
   for name in pairs(FAMILIES) do names[name] = true end
   local near = declare.nearest(word, names)
   return near and (' (did you mean "%s"?)'):format(near) or ""
end

-- Calls visit(op) for every op named in a string or a list of words.
local function each_op(what, words, visit)
   if type(words) == "table" then
      for _, word in ipairs(words) do each_op(what, word, visit) end
      return
   elseif type(words) ~= "string" then
      declare.misuse("%s: a string or a list of ops expected, not %s", what, (declare.show(words)))
   end
   for word in words:gmatch("[^%s,|]+") do
      local name = word:lower()
      if FAMILIES[name] then
         for _, op in ipairs(FAMILIES[name]) do visit(op) end
      elseif OPS[name] then
         visit(name)
      else
         declare.misuse('%s: no such op "%s"%s', what, word, nearest(name))
      end
   end
end

local function ops_of(what, words)
   local bits = 0
   each_op(what, words, function(op) bits = bits | 1 << OPS[op] end)
   return bits
end

local fields = {
   events = { kinds = { "text", "words" }, default = DEFAULT_EVENTS },
   recursive = { kinds = { "boolean" }, default = true },
   depth = { kinds = { "count" } },
   match = { kinds = { "pattern", "patterns" } },
   ignore = { kinds = { "pattern", "patterns" } },
   ignore_files = { kinds = { "path", "paths" } },
   filter = { kinds = { "function" } },
   follow = { kinds = { "boolean" }, default = false },
   one_filesystem = { kinds = { "boolean" }, default = false },
   initial = { kinds = { "boolean" }, default = false },
   missing = { choices = { "error", "wait" }, default = "error" },
   backend = { choices = { "auto", "inotify", "poll" }, default = "auto" },
   interval = { kinds = { "positive" }, default = 2 },
   on_limit = { choices = { "poll", "error" }, default = "poll" },
   max_watches = { kinds = { "count" } },
   latency = { kinds = { "seconds" }, default = 0.001 },
   queue = { kinds = { "count" }, default = 65536 },
   wait = { kinds = { "boolean" }, default = true },
}
watcher.fields = fields

-- A pattern object passes where patterns are taken.
local function patterns_of(value)
   if type(value) == "string" then return { value } end
   return value
end

local function read_options(given)
   if given ~= nil and type(given) ~= "table" then
      declare.misuse("watch: a table of options expected, not %s", (declare.show(given)))
   end
   local plain = {}
   for key, value in pairs(given or {}) do plain[key] = value end
   local match, ignore = plain.match, plain.ignore
   if type(match) == "userdata" then plain.match = nil end
   if type(ignore) == "userdata" then plain.ignore = nil end
   declare.check(fields, plain, "watch")
   local options = declare.fill(fields, plain)
   options.match = patterns_of(match)
   options.ignore = patterns_of(ignore)
   return options
end

local function roots_of(paths)
   if type(paths) == "string" and paths ~= "" then return { paths } end
   if type(paths) ~= "table" or #paths == 0 then
      declare.misuse("watch: a path or a list of paths expected, not %s",
         type(paths) == "table" and "an empty list" or (declare.show(paths)))
   end
   local count = 0
   for key, path in pairs(paths) do
      if math.type(key) ~= "integer" then
         declare.misuse("watch: a list of paths has no key %s: options are a table of their own", (declare.show(key)))
      elseif type(path) ~= "string" or path == "" then
         declare.misuse("watch: a path must be a string with something in it, not %s", (declare.show(path)))
      end
      count = count + 1
   end
   if count ~= #paths then declare.misuse "watch: a list of paths with a hole" end
   return paths
end

local function core_options(options)
   return {
      ops = ops_of("watch: events", options.events),
      flat = not options.recursive,
      depth = options.depth,
      match = options.match,
      ignore = options.ignore,
      ignore_files = type(options.ignore_files) == "string" and { options.ignore_files } or options.ignore_files,
      filter = options.filter,
      follow = options.follow,
      one_filesystem = options.one_filesystem,
      initial = options.initial,
      missing_waits = options.missing == "wait",
      poll = options.backend == "poll",
      auto = options.backend == "auto",
      interval = options.interval,
      limit_is_error = options.on_limit == "error",
      max_watches = options.max_watches,
      latency = options.latency,
      queue = options.queue,
   }
end

-- All or nothing; the message names every root that failed.
local function add_roots(self, roots)
   local messages, first = {}, nil
   for _, path in ipairs(roots) do
      local ok, message, code = self:_add(path)
      if not ok then
         messages[#messages + 1] = message
         first = first or code
      end
   end
   if first then return nil, table.concat(messages, "; "), first end
   return true
end

local function watch(paths, options, shares)
   local roots = roots_of(paths)
   local checked = read_options(options)
   local self, message, code = core.watcher(core_options(checked))
   if not self then return nil, message, code end
   local ok
   ok, message, code = add_roots(self, roots)
   if ok then
      self:_start(shares)
      if checked.wait then ok, message, code = self:ready() end
   end
   if not ok then
      self:close()
      return nil, message, code
   end
   return self
end

--- Watches trees, exactly.
-- @param paths a path, a pattern, or a list of them
-- @param[opt] options see the table of options
-- @return a watcher, or nil, message, errno
-- @usage for event in moonwatch.watch("src"):each() do print(event) end
function watcher.watch(paths, options)
   return watch(paths, options, false)
end

-- The same for rules: those that look at the same roots in the same way have one index together. Without `add`, `remove`
-- and `changes`; what asks a filter or ignore files stays alone.
function watcher.watch_together(paths, options)
   return watch(paths, options, true)
end

local methods = core.watcher_methods

local function handlers_of(ops, fn)
   local handlers = {}
   if type(ops) == "table" and fn == nil then
      if ops.default then
         for _, number in pairs(OPS) do handlers[number] = ops.default end
      end
      for key, handler in pairs(ops) do
         if type(key) ~= "string" or type(handler) ~= "function" then
            declare.misuse("on: a table of ops and functions expected")
         end
         if FAMILIES[key] then each_op("on", key, function(op) handlers[OPS[op]] = handler end) end
      end
      for key, handler in pairs(ops) do
         if key ~= "default" and not FAMILIES[key] then
            each_op("on", key, function(op) handlers[OPS[op]] = handler end)
         end
      end
      return handlers
   end
   if type(fn) ~= "function" then
      declare.misuse("on: a function expected, not %s", (declare.show(fn)))
   end
   each_op("on", ops, function(op) handlers[OPS[op]] = fn end)
   return handlers
end

local Subscription = {}
local subscription_meta = { __index = Subscription, __name = "moonwatch.subscription" }

--- Ends the subscription; events that come later go to the others. Again: no matter.
function Subscription:off()
   if self._handlers then
      self._watcher:_unsubscribe(self._handlers)
      self._handlers = nil
   end
end
Subscription.close = Subscription.off
subscription_meta.__close = Subscription.off

--- Calls fn(event) for the ops named, in a task of the watcher, one event after the other.
-- @return a subscription; nil, "closed", EPIPE where the watcher is
function methods:on(ops, fn)
   local handlers = handlers_of(ops, fn)
   if self:_closed() then return nil, "closed", core.errno.EPIPE end
   self:_subscribe(handlers)
   return setmetatable({ _watcher = self, _handlers = handlers }, subscription_meta)
end

local function check_path(what, path)
   if type(path) ~= "string" or path == "" then
      declare.misuse("%s: a path expected, not %s", what, (declare.show(path)))
   end
   return path
end

--- Watches one more root; returns once that is watched.
-- @param path as for `watch`
-- @return true, or nil, message, errno
function methods:add(path)
   local ok, message, code = self:_add(check_path("add", path))
   if not ok then return nil, message, code end
   return self:ready()
end

--- Compares with the disk; the differences come as synthetic events.
-- @param[opt] path a root, or something below one: only that
-- @param[opt] timeout seconds
-- @return true once they can be had by `get(0)`; nil, message, errno
function methods:rescan(path, timeout)
   return self:_rescan(path and check_path("rescan", path), timeout)
end

--- What is known: an iterator of rel, type. After `sync` it is the disk.
function methods:entries(pattern)
   local list, at = self:_entries(), -1
   local wanted = pattern and core.pattern(pattern)
   return function()
      repeat
         at = at + 2
         local rel, kind = list[at], list[at + 1]
         if rel and (not wanted or wanted:match(rel, kind == "directory")) then return rel, kind end
      until not rel
   end
end

methods.changes = require("moonwatch.changes").changes

watcher.ops = OPS
watcher.always = ALWAYS

return watcher
