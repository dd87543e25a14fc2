-- SPDX-License-Identifier: MIT
-- A watcher of a whole tree with a subscription: DIR EXPECTED.
local moonwatch = require "moonwatch"
local handler = require "count" (tonumber(arg[2]) or 0)

local watcher = assert(moonwatch.watch(arg[1], { events = "create close_write delete move" }))
watcher:on("create close_write delete move", handler)
print "ready"
io.stdout:flush()
moonwatch.run()
