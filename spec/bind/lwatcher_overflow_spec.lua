-- SPDX-License-Identifier: MIT
--
-- Scenarios 22 and 23: records that the kernel dropped are made good by looking at the disk.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local probe = scene.probe

-- More records than the queue holds, and nothing changes.
local function drown(s)
   assert(probe.noise(s.R .. "/noise1", s.R .. "/noise2", 20000))
end

local function overflows(lines)
   return scene.counts(lines)["overflow"] or 0
end

-- Without the noise and the overflow itself.
local function rest(lines)
   local list = {}
   for _, line in ipairs(lines) do
      if not line:find "noise" and line ~= "overflow" then list[#list + 1] = line end
   end
   return list
end

describe("an overflow", function()
   helper.leaves_nothing()

   it("by 20,000 creates loses none", function()
      local s = scene.new("fast")
      s:watch()
      probe.fill(s.R, 1, 20000)
      local lines = s:events()
      local creates = 0
      for line, count in pairs(scene.counts(lines)) do
         assert(not line:find "create" or count == 1, line)
         if line:find "create" then creates = creates + 1 end
      end
      assert.same({ 1, 20000 }, { overflows(lines), creates })
      s:check()
      helper.write(s.R .. "/after", "x")
      assert.same({ "create after", "close_write after" }, s:events())
   end)

   it("swallows deletes, renames and new trees, and all are told", function()
      local s = scene.new()
      for _, rel in ipairs { "del/f", "kept/f", "moved/deep/f", "gone", "file", "type" } do
         helper.write(s.R .. "/" .. rel, "x")
      end
      s:watch()
      drown(s)
      helper.remove(s.R .. "/del")
      helper.remove(s.R .. "/gone")
      helper.rename(s.R .. "/moved", s.R .. "/kept/moved")
      helper.rename(s.R .. "/file", s.R .. "/renamed")
      helper.write(s.R .. "/new/a/b/f", "x")
      helper.remove(s.R .. "/type")
      helper.mkdir(s.R .. "/type")
      local lines = s:events()
      assert.equal(1, overflows(lines))
      s:check()
      for _, rel in ipairs { "new/a/b/f", "kept/moved/deep/f" } do helper.append(s.R .. "/" .. rel, "y") end
      assert.same({ "close_write new/a/b/f", "close_write kept/moved/deep/f" }, s:events())
   end)

   it("does not believe a directory that was removed and made again", function()
      local s = scene.new()
      for i = 1, 5 do helper.write(("%s/d%d/old"):format(s.R, i), "x") end
      s:watch()
      drown(s)
      for i = 1, 5 do
         helper.remove(("%s/d%d"):format(s.R, i))
         helper.write(("%s/d%d/new"):format(s.R, i), "x")
      end
      s:check()
      for i = 1, 5 do helper.append(("%s/d%d/new"):format(s.R, i), "x") end
      assert.same({ "close_write d1/new", "close_write d2/new", "close_write d3/new", "close_write d4/new",
         "close_write d5/new" }, s:events())
   end)

   it("after another is made good as well", function()
      local s = scene.new()
      s:watch()
      for round = 1, 3 do
         drown(s)
         helper.write(("%s/t%d/f"):format(s.R, round), "x")
         helper.step(0)
         drown(s)
         helper.write(("%s/u%d/f"):format(s.R, round), "x")
         s:check()
      end
   end)

   it("tells a file whose writer was at work in it", function()
      local s = scene.new()
      helper.write(s.R .. "/log", "x")
      s:watch { events = "create close_write modify delete move" }
      local file <close> = assert(io.open(s.R .. "/log", "ab"))
      file:setvbuf "no"
      file:write "first"
      assert.same({ "modify log" }, s:events())
      drown(s)
      file:close()
      assert.same({ "*modify log", "*close_write log" }, rest(s:events()))
      s:check()
   end)

   it("is repaired by difference: of 50,000 files the 100 that changed are told, and no other", function()
      local s = scene.new("fast")
      for dir = 1, 100 do
         helper.mkdir(("%s/%d"):format(s.R, dir))
         probe.fill(("%s/%d"):format(s.R, dir), 1, 500)
      end
      s:watch()
      drown(s)
      local expected = {}
      for dir = 1, 100 do
         local rel = ("%d/%d"):format(dir, dir * 5)
         helper.append(s.R .. "/" .. rel, "x")
         expected["*close_write " .. rel] = 1
      end
      local lines = s:events()
      assert.equal(1, overflows(lines))
      assert.same(expected, scene.counts(rest(lines)))
      s:check()
   end)

   it("tells a change whose time of modification was set back", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "one")
      helper.write(s.R .. "/b", "one")
      os.execute("touch -d 2001-01-01 " .. s.R .. "/a " .. s.R .. "/b")
      s:watch()
      -- A file that was made in the same tick of the clock as the first look counts as changed.
      local later = helper.now() + 0.02
      helper.eventually(function() return helper.now() > later end)
      assert.same({}, s:events())
      drown(s)
      helper.write(s.R .. "/a", "two")
      os.execute("touch -d 2001-01-01 " .. s.R .. "/a")
      assert.same({ "*close_write a" }, rest(s:events()))
   end)
end)

-- The end of each watch is a record: whoever gave up more than the queue holds filled it for all others.
describe("giving up thousands of watches", function()
   helper.leaves_nothing()

   local function with_directories(count)
      local s = scene.new("fast")
      helper.mkdir(s.R .. "/one")
      for i = 1, count do helper.mkdir(("%s/many/%d"):format(s.R, i)) end
      return s
   end

   it("overflows nothing where a tree is moved out", function()
      local s = with_directories(17000)
      s:watch()
      helper.rename(s.R .. "/many", s.O .. "/many")
      assert.same({ "delete many/" }, s:events())
      s:check()
   end)

   it("overflows no other watcher where one is closed, and keeps nothing from it", function()
      local s = with_directories(2 * 4096 - 1)
      local one <close> = assert(moonwatch.watch(s.R .. "/one", { events = "create" }))
      local many = assert(moonwatch.watch(s.R .. "/many"))
      local seen
      one:on("create", function(event) seen = event.rel end)
      helper.step(0)
      helper.write(s.R .. "/one/a", "x")
      many:close()
      helper.eventually(function() return seen == "a" end)
      assert.equal(0, one:stats().overflows)
   end)
end)

describe("a writer that always overflows", function()
   helper.leaves_nothing()

   it("does not keep the watcher from the truth, which comes when it rests", function()
      local s = scene.new()
      for i = 1, 300 do helper.write(("%s/d%d/f"):format(s.R, i), "x") end
      s:watch()
      local before = s.watcher:stats().rescans
      local rounds = 8
      for round = 1, rounds do
         drown(s)
         helper.write(("%s/n%d/f"):format(s.R, round), "x")
         helper.step(0)
      end
      s:check()
      local looks = s.watcher:stats().rescans - before
      assert(looks <= (rounds + 1) * 320, looks .. " directories were looked at")
   end)
end)
