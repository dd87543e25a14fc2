-- SPDX-License-Identifier: MIT
--
-- lwatcher_methods_spec.lua - methods of a watcher beside its events: roots, pause, rescan, unwatched, polling.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local watching = require "support.watching"

local words = watching.words

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

describe("remove", function()
   helper.leaves_nothing()

   it("takes a root with all below it, silently", function()
      local a, b = helper.folder(), helper.folder()
      helper.write(b .. "/d/f", "x")
      local watcher <close> = assert(moonwatch.watch({ a, b }))
      assert.is_true(watcher:remove(b))
      assert.same({ a }, watcher:roots())
      assert.equal(1, watcher:stats().watches)
      assert.is_false(watcher:remove(b))
      helper.write(b .. "/d/g", "x")
      helper.write(a .. "/g", "x")
      assert.same({ "create g", "close_write g" }, words(watcher))
   end)

   it("prunes within a root, until that is added as one", function()
      local folder = helper.folder()
      helper.write(folder .. "/d/e/f", "x")
      local watcher <close> = assert(moonwatch.watch(folder))
      assert.is_true(watcher:remove(folder .. "/d/e"))
      assert.is_false(watcher:remove(folder .. "/d/e"))
      assert.is_false(watcher:covers(folder .. "/d/e/f"))
      assert.equal(2, watcher:stats().watches)
      helper.write(folder .. "/d/e/g", "x")
      helper.write(folder .. "/d/g", "x")
      assert.same({ "create d/g", "close_write d/g" }, words(watcher))
      assert.is_true(watcher:add(folder .. "/d/e"))
      assert.is_true(watcher:covers(folder .. "/d/e/f"))
      helper.write(folder .. "/d/e/h", "x")
      assert.same({ "create h", "close_write h" }, words(watcher))
   end)

   it("from a root holds when another is added around that", function()
      local folder = helper.folder()
      helper.mkdir(folder .. "/top/sub/d")
      local watcher <close> = assert(moonwatch.watch(folder .. "/top"))
      assert.is_true(watcher:remove(folder .. "/top/sub"))
      assert.is_true(watcher:add(folder))
      helper.write(folder .. "/top/sub/d/f", "x")
      assert.same({ "top/" }, watching.known(watcher))
      assert.same({}, words(watcher))
      assert.is_false(watcher:covers(folder .. "/top/sub"))
      assert.is_false(watcher:remove(folder .. "/top/sub"))
      assert.is_true(watcher:add(folder .. "/top/sub"))
      helper.write(folder .. "/top/sub/d/g", "x")
      assert.same({ "create d/g", "close_write d/g" }, words(watcher))
   end)

   it("is false for what was never watched", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder, { ignore = "no/" }))
      helper.mkdir(folder .. "/no")
      assert.is_false(watcher:remove(folder .. "/no"))
      assert.is_false(watcher:remove("/proc"))
   end)

   -- Every root was taken for one below it.
   it("is false for what is no path, and takes no root with it", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      assert.is_false(watcher:remove "")
      assert.is_false(watcher:remove(("x"):rep(5000)))
      assert.same({ folder }, watcher:roots())
   end)
end)

describe("roots one inside the other", function()
   helper.leaves_nothing()

   local function lines(watcher)
      local list = {}
      assert(watcher:sync(10))
      for event in watcher:each(0) do
         list[#list + 1] = ("%s %s %s"):format(event.op, event.root:match "[^/]+$", event.rel)
      end
      return list
   end

   it("give each event once, with the inner one, in whatever order they came", function()
      for _, how in ipairs { "outer first", "inner first", "inner later", "outer later" } do
         local base = helper.folder()
         local outer, inner = base .. "/outer", base .. "/outer/mid/inner"
         helper.write(inner .. "/old", "x")
         local first = how == "inner later" and outer or how == "outer later" and inner
            or how == "outer first" and { outer, inner } or { inner, outer }
         local watcher <close> = assert(moonwatch.watch(first))
         if how == "inner later" then assert(watcher:add(inner)) elseif how == "outer later" then assert(watcher:add(outer)) end
         helper.mkdir(inner .. "/d")
         assert(watcher:sync(10))
         helper.write(inner .. "/d/f", "x")
         helper.write(outer .. "/g", "x")
         helper.rename(inner .. "/old", outer .. "/mid/new")
         assert.same({ "create inner d", "create inner d/f", "close_write inner d/f", "create outer g",
            "close_write outer g", "move outer mid/new" }, lines(watcher), how)
         assert.equal(4, watcher:stats().watches)
      end
   end)

   it("tell the going and coming of the inner one", function()
      local base = helper.folder()
      local outer, inner = base .. "/outer", base .. "/outer/inner"
      helper.write(inner .. "/f", "x")
      local watcher <close> = assert(moonwatch.watch { outer, inner })
      helper.rename(inner, outer .. "/other")
      assert.same({ "gone inner ", "move outer other", "create outer other/f", "close_write outer other/f" },
         lines(watcher))
      helper.rename(outer .. "/other", inner)
      assert.same({ "move outer inner", "delete outer inner/f", "back inner ", "create inner f", "close_write inner f" },
         lines(watcher))
   end)

   it("given as patterns show what any of them selects", function()
      local base = helper.folder()
      helper.mkdir(base .. "/sub")
      local watcher <close> = assert(moonwatch.watch { base .. "/**/*.c", base .. "/sub/*.h", base .. "/*.x" })
      for _, rel in ipairs { "a.c", "a.h", "a.x", "sub/a.c", "sub/a.h", "sub/a.x" } do
         helper.write(base .. "/" .. rel, "x")
      end
      local list = {}
      for _, line in ipairs(lines(watcher)) do list[#list + 1] = line:match "^create (.*)" end
      local name = base:match "[^/]+$"
      assert.same({ name .. " a.c", name .. " a.x", "sub a.c", "sub a.h" }, list)
   end)
end)

describe("covers and explain", function()
   helper.leaves_nothing()

   it("ask the outer root about what stands in the place of an inner one", function()
      local a = helper.folder()
      local b = helper.mkdir(a .. "/b")
      local watcher <close> = assert(moonwatch.watch { a, b })
      assert.equal("watched: it is a root", watcher:explain(b))
      helper.remove(b)
      helper.write(b, "x")
      assert.same({ "gone ", "delete b", "create b", "close_write b" }, words(watcher))
      assert.is_true(watcher:covers(b))
      assert.equal("watched: no rule is against it", watcher:explain(b))
      assert.is_true(watcher:remove(a))
      assert.is_false(watcher:covers(b))
   end)

   it("know what is below links, files and directories that lie in themselves", function()
      local folder = helper.folder()
      helper.write(folder .. "/d/f", "x")
      helper.symlink("d", folder .. "/l")
      helper.symlink("../d", folder .. "/d/up")
      local expected = {
         ["l/f"] = { "not watched: l is not entered: it is a link that is not followed", "watched: no rule is against it" },
         ["d/f/x"] = { "not watched: d/f is not entered: it is no directory" },
         ["d/up/f"] = { "not watched: d/up is not entered: it is a link that is not followed" },
      }
      for i, options in ipairs { {}, { follow = true } } do
         local watcher <close> = assert(moonwatch.watch(folder, options))
         for rel, why in pairs(expected) do
            assert.equal(why[i] or why[1], watcher:explain(folder .. "/" .. rel))
            assert.equal(why[i] ~= nil and i == 2, watcher:covers(folder .. "/" .. rel))
         end
      end
   end)

   it("say of a root that it is not there", function()
      local base = helper.folder()
      local watcher <close> = assert(moonwatch.watch(base .. "/a", { missing = "wait" }))
      assert.is_false(watcher:covers(base .. "/a/f"))
      assert.equal(("not watched: the root %s/a is not there"):format(base), watcher:explain(base .. "/a/f"))
   end)

   it("say which rule decided", function()
      local folder = helper.folder()
      helper.write(folder .. "/.gitignore", "# rules\n*.o\n")
      helper.write(folder .. "/build/x.c", "x")
      helper.mkdir(folder .. "/a/b")
      local watcher <close> = assert(moonwatch.watch(folder, {
         ignore = { "*.tmp", "build/" }, match = { "*.c", "*.tmp", "*.o", "!bad.c" }, ignore_files = ".gitignore", depth = 3,
         filter = function(rel) return rel ~= "a/no.c" end,
      }))
      local expected = {
         ["a/x.c"] = 'watched: pattern 1 of match, "*.c"',
         ["a/x.tmp"] = 'not watched: pattern 1 of ignore, "*.tmp"',
         ["build/x.c"] = 'not watched: build is not entered: pattern 2 of ignore, "build/"',
         ["a/x.o"] = 'not watched: .gitignore:2: *.o',
         ["a/no.c"] = 'not watched: the filter says no',
         ["a/x"] = 'not watched: no pattern of match selects it',
         ["a/bad.c"] = 'not watched: no pattern of match selects it',
         ["a/b/c/d.c"] = 'not watched: a/b/c is not entered: it is deeper than depth = 3',
         ["a/new/x.c"] = 'watched: pattern 1 of match, "*.c"',
         [""] = 'watched: it is a root',
      }
      for rel, why in pairs(expected) do
         local path = rel == "" and folder or folder .. "/" .. rel
         assert.equal(why, watcher:explain(path), rel)
         assert.equal(why:find "^watched" ~= nil, watcher:covers(path), rel)
      end
      assert.equal("not watched: below no root of the watcher", watcher:explain "/proc")
      watcher:remove(folder .. "/a")
      assert.equal("not watched: a is not entered: it was removed", watcher:explain(folder .. "/a/x.c"))
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

   it("ends where its own reads are told", function()
      local folder = helper.folder()
      helper.write(folder .. "/d/f", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { events = "open access close_nowrite" }))
      assert.is_true(watcher:rescan(nil, 10))
      local reads = {}
      assert(watcher:sync(10))
      for event in watcher:each(0) do reads[event.op .. " " .. event.rel] = event.isdir end
      assert.is_true(reads["access d"] and reads["access "])
      assert.is_nil(reads["open d/f"])
   end)

   it("loses no reads of others", function()
      local folder = helper.folder()
      for i = 1, 300 do helper.write(folder .. "/d/" .. i, "x") end
      local watcher <close> = assert(moonwatch.watch(folder, { events = "open create" }))
      assert(os.execute(("(cd %s; i=0; while [ $i -lt 3000 ]; do : <d/1; : <d/2; i=$((i + 1)); done; mkdir end) &")
         :format(helper.quote(folder))))
      local opens = { ["d/1"] = 0, ["d/2"] = 0 }
      repeat
         assert.is_true(watcher:rescan(nil, 10))
         local event = watcher:get(0)
         local ended = false
         while event do
            ended = ended or event.op == "create"
            if opens[event.rel] then opens[event.rel] = opens[event.rel] + 1 end
            event = watcher:get(0)
         end
      until ended
      assert.same({ ["d/1"] = 3000, ["d/2"] = 3000 }, opens)
   end)

   it("refuses a path that is below no root", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local ok, message, code = watcher:rescan("/proc")
      assert.same({ nil, "/proc: below no root of the watcher", moonwatch.errno.ENOENT }, { ok, message, code })
      assert.equal("/proc/\\n: below no root of the watcher", (select(2, watcher:rescan "/proc/\n")))
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

describe("a watcher with subscriptions", function()
   helper.leaves_nothing()

   it("delivers to them only", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local subscription = watcher:on("create", function() end)
      local calls = {
         get = function() watcher:get(0) end,
         each = function() watcher:each(0) end,
         changes = function() watcher:changes {} end,
         select = function() moonwatch.select { watcher, timeout = 0 } end,
      }
      for name, call in pairs(calls) do
         local ok, message = pcall(call)
         assert.is_false(ok)
         assert.matches("lwatcher_methods_spec.lua:%d+: " .. name .. ".*: the watcher delivers to its subscriptions", message)
      end
      subscription:off()
      for _, call in pairs { calls.get, calls.each, calls.select } do call() end
   end)
end)

describe("a watcher as text", function()
   helper.leaves_nothing()

   it("is one readable line: what it watches, and how much", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in\n/a")
      for _, name in ipairs { "b", "c", "d" } do helper.mkdir(dir .. "/" .. name) end
      local watcher <close> = assert(moonwatch.watch(dir .. "/in\n"))
      assert.equal(("moonwatch.watcher (%s/in\\n, 2 directories)"):format(dir), tostring(watcher))
      for _, name in ipairs { "b", "c", "d" } do assert(watcher:add(dir .. "/" .. name)) end
      assert.equal(("moonwatch.watcher (%s/in\\n, %s/b, %s/c and 1 more, 5 directories)"):format(dir, dir, dir),
         tostring(watcher))
      watcher:close()
      assert.equal("moonwatch.watcher (closed)", tostring(watcher))
   end)
end)

describe("a closed watcher", function()
   it("says so to whoever would wait, and to whoever would subscribe", function()
      local watcher = assert(moonwatch.watch(helper.folder()))
      watcher:close()
      local closed = { nil, "closed", moonwatch.errno.EPIPE }
      for _, name in ipairs { "get", "ready", "sync", "stats", "roots", "unwatched", "pause", "resume", "rescan" } do
         assert.same(closed, { watcher[name](watcher) }, name)
      end
      assert.same(closed, { watcher:on("create", print) })
      assert.same(closed, { watcher:on { create = print } })
      assert.has_error(function() watcher:on("crate", print) end)
   end)
end)

describe("watchers of one loop", function()
   helper.leaves_nothing()

   it("are woken by what another one's reader has read for them", function()
      local a, b = helper.folder(), helper.folder()
      local reader <close> = assert(moonwatch.watch(a))
      local sleeper <close> = assert(moonwatch.watch(b))
      local event
      local task = moonwatch.spawn("sleeper", function() event = sleeper:get(10) end)
      moonwatch.step(0)
      helper.write(b .. "/f", "x")
      assert.is_nil(reader:get(0))
      task:join()
      assert.equal("create", event and event.op)
   end)

   it("tell their subscriptions what a pause has read", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      local told = moonwatch.channel()
      watcher:on("create", function(event) told:put(event.name) end)
      moonwatch.step(0)
      helper.write(folder .. "/f", "x")
      watcher:pause()
      assert.equal("f", told:get(10))
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

   it("asks for no look by time where nothing is to be done, though our loop never runs", function()
      local folder = helper.folder()
      local watcher <close> = assert(moonwatch.watch(folder))
      local function rests()
         local deadline = helper.now() + 10
         repeat
            local event = watcher:get(0)
            if not event and watcher:timeout() == nil then return true end
         until helper.now() > deadline
         return false
      end
      assert.is_true(rests())
      helper.write(folder .. "/f", "x")
      assert.is_true(rests())
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
