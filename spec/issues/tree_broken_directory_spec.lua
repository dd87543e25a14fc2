-- SPDX-License-Identifier: MIT
--
-- A directory that cannot be read for a reason of its own (here: a file system whose server is dead) was tried again for
-- ever: the watcher never became ready, and `sync` never came back.

local helper = require "support.helper"
local scene = require "support.scene"

local MOUNT = "exec 5<>/dev/fuse && mount -i -t fuse -o fd=5,rootmode=40000,user_id=0,group_id=0 none '%s'"

local function mount_dead(path)
   return os.execute(("sh -c \"" .. MOUNT .. "\" 2>/dev/null"):format(path))
end

describe("a directory that is broken", function()
   helper.leaves_nothing()

   it("is told as unwatched, holds nobody up, and is tried again", function()
      local s = scene.new()
      helper.mkdir(s.R .. "/bad")
      helper.write(s.R .. "/good/f", "x")
      if not mount_dead(s.R .. "/bad") then pending("needs the right to mount") return end
      helper.at_end(function() os.execute("umount -l '" .. s.R .. "/bad' 2>/dev/null") end)
      s.loose = true
      s:watch { interval = 0.05 }
      assert.same({ "unwatched bad/" }, s:events())
      local list = s.watcher:unwatched()
      assert.same({ 1, s.R .. "/bad", require("moonwatch").errno.ENOTCONN }, { #list, list[1].path, list[1].errno })
      helper.write(s.R .. "/good/g", "x")
      assert.same({ "create good/g", "close_write good/g" }, s:events())
      os.execute("umount -l '" .. s.R .. "/bad'")
      helper.write(s.R .. "/bad/f", "x")
      local event = assert(s.watcher:get(10))
      while event.rel ~= "bad/f" do event = assert(s.watcher:get(10)) end
      assert.same({}, s.watcher:unwatched())
   end)
end)
