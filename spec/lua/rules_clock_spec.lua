-- SPDX-License-Identifier: MIT
--
-- every and at: the next moment, given the clocks; and the heap of deadlines.

local clock = require "moonwatch.rule.clock"
local timers = require "moonwatch.rule.timers"

local function wall(day, hour, minute)
   return os.time { year = 2024, month = 1, day = day, hour = hour, min = minute, sec = 0 }
end

describe("every", function()
   it("keeps its distance and merges missed ticks", function()
      local next_time = clock.every(10)
      assert.same({ 110, 120, 150, 160 }, { (next_time(100)), (next_time(110)), (next_time(143)), (next_time(150)) })
   end)
end)

describe("at", function()
   it("is today's moment, or tomorrow's, and once a day", function()
      local next_time = clock.at(3, 30, 0)
      assert.same({ 100 + 1800, true }, { next_time(100, wall(1, 3, 0)) })
      local time, is_tick = next_time(2000, wall(1, 3, 30))
      assert.same({ 2000 + 3600, false }, { time, is_tick })
      assert.same({ 60 + 5000, true }, { next_time(5000, wall(2, 3, 29)) })
   end)

   it("is not given twice by a wall clock that runs a little behind", function()
      local next_time = clock.at(3, 30, 0)
      next_time(0, wall(1, 3, 29))
      assert.same({ 60 + 3600, false }, { next_time(60, wall(1, 3, 30) - 0.01) })
   end)

   it("is made up for where it was slept through, but not over a clock that was set by years", function()
      local next_time = clock.at(3, 30, 0)
      next_time(0, wall(1, 2, 0))
      assert.same({ 100, true }, { next_time(100, wall(1, 8, 0)) })
      assert.same({ 100 + 3600, false }, { next_time(100, wall(1, 8, 0)) })
      next_time = clock.at(3, 30, 0)
      next_time(0, 0)
      assert.same({ 60 + 60, true }, { next_time(60, wall(1, 3, 29)) })
   end)

   it("reads hours, minutes and seconds", function()
      assert.same({ 3, 5, 0 }, { clock.parse "3:05" })
      assert.same({ 23, 59, 58 }, { clock.parse "23:59:58" })
      assert.same({}, { clock.parse "24:00" })
      assert.same({}, { clock.parse "noon" })
   end)
end)

describe("the heap of deadlines", function()
   it("runs what is due in the order of time, and not what was cancelled", function()
      local heap, ran = timers.new(), {}
      local cancelled
      for i, time in ipairs { 5, 3, 9, 1, 7, 3, 8, 2 } do
         local entry = heap:add(time, function() ran[#ran + 1] = time end)
         if i == 5 then cancelled = entry end
      end
      heap:cancel(cancelled)
      heap:expire(8)
      assert.same({ 1, 2, 3, 3, 5, 8 }, ran)
      assert.equal(9, heap:deadline())
   end)

   it("holds ten thousand in random order", function()
      local heap, last, count = timers.new(), -1, 0
      math.randomseed(7)
      for _ = 1, 10000 do
         local time = math.random()
         heap:add(time, function()
            assert(time >= last)
            last, count = time, count + 1
         end)
      end
      heap:expire(1)
      assert.same({ 10000, nil }, { count, heap:deadline() })
   end)
end)
