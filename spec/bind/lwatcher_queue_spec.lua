-- SPDX-License-Identifier: MIT
--
-- lwatcher_queue_spec.lua - the `queue` bound: what waits for a slow reader is folded into net changes.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local probe = require("support.scene").probe
local words = require("support.watching").words

describe("queue", function()
   helper.leaves_nothing()

   local function watch(folder, options)
      options = options or {}
      options.queue = 10
      local watcher = assert(moonwatch.watch(folder, options))
      return watcher
   end

   it("folds what waits into one net change per path, after one overflow", function()
      local folder = helper.folder()
      helper.write(folder .. "/old", "x")
      helper.write(folder .. "/gone", "x")
      helper.mkdir(folder .. "/d")
      local watcher <close> = watch(folder)
      for i = 1, 50 do
         helper.write(folder .. "/t" .. i, "x")
         helper.append(folder .. "/old", "y")
         helper.remove(folder .. "/t" .. i)
      end
      helper.remove(folder .. "/gone")
      helper.rename(folder .. "/old", folder .. "/d/new")
      helper.write(folder .. "/z", "x")
      assert(watcher:sync(10))
      assert.same({ "overflow* ", "delete* gone", "move* old -> d/new", "close_write* d/new",
         "create* z", "close_write* z" }, words(watcher))
      assert.is_true(watcher:stats().coalesced > 100)
      helper.write(folder .. "/after", "x")
      assert.same({ "create after", "close_write after" }, words(watcher))
   end)

   it("counts each overflow when it happens, the kernel's and its own", function()
      local folder = helper.folder()
      local watcher <close> = watch(folder)
      local function drown()
         assert(probe.noise(folder .. "/noise1", folder .. "/noise2", 20000))
         assert(watcher:sync(20))
      end
      for i = 1, 40 do helper.write(folder .. "/f" .. i, "x") end
      assert(watcher:sync(20))
      assert.equal(1, watcher:stats().overflows)
      drown()
      drown()
      local told = 0
      for event in watcher:each(0) do told = told + (event.op == "overflow" and 1 or 0) end
      assert.same({ 1, 1, 3 }, { told, watcher:stats().ops.overflow, watcher:stats().overflows })
   end)

   it("keeps its numbers in a row, and bounds what is held", function()
      local folder = helper.folder()
      local watcher <close> = watch(folder)
      for round = 1, 300 do
         for i = 1, 5 do helper.append(folder .. "/f" .. i, tostring(round)) end
         if round % 50 == 0 then assert(watcher:sync(10)) end
      end
      assert.is_true(watcher:stats().queued <= 11)
      local seq = 0
      for event in watcher:each(0) do
         assert.equal(seq + 1, event.seq)
         seq = event.seq
      end
      assert.equal(11, seq)
   end)

   it("folds again where the reader is still slow", function()
      local folder = helper.folder()
      local watcher <close> = watch(folder)
      local model = {}
      local function take(event)
         if event.op == "create" then
            assert.is_nil(model[event.rel])
            model[event.rel] = true
         elseif event.op == "delete" then
            assert.is_true(model[event.rel])
            model[event.rel] = nil
         end
      end
      for round = 1, 20 do
         for i = 1, 20 do
            local path = folder .. "/" .. (round * 7 + i * 3) % 31
            if helper.exists(path) then helper.remove(path) else helper.write(path, "x") end
         end
         assert(watcher:sync(10))
         for _ = 1, 5 do take(assert(watcher:get(0))) end
      end
      for event in watcher:each(0) do take(event) end
      local disk = {}
      for rel in watcher:entries() do disk[rel] = true end
      assert.same(disk, model)
   end)

   it("tells the going and coming of the root", function()
      local folder = helper.folder()
      helper.write(folder .. "/r/f", "x")
      local watcher <close> = watch(folder .. "/r")
      for i = 1, 20 do helper.write(folder .. "/r/g" .. i, "x") end
      assert(watcher:sync(10))
      helper.rename(folder .. "/r", folder .. "/away")
      assert(watcher:sync(10))
      helper.write(folder .. "/r/h", "x")
      assert(watcher:sync(10))
      assert.same({ "overflow* ", "gone* ", "back* ", "create* h", "close_write* h" }, words(watcher))
   end)

   it("gives only what was asked for", function()
      local folder = helper.folder()
      local watcher <close> = watch(folder, { events = "create" })
      for i = 1, 30 do helper.write(folder .. "/f" .. i, "x") end
      assert(watcher:sync(10))
      local count = {}
      for event in watcher:each(0) do count[event.op] = (count[event.op] or 0) + 1 end
      assert.same({ overflow = 1, create = 30 }, count)
   end)

   it("does not disturb changes", function()
      local folder = helper.folder()
      local watcher <close> = watch(folder)
      local changes = watcher:changes { settle = 0.05, timeout = 20 }
      for i = 1, 40 do helper.write(folder .. "/f" .. i, "x") end
      assert(watcher:sync(10))
      local seen = 0
      repeat
         local batch = changes()
         for _, change in ipairs(batch or {}) do
            assert.equal("create", change.op)
            seen = seen + 1
         end
      until seen >= 40 or not batch
      assert.equal(40, seen)
   end)

   it("is a whole number", function()
      local ok, message = pcall(function() moonwatch.watch(".", { queue = 0 }) end)
      assert.is_false(ok)
      assert.matches("lwatcher_queue_spec.lua:%d+: watch: queue must be a whole number of at least 1, not 0", message)
   end)
end)
