-- SPDX-License-Identifier: MIT
-- An inotify object, its events taken in lists: DIR EXPECTED.
local moonwatch = require "moonwatch"
local handler = require "count" (tonumber(arg[2]))

local inotify = assert(moonwatch.inotify())
assert(inotify:add(arg[1], "create close_write delete move"))
print "ready"
io.stdout:flush()
while true do
   for _, event in ipairs(inotify:read()) do handler(event) end
end
