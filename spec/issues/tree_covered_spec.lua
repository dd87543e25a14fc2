-- SPDX-License-Identifier: MIT
--
-- The kernel takes a MOVED_TO for the one before it where both have the same name, whatever was moved: of a file that is
-- renamed within the tree and covered at once by one from outside, the second rename has no record.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

describe("a file that is renamed and covered at once by one from outside", function()
   helper.leaves_nothing()

   local function cover(s)
      assert(os.rename(s.R .. "/a", s.R .. "/b"))
      assert(os.rename(s.O .. "/x", s.R .. "/b"))
   end

   it("has changed, where it was found by looking", function()
      local s = scene.new()
      helper.write(s.O .. "/x", "other")
      helper.write(s.R .. "/a", "this")
      s:watch()
      cover(s)
      assert.same({ "move a -> b", "*close_write b" }, s:events())
      s:check()
   end)

   it("has changed, where the other is younger than what was heard of it", function()
      local s = scene.new()
      s:watch()
      helper.write(s.R .. "/a", "this")
      assert.same({ "create a", "close_write a" }, s:events())
      moonwatch.sleep(0.05) -- longer than a tick of the clock that files are stamped with
      helper.write(s.O .. "/x", "other")
      cover(s)
      assert.same({ "move a -> b", "*close_write b" }, s:events())
      s:check()
   end)

   it("has changed, where an exchange had brought it there", function()
      local s = scene.new()
      helper.write(s.O .. "/x", "other")
      helper.write(s.R .. "/a", "this")
      helper.write(s.R .. "/b", "that")
      s:watch()
      assert(scene.probe.exchange(s.R .. "/a", s.R .. "/b"))
      assert(os.rename(s.O .. "/x", s.R .. "/a"))
      assert.same({ "move a <-> b", "*close_write a" }, s:events())
      s:check()
   end)

   it("is another, where the type shows it", function()
      local s = scene.new()
      helper.symlink("nowhere", s.O .. "/x")
      helper.write(s.R .. "/a", "this")
      s:watch()
      cover(s)
      assert.same({ "move a -> b", "*create b (link) over file" }, s:events())
      s:check()
   end)

   it("is told as a move alone, where nothing has covered it", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "this")
      s:watch()
      assert(os.rename(s.R .. "/a", s.R .. "/b"))
      helper.write(s.R .. "/t", "new")
      assert(os.rename(s.R .. "/t", s.R .. "/b"))
      assert.same({ "move a -> b", "create t", "close_write t", "move t -> b over file" }, s:events())
      s:check { none = true }
   end)
end)
