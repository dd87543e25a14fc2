-- SPDX-License-Identifier: MIT
-- luv's fs_event: DIR EXPECTED.
local uv = require "luv"
local expected = tonumber(arg[2])

local handle = uv.new_fs_event()
local count = 0
handle:start(arg[1], {}, function(_, name)
   count = count + 1
   if count > expected then
      print(name, count - 1)
      io.stdout:flush()
      count = 0
   end
end)
print "ready"
io.stdout:flush()
uv.run()
