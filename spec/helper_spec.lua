-- SPDX-License-Identifier: MIT
local helper = require "support.helper"

describe("the specs' helper", function()
   helper.leaves_nothing()

   it("makes folders and files and lists them with their types", function()
      local dir = helper.folder()
      helper.write(dir .. "/a/b/c", "text")
      helper.append(dir .. "/a/b/c", " more")
      helper.symlink("nowhere", dir .. "/l")
      helper.fifo(dir .. "/f")
      assert.equal("text more", helper.read(dir .. "/a/b/c"))
      assert.same({ a = "directory", ["a/b"] = "directory", ["a/b/c"] = "file", l = "link", f = "fifo" },
         helper.tree(dir))
      helper.rename(dir .. "/a", dir .. "/z")
      assert.equal("whole", helper.read(helper.put(dir .. "/z/p", "whole")))
      helper.remove(dir .. "/z")
      assert.same({ l = "link", f = "fifo" }, helper.tree(dir))
      helper.clean()
      assert.is_false(helper.exists(dir))
   end)

   it("counts descriptors", function()
      local before = #helper.descriptors()
      local file = assert(io.open "/dev/null")
      assert.equal(before + 1, #helper.descriptors())
      file:close()
      assert.equal(before, #helper.descriptors())
   end)

   it("asks again and again while the loop goes on, in a task and outside of all", function()
      local moonwatch = require "moonwatch"
      local asked = 0
      local function third()
         asked = asked + 1
         return asked % 3 == 0 and asked
      end
      assert.equal(3, helper.eventually(third))
      local other
      assert.equal(6, moonwatch.run(function()
         moonwatch.spawn(function() other = true end)
         return helper.eventually(third)
      end))
      assert.is_true(other)
      assert.error_matches(function() helper.eventually(function() end, 0, "an answer") end, "an answer did not come within 0 s")
   end)

   it("runs a program to its end with its input, environment, folder and status", function()
      local result = helper.run({ "sh", "-c", "cat; echo $WORD; pwd; echo bad >&2; exit 7" },
         { stdin = "in\n", env = { WORD = "it's" }, cwd = "/" })
      assert.same({ status = 7, out = "in\nit's\n/\n", err = "bad\n" }, result)
      assert.equal(128 + 15, helper.run({ "sh", "-c", "kill $$" }).status)
   end)

   it("starts a program, waits for its words, signals it", function()
      local program = helper.start { "sh", "-c", "trap 'echo bye; exit 3' USR1; echo ready 42; while :; do :; done" }
      assert.equal("42", program:wait_for "ready (%d+)")
      assert.is_true(program:running())
      program:signal "USR1"
      assert.same({ status = 3, out = "ready 42\nbye\n", err = "" }, program:wait())
   end)

   it("ends what a spec left running", function()
      local program = helper.start { "cat", "/dev/zero" }
      helper.clean()
      assert.is_false(helper.exists("/proc/" .. program.pid))
   end)

   it("fails a wait that ends without its words, and tells what there was", function()
      local program = helper.start { "echo", "something else" }
      assert.error_matches(function() program:wait_for "ready" end, "ended without .*something else")
   end)
end)
