-- SPDX-License-Identifier: MIT
--
-- changes.lua - watcher:changes: batches of net changes instead of events (doc/changes.md).
--
-- What is gathered belongs to the watcher and not to the iterator: whoever leaves the loop early and comes back, with
-- other times even, loses nothing.

local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"
local batch = require "moonwatch.rule.batch"

local changes = {}

local fields = {
   settle = { kinds = { "seconds" }, default = 0.1 },
   max_wait = { kinds = { "seconds" }, default = 5 },
   timeout = { kinds = { "seconds" } },
}
changes.fields = fields

-- create, modify, close_write, attrib, delete and move, whatever `events` says (base/eventop.h).
local NEEDED = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6

-- watcher -> { settle =, max_wait =, gather = }
local gatherers = setmetatable({}, { __mode = "k" })

local function gatherer_of(watcher, options)
   local own = gatherers[watcher]
   if own and own.settle == options.settle and own.max_wait == options.max_wait then return own.gather end
   local gather = core.settle { settle = options.settle, max_wait = options.max_wait }
   if own then
      gather:load(own.gather:dump())
      own.gather:close()
   else
      watcher:_widen(NEEDED)
   end
   gatherers[watcher] = { settle = options.settle, max_wait = options.max_wait, gather = gather }
   return gather
end

local MOST_AT_ONCE = 4096

-- What is there goes into the gatherer, but not so much that a writer without end could keep a batch back. Returns the
-- message and errno of what ended the wait, if no event came. Most go straight from the queue, without becoming events
-- of Lua first.
local function gather_events(watcher, gather, timeout)
   local event, message, code = watcher:get(timeout)
   if not event then return message, code end
   local left = MOST_AT_ONCE
   repeat
      gather:feed(event, event.time)
      left = left - 1 - watcher:_settle(gather, MOST_AT_ONCE)
      event = left > 0 and watcher:get(0)
   until not event
end

local function earlier(a, b)
   if a and b then return math.min(a, b) end
   return a or b
end

-- However late the machine lets us look, what is due by then comes before the end of the time.
local function next_batch(watcher, options, deadline)
   local message, code
   while true do
      local gather = gatherer_of(watcher, options)
      gather_events(watcher, gather, 0)
      local now = core.now()
      local due = gather:take(now)
      if due then return batch.new(due) end
      if code and (code ~= core.errno.ETIMEDOUT or (deadline and now >= deadline)) then return nil, message, code end
      local wake = earlier(gather:deadline(), deadline)
      message, code = gather_events(watcher, gather, wake and math.max(0, wake - now))
   end
end

--- Batches of net changes.
-- @param[opt] options settle (0.1): so many seconds without an event; max_wait (5): or so many after the first one;
-- timeout: the loop ends when so many seconds passed without a batch; what is gathered by then comes with the next
-- @return an iterator
-- @usage for batch in watcher:changes { settle = 0.5 } do print(#batch, batch[1].op, batch[1].path) end
function changes.changes(watcher, options)
   declare.check(fields, options or {}, "changes")
   watcher:_refuse "changes"
   local filled = declare.fill(fields, declare.copy(options or {}))
   gather_events(watcher, gatherer_of(watcher, filled), 0)
   return function()
      return next_batch(watcher, filled, filled.timeout and core.now() + filled.timeout)
   end
end

return changes
