-- SPDX-License-Identifier: MIT
--
-- lwatcher_latency_spec.lua - `latency`: a steady stream comes in batches.

local moonwatch = require "moonwatch"
local helper = require "support.helper"

-- Appends to a file again and again while a task takes the events: how many times it had to wait for one, and how long
-- it all took.
local function waits(latency)
   local folder = helper.folder()
   local watcher <close> = assert(moonwatch.watch(folder, { latency = latency }))
   local writer = helper.start { "sh", "-c", 'i=0; while [ $i -lt 2000 ]; do echo >>"$1/f"; i=$((i+1)); done; echo >"$1/end"',
      "sh", folder }
   local count, start = 0, moonwatch.now()
   repeat
      local event = watcher:get(0)
      if not event then
         count = count + 1
         event = assert(watcher:get(20))
      end
   until event.name == "end"
   local took = moonwatch.now() - start
   writer:wait()
   return count, took
end

describe("latency", function()
   helper.leaves_nothing()

   it("holds a steady stream back so that it comes in batches", function()
      -- On a busy machine the reader may rarely get its turn, and a writer that pauses is no steady stream.
      helper.eventually(function()
         local slow, took = waits(0.02)
         return slow <= took / 0.02 + 2 and waits(0) > slow
      end, 60, "a stream that is read at most every 20 ms")
   end)

   it("never makes the first event of a burst late, nor get(0) and sync", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder, { latency = 60 }))
      for round = 1, 3 do
         helper.write(folder .. "/f" .. round, "x")
         assert(watcher:sync(40))
         assert.equal("create", assert(watcher:get(0)).op)
         assert.equal("close_write", assert(watcher:get(0)).op)
      end
   end)

   it("is a number of seconds", function()
      local ok, message = pcall(function() moonwatch.watch(".", { latency = -1 }) end)
      assert.is_false(ok)
      assert.matches("lwatcher_latency_spec.lua:%d+: watch: latency must be a number of seconds, not %-1", message)
   end)
end)
