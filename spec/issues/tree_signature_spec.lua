-- SPDX-License-Identifier: MIT
--
-- Of a file in a polled directory a signature is kept, elsewhere when it was told last. A file that was renamed out of a
-- directory that had just got its watch took its signature along as a time, and what had been written before was missed;
-- then, where nobody looked for longer than a tick of the file clock, for all that was older than the last record was
-- taken to be told.

local helper = require "support.helper"

describe("a file that leaves a directory which was polled", function()
   it("is told as changed where nobody had looked yet", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/d")
      local result = helper.run { helper.build .. "/spec/issues/tree_signature_driver", dir }
      local lines, told = { "polled", "watched" }, {}
      for i = 0, 15 do lines[#lines + 1] = ("move %02d"):format(i) end
      for line in result.out:gmatch "[^\n]+" do
         if line:find "^close_write" then told[line:match "%d+"] = true else told[#told + 1] = line end
      end
      for i = 0, 15 do lines[("%02d"):format(i)] = true end
      assert.same({ "", 0 }, { result.err, result.status })
      assert.same(lines, told)
   end)
end)
