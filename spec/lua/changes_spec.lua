-- SPDX-License-Identifier: MIT
--
-- changes_spec.lua - watcher:changes on real trees. The algebra has its own specs (spec/core/settle_spec.lua), and so
-- have the times (spec/bind/lsettle_spec.lua).

local lfs = require "lfs"
local moonwatch = require "moonwatch"
local helper = require "support.helper"
local words = require "support.watching".changes

local function sh(folder, script)
   assert(os.execute("cd " .. helper.quote(folder) .. " && { " .. script .. "; }"))
end

describe("watcher:changes", function()
   helper.leaves_nothing()

   local folder, watcher

   -- Watches a folder in which `before` was done, and gives what `script` comes down to.
   local function net(before, script)
      folder = helper.folder()
      sh(folder, before)
      watcher = assert(moonwatch.watch(folder))
      local changes = watcher:changes { settle = 0.05, timeout = 0.5 }
      sh(folder, script)
      assert(watcher:sync(10))
      local result = words((changes()))
      watcher:close()
      return result
   end

   it("leaves the table of options as it is", function()
      local watcher_here <close> = assert(moonwatch.watch(helper.folder()))
      local options = { settle = 0.01, timeout = 0 }
      watcher_here:changes(options)
      assert.same({ settle = 0.01, timeout = 0 }, options)
      helper.clean()
   end)

   it("calls every kind of save one modify of the real name", function()
      local saves = {
         "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; done >f",
         "for i in 1 2 3; do echo $i >>f; done",
         "echo new >.f.swp; mv .f.swp f",
         "mv f f~; echo new >f; rm f~",
         "ln f f~; echo new >t; mv t f; rm f~",
         "cp -p f 4913; rm 4913; mv f f~; echo new >f; chmod 600 f; rm f~",
         "sed -i s/old/new/ f",
         "rm f; echo new >f",
         "truncate -s 3 f",
      }
      for _, save in ipairs(saves) do assert.equal("modify f", net("echo old >f", save)) end
   end)

   it("says nothing of what came to nothing, and one move of many", function()
      assert.equal("", net(":", "echo >t; rm t; mkdir d; rmdir d"))
      assert.equal("move a -> c", net("echo >a", "mv a b; mv b c"))
      assert.equal("", net("echo >a", "mv a b; mv b a"))
      assert.equal("create f", net(":", "echo >t; mv t f"))
   end)

   it("tells trees that come, move and go", function()
      assert.equal("create d, create d/e, create d/e/f", net(":", "mkdir -p d/e; echo >d/e/f"))
      assert.equal("move d -> g, modify g/e/f", net("mkdir -p d/e; echo >d/e/f", "echo x >d/e/f; mv d g"))
      assert.equal("delete d/e/f, delete d/e, delete d", net("mkdir -p d/e; echo >d/e/f", "rm -r d"))
      assert.equal("modify d/f, modify d", net("mkdir d; echo >d/f", "rm -r d; mkdir d; echo >d/f"))
   end)

   it("gives batches with the methods that rules have too", function()
      folder = helper.folder()
      watcher = assert(moonwatch.watch(folder))
      local changes = watcher:changes { settle = 0.05 }
      sh(folder, "echo >a; echo >b")
      local batch = changes()
      assert.same({ folder .. "/a", folder .. "/b" }, batch:paths())
      assert.equal(2, #batch:by "create")
      assert.equal('batch:by: there is no change "creat" (did you mean "create"?)',
         helper.misuse(function() print(batch:by "creat") end))
      assert.same({ op = "create", path = folder .. "/a", rel = "a", name = "a", root = folder, type = "file",
         count = batch[1].count }, batch[1])
      watcher:close()
   end)

   it("gives a batch at max_wait while a writer never pauses, and the last one after its last write", function()
      folder = helper.folder()
      helper.write(folder .. "/log", "")
      watcher = assert(moonwatch.watch(folder))
      local batches, written, rests = {}, 0, false
      moonwatch.run(function()
         moonwatch.spawn(function()
            local stop = moonwatch.now() + 20
            repeat
               moonwatch.sleep(0.005)
               local last = #batches >= 2
               helper.write(folder .. "/log", "x")
               written = moonwatch.now()
            until last or moonwatch.now() > stop
            rests = true
         end)
         for batch in watcher:changes { settle = 0.2, max_wait = 0.25, timeout = 30 } do
            batches[#batches + 1] = { words(batch), moonwatch.now() }
            if rests then break end
         end
      end)
      assert.is_true(#batches >= 3)
      for _, batch in ipairs(batches) do assert.equal("modify log", batch[1]) end
      assert.is_true(batches[1][2] < written)
      assert.is_true(batches[#batches][2] > written)
      watcher:close()
   end)

   it("loses nothing when the loop is left while it gathers", function()
      folder = helper.folder()
      watcher = assert(moonwatch.watch(folder))
      sh(folder, "echo >a")
      for _ in watcher:changes { settle = 60, timeout = 0.05 } do error "too early" end
      sh(folder, "mv a b")
      assert.equal("create b", words((watcher:changes { settle = 0.05, timeout = 20 }())))
      watcher:close()
   end)

   it("gives what is due though the loop stood still until the time was over", function()
      folder = helper.folder()
      watcher = assert(moonwatch.watch(folder))
      sh(folder, "echo >a")
      assert(watcher:sync(10))
      moonwatch.spawn(function()
         local stop = moonwatch.now() + 0.4
         repeat until moonwatch.now() > stop
      end)
      assert.equal("create a", words((watcher:changes { settle = 0.1, timeout = 0.2 }())))
      watcher:close()
   end)

   -- With the first batch the watches ask for more, and each directory is looked at again, a slice at a time.
   it("knows the content of what is written and moved before it has looked at all again", function()
      local count, missed = 2000, {}
      folder = helper.folder()
      helper.mkdir(folder .. "/to")
      for i = 1, count do
         assert(lfs.mkdir(folder .. "/" .. i))
         helper.write(("%s/%d/f"):format(folder, i), "old")
      end
      watcher = assert(moonwatch.watch(folder))
      local changes = watcher:changes { settle = 0.05, timeout = 30 }
      for i = 1, count do
         helper.write(("%s/%d/f"):format(folder, i), "new")
         assert(os.rename(("%s/%d/f"):format(folder, i), ("%s/to/%d"):format(folder, i)))
         missed["to/" .. i] = true
      end
      for batch in changes do
         for _, change in ipairs(batch) do
            if change.op ~= "move" or change.modified then missed[change.rel] = nil end
         end
         if not next(missed) then break end
      end
      assert.same({}, missed)
      watcher:close()
   end)

   it("says why it ended", function()
      watcher = assert(moonwatch.watch(helper.folder()))
      local changes = watcher:changes { timeout = 0.01 }
      assert.same({ "nil", "timeout", moonwatch.errno.ETIMEDOUT }, { tostring((changes())), select(2, changes()) })
      watcher:close()
      assert.same({ "nil", "closed", moonwatch.errno.EPIPE }, { tostring((changes())), select(2, changes()) })
   end)

   it("refuses unknown options, and a watcher with subscriptions", function()
      watcher = assert(moonwatch.watch(helper.folder()))
      local ok, message = pcall(function() watcher:changes { setle = 1 } end)
      assert.is_false(ok)
      assert.truthy(message:find "changes_spec.lua:%d+: changes: unknown key \"setle\" %(did you mean \"settle\"%?%)")
      local subscription = watcher:on("create", function() end)
      assert.is_false((pcall(function() watcher:changes() end)))
      subscription:off()
      watcher:close()
   end)
end)
