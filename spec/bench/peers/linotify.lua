-- SPDX-License-Identifier: MIT
-- linotify, for Lua 5.3: DIR EXPECTED.
local inotify = require "inotify"
local expected = tonumber(arg[2])

local handle = inotify.init()
handle:addwatch(arg[1], inotify.IN_CREATE, inotify.IN_CLOSE_WRITE, inotify.IN_DELETE, inotify.IN_MOVE)
print "ready"
io.stdout:flush()
local count = 0
for event in handle:events() do
   count = count + 1
   if count > expected then
      print(event.name, count - 1)
      io.stdout:flush()
      count = 0
   end
end
