-- SPDX-License-Identifier: MIT
-- A watcher of a whole tree, its events taken one by one: DIR EXPECTED.
local moonwatch = require "moonwatch"
local handler = require "count" (tonumber(arg[2]) or 0)

local watcher = assert(moonwatch.watch(arg[1], { events = "create close_write delete move" }))
print "ready"
io.stdout:flush()
for event in watcher:each() do handler(event) end
