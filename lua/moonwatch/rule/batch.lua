-- SPDX-License-Identifier: MIT
--
-- batch.lua - a list of net changes with two methods; what run functions and on_failure are given.

local declare = require "moonwatch.rule.declare"

local batch = {}
local methods = {}

batch.ops = { create = true, modify = true, delete = true, move = true, attrib = true }

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
   if not batch.ops[op] then
      local near = type(op) == "string" and declare.nearest(op, batch.ops)
      declare.misuse("batch:by: there is no change %s%s", (declare.show(op)),
         near and (' (did you mean "%s"?)'):format(near) or "")
   end
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
