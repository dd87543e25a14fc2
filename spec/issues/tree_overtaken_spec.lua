-- SPDX-License-Identifier: MIT
--
-- A file was written while another thread renamed it. The kernel told of that under the old name, behind the records of
-- the rename, or under the new one before them (spec/issues/tree_overtaken_driver.c plays it): and nothing told that its
-- content had changed.

local helper = require "support.helper"
local moonwatch = require "moonwatch"

local RENAMES = {
   within = "os.rename(R .. '/a/file', R .. '/a/other')",
   across = "os.rename(R .. '/a/file', R .. '/b/other')",
   exchange = "exchange(R .. '/a/file', R .. '/b/folder')",
   back = "exchange(R .. '/b/folder', R .. '/a/file')",
}

local CHUNK = [[
   local watcher <close> = assert(moonwatch.watch(R, { latency = 0 }))
   overtaken "%s"
   local file = assert(io.open(R .. "/a/file", "a"))
   file:write "new"
   file:close()
   %s
   assert(watcher:sync(20))
   for event in watcher:each(0) do print(event.op, event.from_rel or "-", event.rel) end
   overtaken "late" -- raises where the first has not been
]]

-- What is told once the file has been written, as it gets from one name to the other.
local function told(how, rename)
   local folder = helper.folder()
   helper.write(folder .. "/a/file", "old")
   helper.mkdir(folder .. "/b")
   helper.mkdir(folder .. "/b/folder")
   local driver = helper.build .. "/spec/issues/tree_overtaken_driver"
   local result = helper.run { driver, CHUNK:format(how, RENAMES[rename]), folder }
   assert.same({ "", 0 }, { result.err, result.status })
   return result.out
end

describe("a file that is written while it is renamed", function()
   helper.leaves_nothing()

   local events = {
      within = "move\ta/file\ta/other\nclose_write\t-\ta/other\n",
      across = "move\ta/file\tb/other\nclose_write\t-\tb/other\n",
      exchange = "move\ta/file\tb/folder\nclose_write\t-\tb/folder\n",
      back = "move\tb/folder\ta/file\nclose_write\t-\tb/folder\n",
   }

   for _, how in ipairs { "late", "early" } do
      for rename, expected in pairs(events) do
         it(("is told to have changed: %s, %s"):format(how, rename), function()
            assert.equal(expected, told(how, rename))
         end)
      end
   end
end)

describe("a file that was renamed", function()
   helper.leaves_nothing()

   -- What was listed at that moment did not know it.
   it("is not told to have changed by what has come to its old name since, and gone again", function()
      local folder = helper.folder()
      for i = 1, 8 do helper.write(folder .. "/old" .. i, "") end
      local watcher <close> = assert(moonwatch.watch(folder))
      assert(watcher:ready(20))
      for i = 1, 8 do helper.rename(folder .. "/old" .. i, folder .. "/kept" .. i) end
      local renamed = 0
      assert(watcher:sync(20))
      for event in watcher:each(0) do renamed = renamed + (event.op == "move" and 1 or 0) end
      assert.equal(8, renamed)
      helper.start { helper.interpreter, helper.program(([[
         repeat
            for i = 1, 8 do
               local path = %q .. "/old" .. i
               local file = io.open(path, "w")
               if not file then os.exit() end -- the folder has gone
               file:write "x"
               file:close()
               os.remove(path)
            end
         until false
      ]]):format(folder)) }
      local others = 0
      helper.eventually(function()
         watcher:rescan()
         assert(watcher:sync(20))
         for event in watcher:each(0) do
            -- A rescan in the tick of the rename may tell of it by looking.
            if not event.synthetic then assert.not_matches("kept", event.rel) end
            others = others + 1
         end
         return others > 3000
      end, 60)
   end)
end)
