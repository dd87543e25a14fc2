-- SPDX-License-Identifier: MIT
--
-- count.lua - the counting handler of all Lua consumers: it adds one, and looks at an event only where the last of a
-- round is due. Returns the handler; the round ends with the mark "end-N", which must be exactly event EXPECTED + 1.

return function(expected)
   local count = 0
   return function(event)
      count = count + 1
      if count <= expected then return end
      print(event.name, count - 1)
      io.stdout:flush()
      count = 0
   end
end
