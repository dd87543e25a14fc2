-- SPDX-License-Identifier: MIT
--
-- limits.lua - moonwatch limits: the kernel's limits, what is used and by whom, and what given paths would need.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"
local moonwatch = require "moonwatch"
local survey = require "moonwatch.cli.survey"

local NAMES = { "max_user_watches", "max_user_instances", "max_queued_events" }
local SHOWN = 10 -- processes in the table

local limits = {
   summary = "The kernel's limits, what is used of them and by whom, and what the given paths would need.",
   usage = "moonwatch limits [options] [PATH...]",
   epilog = [[
A limit that is set holds until the next start of the system; for longer write it into
/etc/sysctl.d/: fs.inotify.max_user_watches = N.
Ends with 0, with 1 where the paths need more than there is or a limit cannot be set.]],
}

local function setting(text)
   local name, value = text:match "^([%w_.]+)=(%d+)$"
   name = name and name:gsub("^fs%.inotify%.", "")
   local number = value and math.tointeger(tonumber(value))
   if value and not number then return nil, ("'%s' is more than a limit can be"):format(text) end
   for _, known in ipairs(NAMES) do
      if name == known then return { name = name, value = number } end
   end
   local known = {}
   for _, candidate in ipairs(NAMES) do known[candidate] = true end
   local word = text:match "^[^=]*"
   local near = not known[word] and require("moonwatch.rule.declare").nearest(word, known)
   return nil, ("'%s' is not NAME=NUMBER with one of %s%s"):format(text, table.concat(NAMES, ", "),
      near and (" (did you mean '%s'?)"):format(near) or "")
end

function limits.define(parser)
   parser:argument("path", "Count what these would need."):args "*"
   parser:option("--set", "Set a limit, where the rights allow."):argname("NAME=N"):convert(setting):count "*"
   parser:flag("--json", "One JSON object.")
end

-- Looking -------------------------------------------------------------------------------------------------------------

local function look(paths)
   local usage = exit.check(core.limits_usage())
   local found = { limits = exit.check(moonwatch.limits()), used = {
      watches = usage.watches, instances = usage.instances, partial = usage.partial or nil,
   }, processes = {}, paths = {} }
   for i, process in ipairs(usage) do
      found.processes[i] = { pid = process.pid, uid = process.uid, name = process.name, watches = process.watches,
         instances = process.instances }
   end
   local seen = {}
   for i, path in ipairs(paths) do
      local directories, message, errno = survey.directories(path, nil, seen)
      found.paths[i] = { path = path, directories = directories, problem = message, errno = errno }
   end
   found.needed = survey.size(seen)
   return found
end

-- Showing -------------------------------------------------------------------------------------------------------------

local function limit_lines(found, lines)
   lines[#lines + 1] = ("%-22s %10s %10s"):format("limit (of each user)", "value", "in use")
   lines[#lines + 1] = ("%-22s %10d %10d"):format("max_user_watches", found.limits.max_user_watches, found.used.watches)
   lines[#lines + 1] = ("%-22s %10d %10d"):format("max_user_instances", found.limits.max_user_instances,
      found.used.instances)
   lines[#lines + 1] = ("%-22s %10d"):format("max_queued_events", found.limits.max_queued_events)
end

local function process_lines(found, lines)
   if #found.processes == 0 then return end
   lines[#lines + 1] = ("\n%8s %8s %10s %10s  %s"):format("pid", "uid", "watches", "instances", "process")
   for i = 1, math.min(#found.processes, SHOWN) do
      local process = found.processes[i]
      lines[#lines + 1] = ("%8d %8d %10d %10d  %s"):format(process.pid, process.uid, process.watches,
         process.instances, exit.escape(process.name))
   end
   if #found.processes > SHOWN then lines[#lines + 1] = ("%8s and %d more"):format("", #found.processes - SHOWN) end
   if found.used.partial then lines[#lines + 1] = "Not every process may be looked at: root sees more." end
end

local function path_lines(found, lines)
   if #found.paths == 0 then return end
   lines[#lines + 1] = ("\n%10s  %s"):format("watches", "path")
   for _, row in ipairs(found.paths) do
      lines[#lines + 1] = row.directories and ("%10d  %s"):format(row.directories, exit.escape(row.path))
         or ("%10s  %s"):format("-", row.problem)
   end
   lines[#lines + 1] = (survey.verdict(found.needed))
end

local function show(found)
   local lines = {}
   limit_lines(found, lines)
   process_lines(found, lines)
   path_lines(found, lines)
   exit.print(table.concat(lines, "\n") .. "\n")
end

local function show_json(found)
   json.list(found.processes)
   found.needed = #found.paths > 0 and found.needed or nil
   found.paths = #found.paths > 0 and json.list(found.paths) or nil
   exit.print(json.encode(found, { "limits", "used", "paths", "needed", "processes" }) .. "\n")
end

local function status_of(found)
   local _, fits = survey.verdict(found.needed)
   for _, row in ipairs(found.paths) do
      if row.problem then return exit.REFUSED end
   end
   return (#found.paths == 0 or fits) and exit.DONE or exit.REFUSED
end

function limits.run(given)
   for _, set in ipairs(given.set) do exit.check(core.limits_set(set.name, set.value)) end
   local found = look(given.path)
   local status = status_of(found);
   (given.json and show_json or show)(found)
   return status
end

return limits
