-- SPDX-License-Identifier: MIT
--
-- lwatcher_follow_spec.lua - `follow`: links to directories are entered, as find -L does.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local watching = require "support.watching"
local words, known = watching.words, watching.known

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
end)
