-- SPDX-License-Identifier: MIT
-- A watcher that says when it has recovered from an overflow: DIR.
local moonwatch = require "moonwatch"

local watcher = assert(moonwatch.watch(arg[1], { events = "create" }))
print "ready"
io.stdout:flush()
local round = 0
for event in watcher:each() do
   if event.op == "overflow" then
      assert(watcher:sync(60))
      round = round + 1
      print(("end-%d 0"):format(round))
      io.stdout:flush()
   end
end
