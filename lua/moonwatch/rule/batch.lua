-- SPDX-License-Identifier: MIT
--
-- batch.lua - a list of net changes with two methods; what run functions and on_failure are given.

local batch = {}
local methods = {}

local metatable = {
   __name = "moonwatch.batch",
   __index = methods,
   __tostring = function(self)
      return ("batch of %d change%s"):format(#self, #self == 1 and "" or "s")
   end,
}

-- The paths, in the order of the batch.
function methods:paths()
   local paths = {}
   for i, change in ipairs(self) do
      paths[i] = change.path
   end
   return paths
end

-- A batch of those changes that are `op`.
function methods:by(op)
   local picked = {}
   for _, change in ipairs(self) do
      if change.op == op then
         picked[#picked + 1] = change
      end
   end
   return batch.new(picked)
end

-- The list itself becomes the batch.
function batch.new(changes)
   return setmetatable(changes, metatable)
end

return batch
