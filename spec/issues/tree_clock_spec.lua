-- SPDX-License-Identifier: MIT
--
-- After the file clock was set back, changes that were lost with an overflow were missed: where the clock had come past the
-- old time again, and where it was before the watcher's first moment.

local helper = require "support.helper"

describe("a file clock that is set back", function()
   it("makes no later change look older than what was told", function()
      local result = helper.run { helper.build .. "/spec/issues/tree_clock_driver" }
      assert.same({ "", 0 }, { result.err, result.status })
      assert.equal(table.concat({
         "told 0", "older 0, younger 1",
         "set back: told 0", "older 0, younger 1",
         "older 0, younger 1", "",
      }, "\n"), result.out)
   end)
end)
