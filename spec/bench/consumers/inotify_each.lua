-- SPDX-License-Identifier: MIT
-- An inotify object, its events taken one by one in a loop: DIR EXPECTED.
local moonwatch = require "moonwatch"
local handler = require "count" (tonumber(arg[2]))

local inotify = assert(moonwatch.inotify())
assert(inotify:add(arg[1], "create close_write delete move"))
print "ready"
io.stdout:flush()
for event in inotify:each() do handler(event) end
