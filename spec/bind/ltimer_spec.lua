-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

describe("sleep", function()
   helper.leaves_nothing()

   it("lasts as long as it is told, on the monotonic clock, within a millisecond or so", function()
      local before = moonwatch.now()
      assert.is_true(moonwatch.sleep(0.02))
      assert.is_true(moonwatch.now() - before >= 0.02)
      local shortest = math.huge
      for _ = 1, 20 do
         before = moonwatch.now()
         moonwatch.sleep(0.0002)
         shortest = math.min(shortest, moonwatch.now() - before)
      end
      assert.is_true(shortest >= 0.0002 and shortest < 0.001, shortest)
   end)

   it("of many tasks ends in the order of their deadlines", function()
      local order, expected, start = {}, {}, moonwatch.now() + 0.02
      for i = 1, 200 do
         local nap = (i * 37 % 200) / 10000
         moonwatch.spawn(function()
            moonwatch.sleep(start + nap - moonwatch.now())
            order[#order + 1] = nap
         end)
         expected[i] = nap
      end
      moonwatch.run()
      table.sort(expected)
      assert.same(expected, order)
   end)

   it("takes no wrong time", function()
      assert.is_false(pcall(moonwatch.sleep))
      assert.is_false(pcall(moonwatch.sleep, -1))
      assert.is_false(pcall(moonwatch.sleep, 0 / 0))
   end)
end)

describe("an interval", function()
   helper.leaves_nothing()

   it("ticks, and gives missed ticks as one value, without drifting", function()
      local start = moonwatch.now()
      local interval <close> = moonwatch.interval(0.01)
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { interval:get(0) })
      local ticks = interval:get()
      assert.is_true(moonwatch.now() - start >= 0.01)
      while moonwatch.now() - start < 0.055 do moonwatch.sleep(0.001) end
      local missed = interval:get(0)
      ticks = ticks + missed
      assert.is_true(missed >= 2)
      for count in interval:each() do
         ticks = ticks + count
         if ticks >= 8 then break end
      end
      local elapsed = moonwatch.now() - start
      assert.is_true(ticks <= elapsed / 0.01 + 0.001 and ticks > elapsed / 0.01 - 1.5)
   end)

   it("gives each tick to one of those who wait", function()
      local interval <close> = moonwatch.interval(0.002)
      local ticks, tasks = 0, {}
      for i = 1, 3 do
         tasks[i] = moonwatch.spawn(function()
            local count = interval:get()
            ticks = ticks + count
         end)
      end
      for _, task in ipairs(tasks) do assert.is_true(task:join(5)) end
      assert.is_true(ticks >= 3)
   end)

   it("ends a wait when it is closed, and does not keep the loop from being idle", function()
      local interval = moonwatch.interval(10)
      assert.is_nil(moonwatch.next_timeout())
      moonwatch.spawn(function() interval:close() end)
      assert.same({ nil, "closed", errno.EPIPE }, { interval:get() })
      assert.same({ nil, "closed", errno.EPIPE }, { interval:get(1) })
      assert.is_nil(moonwatch.next_timeout())
   end)

   it("takes no period of 0 or less", function()
      assert.is_false(pcall(moonwatch.interval, 0))
      assert.is_false(pcall(moonwatch.interval, -1))
      assert.is_false(pcall(moonwatch.interval, math.huge))
   end)
end)
