-- SPDX-License-Identifier: MIT
--
-- The little that is asked of the disk.

local core = require "moonwatch.core"
local helper = require "support.helper"

describe("core.kind", function()
   it("names what is there, without following links", function()
      local dir = helper.folder()
      helper.write(dir .. "/file", "x")
      helper.symlink("file", dir .. "/link")
      helper.symlink("nowhere", dir .. "/dangling")
      helper.fifo(dir .. "/fifo")
      assert.same({ "directory", "file", "link", "link", "fifo", "char" }, { core.kind(dir), core.kind(dir .. "/file"),
         core.kind(dir .. "/link"), core.kind(dir .. "/dangling"), core.kind(dir .. "/fifo"), core.kind "/dev/null" })
   end)

   it("says what is wrong", function()
      assert.same({ nil, "/nowhere/at/all: No such file or directory", 2 }, { core.kind "/nowhere/at/all" })
      assert.has_error(function() core.kind "a\0b" end)
      assert.has_error(function() core.kind() end)
   end)
end)

describe("core.names", function()
   it("lists a folder without . and ..", function()
      local dir = helper.folder()
      for _, name in ipairs { "a", ".hidden", "new\nline", "sub/inner" } do helper.write(dir .. "/" .. name, "") end
      local names = core.names(dir)
      table.sort(names)
      assert.same({ ".hidden", "a", "new\nline", "sub" }, names)
      assert.same({ nil, dir .. "/a: Not a directory", 20 }, { core.names(dir .. "/a") })
   end)

   it("leaves no descriptor open", function()
      local before = #helper.descriptors()
      for _ = 1, 100 do core.names "/" end
      assert.equal(before, #helper.descriptors())
   end)
end)

describe("core.current", function()
   it("is the current directory", function()
      assert.equal(helper.top, core.current())
   end)
end)
