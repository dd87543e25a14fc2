-- SPDX-License-Identifier: MIT
--
-- forked_spec.lua - programs that fork: a child that ends in an orderly way closes its copy of all objects, and takes
-- nothing away from its parent; one that goes on in its place has all.

local helper = require "support.helper"
local scene = require "support.scene"

local PROLOGUE = [[
   local folder = helper.folder()
   helper.mkdir(folder .. "/sub")
   local watcher = assert(moonwatch.watch(folder))
   local inotify = assert(moonwatch.inotify())
   local watch = assert(inotify:add(folder, "create"))
]]

describe("a forked child", function()
   helper.leaves_nothing()

   for name, ending in pairs {
      ["that closes its state"] = "os.exit(true, true)",
      ["that closes what it has"] = "watch:remove() watcher:close() inotify:close() command:kill 'TERM' os.exit(true)",
   } do
      it(name .. " leaves its parent what it has", function()
         local result = scene.elsewhere(PROLOGUE .. ([[
   local command = assert(moonwatch.process { "cat", stdin = "pipe" })
   local child = probe.fork()
   if child == 0 then %s end
   print(probe.wait(child), watch.active, watcher:stats().watches)
   helper.write(folder .. "/sub/f", "x")
   show(watching.words(watcher))
   child = probe.fork()
   if child == 0 then
      helper.write(folder .. "/late", "x")
      os.exit(true)
   end
   print(watcher:get(20).rel, inotify:get(20).name)
   probe.wait(child)
   print(command:kill "TERM", command:wait(20).signal)
   watcher:close()
]]):format(ending))
         assert.equal("0\ttrue\t2\ncreate sub/f, close_write sub/f\nlate\tlate\ntrue\tTERM\n", result.out .. result.err)
      end)
   end

   -- The pipe to `cat` is open until the child has ended, too.
   local WITH_CHILD = { "sh", "-c", '"$@" | cat', "sh" }

   it("that goes on when its parent has ended has all", function()
      local result = scene.elsewhere(PROLOGUE .. [[
   local parent = probe.pid()
   if probe.fork() ~= 0 then os.exit(true) end
   while tonumber(helper.read("/proc/self/stat"):match "%) %S (%d+)") == parent do probe.sleep(0.001) end
   helper.write(folder .. "/sub/f", "x")
   show(watching.words(watcher))
   helper.remove(folder .. "/sub")
   watcher:sync(20)
   watch:remove()
   print(watcher:stats().watches, watch.active)
   watcher:close()
   inotify:close()
]], WITH_CHILD)
      assert.equal("create sub/f, close_write sub/f\n1\tfalse\n", result.out .. result.err)
   end)
end)
