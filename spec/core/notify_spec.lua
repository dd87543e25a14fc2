-- SPDX-License-Identifier: MIT
--
-- notify_spec.lua - the inotify descriptor, its limits, and the words of base, below Lua.

local helper = require "support.helper"

local function show(situation)
   local result = helper.run { helper.build .. "/spec/core/notify_driver", situation, helper.folder() }
   assert.same({ "", 0 }, { result.err, result.status })
   return result.out
end

describe("an inotify descriptor", function()
   it("never waits, and gives its records one by one", function()
      assert.equal(table.concat({
         "empty 0 0", "pending 96", "1 100 a", "1 40000100 dir", "1 200 a", "remove 0", "again 1", "1 8000 ", "",
      }, "\n"), show "records")
   end)

   it("watches what a descriptor means, whatever its name means by now", function()
      assert.equal(table.concat({ "pinned 1", "named 2", "looked up 1", "taken 1", "1 400 ", "1 8000 ", "" }, "\n"),
         show "pinned")
   end)

   it("watches in a forked process what that one's descriptors mean", function()
      assert.equal("parent 1\nchild 2\n2 100 a\n", show "forked")
   end)

   it("lists the watches that the kernel has", function()
      assert.equal("0:\n0: 1 2 3 10 20 30 40\n", show "list")
   end)

   it("gives no record that is not whole", function()
      assert.equal("32: 1 100 7 name\n", show "bytes")
   end)
end)

describe("the limits", function()
   it("are explained in a sentence, cut where there is no room", function()
      local out = show "limits"
      assert.matches("^read 0 1\nusage 0\n1 inotify limit fs.inotify.max_queued_events reached: its value is %d+, "
         .. "20000 more needed; raise it with: sysctl fs.inotify.max_queued_events=%d+\n9 inotify l\n$", out)
   end)

   -- Each of many watchers that reached the limit at once read all of /proc: a second each where there are many watches.
   it("are counted once in five seconds, however many ask", function()
      assert.equal(table.concat({
         "max_user_watches at 100: 1",
         "max_user_watches at 104.9: 1",
         "max_user_watches at 105: 0",
         "max_user_instances at 105: 0",
         "",
      }, "\n"), show "remembered limits")
   end)
end)

describe("words", function()
   it("are compared and escaped", function()
      assert.equal(table.concat({
         "creat -> create 1",
         "MODIFY -> modify 0",
         "mdoify -> modify 1",
         "move_to -> moved_to 1",
         " -> none 0",
         "a word that is much longer than any of ours, and than the table -> none 0",
         "plain 1",
         [[a\nb\rc\td\\e\x7ff 1]],
         "ä€\u{1f427} 1",
         [[\xc3\xe2\x82 \xf0\x9f\x90 \xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 1]],
         [[\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf 1]],
         "",
      }, "\n"), show "words")
   end)
end)
