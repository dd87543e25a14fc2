-- SPDX-License-Identifier: MIT
--
-- queue.lua - first in, first out, in constant time.

local queue = {}
queue.__index = queue

function queue.new()
   return setmetatable({ first = 1, last = 0 }, queue)
end

function queue:push(value)
   self.last = self.last + 1
   self[self.last] = value
end

function queue:pop()
   local first = self.first
   local value = self[first] -- nil where it is empty
   if first >= self.last then
      self.first, self.last = 1, 0
   else
      self.first = first + 1
   end
   self[first] = nil
   return value
end

function queue:is_empty()
   return self.first > self.last
end

function queue:__len()
   return self.last - self.first + 1
end

return queue
