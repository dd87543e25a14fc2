-- SPDX-License-Identifier: MIT
--
-- Thousands of single files in one folder: each record cost the square of their number.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local COUNT, WRITES = 2000, 100

describe("many single files of one folder", function()
   helper.leaves_nothing()

   it("cost each record no more than a look at each", function()
      local s, files = scene.new(), {}
      for i = 1, COUNT do files[i] = helper.write(s.R .. "/" .. i, "") or s.R .. "/" .. i end
      local watcher = assert(moonwatch.watch(files))
      helper.at_end(function() watcher:close() end)
      local before = os.clock()
      for i = 1, WRITES do helper.write(files[i], "x") end
      assert(watcher:sync(30))
      local count = 0
      while watcher:get(0) do count = count + 1 end
      assert.equal(WRITES, count)
      assert.is_true(os.clock() - before < 0.8)
   end)
end)
