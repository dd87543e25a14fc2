-- SPDX-License-Identifier: MIT
--
-- hash_spec.lua - whoever chooses the names cannot know which of them collide.

local helper = require "support.helper"

local function run()
   local result = helper.run { helper.build .. "/spec/core/hash_driver" }
   assert.same({ "", 0 }, { result.err, result.status })
   local hash, flipped, counted = result.out:match "^(%x+) (%d+) (%d+)\n$"
   return hash, tonumber(flipped), tonumber(counted)
end

describe("the hash of names", function()
   it("is another in each process", function()
      local one, two, three = run(), run(), run()
      assert.is_true(one ~= two and two ~= three and one ~= three)
   end)

   -- Of as many names as buckets, seven or eight share one by chance.
   it("spreads names that were chosen to collide, and names that are counted up", function()
      local _, flipped, counted = run()
      assert.is_true(flipped < 20, flipped)
      assert.is_true(counted < 20, counted)
   end)
end)
