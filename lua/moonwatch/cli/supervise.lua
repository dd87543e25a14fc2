-- SPDX-License-Identifier: MIT
--
-- supervise.lua - a command that goes on until it is told to end.
--
-- The first TERM or INT asks the command to end politely; the second ends the program at once, with 128 + n.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local moonwatch = require "moonwatch"

local supervise = {}

-- Ends what cannot wait for its end.
local function end_now(name, at_once)
   if at_once then at_once() end
   io.stdout:flush()
   os.exit(exit.SIGNAL + core.signal_number(name), false)
end

-- The status of the ended main task, given what join has given; why() is the signal that ended it.
local function result(why, ok, status, traceback)
   local signal = why()
   if ok then return status or exit.DONE end
   if status == "cancelled" then return signal and exit.SIGNAL + core.signal_number(signal) or exit.REFUSED end
   if type(status) == "string" then error(traceback or status, 0) end
   error(status, 0)
end

--- Runs body() in a task until it returns a status. options: polite(name), called at the first of `signals`
-- (TERM, INT; else the task is cancelled and the status is 128 + n); at_once(), called before the end at the second.
function supervise.run(body, options)
   options = options or {}
   local ended_by
   return moonwatch.run(function()
      local signals <close> = exit.check(moonwatch.signal(table.unpack(options.signals or { "TERM", "INT" })))
      local main = moonwatch.spawn("main", body)
      local listener = moonwatch.spawn("signals", function()
         ended_by = signals:get()
         if not ended_by then return end
         if options.polite then options.polite(ended_by) else main:cancel(ended_by) end
         local again = signals:get()
         if again then end_now(again, options.at_once) end
      end)
      local status = result(function() return ended_by end, main:join())
      listener:cancel()
      return status
   end)
end

--- The words for a number of directories.
function supervise.directories(count)
   return count == 1 and "1 directory" or count .. " directories"
end

-- A line that is written over itself, on a terminal only.
local function progress(watchers)
   local count = 0
   for _, watcher in ipairs(watchers()) do count = count + (watcher:stats().directories or 0) end
   io.stderr:write("\rmoonwatch: ", supervise.directories(count), " so far ... ")
   return true
end

--- A task that shows on a terminal how far the set-up has come; nil elsewhere. To be cancelled when it has ended.
-- watchers() gives a list of those that are being set up.
function supervise.show_progress(watchers)
   if not core.system.isatty(2) then return nil end
   local shown = false
   return moonwatch.spawn("progress", function()
      local _ <close> = setmetatable({}, { __close = function()
         if shown then io.stderr:write "\r\27[K" end
      end })
      moonwatch.sleep(0.5)
      while true do
         shown = progress(watchers)
         moonwatch.sleep(0.2)
      end
   end)
end

return supervise
