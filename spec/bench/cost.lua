-- SPDX-License-Identifier: MIT
--
-- cost.lua - counts instructions and calls of the kernel instead of time: the same on a slow machine, a busy one, and the
-- next one.
--
--    BUILD=build lua5.4 spec/bench/cost.lua
--
-- Each path is run twice under callgrind, with a small and a large load; the difference by the number of events (or
-- entries) is what one costs, without start-up. More than the budget fails: find out why, or raise it here and say why
-- in the commit. The last line is "N passed, N failed".

local build = os.getenv "BUILD" or "build"
local lua = os.getenv "LUA" or "lua5.4"
local trial = build .. "/bench/trial"

-- Per unit: instructions in user space, per the figures of Debian 12's compiler and Lua, with a seventh on top; and calls of
-- the kernel: a look at the disk costs more than all that is done with a record. How many turns of the loop all takes
-- depends on the machine; that is allowed for, and one call more for each unit is not.
local PATHS = {
   { name = "inotify object, per event", script = "cost_inotify", per = 3, small = 200, large = 1200,
      budget = 1940, calls = 0.1 },
   { name = "watcher, per record", script = "cost_watcher", per = 5, small = 200, large = 1200,
      budget = 2750, calls = 0.1 },
   { name = "saved, per file", script = "cost_prepared", kind = "saves", per = 1, small = 200, large = 1200,
      budget = 6600, calls = 0.2 },
   { name = "renamed, per file", script = "cost_prepared", kind = "within", per = 1, small = 200, large = 1200,
      budget = 6400, calls = 0.2 },
   { name = "moved in, per file", script = "cost_prepared", kind = "in", per = 1, small = 200, large = 1200,
      budget = 4700, calls = 2.2 },
   { name = "moved out, per file", script = "cost_prepared", kind = "out", per = 1, small = 200, large = 1200,
      budget = 4300, calls = 0.2 },
   { name = "directory renamed, per rename", script = "cost_prepared", kind = "renames", per = 1, small = 200, large = 1200,
      budget = 5900, calls = 0.2 },
   { name = "one of 200 watchers, per file", script = "cost_many", per = 1, small = 50, large = 1050,
      budget = 19800, calls = 3.2 },
   { name = "20 of one tree, per record", script = "cost_together", per = 5, small = 200, large = 1200,
      budget = 7700, calls = 0.1 },
   { name = "one more of one tree, per watcher", script = "cost_join", per = 1, small = 20, large = 100,
      budget = 208000, calls = 44 },
   { name = "rule, per file", script = "cost_rule", per = 1, small = 200, large = 1200,
      budget = 15500, calls = 0.2 },
   { name = "scan, per file", script = "cost_scan", per = 1, small = 1000, large = 5000, tree = true,
      budget = 860, calls = 0.1 },
   { name = "links, per directory", script = "cost_links", per = 1, small = 500, large = 4000,
      budget = 3300, calls = 11 },
   { name = "roots, per root", script = "cost_roots", per = 1, small = 200, large = 2000,
      budget = 25000, calls = 33 },
   { name = "nested, per directory", script = "cost_chain", per = 1, small = 200, large = 1800,
      budget = 2500, calls = 10 },
   { name = "made, per directory", script = "cost_made", per = 1, small = 50, large = 400,
      budget = 11800, calls = 21 },
}

-- What costs the kernel nothing (asked in user space, but for valgrind), or is the allocator's business.
local FREE = { clock_gettime = true, brk = true, mmap = true, munmap = true, mremap = true, madvise = true }

local function read_command(line)
   local pipe = assert(io.popen(line))
   local text = pipe:read "a"
   return pipe:close() and text or nil, text
end

-- Always as deep: the directories on the way to a root cost, too.
local function make_folder()
   return (assert(read_command "mktemp -d -p /tmp"):gsub("\n", ""))
end

local function count_calls(text)
   local calls = 0
   for name in text:gmatch "SYSCALL%[[%d,]+%]%([%s%d]+%) ([%w_]+)" do
      if not FREE[name:gsub("^sys_", "")] then calls = calls + 1 end
   end
   return calls
end

-- Instructions and calls of one run; nil and what was said.
local function measure(path, size)
   local dir = make_folder()
   if path.tree then assert(os.execute(("%s tree %s/t 20 %d"):format(trial, dir, size))) end
   local ok, text = read_command(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' "
      .. "valgrind --tool=callgrind --callgrind-out-file=/dev/null --trace-syscalls=yes "
      .. "%s spec/bench/consumers/%s.lua %s %s %d %s 2>&1"):format(
      build, lua, path.script, trial, path.tree and dir .. "/t" or dir, size, path.kind or ""))
   os.execute("rm -rf " .. dir)
   local instructions = ok and tonumber(text:match "Collected : (%d+)")
   local calls = count_calls(text)
   if not instructions or calls == 0 then return nil, text end
   return instructions, calls
end

local function cost(path)
   local few, calls_of_few = measure(path, path.small)
   if not few then return nil, calls_of_few end
   local many, calls_of_many = measure(path, path.large)
   if not many then return nil, calls_of_many end
   local units = (path.large - path.small) * path.per
   return (many - few) / units, (calls_of_many - calls_of_few) / units
end

-- A busy machine can only add to both, by turns of the loop that find less: so it is not believed at once.
local function judge(path)
   local instructions, calls, good
   for _ = 1, 3 do
      instructions, calls = cost(path)
      good = instructions and instructions <= path.budget and calls <= path.calls
      if good then break end
   end
   return good, instructions, calls
end

local passed, failed = 0, 0
for _, path in ipairs(PATHS) do
   local good, instructions, calls = judge(path)
   passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
   print(("%-7s %-30s %s"):format(good and "ok" or "FAILED", path.name, instructions
      and ("%.0f instructions, %d allowed; %.3f calls, %g allowed"):format(instructions, path.budget, calls, path.calls)
      or calls))
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
