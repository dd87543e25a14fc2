-- SPDX-License-Identifier: MIT
--
-- notify.lua - what a service manager is told: ready, reloading, status, and that we still turn (sd_notify's protocol).

local core = require "moonwatch.core"
local moonwatch = require "moonwatch"

local notify = {}

local socket = os.getenv "NOTIFY_SOCKET"

--- Tells the manager, where there is one; lines of NAME=VALUE.
function notify.tell(...)
   if socket then core.send(socket, table.concat({ ... }, "\n")) end
end

local function status_line(text)
   return "STATUS=" .. text:gsub("\n", " ")
end

function notify.ready(text)
   notify.tell("READY=1", "MAINPID=" .. core.system.pid(), status_line(text))
end

function notify.reloading()
   notify.tell("RELOADING=1", ("MONOTONIC_USEC=%d"):format(moonwatch.now() * 1000000 // 1 | 0))
end

function notify.stopping()
   notify.tell("STOPPING=1", "STATUS=waiting for what still runs")
end

local function watchdog_interval()
   local microseconds = tonumber(os.getenv "WATCHDOG_USEC" or "")
   local pid = os.getenv "WATCHDOG_PID"
   if not socket or not microseconds or (pid and tonumber(pid) ~= core.system.pid()) then return nil end
   return microseconds / 1000000 / 2
end

--- Starts the task that pats the watchdog, where one is asked for. A loop that stands still pats no more.
function notify.start_watchdog()
   local interval = watchdog_interval()
   if not interval then return end
   moonwatch.spawn("watchdog", function()
      while true do
         notify.tell "WATCHDOG=1"
         moonwatch.sleep(interval)
      end
   end)
end

return notify
