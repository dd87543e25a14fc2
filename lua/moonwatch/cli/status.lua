-- SPDX-License-Identifier: MIT
--
-- status.lua - moonwatch status: what a running host does; a table, JSON, or live in the terminal.

local client = require "moonwatch.cli.client"
local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"
local moonwatch = require "moonwatch"
local options = require "moonwatch.cli.options"

local status = {
   summary = "Says what a running host does: its rules, their last runs, what is watched.",
   usage = "moonwatch status [options]",
}

function status.define(parser)
   parser:flag("--json", "One JSON object (with --watch one a line).")
   parser:flag("--watch", "Live, until q or Ctrl-C: with the busiest folders and events per second.")
   parser:option("--interval", "Seconds between two looks of --watch (1)."):argname("S"):convert(options.seconds)
   client.define_socket(parser)
end

-- Words ---------------------------------------------------------------------------------------------------------------

local function duration(seconds)
   if seconds < 0.001 then return ("%.0f us"):format(seconds * 1e6) end
   if seconds < 1 then return ("%.3g ms"):format(seconds * 1e3) end
   if seconds < 120 then return ("%.3g s"):format(seconds) end
   if seconds < 7200 then return ("%.0f min"):format(seconds // 60) end
   return seconds < 172800 and ("%.0f h"):format(seconds // 3600) or ("%.0f days"):format(seconds // 86400)
end

local function bytes(count)
   return count and ("%.1f MiB"):format(count / 1048576) or "?"
end

local function last_run(last, now)
   if not last then return "never" end
   local how = last.ok and "ok" or "failed: " .. (last.err or "?"):match "^[^\n]*"
   local ago = now - last.wall // 1 -- whole seconds: our clock has no more
   return ("%s, %s, in %s"):format(ago < 1 and "just now" or duration(ago) .. " ago", how, duration(last.seconds))
end

local function columns(rows)
   local widths, lines = {}, {}
   for _, row in ipairs(rows) do
      for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, utf8.len(cell) or #cell) end
   end
   for i, row in ipairs(rows) do
      local cells = {}
      for j, cell in ipairs(row) do
         local gap = (" "):rep(widths[j] - (utf8.len(cell) or #cell))
         cells[j] = tonumber(cell) and gap .. cell or j == #row and cell or cell .. gap
      end
      lines[i] = table.concat(cells, "  ")
   end
   return lines
end

-- The table -----------------------------------------------------------------------------------------------------------

local function rule_lines(answer)
   local rows, now = { { "rule", "state", "runs", "failed", "queued", "pending", "last run" } }, os.time()
   for _, rule in ipairs(answer.rules) do
      rows[#rows + 1] = { exit.escape(rule.name), rule.state, tostring(rule.runs), tostring(rule.failures),
         tostring(rule.queued), tostring(rule.pending), exit.escape(last_run(rule.last, now)) }
   end
   return columns(rows)
end

local function head_lines(answer)
   local scripts = {}
   for i, script in ipairs(answer.scripts) do scripts[i] = exit.escape(script) end
   return {
      ("moonwatch %s, process %d, up %s%s"):format(answer.version, answer.pid, duration(answer.uptime),
         #scripts > 0 and ": " .. table.concat(scripts, " ") or ""),
   }
end

local function figure_lines(answer)
   local watching, latency = answer.watching, answer.latency
   local lines = {
      ("watches %d of %d, directories %d, entries %d, polled %d"):format(watching.watches, watching.limit or 0,
         watching.directories, watching.entries, watching.polled),
      ("events %d, queued %d, overflows %d, memory %s"):format(answer.events, watching.queued, watching.overflows,
         bytes(answer.memory)),
   }
   local records = answer.records
   lines[#lines + 1] = ("records %d: delivered %d, merged %d, filtered %d, part of a listing %d"):format(records.handed,
      records.delivered, records.merged, records.filtered, records.dropped)
   if latency.p50 then
      lines[#lines + 1] = ("latency of events: 50%% within %s, 90%% %s, 99%% %s"):format(duration(latency.p50),
         duration(latency.p90), duration(latency.p99))
   end
   local reloads = answer.reloads
   if reloads.done + reloads.failed > 0 then
      lines[#lines + 1] = ("reloads %d, refused %d%s"):format(reloads.done, reloads.failed,
         reloads.error and "; the last: " .. exit.escape(reloads.error:match "^[^\n]*") or "")
   end
   return lines
end

local function append(lines, more)
   table.move(more, 1, #more, #lines + 1, lines)
   return lines
end

local function as_lines(answer)
   local lines = append(head_lines(answer), { "" })
   append(append(lines, rule_lines(answer)), { "" })
   return append(lines, figure_lines(answer))
end

local function strip(answer)
   answer.ok = nil
   return json.encode(answer, { "version", "pid", "scripts", "uptime", "rules", "name", "state" }) .. "\n"
end

-- Live ----------------------------------------------------------------------------------------------------------------

local BARS = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }

-- A small plot: a bar per look, as high as its share of the greatest.
local function plot(rates)
   local most = 1
   for _, rate in ipairs(rates) do most = math.max(most, rate) end
   local bars = {}
   for i, rate in ipairs(rates) do bars[i] = rate == 0 and " " or BARS[math.ceil(rate / most * #BARS)] end
   return table.concat(bars)
end

local function live_lines(answer, rates)
   local lines = as_lines(answer)
   lines[#lines + 1] = ""
   lines[#lines + 1] = ("events per second %-8.3g %s"):format(rates[#rates] or 0, plot(rates))
   for _, row in ipairs(answer.busiest or {}) do
      lines[#lines + 1] = ("%8d  %s"):format(row.events, exit.escape(row.path))
   end
   return lines
end

local function fit(lines)
   local width = core.system.columns(1)
   if width == 0 then return lines end
   for i, line in ipairs(lines) do
      local past = utf8.len(line) and utf8.len(line) > width and utf8.offset(line, width + 1)
      if past then lines[i] = line:sub(1, past - 1) end
   end
   return lines
end

-- Waits until the next look; true where q was pressed.
local function pause(seconds, keys)
   if not keys then return not moonwatch.sleep(seconds) end
   local key = keys:get(seconds)
   return key == "q" or key == "\4"
end

local function rate_since(before, answer, now)
   if not before then return 0 end
   return math.max(0, answer.events - before.events) / math.max(now - before.time, 1e-3)
end

local function live(connection, given)
   local is_terminal = core.system.isatty(1)
   local keys <close> = is_terminal and core.system.isatty(0) and core.keys() or nil
   local rates, before = {}, nil
   repeat
      local answer = client.ask(connection, { verb = "status", detail = true })
      local now = moonwatch.now()
      rates[#rates + 1] = rate_since(before, answer, now)
      before = { events = answer.events, time = now }
      if #rates > 60 then table.remove(rates, 1) end
      if given.json then
         exit.print(strip(answer))
      else
         exit.print((is_terminal and "\27[H\27[2J" or "") .. table.concat(fit(live_lines(answer, rates)), "\n") .. "\n")
      end
   until pause(given.interval or 1, keys)
end

function status.run(given)
   return client.run(given, function(connection)
      if given.watch then return live(connection, given) end
      local answer = client.ask(connection, { verb = "status" })
      exit.print(given.json and strip(answer) or table.concat(as_lines(answer), "\n") .. "\n")
   end)
end

return status
