-- SPDX-License-Identifier: MIT
--
-- A component that is longer than a name can be was cut, and the file that has the shorter name was looked at again and
-- again.

local helper = require "support.helper"
local moonwatch = require "moonwatch"

describe("a root whose name is too long", function()
   helper.leaves_nothing()

   it("is refused", function()
      local folder = helper.folder()
      local name = ("a"):rep(255)
      helper.write(folder .. "/" .. name, "x")
      local watcher, message, code = moonwatch.watch(folder .. "/" .. name .. "b")
      assert.same({ nil, moonwatch.errno.ENAMETOOLONG }, { watcher, code })
      assert.equal(folder, message:sub(1, #folder))
   end)
end)
