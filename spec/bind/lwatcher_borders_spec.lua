-- SPDX-License-Identifier: MIT
--
-- Scenarios 28 to 36: links, names, what is ignored, borders of the view, several watchers, barriers, exchanges.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"
local watching = require "support.watching"

local probe = scene.probe

describe("links to directories", function()
   helper.leaves_nothing()

   it("are entries like others, and not entered", function()
      local s = scene.new()
      helper.mkdir(s.O .. "/d")
      helper.symlink(s.O .. "/d", s.R .. "/link")
      s:watch()
      helper.write(s.O .. "/d/f", "x")
      helper.symlink(".", s.R .. "/loop")
      helper.symlink("nowhere", s.R .. "/broken")
      assert.same({ "create loop (link)", "create broken (link)" }, s:events())
      s:check()
   end)
end)

describe("special files", function()
   helper.leaves_nothing()

   it("are reported with their type and never opened", function()
      local s = scene.new()
      helper.fifo(s.R .. "/there")
      s:watch()
      helper.fifo(s.R .. "/fifo")
      probe.socket(s.R .. "/socket")
      local device = probe.device(s.R .. "/device")
      helper.symlink("fifo", s.R .. "/link")
      local expected = { "create fifo (fifo)", "create socket (socket)", "create link (link)" }
      if device then table.insert(expected, 3, "create device (char)") end
      assert.same(expected, s:events())
      -- A reader that had opened the FIFO would let a writer in.
      local result = helper.run { "sh", "-c", ("for f in there fifo; do timeout 0.2 sh -c 'exec 3>%s/'$f; echo $?; done")
         :format(s.R) }
      assert.equal("124\n124\n", result.out)
      s:check()
   end)

   it("in a tree that is moved in are reported with their type", function()
      local s = scene.new()
      helper.mkdir(s.O .. "/d")
      helper.fifo(s.O .. "/d/fifo")
      probe.socket(s.O .. "/d/socket")
      s:watch()
      helper.rename(s.O .. "/d", s.R .. "/d")
      local lines = s:events()
      table.sort(lines)
      assert.same({ "*create d/fifo (fifo)", "*create d/socket (socket)", "create d/" }, lines)
      s:check()
   end)
end)

describe("names", function()
   helper.leaves_nothing()

   local names = {
      "new\nline", "tab\there", "quote'\"", "100%s", "-rf", "--", "\xff\xfe\x80", "caf\xe9", "back\\slash", "$(touch x)",
      " blank ", "*?[a]", "{a,b}", "~", "!not", "#hash", ("n"):rep(255), "\x01\x1b[31m", "...", "..x",
   }

   it("of any bytes are exact, for files, directories and what is renamed", function()
      for _, options in ipairs { {}, { backend = "poll", interval = 60 } } do
         local s = scene.new()
         s:watch(options)
         for _, name in ipairs(names) do helper.write(s.R .. "/" .. name .. "/" .. name, "x") end
         s:check { none = options.backend == "poll" }
         for i, name in ipairs(names) do
            helper.rename(s.R .. "/" .. name .. "/" .. name, s.R .. "/" .. name .. "/" .. names[i % #names + 1])
         end
         s:check { none = options.backend == "poll" }
         for _, name in ipairs(names) do helper.remove(s.R .. "/" .. name) end
         s:check { none = options.backend == "poll" }
         s.watcher:close()
      end
   end)

   it("are bytes in events, and a line when shown", function()
      local s = scene.new()
      s:watch()
      local name = "a\nb\xff"
      helper.write(s.R .. "/" .. name, "x")
      local event = s.watcher:get(10)
      assert.same({ name, name, s.R .. "/" .. name }, { event.name, event.rel, event.path })
      assert.falsy(tostring(event):find "[\n\xff]")
   end)
end)

describe("what is ignored", function()
   helper.leaves_nothing()

   it("costs nothing: 200,000 files in it are neither read nor watched", function()
      local s = scene.new("fast")
      for i = 1, 20 do
         helper.mkdir(("%s/build/%d"):format(s.R, i))
         probe.fill(("%s/build/%d"):format(s.R, i), 1, 10000)
      end
      helper.write(s.R .. "/src/f", "x")
      local witness <close> = assert(moonwatch.inotify())
      for _, rel in ipairs { "/build", "/build/1" } do assert(witness:add(s.R .. rel, "open access")) end
      local watcher <close> = assert(moonwatch.watch(s.R, { ignore = "build/" }))
      local stats = watcher:stats()
      assert.same({ 2, 3 }, { stats.watches, stats.entries })
      helper.write(s.R .. "/build/1/f", "y")
      helper.remove(s.R .. "/build/2/77")
      helper.write(s.R .. "/src/f", "y")
      assert.same({ "close_write src/f" }, scene.lines(watcher))
      local looks = {}
      for event in witness:each(0) do
         if event.isdir then looks[#looks + 1] = tostring(event) end
      end
      assert.same({}, looks)
      assert(os.execute("rm -rf " .. s.base))
   end)

   it("is not seen, and what leaves it is a create", function()
      local s = scene.new()
      helper.write(s.R .. "/build/out/f", "x")
      helper.mkdir(s.R .. "/src")
      s.loose = true
      s:watch { ignore = { "build/", "*.o" } }
      helper.write(s.R .. "/src/a.o", "x")
      helper.rename(s.R .. "/src/a.o", s.R .. "/src/a.c")
      assert.same({ "create src/a.c", "*close_write src/a.c" }, s:events())
      helper.rename(s.R .. "/src/a.c", s.R .. "/src/b.o")
      assert.same({ "delete src/a.c" }, s:events())
      helper.rename(s.R .. "/build/out", s.R .. "/src/out")
      assert.same({ "create src/out/", "*create src/out/f", "*close_write src/out/f" }, s:events())
      helper.rename(s.R .. "/src/out", s.R .. "/build/out")
      assert.same({ "delete src/out/" }, s:events())
      helper.write(s.R .. "/build/out/f", "y")
      helper.rename(s.R .. "/src", s.R .. "/build/src")
      helper.write(s.R .. "/build/src/n", "y")
      assert.same({ "delete src/" }, s:events())
      assert.same(1, s.watcher:stats().watches)
   end)
end)

describe("the border of a view", function()
   helper.leaves_nothing()

   local function view(options, files)
      local s = scene.new()
      for _, rel in ipairs(files or {}) do helper.write(s.R .. "/" .. rel, "x") end
      s.loose = true
      s:watch(options)
      return s
   end

   it("by depth cuts off what is deeper", function()
      local s = view({ depth = 2 }, { "a/b/c" })
      helper.write(s.R .. "/a/b/d", "x")
      helper.write(s.R .. "/a/e", "x")
      assert.same({ "create a/e", "close_write a/e" }, s:events())
      helper.rename(s.R .. "/a/b", s.R .. "/b")
      local events = s:events()
      local first = table.remove(events, 1)
      table.sort(events) -- the order of a listing is the file system's
      assert.equal("move a/b -> b/", first)
      assert.same({ "*close_write b/c", "*close_write b/d", "*create b/c", "*create b/d" }, events)
      helper.rename(s.R .. "/b/c", s.R .. "/a/b")
      assert.same({ "move b/c -> a/b" }, s:events())
   end)

   it("of a watcher that is not recursive is the folder itself", function()
      local s = view({ recursive = false }, { "a/b" })
      helper.write(s.R .. "/a/c", "x")
      helper.write(s.R .. "/f", "x")
      helper.mkdir(s.R .. "/d")
      helper.rename(s.R .. "/f", s.R .. "/d/f")
      assert.same({ "create f", "close_write f", "create d/", "delete f" }, s:events())
      assert.equal(1, s.watcher:stats().watches)
   end)

   it("by match lets in what is renamed to fit", function()
      local s = view({ match = { "*.c", "*.{h,hpp}" } }, { "x/a.c", "x/b.txt" })
      helper.rename(s.R .. "/x/b.txt", s.R .. "/x/b.h")
      helper.rename(s.R .. "/x/a.c", s.R .. "/x/a.txt")
      helper.rename(s.R .. "/x/a.txt", s.R .. "/x/a.none")
      helper.rename(s.R .. "/x", s.R .. "/y")
      assert.same({ "create x/b.h", "*close_write x/b.h", "delete x/a.c", "move x/b.h -> y/b.h" }, s:events())
      helper.remove(s.R .. "/y")
      assert.same({ "delete y/b.h" }, s:events())
   end)

   it("by ** and braces is anchored at the root", function()
      local s = view({ match = "src/**/*.{c,h}" }, { "src/a.c", "src/d/e/b.h", "lib/src/c.c" })
      for _, rel in ipairs { "src/a.c", "src/d/e/b.h", "lib/src/c.c", "src/n.h", "n.c" } do
         helper.append(s.R .. "/" .. rel, "y")
      end
      assert.same({ "close_write src/a.c", "close_write src/d/e/b.h", "create src/n.h", "close_write src/n.h" }, s:events())
   end)

   it("by a filter asks once per entry", function()
      local asked = {}
      local s = view({ filter = function(rel)
         asked[#asked + 1] = rel
         return not rel:find "private"
      end }, { "private/f", "open/f" })
      helper.write(s.R .. "/private/g", "x")
      helper.write(s.R .. "/open/private", "x")
      helper.write(s.R .. "/open/f", "y")
      helper.rename(s.R .. "/open/f", s.R .. "/open/g")
      helper.write(s.R .. "/open/g", "y")
      assert.same({ "close_write open/f", "move open/f -> open/g", "close_write open/g" }, s:events())
      table.sort(asked)
      assert.same({ "open", "open/f", "open/g", "open/private", "private" }, asked)
   end)

   it("by events gives those alone", function()
      local s = view { events = "delete attrib" }
      helper.write(s.R .. "/d/f", "x")
      probe.chmod(s.R .. "/d/f", 256)
      helper.rename(s.R .. "/d/f", s.R .. "/d/g")
      s:events()
      probe.chmod(s.R .. "/d/g", 384)
      helper.remove(s.R .. "/d")
      assert.same({ "attrib d/g", "delete d/g", "delete d/" }, s:events())
   end)

   it("of a root given as a pattern", function()
      local s = scene.new()
      helper.write(s.R .. "/a/x.c", "x")
      s.loose = true
      local watcher <close> = assert(moonwatch.watch(s.R .. "/*/*.c"))
      for _, rel in ipairs { "a/x.c", "a/y.h", "b/z.c", "top.c", "a/b/deep.c" } do helper.write(s.R .. "/" .. rel, "y") end
      assert.same({ "close_write a/x.c", "*create b/z.c", "*close_write b/z.c" }, scene.lines(watcher))
   end)
end)

describe("several watchers", function()
   helper.leaves_nothing()

   it("of one tree see it each with their own options, and one may close", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      local one <close> = assert(moonwatch.watch(s.R, { events = "create" }))
      local two <close> = assert(moonwatch.watch(s.R, { events = "modify close_write", ignore = "*.tmp" }))
      helper.write(s.R .. "/d/g", "x")
      helper.write(s.R .. "/d/h.tmp", "x")
      assert.same({ "create d/g", "create d/h.tmp" }, scene.lines(one))
      assert.same({ "modify d/g", "close_write d/g" }, scene.lines(two))
      one:close()
      helper.write(s.R .. "/d/f", "y")
      assert.equal("close_write d/f", (table.remove(scene.lines(two))))
   end)

   it("share one inotify instance, a thousand of them", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      local watchers = {}
      for i = 1, 1000 do watchers[i] = assert(moonwatch.watch(s.R .. "/d", { wait = false })) end
      for i = 1, 1000 do assert(watchers[i]:ready(10)) end
      helper.write(s.R .. "/d/f", "y")
      for i = 1, 1000 do
         assert.same({ "close_write f" }, scene.lines(watchers[i]))
      end
      local instances = 0
      for _, descriptor in ipairs(helper.descriptors()) do
         if descriptor.target:find "inotify" then instances = instances + 1 end
      end
      assert.equal(1, instances)
      for i = 1, 1000 do watchers[i]:close() end
   end)
end)

describe("barriers", function()
   helper.leaves_nothing()

   it("sync has 10,000 events in flight before it", function()
      local s = scene.new("fast")
      s:watch()
      probe.fill(s.R, 1, 5000)
      assert(s.watcher:sync(20))
      local count = 0
      while s.watcher:get(0) do count = count + 1 end
      assert.equal(10000, count)
   end)

   it("ready is followed by what changes in the next microsecond, a thousand times", function()
      local s = scene.new("fast")
      for i = 1, 3 do helper.mkdir(("%s/%d"):format(s.R, i)) end
      -- Keeps the inotify instance, whose closing takes long.
      local keeper = assert(moonwatch.watch(s.O))
      helper.at_end(function() keeper:close() end)
      local missed = 0
      for i = 1, 1000 do
         local watcher <close> = assert(moonwatch.watch(s.R, { wait = i % 2 == 0 }))
         assert(watcher:ready(10))
         helper.write(("%s/%d/f"):format(s.R, i % 3 + 1), "x")
         local event = watcher:get(10)
         if not event or event.name ~= "f" then missed = missed + 1 end
      end
      assert.equal(0, missed)
   end)

   it("sync waits for a whole new tree, and for renames of which one half came", function()
      local s = scene.new()
      s:watch()
      for i = 1, 50 do helper.write(("%s/t%d/a/b/c/f"):format(s.R, i), "x") end
      helper.write(s.R .. "/out", "x")
      helper.rename(s.R .. "/out", s.O .. "/out")
      assert(s.watcher:sync(20))
      local files, deletes = 0, 0
      while true do
         local event = s.watcher:get(0)
         if not event then break end
         if event.op == "close_write" and event.name == "f" then files = files + 1 end
         if event.op == "delete" then deletes = deletes + 1 end
      end
      assert.same({ 50, 1 }, { files, deletes })
   end)

   it("pause mutes, the tree stays known, and resume replays nothing", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      s.loose = true
      s:watch()
      s.watcher:pause()
      helper.write(s.R .. "/new/a/f", "x")
      helper.rename(s.R .. "/d", s.R .. "/e")
      assert.same({}, s:events())
      s.watcher:resume()
      assert.same({}, s:events())
      helper.append(s.R .. "/new/a/f", "y")
      helper.append(s.R .. "/e/f", "y")
      assert.same({ "close_write new/a/f", "close_write e/f" }, s:events())
   end)
end)

describe("exchanges", function()
   helper.leaves_nothing()

   it("of two files are one move", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "1")
      helper.write(s.R .. "/d/b", "2")
      s:watch()
      assert(probe.exchange(s.R .. "/a", s.R .. "/d/b"))
      assert.same({ "move a <-> d/b" }, s:events())
      helper.append(s.R .. "/a", "x")
      assert.same({ "close_write a" }, s:events())
      s:check()
   end)

   it("make nobody tell anew of their neighbours, which have been told of", function()
      local s = scene.new()
      s:watch()
      for i = 1, 5 do
         helper.write(s.R .. "/" .. i, "x")
         assert.same({ "create " .. i, "close_write " .. i }, s:events())
      end
      local last = probe.stat(s.R .. "/5").changed
      local tick = 10000000 -- of the clock by which files are stamped: at most so many nanoseconds
      helper.eventually(function() return probe.stat(helper.write(s.O .. "/clock", "x")).changed > last + tick end)
      assert(probe.exchange(s.R .. "/1", s.R .. "/2"))
      local lines = s:events()
      assert.equal("move 1 <-> 2", lines[1])
      for _, line in ipairs(lines) do assert.is_nil(line:match " [345]$", line) end
      s:check()
   end)

   it("of a file and a tree leave every path below right", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "1")
      helper.write(s.R .. "/d/e/f", "2")
      s:watch()
      assert(probe.exchange(s.R .. "/a", s.R .. "/d"))
      local lines = s:events()
      assert.equal(1, #lines)
      assert(lines[1] == "move a <-> d" or lines[1] == "move d <-> a/", lines[1])
      helper.write(s.R .. "/a/e/f", "3")
      helper.write(s.R .. "/d", "3")
      assert.same({ "close_write a/e/f", "close_write d" }, s:events())
      s:check()
   end)

   it("of two trees carry their content along", function()
      local s = scene.new()
      helper.write(s.R .. "/a/in_a", "1")
      helper.write(s.R .. "/b/in_b", "2")
      s:watch()
      assert(probe.exchange(s.R .. "/a", s.R .. "/b"))
      s:check()
      helper.append(s.R .. "/a/in_b", "x")
      helper.append(s.R .. "/b/in_a", "x")
      assert.same({ "close_write a/in_b", "close_write b/in_a" }, s:events())
      s:check()
   end)

   it("are told from renames there and back", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "1")
      helper.write(s.R .. "/b", "2")
      s:watch()
      helper.rename(s.R .. "/a", s.R .. "/b")
      helper.rename(s.R .. "/b", s.R .. "/a")
      local lines = s:events()
      -- Both are looked at again, and a rename changes the time by which a changed content is known.
      if lines[3] == "*close_write a" then table.remove(lines) end
      assert.same({ "move a -> b over file", "move b -> a" }, lines)
      s:check()
   end)

   it("with a name in doubt tell the new content of the other", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "1")
      helper.write(s.R .. "/d/x", "2")
      helper.write(s.O .. "/y", "3")
      s:watch()
      -- As the records come, nobody can look at d/x any more: its exchange is taken for in and out again.
      assert(probe.exchange(s.O .. "/y", s.R .. "/d/x"))
      helper.rename(s.R .. "/d", s.R .. "/e")
      assert(probe.exchange(s.R .. "/a", s.R .. "/e/x"))
      local counts = scene.counts(s:events())
      assert(counts["*close_write a"] or counts["move a <-> e/x"] or counts["move e/x <-> a"], "the content of a is untold")
      s:check()
   end)

   it("with what is outside are told though the kernel keeps one record for two that came to one name", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "1")
      helper.write(s.O .. "/d/g", "2")
      s:watch()
      helper.rename(s.R .. "/d", s.R .. "/new")
      assert(probe.exchange(s.O .. "/d", s.R .. "/new"))
      assert.same({ "move d -> new/", "create new/ over directory", "*create new/g", "*close_write new/g" }, s:events())
      s:check()
      helper.write(s.R .. "/f", "1")
      helper.write(s.O .. "/f", "2")
      s:events()
      helper.rename(s.R .. "/f", s.R .. "/h")
      assert(probe.exchange(s.O .. "/f", s.R .. "/h"))
      assert.same({ "move f -> h", "delete h", "*create h", "*close_write h" }, s:events())
      s:check()
   end)

   it("of directories with a name in doubt tell no path that never was", function()
      local s = scene.new()
      helper.write(s.R .. "/a/deep/f", "1")
      helper.write(s.R .. "/d/x/f", "2")
      helper.write(s.O .. "/y/f", "3")
      s:watch()
      -- As above; what follows is said by the watch of what was `a`.
      assert(probe.exchange(s.O .. "/y", s.R .. "/d/x"))
      helper.rename(s.R .. "/d", s.R .. "/e")
      assert(probe.exchange(s.R .. "/a", s.R .. "/e/x"))
      helper.write(s.R .. "/e/x/new", "")
      helper.write(s.R .. "/e/x/deep/new", "")
      for _, line in ipairs(s:events()) do assert.is_nil(line:match " a/new" or line:match " a/deep/new", line) end
      s:check()
   end)

   it("with what lies in a directory that is not listed yet leave both names known", function()
      local s = scene.new("fast")
      local count = 3000
      for i = 1, count do helper.write(("%s/n/%d/x"):format(s.O, i), "new") end
      for i = 1, count do helper.write(("%s/d/%d"):format(s.R, i), "old") end
      s:watch()
      helper.rename(s.O .. "/n", s.R .. "/n")
      helper.step(0) -- all folders are found and watched; nobody has looked into most of them
      for i = 1, count, 50 do assert(probe.exchange(("%s/n/%d/x"):format(s.R, i), ("%s/d/%d"):format(s.R, i))) end
      s:check()
   end)

   it("with what is outside lose nothing that has two paths, or that another watcher sees whole", function()
      local s = scene.new()
      helper.write(s.R .. "/d/a", "1")
      helper.write(s.O .. "/b", "2")
      helper.symlink("d", s.R .. "/link")
      local twice <close> = assert(moonwatch.watch { s.R .. "/d/a", s.R .. "/link/a", s.R .. "/link" })
      local half <close> = assert(moonwatch.watch(s.O))
      local whole <close> = assert(moonwatch.watch(s.base))
      for round = 1, 4 do
         local one, other = s.R .. "/d/a", s.O .. "/b"
         if round % 2 == 0 then one, other = other, one end
         assert(probe.exchange(one, other))
         assert.same({ "a", "a" }, watching.known(twice))
         assert.same({ "b" }, watching.known(half))
         local event = whole:get(10)
         assert.same({ "move", true }, { event.op, event.exchange })
         assert.same({}, watching.words(whole))
      end
   end)

   it("inside lose nothing of a folder that has two paths", function()
      for _, order in ipairs { "link first", "link last" } do
         local s = scene.new()
         helper.write(s.R .. "/b/k", "1")
         helper.write(s.R .. "/o/c", "2")
         helper.symlink("R/b", s.base .. "/link")
         local roots = { s.base .. "/link", s.R }
         if order == "link last" then roots = { s.R, s.base .. "/link" } end
         local watcher <close> = assert(moonwatch.watch(roots))
         for _ = 1, 3 do
            assert(probe.exchange(s.R .. "/b/k", s.R .. "/o/c"))
            assert.same({ "b/", "b/k", "k", "o/", "o/c" }, watching.known(watcher), order)
         end
      end
   end)

   it("with what is outside are a delete and a create in one", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "1")
      helper.write(s.O .. "/b", "2")
      s:watch()
      assert(probe.exchange(s.R .. "/a", s.O .. "/b"))
      s:check()
      helper.append(s.R .. "/a", "x")
      helper.append(s.O .. "/b", "x")
      assert.same({ "close_write a" }, s:events())
   end)
end)

describe("oddities of files", function()
   helper.leaves_nothing()

   it("a file made without a name and linked into place is a create", function()
      local s = scene.new()
      s:watch()
      local ok, message = probe.unnamed(s.R, s.R .. "/f", "x")
      if not ok then pending(message) end
      assert.same({ "create f" }, s:events())
      s:check()
   end)

   it("truncate without opening is a modify, for those that ask for it", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "0123456789")
      s:watch { events = "create close_write attrib delete move modify" }
      assert(probe.truncate(s.R .. "/f", 3))
      assert.same({ "modify f" }, s:events())
   end)

   it("a file closed after its deletion is not told as the new one of its name", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "old")
      s:watch()
      local old = assert(io.open(s.R .. "/f", "ab"))
      os.remove(s.R .. "/f")
      helper.write(s.R .. "/f", "new")
      old:write "more"
      old:close()
      assert.same({ "delete f", "create f", "close_write f" }, s:events())
      s:check()
   end)

   it("a hard link is a create", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "x")
      s:watch()
      helper.link(s.R .. "/f", s.R .. "/g")
      os.remove(s.R .. "/f")
      assert.same({ "create g", "delete f" }, s:events())
      s:check()
   end)

   it("a rename of a file onto its own hard link changes nothing", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "x")
      helper.link(s.R .. "/f", s.R .. "/g")
      s:watch()
      helper.rename(s.R .. "/f", s.R .. "/g")
      assert.same({}, s:events())
      s:check()
   end)
end)
