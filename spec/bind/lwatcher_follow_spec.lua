-- SPDX-License-Identifier: MIT
--
-- lwatcher_follow_spec.lua - `follow`: links to directories are entered, as find -L does.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local lfs = require "lfs"
local probe = require("support.scene").probe
local watching = require "support.watching"
local words, known = watching.words, watching.known

-- Random numbers of a seed's own: random(n) is 1 to n.
local function generator(state)
   return function(limit)
      state = (state * 1103515245 + 12345) % 0x80000000
      return (state >> 8) % limit + 1
   end
end

local function follow(folder)
   return assert(moonwatch.watch(folder, { follow = true }))
end

describe("follow", function()
   helper.leaves_nothing()

   it("enters links to directories, whose type is directory; other links stay links", function()
      local folder, other = helper.folder(), helper.folder()
      helper.write(other .. "/sub/f", "x")
      helper.symlink(other, folder .. "/link")
      helper.symlink(other .. "/sub/f", folder .. "/file")
      helper.symlink("/nowhere", folder .. "/dangling")
      local watcher <close> = follow(folder)
      assert.same({ "dangling", "file", "link/", "link/sub/", "link/sub/f" }, known(watcher))
      helper.write(other .. "/sub/g", "x")
      helper.write(folder .. "/link/h", "x")
      assert.same({ "create link/sub/g", "close_write link/sub/g", "create link/h", "close_write link/h" },
         words(watcher))
   end)

   it("leaves them alone without being asked", function()
      local folder, other = helper.folder(), helper.folder()
      helper.symlink(other, folder .. "/link")
      local watcher <close> = assert(moonwatch.watch(folder))
      helper.write(other .. "/f", "x")
      assert.same({ "link" }, known(watcher))
      assert.same({}, words(watcher))
   end)

   it("enters a directory that was its own ancestor once it has moved to where it is not", function()
      local base = helper.folder()
      helper.mkdir(base .. "/t")
      helper.write(base .. "/o/a/f", "x")
      helper.symlink("..", base .. "/o/a/up")
      helper.symlink("../o/a", base .. "/t/z")
      local watcher <close> = follow(base .. "/t")
      assert.same({ "z/", "z/f", "z/up/", "z/up/a/" }, known(watcher))
      helper.rename(base .. "/o/a", base .. "/t/new")
      assert.same({ "new/", "new/f", "new/up", "z" }, known(watcher))
   end)

   it("takes back what was known below a directory that has become its own ancestor", function()
      local base = helper.folder()
      helper.write(base .. "/o/s/f", "x")
      helper.mkdir(base .. "/t/x")
      helper.symlink(base .. "/o/s", base .. "/t/j")
      helper.symlink(base .. "/o", base .. "/t/x/l")
      local watcher <close> = follow(base .. "/t")
      assert.same({ "j/", "j/f", "x/", "x/l/", "x/l/s/", "x/l/s/f" }, known(watcher))
      helper.rename(base .. "/t/x", base .. "/o/s/x")
      assert.same({ "create j/x", "move x/l -> j/x/l", "delete j/x/l/s/f", "delete x" }, words(watcher, "plain"))
      assert.same({ "j/", "j/f", "j/x/", "j/x/l/", "j/x/l/s/" }, known(watcher))
   end)

   it("leaves a directory that a link which was moved leads to from within", function()
      local base = helper.folder()
      helper.write(base .. "/o/d/f", "x")
      helper.mkdir(base .. "/t")
      helper.symlink(base .. "/o", base .. "/t/e")
      helper.symlink(base, base .. "/t/l")
      local watcher <close> = follow(base .. "/t")
      assert.same({ "e/", "e/d/", "e/d/f", "l/", "l/o/", "l/o/d/", "l/o/d/f", "l/t/" }, known(watcher))
      helper.rename(base .. "/t/l", base .. "/o/d/m")
      assert.same({ "e/", "e/d/", "e/d/f", "e/d/m/", "e/d/m/o/", "e/d/m/t/" }, known(watcher))
   end)

   it("knows a link in whose place a directory was seen moving as a link", function()
      local base = helper.folder()
      helper.write(base .. "/o/d/f", "x")
      helper.symlink(base .. "/o", base .. "/l")
      local watcher <close> = follow(base)
      helper.remove(base .. "/l")
      helper.symlink(base .. "/o/d", base .. "/m")
      assert.same({ "m/", "m/f", "o/", "o/d/", "o/d/f" }, known(watcher))
      helper.rename(base .. "/o/d", base .. "/o/e")
      assert.same({ "m", "o/", "o/e/", "o/e/f" }, known(watcher))
   end)

   it("looks again at the links of a directory that has moved: they may no longer lead above it", function()
      local base = helper.folder()
      helper.write(base .. "/p/q/f", "x")
      helper.symlink(base .. "/p", base .. "/p/q/up")
      local watcher <close> = assert(moonwatch.watch(base, { follow = true, interval = 3600 }))
      helper.rename(base .. "/p/q", base .. "/q")
      local told = {}
      for i = 1, 2 do
         local event = assert(watcher:get(10))
         told[i] = event.op .. " " .. event.rel
      end
      assert.same({ "move q", "create q/up" }, told)
      assert.same({ "p/", "q/", "q/f", "q/up/" }, known(watcher))
   end)

   it("enters a link in a directory that had another name before anybody could look", function()
      local base = helper.folder()
      helper.mkdir(base .. "/t/a")
      helper.write(base .. "/o/f", "x")
      local watcher <close> = assert(moonwatch.watch(base .. "/t", { follow = true, interval = 3600 }))
      helper.symlink(base .. "/o", base .. "/t/a/l")
      helper.rename(base .. "/t/a", base .. "/t/b")
      assert.same({ "move a -> b", "create* b/l", "create* b/l/f", "close_write* b/l/f" }, words(watcher))
      assert.same({ "b/", "b/l/", "b/l/f" }, known(watcher))
   end)

   it("looks at what an exchange has brought, on every path that leads there", function()
      local base = helper.folder()
      helper.mkdir(base .. "/t/b")
      helper.write(base .. "/o/f", "x")
      helper.symlink("b", base .. "/t/m")
      helper.symlink("nowhere", base .. "/t/b/k")
      helper.symlink("../o", base .. "/t/one")
      helper.symlink("nowhere", base .. "/c")
      local watcher <close> = follow(base .. "/t")
      assert(probe.exchange(base .. "/t/b/k", base .. "/t/one"))
      assert.same({ "b/", "b/k", "m/", "m/k", "one" }, known(watcher))
      helper.rename(base .. "/o", base .. "/t/o")
      assert.same({ "b/", "b/k/", "b/k/f", "m/", "m/k/", "m/k/f", "o/", "o/f", "one" }, known(watcher))
      assert(probe.exchange(base .. "/t/one", base .. "/t/b/k"))
      assert.same({ "b/", "b/k", "m/", "m/k", "o/", "o/f", "one" }, known(watcher))
      helper.rename(base .. "/t/o", base .. "/o")
      assert.same({ "b/", "b/k", "m/", "m/k", "one/", "one/f" }, known(watcher))
      assert(probe.exchange(base .. "/c", base .. "/t/one"))
      assert(probe.exchange(base .. "/c", base .. "/t/b/k"))
      assert.same({ "b/", "b/k", "m/", "m/k", "one" }, known(watcher))
   end)

   it("does not enter a directory that is its own ancestor", function()
      local folder = helper.folder()
      helper.mkdir(folder .. "/a/b")
      helper.symlink("..", folder .. "/a/b/up")
      helper.symlink(folder, folder .. "/a/top")
      helper.symlink("b", folder .. "/a/beside")
      local watcher <close> = follow(folder)
      assert.same({ "a/", "a/b/", "a/b/up", "a/beside/", "a/beside/up", "a/top" }, known(watcher))
      helper.write(folder .. "/a/b/f", "x")
      local list = words(watcher)
      table.sort(list)
      assert.same({ "close_write a/b/f", "close_write a/beside/f", "create a/b/f", "create a/beside/f" }, list)
   end)

   it("notices a link that comes, is pointed elsewhere, and goes", function()
      local folder, one, two = helper.folder(), helper.folder(), helper.folder()
      helper.write(one .. "/f", "x")
      helper.write(two .. "/g", "x")
      local watcher <close> = follow(folder)
      helper.symlink(one, folder .. "/link")
      assert.same({ "create link", "create link/f", "close_write link/f" }, words(watcher, "plain"))
      helper.symlink(two, folder .. "/new")
      helper.rename(folder .. "/new", folder .. "/link")
      words(watcher)
      assert.same({ "link/", "link/g" }, known(watcher))
      helper.write(one .. "/h", "x")
      helper.write(two .. "/h", "x")
      assert.same({ "create link/h", "close_write link/h" }, words(watcher))
      helper.remove(folder .. "/link")
      assert.same({ "delete link" }, words(watcher, "plain"))
      assert.equal(1, watcher:stats().watches)
   end)

   it("finds by a look at all links what came to one that led nowhere", function()
      local folder, base = helper.folder(), helper.folder()
      helper.symlink(base .. "/later", folder .. "/link")
      local watcher <close> = follow(folder)
      helper.write(base .. "/later/f", "x")
      assert.same({ "create link", "create link/f", "close_write link/f" }, words(watcher, "plain"))
      helper.write(base .. "/later/g", "x")
      assert.same({ "create link/g", "close_write link/g" }, words(watcher))
   end)

   it("looks by time without being asked, and not at all where there is no link", function()
      local folder, base = helper.folder(), helper.folder()
      helper.symlink(base .. "/later", folder .. "/link")
      local watcher <close> = assert(moonwatch.watch(folder, { follow = true, interval = 0.02 }))
      helper.mkdir(base .. "/later")
      assert.equal("link", assert(watcher:get(10)).rel)
      helper.remove(folder .. "/link")
      assert.same({ "delete link" }, words(watcher, "plain"))
      helper.eventually(function()
         watcher:get(0)
         return moonwatch.next_timeout() == nil
      end, 10, "no deadline")
   end)

   it("notices another link behind the link, and another folder above the target", function()
      local folder, base = helper.folder(), helper.folder()
      helper.write(base .. "/one/sub/f", "x")
      helper.write(base .. "/two/sub/g", "x")
      helper.symlink("one", base .. "/current")
      helper.symlink(base .. "/current/sub", folder .. "/a")
      helper.symlink(base .. "/one/sub", folder .. "/b")
      local watcher <close> = follow(folder)
      helper.symlink("two", base .. "/next")
      helper.rename(base .. "/next", base .. "/current")
      words(watcher)
      assert.same({ "a/", "a/g", "b/", "b/f" }, known(watcher))
      helper.rename(base .. "/one", base .. "/old")
      helper.write(base .. "/one/sub/h", "x")
      words(watcher)
      assert.same({ "a/", "a/g", "b/", "b/h" }, known(watcher))
   end)

   it("does not enter a folder again below a link that leads above it", function()
      local base = helper.folder()
      helper.write(base .. "/folder/f", "x")
      helper.write(base .. "/other/g", "x")
      helper.symlink("..", base .. "/folder/up")
      local watcher <close> = follow(base .. "/folder")
      assert.same({ "f", "up/", "up/folder/", "up/other/", "up/other/g" }, known(watcher))
      helper.write(base .. "/folder/f", "y")
      assert.same({ "close_write f" }, words(watcher))
   end)

   it("notices that the target is removed or moved away", function()
      local folder, base = helper.folder(), helper.folder()
      helper.write(base .. "/one/f", "x")
      helper.write(base .. "/two/f", "x")
      helper.symlink(base .. "/one", folder .. "/a")
      helper.symlink(base .. "/two", folder .. "/b")
      local watcher <close> = follow(folder)
      helper.remove(base .. "/one/f")
      helper.remove(base .. "/one")
      helper.rename(base .. "/two", base .. "/three")
      words(watcher)
      assert.same({ "a", "b" }, known(watcher))
      assert.equal(1, watcher:stats().watches)
   end)

   -- A loop is known and not entered, and find does not print it.
   local function is_loop(folder, rel, kind)
      local target = kind == "directory" and probe.stat(folder .. "/" .. rel .. "/.")
      local above = rel
      while target and above do
         above = above:match "^(.*)/[^/]*$"
         local other = probe.stat(folder .. "/" .. (above or "") .. "/.")
         if other.inode == target.inode and other.device == target.device then return true end
      end
      return kind == "link"
   end

   local function differences(watcher, folder)
      local disk, list = {}, {}
      for rel in helper.run({ "find", "-L", ".", "-mindepth", "1" }, { cwd = folder }).out:gmatch "%./([^\n]+)" do
         disk[rel] = true
      end
      for rel, kind in watcher:entries() do
         if not disk[rel] and not is_loop(folder, rel, kind) then list[#list + 1] = "more: " .. rel end
         disk[rel] = nil
      end
      for rel in pairs(disk) do list[#list + 1] = "less: " .. rel end
      return list
   end

   it("agrees with find -L after random work with links", function()
      for seed = 1, 8 do
         local random, base = generator(seed), helper.folder()
         local folder = helper.mkdir(base .. "/R")
         helper.write(base .. "/x/f", "")
         helper.write(base .. "/z/g", "")
         local function name() return ("abcd"):sub(random(4)):sub(1, 1) end
         local function path()
            local parts = { folder, name(), name(), name() }
            return table.concat(parts, "/", 1, 1 + random(3))
         end
         local targets = {
            -- Nothing with "..": the work must not leave the folder.
            function() return base .. "/x" end, function() return base .. "/z" end, function() return base end, name,
            path,
         }
         local work = {
            function() probe.mkdir(path()) end,
            function() lfs.link(targets[random(#targets)](), path(), true) end,
            function() probe.remove(path()) end,
            function() probe.rename(path(), path()) end,
            function() probe.mkdir(base .. "/z/" .. name()) end,
         }
         local log = {}
         local watcher <close> = follow(folder)
         for _ = 1, 40 do
            for _ = 1, random(3) do
               local choice = random(2) == 1 and random(2) or random(#work)
               work[choice]()
               log[#log + 1] = choice
            end
            words(watcher)
            assert.same({}, differences(watcher, folder), ("seed %d, step %d"):format(seed, #log))
         end
      end
   end)
end)
