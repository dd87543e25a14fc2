-- SPDX-License-Identifier: MIT
--
-- lwatcher_methods_spec.lua - methods of a watcher beside its events: roots, pause, rescan, unwatched, polling.

local moonwatch = require "moonwatch"
local helper = require "support.helper"

local words = require("support.watching").words

local function sorted(list)
   table.sort(list)
   return list
end

describe("roots of a watcher", function()
   helper.leaves_nothing()

   it("come by add, without telling what is there already", function()
      local a, b = helper.folder(), helper.folder()
      helper.write(b .. "/sub/old", "x")
      local watcher <close> = assert(moonwatch.watch(a))
      assert.is_true(watcher:add(b))
      assert.same(sorted { a, b }, sorted(watcher:roots()))
      helper.write(b .. "/sub/new", "x")
      helper.write(a .. "/new", "x")
      assert.same({ "create sub/new", "close_write sub/new", "create new", "close_write new" }, words(watcher))
   end)

   it("tell a move between two of them as one", function()
      local a, b = helper.folder(), helper.folder()
      helper.write(a .. "/d/f", "x")
      local watcher <close> = assert(moonwatch.watch({ a, b }))
      helper.rename(a .. "/d", b .. "/e")
      assert(watcher:sync(10))
      local event = assert(watcher:get(0))
      assert.same({ "move", a .. "/d", b .. "/e", a, b },
         { event.op, event.from, event.path, event.from_root, event.root })
      assert.is_nil(watcher:get(0))
      helper.write(b .. "/e/g", "x")
      assert.same({ "create e/g", "close_write e/g" }, words(watcher))
   end)

   it("are refused where they are not there", function()
      local a = helper.folder()
      local watcher <close> = assert(moonwatch.watch(a))
      local ok, message, code = watcher:add(a .. "/none")
      assert.same({ nil, a .. "/none: No such file or directory", moonwatch.errno.ENOENT }, { ok, message, code })
      assert.same({ a }, watcher:roots())
   end)

   it("are all or nothing, and the message names each that failed", function()
      local a = helper.folder()
      local watcher, message, code = moonwatch.watch { a .. "/x", a, a .. "/y" }
      assert.is_nil(watcher)
      assert.equal(("%s/x: No such file or directory; %s/y: No such file or directory"):format(a, a), message)
      assert.equal(moonwatch.errno.ENOENT, code)
   end)

   it("must be strings", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local ok, message = pcall(function() watcher:add(7) end)
      assert.is_false(ok)
      assert.matches("lwatcher_methods_spec.lua:%d+: add: a path expected, not 7", message)
   end)
end)

describe("pause", function()
   helper.leaves_nothing()

   it("mutes, and resume replays nothing while all stays watched", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      helper.write(folder .. "/before", "x")
      watcher:pause()
      helper.write(folder .. "/d/e/f", "x")
      helper.remove(folder .. "/before")
      assert.is_true(watcher:resume(10))
      helper.write(folder .. "/d/e/g", "x")
      assert.same({ "create before", "close_write before", "create d/e/g", "close_write d/e/g" }, words(watcher))
   end)
end)

describe("rescan", function()
   helper.leaves_nothing()

   it("tells nothing where nothing differs", function()
      local folder = helper.folder()
      helper.write(folder .. "/d/f", "x")
      local watcher <close> = assert(moonwatch.watch(folder))
      local before = watcher:stats().rescans
      assert.is_true(watcher:rescan())
      assert.is_true(watcher:rescan(folder .. "/d", 10))
      assert.is_true(watcher:stats().rescans >= before + 3)
      for _, word in ipairs(words(watcher)) do assert.equal("close_write* d/f", word) end
   end)

   it("refuses a path that is below no root", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local ok, message, code = watcher:rescan("/proc")
      assert.same({ nil, "/proc: below no root of the watcher", moonwatch.errno.ENOENT }, { ok, message, code })
   end)

   it("looks at polled parts at once", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder, { backend = "poll", interval = 3600 }))
      helper.write(folder .. "/f", "x")
      assert.is_true(watcher:rescan(nil, 10))
      local event = assert(watcher:get(0))
      assert.same({ "create", "f", true }, { event.op, event.rel, event.synthetic })
   end)
end)

describe("unwatched", function()
   helper.leaves_nothing()

   it("lists what is polled for want of watches", function()
      local folder = helper.folder()
      for _, name in ipairs { "a", "b", "c" } do helper.mkdir(folder .. "/" .. name) end
      local watcher <close> = assert(moonwatch.watch(folder, { max_watches = 2 }))
      local list = watcher:unwatched()
      assert.equal(2, #list)
      for _, item in ipairs(list) do
         assert.matches("^" .. folder:gsub("%p", "%%%0") .. "/[abc]$", item.path)
         item.path = nil
         assert.same({ reason = "no more watches are to be had", errno = moonwatch.errno.ENOSPC, polled = true }, item)
      end
   end)

   it("is empty where all is watched", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      assert.same({}, watcher:unwatched())
   end)
end)

describe("the polling protocol of a watcher", function()
   helper.leaves_nothing()

   it("gives a descriptor of its own that is readable when something happened", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      assert.equal("r", watcher:events())
      assert.is_true(watcher:pollfd() >= 0)
      assert.equal(watcher:pollfd(), watcher:pollfd())
      assert(watcher:sync(10))
      helper.write(folder .. "/f", "x")
      assert.equal("create", assert(watcher:get(0)).op)
      assert.equal(0, watcher:timeout())
      assert.equal("close_write", assert(watcher:get(0)).op)
   end)

   it("is taken by select", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      helper.write(folder .. "/f", "x")
      local source, event = moonwatch.select { watcher, timeout = 10 }
      assert.equal(watcher, source)
      assert.equal("f", event.rel)
   end)
end)
