-- SPDX-License-Identifier: MIT
--
-- lwatcher_deep_spec.lua - directories within directories, thousands deep: longer than any path the kernel takes, and
-- deeper than a stack.

local helper = require "support.helper"
local lfs = require "lfs"
local moonwatch = require "moonwatch"
local scene = require "support.scene"
local watching = require "support.watching"

-- Under AddressSanitizer what was freed is kept for a while.
local sanitized = helper.build:find "sanitize" ~= nil

-- Calls fn in the directory; a path that is longer than PATH_MAX is gone step by step.
local function within(dir, name, depth, fn)
   local here = lfs.currentdir()
   assert(lfs.chdir(dir))
   for _ = 1, depth do
      lfs.mkdir(name)
      assert(lfs.chdir(name))
   end
   if fn then fn() end
   assert(lfs.chdir(here))
end

local function remove(dir, what)
   assert(os.execute(("cd %s && rm -rf %s"):format(helper.quote(dir), what)))
end

-- In memory where that can be: to remove them takes a minute on a disk.
local function folder()
   return helper.folder(lfs.attributes("/dev/shm", "mode") == "directory" and "/dev/shm" or nil)
end

local function resident()
   for line in io.lines "/proc/self/status" do
      local kib = line:match "^RssAnon:%s+(%d+)"
      if kib then return kib / 1024 end
   end
end

local function write(name)
   io.open(name, "w"):close()
end

describe("a chain of 5,000 directories", function()
   helper.leaves_nothing()

   local DEPTH = 5000
   local path = ("d/"):rep(DEPTH)

   it("is watched to its end, renamed at its top and removed", function()
      local dir = folder()
      within(dir, "d", DEPTH)
      local watcher <close> = assert(moonwatch.watch(dir, { events = "create delete move" }))
      assert.same({ DEPTH, DEPTH + 1 }, { watcher:stats().entries, watcher:stats().watches })
      within(dir, "d", DEPTH, function() write "a" end)
      assert.same({ "create " .. path .. "a" }, watching.words(watcher))
      helper.rename(dir .. "/d", dir .. "/e")
      within(dir .. "/e", "d", DEPTH - 1, function() os.rename("a", "b") end)
      local below = "e" .. path:sub(2)
      assert.same({ "move d -> e", ("move %sa -> %sb"):format(below, below) }, watching.words(watcher))
      local deepest = 0
      for rel in watcher:entries() do deepest = math.max(deepest, #rel) end
      assert.equal(#below + 1, deepest)
      remove(dir, "e")
      assert.equal("delete e", watching.words(watcher)[DEPTH + 1])
      assert.same({ 0, 1 }, { watcher:stats().entries, watcher:stats().watches })
   end)

   it("is known after it was moved in, and forgotten after it was moved out", function()
      local dir = folder()
      helper.mkdir(dir .. "/in")
      within(dir, "d", 1000, function() write "a" end)
      local watcher <close> = assert(moonwatch.watch(dir .. "/in", { events = "create" }))
      helper.rename(dir .. "/d", dir .. "/in/d")
      local words = watching.words(watcher, "plain")
      assert.same({ 1001, "create " .. ("d/"):rep(1000) .. "a" }, { #words, words[#words] })
      helper.rename(dir .. "/in/d", dir .. "/d")
      assert(watcher:sync(20))
      assert.equal(0, watcher:stats().entries)
   end)

   it("is polled", function()
      local dir = folder()
      within(dir, "d", DEPTH)
      local watcher <close> = assert(moonwatch.watch(dir, { events = "create", backend = "poll" }))
      within(dir, "d", DEPTH, function() write "a" end)
      assert.same({ "create " .. path .. "a" }, watching.words(watcher, "plain"))
   end)

   -- Each directory's path was kept from the moment on in which it was asked about its name: half a gigabyte here.
   it("keeps no path for each of its directories", function()
      local dir = folder()
      within(dir, ("d"):rep(40), DEPTH)
      collectgarbage()
      local before = resident()
      local watcher <close> = assert(moonwatch.watch(dir, { match = "*.c" }))
      assert.equal(DEPTH, watcher:stats().directories - 1)
      assert.is_true(sanitized or resident() - before < 64, resident() - before)
   end)
end)

describe("a chain that is renamed into the view", function()
   helper.leaves_nothing()

   -- The paths of all directories on the way were kept, of each the old one and the new one: half a gigabyte here.
   it("takes no path for each of its directories", function()
      local dir = folder()
      within(dir, ("d"):rep(80), 2500, function() write "a" end)
      local result = scene.elsewhere(([[
         local helper = require "support.helper"
         local moonwatch = require "moonwatch"
         local dir = %q
         local function most()
            for line in io.lines "/proc/self/status" do
               local kib = line:match "^VmHWM:%%s+(%%d+)"
               if kib then return kib / 1024 end
            end
         end
         local watcher = assert(moonwatch.watch(dir, { match = "*.c" }))
         local before = most()
         helper.rename(dir .. "/" .. ("d"):rep(80), dir .. "/e")
         assert(watcher:sync(60))
         assert(not watcher:get(0))
         print(most() - before)
         watcher:close()
      ]]):format(dir))
      assert.equal("", result.err)
      assert.is_true(sanitized or tonumber(result.out) < 64, result.out)
   end)

   it("is told by its paths, however long they are", function()
      local DEPTH, name = 100, ("d"):rep(50)
      local dir, expected = folder(), {}
      local here = lfs.currentdir()
      assert(lfs.chdir(dir))
      for depth = 1, DEPTH do
         local at = "e/" .. (name .. "/"):rep(depth - 1)
         for _, other in ipairs { "a", "z" } do
            if depth > 1 then
               lfs.mkdir(other)
               write(other .. "/f")
               expected[#expected + 1] = "create " .. at .. other .. "/f"
            end
         end
         lfs.mkdir(depth == 1 and "d" or name)
         assert(lfs.chdir(depth == 1 and "d" or name))
      end
      assert(lfs.chdir(here))
      for i, word in ipairs(expected) do expected[i] = word:gsub("^create e/" .. name .. "/", "create e/") end
      local watcher <close> = assert(moonwatch.watch(dir, { match = "e/**/f", events = "create delete" }))
      helper.rename(dir .. "/d", dir .. "/e")
      local created = watching.words(watcher, "plain")
      table.sort(created)
      table.sort(expected)
      assert.same(expected, created)
      helper.rename(dir .. "/e", dir .. "/d")
      local deleted = watching.words(watcher, "plain")
      table.sort(deleted)
      for i, word in ipairs(deleted) do deleted[i] = word:gsub("^delete", "create") end
      assert.same(expected, deleted)
   end)
end)

describe("a small stack", function()
   helper.leaves_nothing()

   -- What came into or left the view below a directory was looked for by recursion: 45,000 directories, or these, crashed.
   it("is enough where a chain is renamed into the view and out of it", function()
      if sanitized then return end -- frames are larger there
      local dir = folder()
      within(dir, "d", 3000)
      local result = scene.elsewhere(([[
         local dir = %q
         local watcher = assert(moonwatch.watch(dir, { match = { "e/", "e/**" }, events = "create delete" }))
         local function count()
            local found = {}
            assert(watcher:sync(60))
            for event in watcher:each(0) do found[event.op] = (found[event.op] or 0) + 1 end
            print(found.create, found.delete)
         end
         helper.rename(dir .. "/d", dir .. "/e")
         count()
         helper.rename(dir .. "/e", dir .. "/d")
         count()
         watcher:close()
      ]]):format(dir), { "sh", "-c", 'ulimit -s 192 && exec "$@"', "sh" })
      assert.same({ "", "3000\tnil\nnil\t1\n" }, { result.err, result.out })
   end)
end)

describe("few descriptors", function()
   helper.leaves_nothing()

   -- Below a directory that was moved each level held one, and a frame: what lay deeper was told as gone and come again.
   it("are enough to see what a chain without watches has lost before it was renamed", function()
      local dir = folder()
      local function two()
         write "a"
         write "b"
      end
      within(dir, "d", 300, two)
      within(dir .. "/d", "c", 1, two)
      within(dir .. "/d", "z", 1, two)
      local result = scene.elsewhere(([[
         local lfs = require "lfs"
         local helper = require "support.helper"
         local moonwatch = require "moonwatch"
         local watching = require "support.watching"
         local dir, below = %q, ("/d"):rep(300)
         local watcher = assert(moonwatch.watch(dir, { max_watches = 2, interval = 600 }))
         assert(watcher:get(10).op == "unwatched")
         for _, name in ipairs { below, "/d/c", "/d/z" } do assert(os.remove(dir .. name .. "/a")) end
         helper.rename(dir .. "/d", dir .. "/e")
         local words = watching.words(watcher, "plain")
         table.sort(words)
         print(table.concat(words, "\n"))
         watcher:close()
      ]]):format(dir), { "sh", "-c", 'ulimit -n 50 && exec "$@"', "sh" })
      assert.same({ "", ("delete d/c/a\ndelete %sa\ndelete d/z/a\nmove d -> e\n"):format(("d/"):rep(300)) },
         { result.err, result.out })
   end)
end)

describe("a chain of 100,000 directories", function()
   helper.leaves_nothing()

   it("takes no stack", function()
      -- Less would be taken from those who watch meanwhile.
      if moonwatch.limits().max_user_watches < 150000 then return pending "too few watches may be had here" end
      local dir = folder()
      within(dir, "d", 100000)
      local watcher <close> = assert(moonwatch.watch(dir, { events = "create", wait = false }))
      assert(watcher:ready(100))
      assert.equal(100000, watcher:stats().entries)
      within(dir, "d", 100000, function() write "a" end)
      assert.same({ "create " .. ("d/"):rep(100000) .. "a" }, watching.words(watcher))
   end)
end)
