-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local example = require "support.example"

describe("examples", function()
   for _, path in ipairs(example.list()) do
      it(path .. " does what its transcript says", function()
         local found = example.read(path)
         assert.is_string(found.title, "the first line says what it shows")
         assert.is_string(found.program, "a transcript with `$ moonwatch " .. path .. " &` or lua5.4")
         assert.is_true(#found.steps > 0)
         local said = {}
         local ok, missed = example.play(found, helper.build, helper.folder(), {
            interpreter = helper.interpreter,
            say = function(line) said[#said + 1] = line end,
         })
         assert(ok, ("%s: did not come: %s\n%s"):format(path, missed, table.concat(said, "\n")))
      end)
   end
end)

describe("the README", function()
   it("shows only code that stands in examples/", function()
      local programs = {}
      for _, path in ipairs(example.list()) do programs[#programs + 1] = helper.read(path) end
      for block in (helper.exists "README.md" and helper.read "README.md" or ""):gmatch "```lua\n(.-)```" do
         local there = false
         for _, program in ipairs(programs) do there = there or program:find(block, 1, true) ~= nil end
         assert.is_true(there, "not in any file of examples/:\n" .. block)
      end
   end)
end)
