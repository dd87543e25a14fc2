-- SPDX-License-Identifier: MIT
--
-- Each file that was moved out of the tree was waited with for itself: a steady stream of them was told at one per 25 ms.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local COUNT = 1000

describe("files that are moved out one after the other", function()
   helper.leaves_nothing()

   it("are told at their own pace", function()
      local s = scene.new()
      for i = 1, COUNT do helper.write(s.R .. "/" .. i, "") end
      s:watch()
      local took = moonwatch.run(function()
         local mover = moonwatch.spawn(function()
            for i = 1, COUNT do
               os.rename(s.R .. "/" .. i, s.O .. "/" .. i)
               if i % 4 == 0 then moonwatch.sleep(0.001) end
            end
            return moonwatch.now()
         end)
         for _ = 1, COUNT do assert.equal("delete", s:take(assert(s.watcher:get(20))):match "^%a+") end
         local _, moved = mover:join()
         return moonwatch.now() - moved
      end)
      assert.is_true(took < COUNT * 0.025 / 2, ("the last was told %.1f s late"):format(took))
      s:check { none = true }
   end)
end)

-- Each file that was moved out of the tree was looked for among all records behind it.
describe("thousands of files that are moved out and about at once", function()
   helper.leaves_nothing()

   it("are told in order, each as what it was", function()
      local s = scene.new()
      for i = 1, 4 * COUNT do helper.write(s.R .. "/" .. i, "") end
      s:watch()
      local expected, told = {}, {}
      for i = 1, 4 * COUNT do
         if i % 3 == 0 then
            assert(os.rename(s.R .. "/" .. i, s.R .. "/" .. i .. "b"))
            expected[i] = ("move %d -> %db"):format(i, i)
         else
            assert(os.rename(s.R .. "/" .. i, s.O .. "/" .. i))
            expected[i] = "delete " .. i
         end
      end
      for i = 1, 4 * COUNT do
         told[i] = s:take(assert(s.watcher:get(20)))
      end
      assert.same(expected, told)
      s:check { none = true }
   end)
end)
