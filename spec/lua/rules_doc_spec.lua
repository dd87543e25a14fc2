-- SPDX-License-Identifier: MIT
--
-- Every example of doc/rules.md loads, and those that can be run alone run.

local core = require "moonwatch.core"
if not (core.settle and core.pattern) then return end

local testing = require "moonwatch.testing"

local function blocks(path)
   local file = assert(io.open(path))
   local text = file:read "a"
   file:close()
   local found = {}
   for kind, body in text:gmatch "\n```lua ?(%w*)\n(.-)```" do
      found[#found + 1] = { kind = kind, text = body }
   end
   return found
end

describe("doc/rules.md", function()
   for i, block in ipairs(blocks "doc/rules.md") do
      local first = block.text:match "[^\n]+"
      if block.kind == "" then
         it(("example %d loads: %s"):format(i, first), function()
            local world = testing.load(block.text)
            world:pass(10)
            assert.same({}, world:logged "error")
         end)
      elseif block.kind == "testing" then
         it(("example %d runs: %s"):format(i, first), function()
            assert(load(block.text))()
         end)
      end
   end
end)
