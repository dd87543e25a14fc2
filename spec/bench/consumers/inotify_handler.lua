-- SPDX-License-Identifier: MIT
-- An inotify object with a handler on its watch: DIR EXPECTED.
local moonwatch = require "moonwatch"
local handler = require "count" (tonumber(arg[2]))

local inotify = assert(moonwatch.inotify())
assert(inotify:add(arg[1], "create close_write delete move", handler))
print "ready"
io.stdout:flush()
moonwatch.run()
