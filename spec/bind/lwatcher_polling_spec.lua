-- SPDX-License-Identifier: MIT
--
-- Polling as a backend in its own right: the same cases, told by looking.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local probe = scene.probe

-- `sync` looks: the timer is not waited for.
local POLL = { backend = "poll", interval = 60 }

local function sorted(lines)
   table.sort(lines)
   return lines
end

describe("polling", function()
   helper.leaves_nothing()

   local function with(files)
      local s = scene.new()
      for _, rel in ipairs(files or {}) do helper.write(s.R .. "/" .. rel, "x") end
      s:watch(POLL)
      return s
   end

   it("takes no watch", function()
      local before = helper.watches()
      local s = with { "a/b/f" }
      assert.same({ before, 0 }, { helper.watches(), s.watcher:stats().watches })
      s:check { none = true }
   end)

   it("finds a new tree, parents first", function()
      local s = with()
      helper.write(s.R .. "/a/b/f", "x")
      assert.same({ "*create a/", "*create a/b/", "*create a/b/f", "*close_write a/b/f" }, s:events())
      s:check { none = true }
   end)

   it("finds what changed, however small", function()
      local s = with { "a", "b", "c" }
      helper.append(s.R .. "/a", "y")
      assert.same({ "*close_write a" }, s:events())
      helper.write(s.R .. "/b", "y")
      assert.same({ "*close_write b" }, s:events())
      assert.same({}, s:events())
   end)

   it("finds what was replaced by a rename", function()
      local s = with { "a" }
      helper.write(s.R .. "/a.tmp", "y")
      helper.rename(s.R .. "/a.tmp", s.R .. "/a")
      assert.same({ "*close_write a" }, s:events())
   end)

   it("tells renames as deletes and creates, or as moves", function()
      local s = with { "d/f", "g" }
      helper.rename(s.R .. "/d", s.R .. "/e")
      helper.rename(s.R .. "/g", s.R .. "/e/g")
      s:check { none = true }
      helper.append(s.R .. "/e/f", "y")
      assert.same({ "*close_write e/f" }, s:events())
   end)

   it("finds deletes, and what takes the place", function()
      local s = with { "d/f", "g", "h" }
      helper.remove(s.R .. "/d")
      helper.write(s.R .. "/d", "now a file")
      helper.remove(s.R .. "/g")
      helper.mkdir(s.R .. "/g")
      helper.remove(s.R .. "/h")
      s:check { none = true }
   end)

   it("finds roots that go and come", function()
      local s = with { "d/f" }
      helper.rename(s.R, s.O .. "/away")
      assert.same({ "gone" }, s:events())
      helper.rename(s.O .. "/away", s.R)
      assert.same({ "back", "*create d/", "*create d/f", "*close_write d/f" }, s:events())
      helper.remove(s.R)
      helper.write(s.R .. "/g", "x")
      -- The file system may give the new root the number of the old one: then only its content is another.
      s:check { none = true }
   end)

   it("waits for a root that is missing", function()
      local s = scene.new()
      s:watch({ backend = "poll", interval = 60, missing = "wait" }, s.O .. "/a/b")
      assert.same({}, s:events())
      helper.write(s.O .. "/a/b/f", "x")
      assert.same({ "back", "*create f", "*close_write f" }, s:events())
   end)

   it("follows a single file by name", function()
      local s = scene.new()
      local file = s.R .. "/conf"
      helper.write(file, "0")
      s:watch(POLL, file)
      s.loose = true
      helper.write(file .. ".tmp", "1")
      helper.rename(file .. ".tmp", file)
      assert.same({ "*close_write conf" }, s:events())
      os.remove(file)
      assert.same({ "*delete conf" }, s:events())
      helper.write(file, "2")
      assert.same({ "*create conf", "*close_write conf" }, s:events())
   end)

   it("looks by itself each interval", function()
      local s = scene.new()
      local watcher <close> = assert(moonwatch.watch(s.R, { backend = "poll", interval = 0.05 }))
      helper.write(s.R .. "/f", "x")
      assert.equal("*create f", scene.describe(assert(watcher:get(10))))
      assert.equal("*close_write f", scene.describe(assert(watcher:get(10))))
      helper.append(s.R .. "/f", "y")
      assert.equal("*close_write f", scene.describe(assert(watcher:get(10))))
   end)

   it("tells ops that were asked for: modify, too", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "x")
      s.loose = true
      s:watch { backend = "poll", interval = 60, events = "modify create" }
      helper.append(s.R .. "/f", "y")
      helper.write(s.R .. "/g", "y")
      assert.same({ "*create g", "*modify f", "*modify g" }, sorted(s:events()))
   end)

   -- The next look began before the last was over, and nothing was ever settled.
   it("settles though a look at all takes longer than the interval", function()
      local dir = helper.folder()
      for i = 1, 2000 do helper.mkdir(dir .. "/" .. i) end
      local watcher <close> = assert(moonwatch.watch(dir, { backend = "poll", interval = 0.0001, wait = false }))
      assert(watcher:ready(60))
      helper.write(dir .. "/7/a", "")
      assert(watcher:sync(60))
      assert.equal("create", watcher:get(0).op)
   end)

   it("tells a change of mode as attrib", function()
      local s = with { "f", "d/g" }
      probe.chmod(s.R .. "/f", 256)
      local lines = s:events()
      assert.truthy(#lines == 1 and (lines[1] == "*attrib f" or lines[1] == "*close_write f"), table.concat(lines, ","))
   end)

   it("keeps its view", function()
      local s = scene.new()
      s.loose = true
      s:watch { backend = "poll", interval = 60, ignore = "build/", match = "*.c" }
      helper.write(s.R .. "/build/a.c", "x")
      helper.write(s.R .. "/d/a.c", "x")
      helper.write(s.R .. "/d/a.h", "x")
      assert.same({ "*create d/a.c", "*close_write d/a.c" }, s:events())
      helper.rename(s.R .. "/d/a.c", s.R .. "/d/a.o")
      assert.same({ "*delete d/a.c" }, s:events())
   end)
end)

describe("the backend by itself", function()
   helper.leaves_nothing()

   it("refuses proc and sysfs unless polling is asked for", function()
      for _, path in ipairs { "/proc/sys/fs", "/sys/kernel" } do
         local watcher, message, code = moonwatch.watch(path, { depth = 1 })
         if watcher then watcher:close() end
         assert.truthy(not watcher and message:find(path, 1, true) and code, path .. " was watched")
         watcher = assert(moonwatch.watch(path, { backend = "poll", depth = 1, interval = 60 }))
         watcher:close()
      end
   end)
end)
