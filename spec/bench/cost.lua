-- SPDX-License-Identifier: MIT
--
-- cost.lua - counts instructions instead of time: the same on a slow machine, a busy one, and the next one.
--
--    BUILD=build lua5.4 spec/bench/cost.lua
--
-- Each path is run twice under callgrind, with a small and a large load; the difference by the number of events (or
-- entries) is what one costs, without start-up. More than the budget fails: find out why, or raise it here and say why
-- in the commit. The last line is "N passed, N failed".

local build = os.getenv "BUILD" or "build"
local lua = os.getenv "LUA" or "lua5.4"
local trial = build .. "/bench/trial"

-- Instructions in user space per unit; per the figures of Debian 12's compiler and Lua, with a seventh on top.
local PATHS = {
   { name = "inotify object, per event", script = "cost_inotify", per = 3, small = 200, large = 1200, budget = 1940 },
   { name = "watcher, per record", script = "cost_watcher", per = 5, small = 200, large = 1200, budget = 2750 },
   { name = "moved out, per file", script = "cost_moves", per = 1, small = 500, large = 4000, budget = 4300 },
   { name = "one of 200 watchers, per file", script = "cost_many", per = 1, small = 50, large = 250, budget = 19800 },
   { name = "20 of one tree, per record", script = "cost_together", per = 5, small = 200, large = 1200, budget = 7700 },
   { name = "scan, per file", script = "cost_scan", per = 1, small = 1000, large = 5000, tree = true, budget = 860 },
   { name = "links, per directory", script = "cost_links", per = 1, small = 500, large = 4000, budget = 3100 },
   { name = "roots, per root", script = "cost_roots", per = 1, small = 200, large = 2000, budget = 25000 },
   { name = "nested, per directory", script = "cost_chain", per = 1, small = 200, large = 1800, budget = 2500 },
}

local function read_command(line)
   local pipe = assert(io.popen(line))
   local text = pipe:read "a"
   return pipe:close() and text or nil, text
end

local function make_folder()
   return (assert(read_command "mktemp -d"):gsub("\n", ""))
end

local function instructions(path, size)
   local dir = make_folder()
   if path.tree then assert(os.execute(("%s tree %s/t 20 %d"):format(trial, dir, size))) end
   local ok, text = read_command(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' "
      .. "valgrind --tool=callgrind --callgrind-out-file=/dev/null %s spec/bench/consumers/%s.lua %s %s %d 2>&1"):format(
      build, lua, path.script, trial, path.tree and dir .. "/t" or dir, size))
   os.execute("rm -rf " .. dir)
   return ok and tonumber(text:match "Collected : (%d+)"), text
end

local function cost(path)
   local small, text = instructions(path, path.small)
   local large
   if small then large, text = instructions(path, path.large) end
   if not large then return nil, text end
   return (large - small) / ((path.large - path.small) * path.per)
end

local passed, failed = 0, 0
for _, path in ipairs(PATHS) do
   local value, text = cost(path)
   local good = value and value <= path.budget
   passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
   print(("%-7s %-28s %s"):format(good and "ok" or "FAILED", path.name,
      value and ("%.0f instructions, %d allowed"):format(value, path.budget) or text))
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
