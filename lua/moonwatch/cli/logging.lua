-- SPDX-License-Identifier: MIT
--
-- logging.lua - the host's log: standard error, and whoever listens (`moonwatch tail`).
--
-- Where the journal reads (JOURNAL_STREAM) a line begins with its priority and has no time. Nothing that happens to
-- standard error stops the host: what could not be written is counted, and said once writing works again. The same
-- message many times over is written a few times and then counted.

local core = require "moonwatch.core"
local log = require "moonwatch.rule.log"

local logging = {}

local PRIORITIES = { debug = "<7>", info = "<6>", warn = "<4>", error = "<3>" }
local REPEATS = 20  -- of one message in a row within
local HISTORY = 100 -- lines that are kept for `tail`, at least
local WINDOW = 5    -- seconds; the rest is counted

logging.levels = { "debug", "info", "warn", "error" }
logging.formats = { "text", "json" }

local function for_journal(level, line)
   local priority = PRIORITIES[level]
   local text = line:gsub("^%d+%-%d+%-%d+ %d+:%d+:%d+ %a+%s+", "")
   return (priority .. text:sub(1, -2):gsub("\n", "\n" .. priority)) .. "\n"
end

local Sink = {}
Sink.__index = Sink

function Sink:put(text)
   local ok, message = io.stderr:write(text)
   if not ok then
      self.lost, self.why = self.lost + 1, message
   end
   return ok
end

function Sink:tell_lost()
   if self.lost > 0 and io.stderr:write(("moonwatch: %d lines of the log were lost: %s\n"):format(self.lost, self.why)) then
      self.lost = 0
   end
end

-- Whether this is one of too many in a row; the first of another message tells how many there were.
function Sink:is_repeated(level, message, now)
   local last = self.last
   if last and last.message == message and now - last.since < WINDOW then
      last.count = last.count + 1
      return last.count > REPEATS
   end
   local hidden = last and last.count - REPEATS or 0
   self.last = { message = message, since = now, count = 1 }
   if hidden > 0 then
      self:put(("%smoonwatch: the last message came %d times more\n"):format(
         self.journal and PRIORITIES[level] or "", hidden))
   end
   return false
end

-- The last records, for those who come later.
function Sink:keep(record)
   local history = self.history
   history[#history + 1] = record
   if #history > 2 * HISTORY then
      self.history = table.move(history, #history - HISTORY + 1, #history, 1, {})
   end
end

function Sink:write(line, level, message)
   self:keep { line = line, level = level, message = message }
   for listener in pairs(self.listeners) do listener(line, level, message) end
   if self:is_repeated(level, message, os.time()) then return end
   self:tell_lost()
   self:put(self.journal and for_journal(level, line) or line)
end

--- Sets up the log of this process. options: level, format. Returns the sink: `listeners` is a set of functions that are
-- called with (line, level, message).
function logging.start(options)
   local sink = setmetatable({ lost = 0, listeners = {}, history = {} }, Sink)
   sink.journal = os.getenv "JOURNAL_STREAM" ~= nil and options.format ~= "json"
   sink.log = log.new {
      level = options.level or "info", format = options.format or "text", wall = core.system.wall,
      write = function(line, level, message) sink:write(line, level, message) end,
   }
   return sink
end

return logging
