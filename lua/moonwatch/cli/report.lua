-- SPDX-License-Identifier: MIT
--
-- report.lua - what a host says of itself when it is asked for its status: plain data.

local core = require "moonwatch.core"
local json = require "moonwatch.cli.json"
local moonwatch = require "moonwatch"
local supervise = require "moonwatch.cli.supervise"

local report = {}

-- Bytes of this process in memory.
local function resident()
   local file = io.open "/proc/self/status"
   local text = file and file:read "a" or ""
   if file then file:close() end
   local kilobytes = tonumber(text:match "VmRSS:%s*(%d+)")
   return kilobytes and kilobytes * 1024
end

local function rules_of(host)
   local rows = {}
   for i, rule in ipairs(host.set.rules) do rows[i] = rule:status() end
   return json.list(rows)
end

local FIGURES = { "entries", "events", "polled", "overflows", "rescans", "queued", "coalesced" }

local function watching(host)
   local figures = {}
   for _, name in ipairs(FIGURES) do figures[name] = host:sum(name) end
   local _, watcher = next(host:watchers())
   figures.directories, figures.watches = supervise.watched(host:watcher_list()), watcher and watcher:_watches() or 0
   local limits = moonwatch.limits()
   figures.limit = limits and limits.max_user_watches
   return figures
end

local COUNTS = { "unclaimed", "handed", "delivered", "merged", "filtered", "dropped" }

-- The kernel's records, and what became of them in the watchers that they were handed to.
local function records(host)
   local _, watcher = next(host:watchers())
   local all = watcher and watcher:stats().all or {}
   local figures = { read = all.records or 0 }
   for _, name in ipairs(COUNTS) do figures[name] = all[name] or 0 end
   return figures
end

-- Of the Lua state, which --memory-limit limits.
local function script_memory()
   local used, limit, refused = core.memory()
   return { used = used or collectgarbage "count" * 1024 // 1 | 0, limit = limit, refused = refused }
end

--- The status of a host; request.detail asks for the busiest folders too.
function report.of(host, request)
   return {
      version = moonwatch.version, pid = core.system.pid(), scripts = json.list(host.given.script),
      started = host.started, uptime = moonwatch.now() - host.started_at, socket = host.socket,
      log_level = host.log.level, rules = rules_of(host), watching = watching(host), records = records(host),
      events = host.gauges.events, latency = host.gauges:latency(), memory = resident(), scripts_memory = script_memory(),
      reloads = host.reloads,
      busiest = request.detail and json.list(host.gauges:busiest()) or nil,
   }
end

return report
