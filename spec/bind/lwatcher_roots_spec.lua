-- SPDX-License-Identifier: MIT
--
-- Scenarios 24, 25 and the end of 36: roots and single files that come and go, and what leads to them.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local probe = scene.probe

-- What entry there is, in order.
local function known(watcher)
   local list = {}
   for rel, kind in watcher:entries() do list[#list + 1] = rel .. " " .. kind end
   table.sort(list)
   return list
end

describe("a root", function()
   helper.leaves_nothing()

   it("that is missing is refused, with its path", function()
      local s = scene.new()
      local watcher, message, code = moonwatch.watch(s.O .. "/none")
      assert.same({ nil, moonwatch.errno.ENOENT }, { watcher, code })
      assert.equal(s.O .. "/none:", message:match "^%S+")
   end)

   it("that is missing may be waited for, and is found when it was made step by step", function()
      local s = scene.new()
      s:watch({ missing = "wait" }, s.O .. "/a/b/c")
      assert.same({}, s:events())
      helper.mkdir(s.O .. "/a")
      assert.same({}, s:events())
      helper.mkdir(s.O .. "/a/b")
      assert.same({}, s:events())
      helper.mkdir(s.O .. "/a/b/c")
      assert.same({ "back" }, s:events())
      helper.write(s.O .. "/a/b/c/f", "x")
      assert.same({ "create f", "close_write f" }, s:events())
      s:check()
   end)

   it("that is missing may be made in one go, with content", function()
      local s = scene.new()
      s:watch({ missing = "wait" }, s.O .. "/a/b/c")
      helper.write(s.O .. "/a/b/c/d/f", "x")
      assert.same({ "back", "*create d/", "*create d/f", "*close_write d/f" }, s:events())
      s:check()
   end)

   it("that is missing is waited for, though a shell stays in the removed folder above it", function()
      local s = scene.new()
      helper.mkdir(s.O .. "/a")
      s:watch({ missing = "wait" }, s.O .. "/a/root")
      local held = assert(io.open(s.O .. "/a"))
      helper.remove(s.O .. "/a")
      helper.step(0.01)
      helper.mkdir(s.O .. "/a/root")
      assert.equal("back", s.watcher:get(10).op)
      held:close()
   end)

   it("is gone and back ten times", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      s:watch()
      for _ = 1, 10 do
         helper.remove(s.R)
         assert.equal("gone", (table.remove(s:events())))
         helper.write(s.R .. "/d/f", "x")
         assert.same({ "back", "*create d/", "*create d/f", "*close_write d/f" }, s:events())
         s:check()
      end
   end)

   it("removed and made again unseen is another one", function()
      local s = scene.new()
      helper.write(s.R .. "/old", "x")
      s:watch()
      for round = 1, 10 do
         helper.remove(s.R)
         helper.write(s.R .. "/" .. round, "x")
         local lines = s:events()
         assert.same({ "gone", "back", "*create " .. round, "*close_write " .. round },
            { table.unpack(lines, #lines - 3) })
         s:check()
      end
   end)

   it("renamed away is gone, and no word comes from where it is now", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      s:watch()
      helper.rename(s.R, s.base .. "/away")
      assert.same({ "gone" }, s:events())
      assert.same({}, known(s.watcher))
      helper.append(s.base .. "/away/d/f", "y")
      assert.same({}, s:events())
      helper.rename(s.base .. "/away", s.R)
      assert.same({ "back", "*create d/", "*create d/f", "*close_write d/f" }, s:events())
      s:check()
   end)

   it("renamed away takes along what is done to it before anybody could look", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      s:watch()
      helper.rename(s.R, s.base .. "/away")
      helper.write(s.base .. "/away/never", "x")
      helper.write(s.base .. "/away/d/never", "x")
      helper.rename(s.base .. "/away/d", s.base .. "/away/e")
      assert.same({ "gone" }, s:events())
   end)

   it("removed while a shell stays in it is gone all the same", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "x")
      s:watch()
      local shell = helper.start({ "sh", "-c", "echo in; read line" }, { cwd = s.R })
      local held = assert(io.open(s.R))
      shell:wait_for "in"
      helper.remove(s.R)
      assert.equal("delete", s.watcher:get(10).op)
      assert.equal("gone", s.watcher:get(10).op)
      s.model.root.kids, s.model.present = {}, false
      helper.mkdir(s.R)
      assert.same({ "back" }, s:events())
      held:close()
      held = assert(io.open(s.R))
      helper.remove(s.R)
      assert.same({ "gone" }, s:events())
      held:close()
   end)

   it("replaced by a file is gone until it is a directory again", function()
      local s = scene.new()
      helper.write(s.R .. "/f", "x")
      s:watch()
      helper.remove(s.R)
      helper.write(s.R, "x")
      assert.same({ "delete f", "gone" }, s:events())
      helper.remove(s.R)
      helper.write(s.R .. "/g", "x")
      assert.same({ "back", "*create g", "*close_write g" }, s:events())
      s:check()
   end)

   it("that is a link to a directory follows the link to another", function()
      local s = scene.new()
      helper.write(s.O .. "/one/f", "1")
      helper.write(s.O .. "/two/g", "2")
      helper.symlink("one", s.O .. "/link")
      s:watch(nil, s.O .. "/link")
      helper.append(s.O .. "/one/f", "x")
      assert.same({ "close_write f" }, s:events())
      helper.symlink("two", s.O .. "/link.new")
      helper.rename(s.O .. "/link.new", s.O .. "/link")
      assert.same({ "gone", "back", "*create g", "*close_write g" }, s:events())
      helper.append(s.O .. "/one/f", "x")
      helper.append(s.O .. "/two/g", "x")
      assert.same({ "close_write g" }, s:events())
      os.remove(s.O .. "/link")
      assert.same({ "gone" }, s:events())
      helper.symlink("one", s.O .. "/link")
      assert.same({ "back", "*create f", "*close_write f" }, s:events())
   end)

   -- Told as a move, it would be one to a path that never was: the root has none any more.
   it("that lies behind a link in itself is gone with that, before anything else is told", function()
      local s = scene.new()
      helper.mkdir(s.R .. "/sub")
      helper.symlink(".", s.R .. "/link")
      s:watch(nil, s.R .. "/link")
      helper.rename(s.R .. "/link", s.R .. "/sub/link")
      assert.same({ "gone" }, s:events())
      helper.rename(s.R .. "/sub/link", s.R .. "/link")
      assert.equal("back", s:events()[1])
      s:check()
   end)

   it("that lies behind a link in another root is gone before that link is told of below it", function()
      local s = scene.new()
      helper.mkdir(s.R .. "/one/inner")
      helper.symlink("one", s.R .. "/link")
      local watcher <close> = assert(moonwatch.watch { s.R, s.R .. "/link/inner" })
      helper.rename(s.R .. "/link", s.R .. "/one/inner/link")
      assert.same({ "gone link/inner", "move one/inner/link" }, scene.lines(watcher, function(event)
         return event.op .. " " .. event.path:sub(#s.R + 2)
      end))
   end)

   it("is gone and back with a folder above it", function()
      local s = scene.new()
      local root = s.O .. "/a/b/root"
      helper.write(root .. "/f", "x")
      s:watch(nil, root)
      for _, above in ipairs { "/a", "/a/b" } do
         helper.rename(s.O .. above, s.O .. "/away")
         assert.same({ "gone" }, s:events())
         helper.rename(s.O .. "/away", s.O .. above)
         assert.same({ "back", "*create f", "*close_write f" }, s:events())
         s:check()
      end
   end)

   it("is not gone where a folder above it was away between two looks only", function()
      local s = scene.new()
      local root = s.O .. "/a/root"
      helper.write(root .. "/f", "x")
      s:watch(nil, root)
      helper.rename(s.O .. "/a", s.O .. "/away")
      helper.rename(s.O .. "/away", s.O .. "/a")
      s:check()
      helper.append(root .. "/f", "y")
      assert.same({ "close_write f" }, s:events())
   end)

   it("stays what it was when the working directory changes", function()
      local s = scene.new()
      local before = helper.top
      helper.mkdir(s.R .. "/d")
      assert(probe.chdir(s.base))
      local watcher = assert(moonwatch.watch("R"))
      helper.at_end(function() watcher:close() end)
      assert(probe.chdir(s.R .. "/d"))
      helper.write(s.R .. "/d/f", "x")
      helper.mkdir(s.R .. "/e/g")
      assert(watcher:sync(10))
      local paths = {}
      for event in watcher:each(0) do paths[#paths + 1] = event.op .. " " .. event.path end
      assert(probe.chdir(before))
      assert.same({ "create R/d/f", "close_write R/d/f", "create R/e", "create R/e/g" }, paths)
   end)
end)

describe("a single file", function()
   helper.leaves_nothing()

   local function file_scene(name)
      local s = scene.new()
      s.file = s.R .. "/" .. name
      return s
   end

   local function watch(s, options)
      s:watch(options, s.file)
      s.loose = true
   end

   local function save_by_rename(s, text)
      helper.write(s.file .. ".tmp", text)
      helper.rename(s.file .. ".tmp", s.file)
   end

   it("is followed through five saves by rename, then one in place", function()
      local s = file_scene "conf"
      helper.write(s.file, "0")
      helper.write(s.R .. "/other", "0")
      watch(s)
      for round = 1, 5 do
         save_by_rename(s, "x" .. round)
         assert.same({ "create conf over file", "*close_write conf" }, s:events())
      end
      helper.write(s.file, "in place")
      helper.write(s.R .. "/other", "1")
      assert.same({ "close_write conf" }, s:events())
      assert.equal("conf file", table.concat(known(s.watcher), ","))
   end)

   it("has its names: path and root as given, name the last component", function()
      local s = file_scene "conf"
      helper.write(s.file, "0")
      watch(s)
      helper.write(s.file, "1")
      local event = s.watcher:get(10)
      assert.same({ s.file, s.file, "conf", "conf", "file" }, { event.path, event.root, event.name, event.rel, event.type })
   end)

   it("is deleted, made, and deleted again", function()
      local s = file_scene "conf"
      helper.write(s.file, "0")
      watch(s)
      os.remove(s.file)
      assert.same({ "delete conf" }, s:events())
      helper.write(s.file, "1")
      assert.same({ "create conf", "close_write conf" }, s:events())
      os.remove(s.file)
      helper.write(s.file, "2")
      assert.same({ "delete conf", "create conf", "close_write conf" }, s:events())
   end)

   it("that is missing is waited for where that is asked for", function()
      local s = file_scene "sub/conf"
      watch(s, { missing = "wait" })
      assert.same({}, s:events())
      helper.mkdir(s.R .. "/sub")
      assert.same({}, s:events())
      helper.write(s.file, "1")
      local lines = s:events()
      assert.equal("back", lines[1])
      helper.write(s.file, "2")
      assert.same({ "close_write conf" }, s:events())
   end)

   it("renamed away and back is a delete and a create", function()
      local s = file_scene "conf"
      helper.write(s.file, "0")
      watch(s)
      helper.rename(s.file, s.file .. ".old")
      assert.same({ "delete conf" }, s:events())
      helper.write(s.file .. ".old", "1")
      assert.same({}, s:events())
      helper.rename(s.file .. ".old", s.file)
      assert.same({ "create conf", "*close_write conf" }, s:events())
   end)

   it("is followed when the same folder is reached another way", function()
      local s = file_scene "sub/conf"
      helper.write(s.base .. "/away/sub/conf", "0")
      helper.remove(s.R)
      helper.symlink("away", s.R)
      watch(s)
      helper.remove(s.R)
      helper.rename(s.base .. "/away", s.R)
      s:events()
      helper.write(s.file, "1")
      assert.same({ "close_write conf" }, s:events())
   end)

   it("whose name a directory takes is that, and not entered", function()
      local s = file_scene "conf"
      helper.write(s.file, "0")
      watch(s)
      os.remove(s.file)
      helper.write(s.file .. "/inner", "x")
      assert.same({ "delete conf", "create conf/" }, s:events())
      helper.write(s.file .. "/more", "x")
      assert.same({}, s:events())
      helper.remove(s.file)
      helper.write(s.file, "1")
      assert.same({ "delete conf/", "create conf", "close_write conf" }, s:events())
   end)

   it("that is relative tells of its folder as of a root", function()
      local s, before = file_scene "conf", helper.top
      assert(probe.chdir(s.R))
      local watcher <close> = assert(moonwatch.watch("conf", { missing = "wait" }))
      assert(probe.chdir(before))
      helper.write(s.file, "0")
      local event = assert(watcher:get(10))
      assert.same({ "back", ".", "", "conf" }, { event.op, event.path, event.rel, event.root })
      assert.is_nil(event.name)
   end)

   it("goes and comes with its folder", function()
      local s = file_scene "sub/conf"
      helper.write(s.file, "0")
      watch(s)
      helper.rename(s.R .. "/sub", s.R .. "/away")
      assert.same({ "gone" }, s:events())
      helper.rename(s.R .. "/away", s.R .. "/sub")
      assert.same({ "back", "*create conf", "*close_write conf" }, s:events())
      helper.write(s.file, "1")
      assert.same({ "close_write conf" }, s:events())
   end)

   -- As Kubernetes mounts a map of configuration: conf -> ..data/conf, ..data -> ..2024_1, which is swapped.
   it("behind links that are swapped has one change of content", function()
      local s = file_scene "conf"
      helper.write(s.R .. "/..1/conf", "one")
      helper.symlink("..1", s.R .. "/..data")
      helper.symlink("..data/conf", s.file)
      watch(s)
      for round = 2, 5 do
         helper.write(("%s/..%d/conf"):format(s.R, round), "version " .. round)
         helper.symlink(".." .. round, s.R .. "/..data_tmp")
         helper.rename(s.R .. "/..data_tmp", s.R .. "/..data")
         helper.remove(("%s/..%d"):format(s.R, round - 1))
         assert.same({ "*close_write conf" }, s:events())
      end
      helper.append(s.R .. "/..5/conf", "in place")
      assert.same({ "close_write conf" }, s:events())
   end)

   it("that is a link is the file it points to", function()
      local s = file_scene "link"
      helper.write(s.O .. "/a", "a")
      helper.write(s.O .. "/b", "b")
      helper.symlink(s.O .. "/a", s.file)
      watch(s)
      helper.append(s.O .. "/a", "x")
      assert.same({ "close_write link" }, s:events())
      os.remove(s.file)
      helper.symlink(s.O .. "/b", s.file)
      assert.same({ "*close_write link" }, s:events())
      helper.append(s.O .. "/b", "x")
      helper.append(s.O .. "/a", "x")
      assert.same({ "close_write link" }, s:events())
   end)

   it("whose name a link takes is the file that points to", function()
      for _, backend in ipairs { "inotify", "poll" } do
         local s = file_scene "conf"
         helper.write(s.O .. "/target", "0")
         helper.write(s.file, "0")
         watch(s, { backend = backend, interval = 60 })
         for round = 1, 2 do
            os.remove(s.file)
            s:events()
            helper.symlink(s.O .. "/target", s.file)
            assert.same({ "*create conf", "*close_write conf" }, s:events())
            helper.append(s.O .. "/target", "x")
            assert.same({ backend == "poll" and "*close_write conf" or "close_write conf" }, s:events())
            helper.symlink("nowhere", s.file .. ".tmp")
            helper.rename(s.file .. ".tmp", s.file)
            assert.same({ "*delete conf" }, s:events())
            helper.write(s.R .. "/nowhere", "0")
            s.watcher:sync(10)
            local event = s.watcher:get(0)
            assert.same({ "create", "file" }, { event.op, event.type }, backend .. round)
            s:events()
            os.remove(s.R .. "/nowhere")
            s:events()
         end
         s.watcher:close()
         helper.clean()
      end
   end)

   it("that is a link has its changes found by looking, too", function()
      local s = file_scene "link"
      helper.write(s.O .. "/a", "a")
      helper.symlink(s.O .. "/a", s.file)
      watch(s, { backend = "poll", interval = 60 })
      for _ = 1, 2 do
         helper.append(s.O .. "/a", "x")
         assert.same({ "*close_write link" }, s:events())
         assert.same({}, s:events())
      end
   end)
end)

describe("several roots", function()
   helper.leaves_nothing()

   local function with_root(event) return ("%s %s %s"):format(event.op, event.root:match "[^/]+$", event.rel) end

   it("are all or nothing, and the message names each that failed", function()
      local s = scene.new()
      local watcher, message, code = moonwatch.watch { s.R, s.O .. "/x", s.O .. "/y" }
      assert.same({ nil, moonwatch.errno.ENOENT }, { watcher, code })
      assert.truthy(message:find(s.O .. "/x", 1, true) and message:find(s.O .. "/y", 1, true))
      assert.falsy(message:find(s.R .. ":", 1, true))
   end)

   it("take those that are there where the others may come", function()
      local s = scene.new()
      local watcher <close> = assert(moonwatch.watch({ s.R, s.O .. "/x" }, { missing = "wait" }))
      helper.write(s.R .. "/f", "x")
      helper.mkdir(s.O .. "/x")
      assert.same({ "create R f", "close_write R f", "back x " }, scene.lines(watcher, with_root))
   end)

   it("make one move of what goes from one to the other", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      local watcher <close> = assert(moonwatch.watch { s.R, s.O })
      helper.rename(s.R .. "/d", s.O .. "/e")
      helper.append(s.O .. "/e/f", "y")
      assert.same({
         ("move %s/d (R d) -> %s/e (O e)"):format(s.R, s.O),
         ("close_write %s/e/f"):format(s.O),
      }, scene.lines(watcher, function(event)
         if event.op ~= "move" then return event.op .. " " .. event.path end
         return ("move %s (%s %s) -> %s (%s %s)"):format(event.from, event.from_root:match "[^/]+$", event.from_rel,
            event.path, event.root:match "[^/]+$", event.rel)
      end))
   end)

   it("one inside the other give each event once, with the inner root", function()
      local s = scene.new()
      helper.write(s.R .. "/in/f", "x")
      helper.write(s.R .. "/f", "x")
      local watcher <close> = assert(moonwatch.watch { s.R, s.R .. "/in" })
      helper.append(s.R .. "/in/f", "y")
      helper.append(s.R .. "/f", "y")
      helper.write(s.R .. "/in/g", "y")
      assert.same({ "close_write in f", "close_write R f", "create in g", "close_write in g" },
         scene.lines(watcher, with_root))
   end)

   it("one inside the other: a file in the inner one's place belongs to the outer", function()
      local s = scene.new()
      helper.mkdir(s.R .. "/in")
      local watcher <close> = assert(moonwatch.watch { s.R, s.R .. "/in" })
      local function lines() return scene.lines(watcher, with_root) end
      helper.remove(s.R .. "/in")
      helper.write(s.R .. "/in", "x")
      local told = lines()
      table.sort(told)
      assert.same({ "close_write R in", "create R in", "delete R in", "gone in " }, told)
      os.remove(s.R .. "/in")
      helper.write(s.R .. "/in/f", "x")
      told = lines()
      table.sort(told)
      assert.same({ "back in ", "close_write in f", "create R in", "create in f", "delete R in" }, told)
   end)

   it("one inside the other: a folder in a single file's place belongs to the outer", function()
      local s = scene.new()
      helper.write(s.R .. "/in", "x")
      local watcher <close> = assert(moonwatch.watch { s.R, s.R .. "/in" })
      local function lines() return scene.lines(watcher, with_root) end
      helper.remove(s.R .. "/in")
      helper.write(s.R .. "/in/f", "x")
      assert.same({ "delete in in", "create R in", "create R in/f", "close_write R in/f" }, lines())
      helper.rename(s.R .. "/in", s.R .. "/out")
      assert.same({ "move R out" }, lines())
      helper.rename(s.R .. "/out", s.R .. "/in")
      assert.same({ "move R in" }, lines())
      helper.remove(s.R .. "/in")
      helper.write(s.R .. "/in", "x")
      assert.same({ "delete R in/f", "delete R in", "create in in", "close_write in in" }, lines())
   end)

   it("with one inode below both give one event per path", function()
      local s = scene.new()
      helper.write(s.R .. "/a", "x")
      helper.link(s.R .. "/a", s.O .. "/b")
      helper.mkdir(s.O .. "/real")
      helper.symlink(s.O .. "/real", s.base .. "/link")
      local watcher <close> = assert(moonwatch.watch { s.O .. "/real", s.base .. "/link" })
      helper.write(s.O .. "/real/f", "x")
      local lines = scene.lines(watcher, function(event) return event.op .. " " .. event.path end)
      table.sort(lines)
      assert.same({
         "close_write " .. s.O .. "/real/f", "close_write " .. s.base .. "/link/f",
         "create " .. s.O .. "/real/f", "create " .. s.base .. "/link/f",
      }, lines)
   end)

   -- It kept the file system from being unmounted until the loop ran.
   it("leaves no descriptor open where nobody waits for it", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/a")
      local watcher <close> = assert(moonwatch.watch(dir, { wait = false }))
      assert(watcher:add(dir .. "/a"))
      for _, descriptor in ipairs(helper.descriptors()) do
         assert.is_nil(descriptor.target:find(dir, 1, true), descriptor.target)
      end
   end)
end)
