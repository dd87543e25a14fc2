-- SPDX-License-Identifier: MIT
--
-- A directory that cannot be read for a reason of its own (here: a file system whose server is dead) was tried again for
-- ever: the watcher never became ready, and `sync` never came back.

local helper = require "support.helper"
local scene = require "support.scene"

describe("a directory that is broken", function()
   helper.leaves_nothing()

   it("is told as unwatched, holds nobody up, and is tried again", function()
      local out, why = scene.mounting [[
   local s = scene.new()
   helper.mkdir(s.R .. "/bad")
   helper.write(s.R .. "/good/f", "x")
   if not os.execute(("exec 5<>/dev/fuse && mount -i -t fuse -o fd=5,rootmode=40000,user_id=0,group_id=0 none %s/bad")
      :format(s.R)) then os.exit(77) end
   s.loose = true
   s:watch { interval = 0.05 }
   show(s:events())
   local list = s.watcher:unwatched()
   print(#list, list[1].path == s.R .. "/bad", moonwatch.errno[list[1].errno])
   helper.write(s.R .. "/good/g", "x")
   show(s:events())
   assert(os.execute(("umount -l %s/bad"):format(s.R)))
   helper.write(s.R .. "/bad/f", "x")
   repeat until assert(s.watcher:get(20)).rel == "bad/f"
   print(#s.watcher:unwatched())
   s.watcher:close()
]]
      if not out then return pending(why) end
      assert.equal([[
unwatched bad/
1	true	ENOTCONN
create good/g, close_write good/g
0
]], out)
   end)
end)
