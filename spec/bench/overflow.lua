-- SPDX-License-Identifier: MIT
--
-- overflow.lua - `make bench-overflow`: writers that overflow the kernel's queue for 30 seconds, in a tree of 50,000 files.
--
--    BUILD=build lua5.4 spec/bench/overflow.lua [seconds [writers]]
--
-- What the recoveries cost is bounded from above: the watcher's CPU time in that span, less what a plain read loop takes
-- for as many records, measured before. All else that a record costs a watcher counts as recovery too. Where the watcher
-- keeps up with the writers it is held up now and then, so that its queue is full again and again.
--
-- Afterwards all must be true: the events, of which none was taken meanwhile, lead from the tree as it was to the tree on
-- the disk, `entries` is that tree, and there is a watch for each directory.

local build = os.getenv "BUILD" or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = ("%s/lib/?.so;%s/torture/?.so;%s"):format(build, build, package.cpath)

local probe = require "torture_probe"

local DIRECTORIES, FILES, OWN = 500, 100, 1000

-- A writer: makes, renames, writes and removes files and folders until its input ends.
local function write(root, number)
   math.randomseed(number)
   local own, made = {}, 0
   local function place(name)
      return ("%s/%d/%s"):format(root, math.random(DIRECTORIES), name)
   end
   local function touch(path, how)
      local file = io.open(path, how)
      if file then file:write("x"):close() end
   end
   local function fresh()
      made = made + 1
      return place(("w%d-%d"):format(number, made))
   end
   local function make()
      own[#own + 1] = fresh()
      touch(own[#own], "w")
   end
   local function rename()
      if #own == 0 then return end
      local at, to = math.random(#own), fresh()
      -- Into another folder now and then: all such renames of a file system wait for each other.
      if math.random(10) > 1 then to = own[at]:match "^.*/" .. to:match "[^/]*$" end
      if os.rename(own[at], to) then own[at] = to end
   end
   local function remove()
      if #own > 0 then os.remove(table.remove(own, math.random(#own))) end
   end
   local function change()
      touch(place(math.random(FILES)), "a")
   end
   local function drown()
      probe.noise(place(math.random(FILES)), place(math.random(FILES)), 300)
   end
   local function folder()
      local first = fresh()
      local second = first .. "-renamed"
      probe.mkdir(first)
      touch(first .. "/f", "w")
      os.rename(first, second)
      os.remove(second .. "/f")
      os.remove(second)
   end
   local acts = { make, make, make, rename, rename, rename, rename, remove, remove, change, folder, drown }
   repeat
      for _ = 1, 100 do acts[#own >= OWN and 8 or math.random(#acts)]() end
   until probe.read(0, 0) == ""
end

if arg[1] == "write" then return write(arg[2], tonumber(arg[3])) end

local moonwatch = require "moonwatch"
local Model = require "torture.model"
local oracles = require "torture.oracles"

local seconds, writers = tonumber(arg[1] or 30), tonumber(arg[2] or 3)

local function plant(root)
   for i = 1, DIRECTORIES do
      local folder = ("%s/%d"):format(root, i)
      assert(probe.mkdir(folder))
      probe.fill(folder, 1, FILES)
   end
end

-- CPU seconds per record in a loop that reads and does nothing else; the least of some rounds.
local function cost_of_reading(base)
   local least = math.huge
   for _ = 1, 5 do
      local fd = probe.watch(base)
      probe.fill(base, 1, 5000)
      local before, bytes = os.clock(), 0
      local block = probe.read(fd, 0)
      while block do
         bytes = bytes + #block
         block = probe.read(fd, 0)
      end
      least = math.min(least, (os.clock() - before) / (bytes / 32)) -- a short name takes 16 bytes beside the 16 of a record
      probe.close(fd)
      for i = 1, 5000 do os.remove(("%s/%d"):format(base, i)) end
   end
   return least
end

local function start_writers(root)
   local list = {}
   for number = 1, writers do
      local pid, input, output = probe.start { arg[-1], arg[0], "write", root, tostring(number) }
      list[number] = { pid = assert(pid, input), input = input, output = output }
   end
   return list
end

local function stop_writers(list)
   for _, writer in ipairs(list) do
      probe.close(writer.input)
      probe.wait(writer.pid)
      probe.close(writer.output)
   end
end

-- The loop turns for so long. Where nothing is lost it stands still every now and then, longer each time. After a loss
-- records are dropped until their directory was looked at: so many half seconds met one.
local function turn(watcher)
   local deadline, still, dropped, losses = moonwatch.now() + seconds, 0, 0, 0
   while moonwatch.now() < deadline do
      moonwatch.sleep(math.min(0.5, math.max(deadline - moonwatch.now(), 0)))
      local now = watcher:stats().dropped
      local lost = now > dropped
      still = lost and still / 2 or math.min(2 * still + 0.02, 2)
      losses, dropped = losses + (lost and 1 or 0), now
      probe.sleep(math.min(still, math.max(deadline - moonwatch.now(), 0)))
   end
   return losses, dropped
end

-- All that was told since the model was true, applied to it.
local function replay(watcher, model)
   local count = 0
   for event in watcher:each(0) do
      count = count + 1
      local ok, why = model:apply(event)
      if not ok then error(("%s: %s"):format(tostring(event), why), 0) end
   end
   return count
end

local function main(base)
   local quiet, root = base .. "/quiet", base .. "/R"
   for _, folder in ipairs { quiet, root } do assert(probe.mkdir(folder)) end
   local cost = cost_of_reading(quiet)
   plant(root)
   local watcher <close> = assert(moonwatch.watch(root))
   local model = Model.new(probe.snapshot(root))
   local before, cpu = watcher:stats(), os.clock()
   local list = start_writers(root)
   local losses, dropped = turn(watcher)
   local stats
   cpu, stats = os.clock() - cpu, watcher:stats()
   stop_writers(list)
   assert(watcher:sync(60))
   local told = replay(watcher, model)
   local snapshot = probe.snapshot(root)
   local problem = oracles.replay(model, snapshot) or oracles.entries(watcher:entries(), snapshot)
      or oracles.leak(root, snapshot, {})
   local records = stats.all.records - before.all.records
   local share = (cpu - records * cost) / seconds
   print(("%d writers, %g s, %d losses: %.1f million records read, %.1f million of them dropped"):format(writers, seconds, losses,
      records / 1e6, dropped / 1e6))
   print(("the watcher took %.2f of a core, %.2f of it for reading (%.0f ns a record): the recoveries took less than %.2f")
      :format(cpu / seconds, records * cost / seconds, cost * 1e9, share))
   print(("afterwards %d events lead to the %d entries on the disk: %s"):format(told, stats.entries, problem or "true"))
   return not problem and share < 0.5
end

local base = assert(probe.temporary())
local ok, result = xpcall(main, debug.traceback, base)
probe.remove(base)
if not ok then error(result, 0) end
os.exit(result, true)
