-- SPDX-License-Identifier: MIT
--
-- soak.lua - `make soak RUNS=100000`: a host that runs commands for a long time, and what it holds by then.
--
-- Two rules, half of the runs each: a command, and a function that calls exec. Each round makes new files, waits until
-- all of them are handled and removes them. The host is read from outside, in /proc, so nothing is tidied up for the
-- occasion. Fails where a file is handed over twice or not at all, a child is left, a descriptor more is open than after
-- the first thousand runs, or anonymous memory has grown by more than 1 MiB since then (a heap that is collected breathes).

local build = os.getenv "BUILD" or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = ("%s/lib/?.so;%s"):format(build, package.cpath)

local helper = require "support.helper"
local moonwatch = require "moonwatch"

local RUNS = math.tointeger(tonumber(arg[1]) or 100000)
local ROUND = 250 -- files per rule and round

local SCRIPT = [[
rule "command" { watch = "command", complete = true, limit = 8, settle = 0.01, each = { "true" } }
rule "call" {
   watch = "call", complete = true, limit = 8, settle = 0.01,
   each = function(change) return exec { "true", change.path } end,
}
]]

local function field(pid, name)
   local text = helper.read(("/proc/%d/status"):format(pid))
   return math.tointeger(tonumber(text:match(name .. ":%s+(%d+)")))
end

local function children(pid)
   local all, zombies = 0, 0
   for child in helper.read(("/proc/%d/task/%d/children"):format(pid, pid)):gmatch "%d+" do
      local file <close> = io.open("/proc/" .. child .. "/stat")
      all = all + 1
      if file and file:read "a":match "%) (%a)" == "Z" then zombies = zombies + 1 end
   end
   return all, zombies
end

local function look(pid)
   local sample = { anonymous = field(pid, "RssAnon"), descriptors = #helper.descriptors(pid) }
   sample.children, sample.zombies = children(pid)
   return sample
end

local function ask(dir, ...)
   local result = helper.run({ helper.host, ... }, { cwd = dir, timeout = 120 })
   assert(result.status == 0, result.err)
   return result.out
end

local function runs_of(dir)
   local sum = 0
   for runs in ask(dir, "status", "--json", "--socket", "socket"):gmatch '"runs":(%d+)' do
      sum = sum + math.tointeger(runs)
   end
   return sum
end

local function round(dir, number)
   for i = 1, ROUND do
      helper.write(("%s/command/%d-%d"):format(dir, number, i), "x")
      helper.write(("%s/call/%d-%d"):format(dir, number, i), "x")
   end
   ask(dir, "wait", "--socket", "socket")
   for i = 1, ROUND do
      os.remove(("%s/command/%d-%d"):format(dir, number, i))
      os.remove(("%s/call/%d-%d"):format(dir, number, i))
   end
   ask(dir, "wait", "--socket", "socket")
end

local MILESTONES = { [1000] = true, [2000] = true, [5000] = true, [10000] = true, [20000] = true, [50000] = true }

local function soak(dir)
   helper.mkdir(dir .. "/command")
   helper.mkdir(dir .. "/call")
   helper.write(dir .. "/rules.lua", SCRIPT)
   local host = helper.start({ helper.host, "--socket", "socket", "--log-level", "warn", "rules.lua" }, { cwd = dir })
   host:wait_for "watching"
   local first
   print(("%8s  %10s  %11s  %8s  %7s  %6s"):format("runs", "RssAnon", "descriptors", "children", "zombies", "runs/s"))
   local started, done, number = moonwatch.now(), 0, 0
   while done < RUNS do
      number = number + 1
      round(dir, number)
      done = done + 2 * ROUND
      if MILESTONES[done] or done >= RUNS then
         local runs = runs_of(dir)
         assert(runs == done, ("%d runs for %d files\n%s"):format(runs, done, host:err()))
         local sample = look(host.pid)
         first = first or sample
         print(("%8d  %6d KiB  %11d  %8d  %7d  %6.0f"):format(done, sample.anonymous, sample.descriptors,
            sample.children, sample.zombies, done / (moonwatch.now() - started)))
         assert(sample.children == 0 and sample.zombies == 0, "a child is left")
         assert(sample.descriptors <= first.descriptors, "a descriptor is left")
         assert(sample.anonymous <= first.anonymous + 1024, "memory grows")
      end
   end
   host:signal "TERM"
   assert(host:wait().status == 0)
   assert(host:err():match "^[^\n]*watching[^\n]*\n$", host:err())
end

local ok, message = xpcall(function() soak(helper.folder()) end, debug.traceback)
helper.clean()
if not ok then
   io.stderr:write(message, "\n")
   os.exit(1)
end
