-- SPDX-License-Identifier: MIT
--
-- metrics.lua - moonwatch metrics: the figures of a running host in Prometheus' text format.

local client = require "moonwatch.cli.client"
local exit = require "moonwatch.cli.exit"

-- name, kind, help, function(answer) -> number
local OF_HOST = {
   { "up_seconds", "gauge", "Seconds since the start.", function(a) return a.uptime end },
   { "memory_bytes", "gauge", "Resident memory.", function(a) return a.memory end },
   { "scripts_memory_bytes", "gauge", "Memory of the Lua state.", function(a) return a.scripts_memory.used end },
   { "scripts_memory_limit_bytes", "gauge", "What --memory-limit allows.", function(a) return a.scripts_memory.limit end },
   { "events_total", "counter", "Events that rules were given.", function(a) return a.events end },
   { "directories", "gauge", "Directories that are watched.", function(a) return a.watching.directories end },
   { "entries", "gauge", "Entries that are known.", function(a) return a.watching.entries end },
   { "watches", "gauge", "Kernel watches in use.", function(a) return a.watching.watches end },
   { "watches_limit", "gauge", "fs.inotify.max_user_watches.", function(a) return a.watching.limit end },
   { "polled", "gauge", "Directories that are polled.", function(a) return a.watching.polled end },
   { "queued_events", "gauge", "Events that wait to be read.", function(a) return a.watching.queued end },
   { "overflows_total", "counter", "Overflows, the kernel's and our own queues'.", function(a) return a.watching.overflows end },
   { "rescans_total", "counter", "Comparisons of the index with the disk.", function(a) return a.watching.rescans end },
   { "reloads_total", "counter", "Reloads that were done.", function(a) return a.reloads.done end },
   { "reloads_refused_total", "counter", "Reloads that were refused.", function(a) return a.reloads.failed end },
}

local OF_RULE = {
   { "rule_runs_total", "counter", "Runs that were started.", function(r) return r.runs end },
   { "rule_failures_total", "counter", "Runs that failed.", function(r) return r.failures end },
   { "rule_running", "gauge", "Runs at work.", function(r) return r.running end },
   { "rule_queued", "gauge", "Runs that wait.", function(r) return r.queued end },
   { "rule_pending_changes", "gauge", "Changes that are being gathered.", function(r) return r.pending end },
   { "rule_paused", "gauge", "1 while the rule is paused.", function(r) return r.paused and 1 or 0 end },
   { "rule_last_run_ok", "gauge", "1 where the last run was well.", function(r) return r.last and (r.last.ok and 1 or 0) end },
   { "rule_last_run_seconds", "gauge", "How long the last run took.", function(r) return r.last and r.last.seconds end },
   { "rule_last_run_time", "gauge", "When it ended, seconds since 1970.", function(r) return r.last and r.last.wall end },
}

local function label(text)
   local clean = utf8.len(text) and text or exit.escape(text)
   return '"' .. clean:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("\n", "\\n") .. '"'
end

local function number(value)
   return math.type(value) == "integer" and tostring(value) or ("%.9g"):format(value)
end

local function head(lines, metric)
   lines[#lines + 1] = ("# HELP moonwatch_%s %s"):format(metric[1], metric[3])
   lines[#lines + 1] = ("# TYPE moonwatch_%s %s"):format(metric[1], metric[2])
end

local function host_lines(answer, lines)
   for _, metric in ipairs(OF_HOST) do
      local value = metric[4](answer)
      if value then
         head(lines, metric)
         lines[#lines + 1] = ("moonwatch_%s %s"):format(metric[1], number(value))
      end
   end
end

-- The fates of all records that were handed to a watcher add up to records_handed_total.
local function record_lines(answer, lines)
   local records = answer.records
   for _, metric in ipairs {
      { "records_total", "counter", "Records that the kernel gave.", records.read },
      { "records_unclaimed_total", "counter", "Records of watches that were given up.", records.unclaimed },
      { "records_handed_total", "counter", "Records times watchers that they were handed to.", records.handed },
   } do
      head(lines, metric)
      lines[#lines + 1] = ("moonwatch_%s %d"):format(metric[1], metric[4])
   end
   head(lines, { "record_fates_total", "counter", "What became of the records that were handed on." })
   for _, fate in ipairs { "delivered", "merged", "filtered", "dropped" } do
      lines[#lines + 1] = ("moonwatch_record_fates_total{fate=%q} %d"):format(fate, records[fate])
   end
end

local function latency_lines(answer, lines)
   local latency = answer.latency
   head(lines, { "event_latency_seconds", "summary", "From the kernel's word to the rule." })
   for name, part in pairs { p50 = "0.5", p90 = "0.9", p99 = "0.99" } do
      if latency[name] then
         lines[#lines + 1] = ("moonwatch_event_latency_seconds{quantile=%q} %s"):format(part, number(latency[name]))
      end
   end
   lines[#lines + 1] = ("moonwatch_event_latency_seconds_count %d"):format(latency.count)
end

local function rule_lines(answer, lines)
   for _, metric in ipairs(OF_RULE) do
      head(lines, metric)
      for _, rule in ipairs(answer.rules) do
         local value = metric[4](rule)
         if value then
            lines[#lines + 1] = ("moonwatch_%s{rule=%s} %s"):format(metric[1], label(rule.name), number(value))
         end
      end
   end
end

return client.command {
   summary = "The figures of a running host in Prometheus' text format.",
   usage = "moonwatch metrics [--socket PATH]",
   request = function() return { verb = "status" } end,
   show = function(answer)
      local lines = {}
      host_lines(answer, lines)
      record_lines(answer, lines)
      latency_lines(answer, lines)
      rule_lines(answer, lines)
      exit.print(table.concat(lines, "\n") .. "\n")
   end,
}
