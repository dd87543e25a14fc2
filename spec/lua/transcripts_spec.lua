-- SPDX-License-Identifier: MIT

local helper = require "support.helper"

describe("doc/transcripts.md", function()
   helper.leaves_nothing()

   it("is what its script writes, heading by heading", function()
      local function headings(text)
         local list = {}
         for heading in text:gmatch "\n(## [^\n]+)" do list[#list + 1] = heading end
         return list
      end
      local result = helper.run({ helper.interpreter, "spec/support/transcripts.lua" },
         { env = { BUILD = helper.build, FILES = "1000" } })
      assert.same({ 0, "" }, { result.status, result.err })
      local written = {}
      for _, heading in ipairs(headings(helper.read "doc/transcripts.md")) do written[heading] = true end
      for _, heading in ipairs(headings(result.out)) do assert.is_true(written[heading], heading) end
      local created = result.out:match "tar x of a package.-(%d+) create\n"
      assert.equal("1000", created)
   end)
end)
