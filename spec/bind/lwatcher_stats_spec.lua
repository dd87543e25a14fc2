-- SPDX-License-Identifier: MIT
--
-- lwatcher_stats_spec.lua - what watchers count: every record of the kernel has exactly one fate.

local helper = require "support.helper"
local moonwatch = require "moonwatch"

local FATES = { "delivered", "merged", "filtered", "dropped" }

local function fates(stats)
   local row = {}
   for i, name in ipairs(FATES) do row[i] = stats[name] end
   return row
end

local function sum(stats)
   local total = 0
   for _, name in ipairs(FATES) do total = total + stats[name] end
   return total
end

local function drain(watcher)
   local told, found = 0, 0
   assert(watcher:sync(20))
   for event in watcher:each(0) do
      told, found = told + 1, found + (event.synthetic and 1 or 0)
   end
   return told, found
end

local function watch(dir, options)
   return assert(moonwatch.watch(dir, options or {}))
end

-- Random work on a few names of some folders, the same for a seed.
local function work(dir, folders, seed, steps)
   math.randomseed(seed)
   local function name() return ("%s/%s%d"):format(dir, folders[math.random(#folders)], math.random(6)) end
   for _ = 1, steps do
      local choice = math.random(10)
      if choice <= 4 then
         pcall(helper.append, name(), "x")
      elseif choice <= 6 then
         os.remove(name())
      elseif choice <= 8 then
         os.rename(name(), name())
      elseif choice == 9 then
         pcall(helper.mkdir, name())
      else
         os.rename(name(), dir .. "/../out")
      end
   end
end

describe("watcher:stats", function()
   helper.leaves_nothing()

   it("counts no entries of a root that is not there", function()
      local dir = helper.folder()
      local watcher <close> = watch({ dir .. "/none", dir .. "/in" }, { missing = "wait" })
      assert.equal(0, watcher:stats().entries)
      helper.write(dir .. "/in/a", "")
      assert(watcher:sync(20))
      assert.equal(1, watcher:stats().entries)
   end)

   it("says what became of each record", function()
      local dir = helper.folder()
      helper.write(dir .. "/old", "")
      local watcher <close> = watch(dir, { match = "*.c", events = "create close_write move delete" })
      local function after(act)
         local before = fates(watcher:stats())
         act()
         drain(watcher)
         local now = fates(watcher:stats())
         for i in ipairs(now) do now[i] = now[i] - before[i] end
         return now
      end
      assert.same({ 2, 0, 0, 0 }, after(function() helper.write(dir .. "/a.c", "") end))
      assert.same({ 0, 0, 2, 0 }, after(function() helper.write(dir .. "/a.o", "") end))
      assert.same({ 1, 1, 0, 0 }, after(function() helper.rename(dir .. "/a.c", dir .. "/b.c") end))
      assert.same({ 0, 0, 2, 0 }, after(function() helper.rename(dir .. "/a.o", dir .. "/b.o") end))
      assert.same({ 1, 1, 0, 0 }, after(function() helper.rename(dir .. "/b.c", dir .. "/b.x") end))
      assert.same({ 0, 0, 1, 0 }, after(function() helper.remove(dir .. "/b.o") end))
      watcher:pause()
      assert.same({ 0, 0, 2, 0 }, after(function() helper.write(dir .. "/c.c", "") end))
      watcher:resume()
      assert.same({ 1, 0, 0, 0 }, after(function() helper.remove(dir .. "/c.c") end))
   end)

   it("counts what is told again in a row as merged", function()
      local dir = helper.folder()
      helper.write(dir .. "/a", "")
      local watcher <close> = watch(dir, { events = "modify", latency = 0 })
      for _ = 1, 3 do
         helper.append(dir .. "/a", "x")
         assert(watcher:sync(10))
      end
      local stats = watcher:stats()
      assert.same({ 1, 2, 3, 0 }, fates(stats)) -- and three times close_write
      assert.same({ 1, 0, 2 }, { stats.events, stats.synthetic, stats.coalesced })
   end)

   it("counts what was found by looking as synthetic, and its records as dropped", function()
      local dir = helper.folder()
      local watcher <close> = watch(dir)
      helper.mkdir(dir .. "/d")
      helper.write(dir .. "/d/a", "")
      local told, found = drain(watcher)
      local stats = watcher:stats()
      assert.same({ told, found }, { stats.events, stats.synthetic })
      assert.equal(told - found, stats.delivered)
      watcher:rescan()
      helper.write(dir .. "/d/b", "")
      drain(watcher)
      stats = watcher:stats()
      assert.equal(stats.records, sum(stats))
   end)

   it("adds up to what the kernel has said, record by record", function()
      for seed = 1, 5 do
         local dir = helper.folder() .. "/flat"
         helper.mkdir(dir)
         local watcher <close> = watch(dir, { recursive = false })
         local inotify <close> = assert(moonwatch.inotify())
         -- The same records as the watcher's own watch.
         assert(inotify:add(dir, "create delete move attrib close_write delete_self move_self onlydir excl_unlink"))
         work(dir, { "" }, seed, 400)
         local records = #assert(inotify:read(0))
         while true do
            local more = inotify:read(0)
            if #more == 0 then break end
            records = records + #more
         end
         local told, found = drain(watcher)
         local stats = watcher:stats()
         assert.same({ records, records, 0 }, { stats.all.records, stats.all.handed, stats.all.unclaimed }, "seed " .. seed)
         assert.equal(records, sum(stats))
         assert.same({ told, found }, { stats.events, stats.synthetic })
         helper.clean()
      end
   end)

   it("adds up over several watchers, folders that come and go, and a queue that is folded", function()
      for seed = 1, 3 do
         local dir = helper.folder() .. "/tree"
         for _, name in ipairs { "a", "b", "c" } do helper.mkdir(dir .. "/" .. name) end
         local all <close> = watch(dir, { events = "create modify close_write attrib delete move" })
         local some <close> = watch(dir, { match = "*1", queue = 16 })
         for round = 1, 4 do
            work(dir, { "", "a/", "b/", "c/", "1/", "a/2/" }, seed * 10 + round, 300)
            assert(all:sync(20))
         end
         drain(all)
         drain(some)
         local one, two = all:stats(), some:stats()
         assert.equal(one.records, sum(one))
         assert.equal(two.records, sum(two))
         for _, name in ipairs(FATES) do assert.equal(one.all[name], one[name] + two[name], name) end
         assert.equal(one.all.handed, one.records + two.records)
         assert.is_true(2 * (one.all.records - one.all.unclaimed) >= one.all.handed)
         helper.clean()
      end
   end)
end)
