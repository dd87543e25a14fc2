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

-- The status of the ended main task, given what join has given.
local function result(state, ok, status, traceback)
   if ok then return status or exit.DONE end
   if status == "cancelled" then
      return state.ended_by and exit.SIGNAL + core.signal_number(state.ended_by) or exit.REFUSED
   end
   error(type(status) == "string" and traceback or status, 0)
end

-- Hands signals on until they are closed. What is not an end (polite has returned false) may come any number of times.
local function listen(signals, main, state, options)
   for name in signals:each() do
      if state.ended_by and name ~= "HUP" then end_now(name, options.at_once) end
      local is_end = true
      if options.polite then is_end = options.polite(name, main) else main:cancel(name) end
      if is_end then state.ended_by = name end
   end
end

--- Runs body() in a task until it returns a status. options: signals (TERM, INT); polite(name, task), called at each of them
-- (else the task is cancelled and the status is 128 + n), true where that is the polite end; at_once(), called before the
-- end at the second of those. body's `moonwatch.stop()` ends it with 0.
function supervise.run(body, options)
   options = options or {}
   local state = {}
   return moonwatch.run(function()
      local signals <close> = exit.check(moonwatch.signal(table.unpack(options.signals or { "TERM", "INT" })))
      local main = moonwatch.spawn("main", body)
      moonwatch.spawn("signals", listen, signals, main, state, options)
      return result(state, main:join())
   end) or exit.DONE
end

--- How many directories these watchers, all there are, look at: each once, whatever its names and whoever else does.
function supervise.watched(watchers)
   local polled, directories = 0, 0
   for _, watcher in ipairs(watchers) do
      polled = polled + (watcher:stats().polled or 0)
      directories = select(2, watcher:_watches()) or directories
   end
   return polled + directories
end

--- The words for a number of directories.
function supervise.directories(count)
   return count == 1 and "1 directory" or count .. " directories"
end

local SHOWN = 3 -- of the paths that are waited for

--- The roots of these watchers that are not there yet.
function supervise.awaited(watchers)
   local paths, seen = {}, {}
   for _, watcher in ipairs(watchers) do
      for _, root in ipairs(watcher:roots() or {}) do
         if not seen[root] and not watcher:covers(root) then paths[#paths + 1] = root end
         seen[root] = true
      end
   end
   return paths
end

--- "watching 3 directories", what it is for, and what is waited for: the words with which a command is ready.
function supervise.watching(watchers, purpose)
   local awaited, names = supervise.awaited(watchers), {}
   for i = 1, math.min(#awaited, SHOWN) do names[i] = exit.escape(awaited[i]) end
   local waiting = #names > 0 and "; waiting for " .. table.concat(names, ", ") or ""
   local more = #awaited > SHOWN and (" and %d more"):format(#awaited - SHOWN) or ""
   return ("watching %s%s%s%s"):format(supervise.directories(supervise.watched(watchers)), purpose or "", waiting, more)
end

local function count_of(number, word)
   return ("%d %s%s"):format(number, word, number == 1 and "" or "s")
end

--- The words for a number of rules, and of jobs where there are any.
function supervise.rules(rules, jobs)
   return count_of(rules, "rule") .. (jobs > 0 and " and " .. count_of(jobs, "job") or "")
end

-- A line that is written over itself, on a terminal only.
local function progress(watchers)
   io.stderr:write("\rmoonwatch: ", supervise.directories(supervise.watched(watchers())), " so far ... ")
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
