-- SPDX-License-Identifier: MIT
--
-- lwatcher_latency_spec.lua - `latency`: a steady stream comes in batches.

local moonwatch = require "moonwatch"
local helper = require "support.helper"

-- Appends to a file again and again while a task takes the events: how many times it had to wait for one.
local function waits(latency)
   local folder = helper.folder()
   local writer = helper.start { "sh", "-c", 'i=0; while [ $i -lt 2000 ]; do echo >>"$1/f"; i=$((i+1)); done; echo >"$1/end"',
      "sh", folder }
   local watcher <close> = assert(moonwatch.watch(folder, { latency = latency }))
   local count = 0
   repeat
      local event = watcher:get(0)
      if not event then
         count = count + 1
         event = assert(watcher:get(20))
      end
   until event.name == "end"
   writer:wait()
   return count
end

describe("latency", function()
   helper.leaves_nothing()

   it("holds a steady stream back so that it comes in batches", function()
      local slow, fast = waits(0.02), waits(0)
      assert.is_true(slow < 200, slow .. " waits at 20 ms")
      assert.is_true(fast > slow, fast .. " waits without")
   end)

   it("never makes the first event of a burst late, nor get(0) and sync", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder, { latency = 5 }))
      for round = 1, 3 do
         helper.write(folder .. "/f" .. round, "x")
         local start = helper.now()
         assert(watcher:sync(10))
         assert.equal("create", assert(watcher:get(0)).op)
         assert.equal("close_write", assert(watcher:get(0)).op)
         assert.is_true(helper.now() - start < 2)
      end
   end)

   it("is a number of seconds", function()
      local ok, message = pcall(function() moonwatch.watch(".", { latency = -1 }) end)
      assert.is_false(ok)
      assert.matches("lwatcher_latency_spec.lua:%d+: watch: latency must be a number of seconds, not %-1", message)
   end)
end)
