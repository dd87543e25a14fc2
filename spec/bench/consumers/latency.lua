-- SPDX-License-Identifier: MIT
-- The time at which a handler sees a file closed, in nanoseconds of the monotonic clock: inotify|watcher DIR.
local moonwatch = require "moonwatch"

local function stamp()
   print(("%d"):format(moonwatch.now() * 1e9 // 1))
   io.stdout:flush()
end

local object
if arg[1] == "inotify" then
   object = assert(moonwatch.inotify())
   assert(object:add(arg[2], "close_write", stamp))
else
   object = assert(moonwatch.watch(arg[2], { events = "close_write" }))
   object:on("close_write", stamp)
end
print "ready"
io.stdout:flush()
moonwatch.run()
