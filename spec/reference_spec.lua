-- SPDX-License-Identifier: MIT
local helper = require "support.helper"

describe("make doc", function()
   it("writes the reference without a warning, with a page per object", function()
      if helper.run({ "sh", "-c", "command -v ldoc" }).status ~= 0 then return pending "needs ldoc" end
      if helper.build:find "sanitize" then return pending "needs a build without sanitizers" end
      local build = helper.folder()
      local made = helper.run { "make", "--no-print-directory", "doc", "BUILD=" .. build, "MAKEFLAGS=" }
      assert.same({ status = 0, err = "" }, { status = made.status, err = made.err })
      local page = helper.read(build .. "/doc/html/objects/moonwatch.watcher.html")
      assert.truthy(page:find("A barrier: true once all that happened before the call", 1, true))
      assert.truthy(helper.read(build .. "/doc/html/index.html"):find("moonwatch.rules", 1, true))
   end)
end)
