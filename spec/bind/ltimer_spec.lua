-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

describe("sleep", function()
   helper.leaves_nothing()

   it("lasts as long as it is told, on the monotonic clock", function()
      local before = moonwatch.now()
      assert.is_true(moonwatch.sleep(0.02))
      assert.is_true(moonwatch.now() - before >= 0.02)
   end)

   it("may last less than a millisecond", function()
      helper.eventually(function() -- a busy machine makes the most of them longer
         local before = moonwatch.now()
         moonwatch.sleep(0.0002)
         local took = moonwatch.now() - before
         assert.is_true(took >= 0.0002)
         return took < 0.001
      end)
   end)

   it("of many tasks ends in the order of their deadlines", function()
      local begun, ended = {}, {}
      local function nap(i) return (1 + i * 37 % 200) / 10000 end
      for i = 1, 200 do
         moonwatch.spawn(function()
            begun[i] = moonwatch.now()
            moonwatch.sleep(nap(i))
            ended[#ended + 1] = i
         end)
      end
      moonwatch.spawn(function() begun[201] = moonwatch.now() end)
      moonwatch.run()
      assert.equal(200, #ended)
      -- A deadline was set between the beginning of its task and that of the next one.
      local latest = 0
      for _, i in ipairs(ended) do
         assert.is_true(begun[i + 1] + nap(i) >= latest)
         latest = math.max(latest, begun[i] + nap(i))
      end
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
      local before, ticks = moonwatch.now(), 0
      local interval <close> = moonwatch.interval(0.01)
      local after = moonwatch.now()
      -- The next value: with it all ticks that were due when it was asked for have come, and none that is not due yet.
      local function take(timeout)
         local asked = moonwatch.now()
         local count = interval:get(timeout)
         ticks = ticks + (count or 0)
         assert.is_true(ticks >= (asked - after) // 0.01 - 1 and ticks <= (moonwatch.now() - before) / 0.01 + 0.001)
         return count
      end
      assert.is_true(take() >= 1)
      local start = moonwatch.now()
      while moonwatch.now() - start < 0.045 do moonwatch.sleep(0.001) end
      assert.is_true(take(0) >= 3)
      repeat take() until ticks >= 8
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
      for _, task in ipairs(tasks) do assert.is_true(task:join(10)) end
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
