-- SPDX-License-Identifier: MIT
--
-- Scenarios 26, 27, 33 and 36b: limits, rights, mounts, many descriptors, long paths.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local probe = scene.probe

-- A user namespace of its own, with so many watches at most; `more`: further namespaces.
local function namespace(watches, more)
   local before = { "unshare", "--user", "--map-root-user" }
   for _, flag in ipairs(more or {}) do before[#before + 1] = flag end
   for _, word in ipairs { "sh", "-c",
      ('echo %d > /proc/sys/user/max_inotify_watches && exec "$@"'):format(watches), "sh" } do
      before[#before + 1] = word
   end
   return before
end

local function inside(before, chunk)
   local result = scene.elsewhere(chunk, before)
   if result.err:find "unshare" then
      pending("no user namespaces here: " .. result.err)
   end
   return result.out .. result.err
end

describe("the limit of watches", function()
   helper.leaves_nothing()

   it("of the kernel is told once, with what to set, and the rest is polled until the limit is raised", function()
      assert.equal([[
told 1 true
told max_user_watches true
unwatched list true
polled true
create d80/f, close_write d80/f | create d1/f, close_write d1/f
create d80/new/, create d80/new/f, close_write d80/new/f
again 0
polled 0
create d80/g, close_write d80/g
checked
]], inside(namespace(50), [[
   local s = scene.new()
   for i = 1, 80 do helper.mkdir(("%s/d%d"):format(s.R, i)) end
   s:watch { interval = 0.05 }
   local told, reason = 0, ""
   for event in s.watcher:each(0) do
      if event.op == "unwatched" then told, reason = told + 1, event.reason end
   end
   print("told", told, reason:find "%d" ~= nil)
   print("told", "max_user_watches", reason:find("max_user_watches", 1, true) ~= nil)
   print("unwatched list", not s.watcher.unwatched or #s.watcher:unwatched() > 0)
   print("polled", s.watcher:stats().polled > 30)
   local function plain(lines)
      local list = {}
      for _, line in ipairs(lines) do list[#list + 1] = (line:gsub("^%*", "")) end
      return table.concat(list, ", ")
   end
   helper.write(s.R .. "/d80/f", "x")
   local first = plain(s:events())
   helper.write(s.R .. "/d1/f", "x")
   print(first .. " | " .. plain(s:events()))
   helper.write(s.R .. "/d80/new/f", "x")
   print(plain(s:events()))
   s:check { some = true }
   helper.write("/proc/sys/user/max_inotify_watches", "1000")
   helper.eventually(function() return s.watcher:stats().polled == 0 end)
   print("again", s.watcher:stats().ops.unwatched - 1)
   print("polled", s.watcher:stats().polled)
   helper.write(s.R .. "/d80/g", "x")
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
]]):gsub("\t", " ") .. "")
   end)

   it("of the kernel is an error where that is asked for, and names the limit", function()
      local out = inside(namespace(20), [[
   local s = scene.new()
   for i = 1, 40 do helper.mkdir(("%s/d%d"):format(s.R, i)) end
   local watcher, message, code = moonwatch.watch(s.R, { on_limit = "error" })
   print(watcher, code == moonwatch.errno.ENOSPC, message:find("max_user_watches", 1, true) ~= nil,
      message:find("No space left", 1, true))
   print(helper.watches())
]])
      assert.equal("nil\ttrue\ttrue\tnil\n0\n", out)
   end)

   it("of instances names that limit", function()
      local before = { "unshare", "--user", "--map-root-user", "sh", "-c",
         'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh" }
      local out = inside(before, [=[
   local watcher, message, code = moonwatch.watch "/tmp"
   print(watcher, message:match "fs.inotify.%S+", code == moonwatch.errno.EMFILE)
]=])
      assert.equal("nil\tfs.inotify.max_user_instances\ttrue\n", out)
   end)

   it("of one's own may be an error too", function()
      local s = scene.new()
      for i = 1, 30 do helper.mkdir(("%s/d%d"):format(s.R, i)) end
      assert.same({ nil, s.R .. ": max_watches = 20 reached, 11 more needed; 11 of 31 directories are without a watch",
         moonwatch.errno.ENOSPC }, { moonwatch.watch(s.R, { max_watches = 20, on_limit = "error" }) })
      local watcher <close> = assert(moonwatch.watch(s.R, { max_watches = 20, on_limit = "error", wait = false }))
      assert.same({ nil, moonwatch.errno.ENOSPC }, { select(1, watcher:ready()), (select(3, watcher:ready())) })
   end)

   it("of one's own is kept", function()
      local s = scene.new()
      for i = 1, 30 do helper.mkdir(("%s/d%d/e"):format(s.R, i)) end
      s:watch { max_watches = 20, interval = 0.05 }
      local stats = s.watcher:stats()
      assert.same({ 20, 61 - 20, 1 }, { stats.watches, stats.polled, stats.ops.unwatched })
      for i = 1, 30 do helper.write(("%s/d%d/e/f"):format(s.R, i), "x") end
      local counts = scene.counts(s:events())
      local creates = 0
      for line in pairs(counts) do
         if line:find "create" then creates = creates + 1 end
      end
      assert.equal(30, creates)
      s:check { some = true }
      helper.remove(s.R .. "/d1")
      helper.rename(s.R .. "/d2/e", s.R .. "/d3/moved")
      helper.append(s.R .. "/d30/e/f", "y")
      s:check { some = true }
   end)

   it("of one's own: what was lost is told before a move carries it on, though nobody can look there any more", function()
      local s = scene.new()
      helper.write(s.R .. "/a/b/c/f", "x")
      s:watch { max_watches = 3, interval = 60 }
      s:events()
      os.remove(s.R .. "/a/b/c/f")
      helper.rename(s.R .. "/a", s.R .. "/z")
      helper.rename(s.R .. "/z/b", s.R .. "/z/y")
      assert.same({ "*delete a/b/c/f", "move a -> z/", "move z/b -> z/y/" }, s:events())
      s:check { some = true }
   end)

   -- At the limit no watch was believed any more, and none taken up again: all was polled, and told twice.
   it("takes no watch away when records are lost", function()
      local s = scene.new("fast")
      for i = 1, 8 do helper.mkdir(("%s/d%d"):format(s.R, i)) end
      s:watch { max_watches = 4, interval = 60 }
      local before = { s.watcher:stats().watches, s.watcher:stats().polled }
      assert(probe.noise(s.R .. "/noise1", s.R .. "/noise2", 20000))
      helper.eventually(function() return s.watcher:stats().overflows == 1 end)
      s:events()
      assert.same({ 4, 5 }, before)
      assert.same(before, { s.watcher:stats().watches, s.watcher:stats().polled })
      helper.write(s.R .. "/f", "x")
      assert.same({ "create f", "close_write f" }, s:events())
   end)
end)

describe("an unreadable directory", function()
   helper.leaves_nothing()

   -- Root may read everything: the rights of another user, then.
   before_each(function() probe.as(65534) end)
   after_each(function() probe.as(0) end)

   local function with_rights(fn)
      probe.as(0)
      fn()
      probe.as(65534)
   end

   it("is told once, the rest is watched, and its content is found when it becomes readable", function()
      local s
      with_rights(function()
         s = scene.new()
         helper.write(s.R .. "/shut/f", "x")
         helper.write(s.R .. "/shut/sub/g", "x")
         helper.mkdir(s.R .. "/open")
         probe.chmod(s.R .. "/shut", 448)
      end)
      s:watch()
      assert.same({ "unwatched shut/" }, s:events())
      assert.is_false(s.watcher:covers(s.R .. "/shut/f"))
      assert.equal("not watched: shut is not entered: it cannot be looked into", s.watcher:explain(s.R .. "/shut/f"))
      with_rights(function() helper.write(s.R .. "/open/f", "x") end)
      assert.same({ "create open/f", "close_write open/f" }, s:events())
      with_rights(function()
         helper.write(s.R .. "/shut/unseen", "x")
         probe.chmod(s.R .. "/shut", 493)
      end)
      local lines = s:events()
      table.sort(lines)
      assert.same({ "*close_write shut/f", "*close_write shut/sub/g", "*close_write shut/unseen", "*create shut/f",
         "*create shut/sub/", "*create shut/sub/g", "*create shut/unseen", "attrib shut/" }, lines)
      with_rights(function() helper.write(s.R .. "/shut/sub/h", "x") end)
      assert.same({ "create shut/sub/h", "close_write shut/sub/h" }, s:events())
      s:check()
   end)

   it("made unreadable later is told of by its watch still", function()
      local s
      with_rights(function()
         s = scene.new()
         helper.write(s.R .. "/d/f", "x")
      end)
      s:watch()
      with_rights(function()
         probe.chmod(s.R .. "/d", 448)
         helper.write(s.R .. "/d/g", "x")
      end)
      assert.same({ "attrib d/", "create d/g", "close_write d/g" }, s:events())
   end)

   it("that was moved in is told once", function()
      local s
      with_rights(function()
         s = scene.new()
         helper.write(s.O .. "/shut/f", "x")
         probe.chmod(s.O .. "/shut", 448)
      end)
      s:watch()
      with_rights(function() helper.rename(s.O .. "/shut", s.R .. "/shut") end)
      assert.same({ "create shut/", "unwatched shut/" }, s:events())
      with_rights(function() helper.rename(s.R .. "/shut", s.R .. "/still") end)
      assert.same({ "move shut -> still/" }, s:events())
      with_rights(function() helper.remove(s.R .. "/still") end)
      assert.same({ "delete still/" }, s:events())
   end)

   it("as a root is refused", function()
      local s
      with_rights(function()
         s = scene.new()
         probe.chmod(s.R, 448)
      end)
      local watcher, message, code = moonwatch.watch(s.R)
      assert.same({ nil, moonwatch.errno.EACCES }, { watcher, code })
      assert.truthy(message:find(s.R, 1, true))
   end)
end)

describe("mounts", function()
   helper.leaves_nothing()

   it("inside the tree are looked into, and what was below comes back after them", function()
      assert.equal([[
*delete m/, *create m/
create m/f, close_write m/f
*delete m/, *create m/, *create m/below/, *create m/below/f, *close_write m/below/f
create m/below/g, close_write m/below/g
checked
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.write(s.R .. "/m/below/f", "x")
   s:watch()
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/m"))
   show(s:events())
   helper.write(s.R .. "/m/f", "x")
   show(s:events())
   assert(os.execute("umount " .. s.R .. "/m"))
   show(s:events())
   helper.write(s.R .. "/m/below/g", "x")
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
]]))
   end)

   it("over themselves hide and show what is mounted below", function()
      assert.equal([[
*delete m/sub/, *create m/sub/
create m/sub/f, close_write m/sub/f
*delete m/sub/, *create m/sub/
*delete m/sub/, *create m/sub/, *create m/sub/f, *close_write m/sub/f
checked
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/m/sub")
   s:watch()
   assert(os.execute(("mount -t tmpfs none %s/m/sub"):format(s.R)))
   show(s:events())
   helper.write(s.R .. "/m/sub/f", "x")
   show(s:events())
   assert(os.execute(("mount --bind %s/m %s/m"):format(s.R, s.R)))
   show(s:events())
   assert(os.execute(("umount %s/m"):format(s.R)))
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
   assert(os.execute(("umount %s/m/sub"):format(s.R)))
]]))
   end)

   it("over the root are gone and back", function()
      assert.equal([[
gone, back
create f, close_write f
gone, back, *create below, *close_write below
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.write(s.R .. "/below", "x")
   s:watch()
   assert(os.execute("mount -t tmpfs none " .. s.R))
   show(s:events())
   helper.write(s.R .. "/f", "x")
   show(s:events())
   assert(os.execute("umount " .. s.R))
   show(s:events())
   s.watcher:close()
]]))
   end)

   it("are told while nobody asks, wherever they come from; others are none of our business", function()
      assert.equal([[
*delete m/
*create m/
*create m/g
*close_write m/g
timeout
*close_write file
*delete m/
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/m")
   helper.write(s.R .. "/file", "x")
   helper.write(s.O .. "/d/g", "x")
   s:watch()
   assert(os.execute(("mount --bind %s/d %s/m"):format(s.O, s.R)))
   for _ = 1, 4 do print(scene.describe((s.watcher:get(10)))) end
   helper.mkdir(s.O .. "/m")
   assert(os.execute(("mount -t tmpfs none %s/m"):format(s.O)))
   assert(s.watcher:sync(10))
   print((select(2, s.watcher:get(0))))
   assert(os.execute(("mount --bind %s/d/g %s/file"):format(s.O, s.R)))
   print(scene.describe((s.watcher:get(10))))
   assert(os.execute(("umount -l %s/m"):format(s.R)))
   print(scene.describe((s.watcher:get(10))))
   s.watcher:close()
   assert(os.execute(("umount %s/file; umount %s/m"):format(s.R, s.O)))
]]))
   end)

   -- The table has the path of now; the index learns of the rename later.
   it("are found in what was renamed in the same moment, and when their folder was renamed before they went", function()
      assert.equal([[
move a -> c/, *delete c/m/, *create c/m/, *create c/m/f, *close_write c/m/f
create c/m/g, close_write c/m/g
checked
move c -> e/
*delete e/b/, *create e/b/
create e/b/g, close_write e/b/g
checked
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/a/m")
   helper.mkdir(s.R .. "/a/b")
   helper.write(s.O .. "/d/f", "x")
   assert(os.execute(("mount --bind %s/d %s/a/b"):format(s.O, s.R)))
   s:watch()
   helper.rename(s.R .. "/a", s.R .. "/c")
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/c/m"))
   helper.write(s.R .. "/c/m/f", "x")
   show(s:events())
   helper.write(s.R .. "/c/m/g", "x")
   show(s:events())
   s:check()
   print "checked"
   helper.rename(s.R .. "/c", s.R .. "/e")
   show(s:events())
   assert(os.execute(("umount %s/e/b"):format(s.R)))
   show(s:events())
   helper.write(s.R .. "/e/b/g", "x")
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
   assert(os.execute(("umount %s/e/m"):format(s.R)))
]]))
   end)

   it("that were borders are none once they are gone, wherever the folder is by then", function()
      assert.equal([[
false	not watched: m is not entered: it is on another file system
move m -> d/n/, *delete d/n/, *create d/n/, *create d/n/f, *close_write d/n/f
create d/n/g, close_write d/n/g
checked
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.write(s.R .. "/m/f", "x")
   helper.mkdir(s.R .. "/d")
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/m"))
   s:watch { one_filesystem = true }
   print(s.watcher:covers(s.R .. "/m/f"), s.watcher:explain(s.R .. "/m/f"))
   assert(os.execute("umount " .. s.R .. "/m"))
   helper.rename(s.R .. "/m", s.R .. "/d/n")
   show(s:events())
   helper.write(s.R .. "/d/n/g", "x")
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
]]))
   end)

   -- One watch stands for both paths, of which one leads elsewhere by now.
   it("hide what is done below them by another path", function()
      assert.equal([[
*delete d/, *create d/
checked
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/d/e")
   helper.mkdir(s.O .. "/d")
   s:watch()
   assert(os.execute(("mount --bind %s/d %s/d"):format(s.R, s.O)))
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/d"))
   helper.write(s.O .. "/d/f", "x")
   helper.mkdir(s.O .. "/d/e/g")
   show(s:events())
   s:check()
   print "checked"
   s.watcher:close()
   assert(os.execute(("umount %s/d; umount %s/d"):format(s.R, s.O)))
]]))
   end)

   -- It was looked at again and again, and `sync` never came back.
   it("of a directory that was removed meanwhile are empty", function()
      assert.equal([[
delete m/f
create g, close_write g
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.write(s.O .. "/d/f", "x")
   helper.mkdir(s.R .. "/m")
   assert(os.execute(("mount --bind %s/d %s/m"):format(s.O, s.R)))
   s:watch()
   helper.remove(s.O .. "/d")
   show(s:events())
   assert(s.watcher:rescan())
   helper.write(s.R .. "/g", "x")
   show(s:events())
   s:check()
   s.watcher:close()
   assert(os.execute(("umount %s/m"):format(s.R)))
]]))
   end)

   it("are borders where that is asked for", function()
      assert.equal([[
m directory
create top, close_write top

*delete m/, *create m/
create m/f, close_write m/f
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/m")
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/m"))
   helper.write(s.R .. "/m/d/f", "x")
   s:watch { one_filesystem = true }
   s.loose = true
   for rel, kind in s.watcher:entries() do print(rel, kind) end
   helper.write(s.R .. "/top", "x")
   show(s:events())
   helper.write(s.R .. "/m/d/f", "x")
   show(s:events())
   assert(os.execute("umount " .. s.R .. "/m"))
   show(s:events())
   helper.write(s.R .. "/m/f", "x")
   show(s:events())
   s.watcher:close()
]]):gsub("\t", " ") .. "")
   end)

   it("of proc inside the tree are told as unwatched, and not entered", function()
      assert.equal([[
unwatched m/
m directory
create f, close_write f
]], inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/m")
   assert(os.execute("mount --rbind /proc " .. s.R .. "/m"))
   local watcher = assert(moonwatch.watch(s.R))
   s.watcher, s.loose = watcher, true
   show(s:events())
   for rel, kind in watcher:entries() do print(rel, kind) end
   helper.write(s.R .. "/f", "x")
   show(s:events())
   watcher:close()
   assert(os.execute("umount -l " .. s.R .. "/m"))
]]):gsub("\t", " ") .. "")
   end)

   it("are not kept from being unmounted", function()
      assert.equal("true\n", inside(namespace(10000, { "--mount" }), [[
   local s = scene.new()
   helper.mkdir(s.R .. "/m")
   assert(os.execute("mount -t tmpfs none " .. s.R .. "/m"))
   helper.write(s.R .. "/m/a/b/f", "x")
   s:watch()
   helper.write(s.R .. "/m/a/g", "x")
   s:events()
   print((os.execute("umount " .. s.R .. "/m")))
   s:events()
   s.watcher:close()
]]))
   end)
end)

describe("a process", function()
   helper.leaves_nothing()

   it("with more than 1,024 descriptors watches as any other", function()
      local s = scene.new()
      local held = probe.occupy(1100)
      helper.at_end(function()
         for _, fd in ipairs(held) do probe.close(fd) end
      end)
      helper.mkdir(s.R .. "/d")
      s:watch()
      helper.write(s.R .. "/d/new/f", "x")
      assert.same({ "create d/new/", "*create d/new/f", "*close_write d/new/f" }, s:events())
      s:check()
   end)

   it("watches below paths that are longer than PATH_MAX", function()
      local s = scene.new()
      local name, levels = ("n"):rep(200), 30
      assert(probe.deep(s.R, name, levels))
      s:watch()
      local function below(fn, top)
         assert(probe.chdir(s.R .. "/" .. (top or name)))
         for _ = 2, levels do assert(probe.chdir(name)) end
         fn()
         assert(probe.chdir(helper.top))
      end
      local deepest = (name .. "/"):rep(levels)
      local found
      for rel in s.watcher:entries() do
         if #rel == #deepest + 3 then found = rel end
      end
      assert.equal(deepest .. "end", found)
      below(function()
         helper.write("new", "x")
         helper.rename("new", "other")
      end)
      assert.same({ "create " .. deepest .. "new", "close_write " .. deepest .. "new",
         "move " .. deepest .. "new -> " .. deepest .. "other" }, s:events())
      helper.rename(s.R .. "/" .. name, s.R .. "/" .. name:sub(2))
      assert.same({ ("move %s -> %s/"):format(name, name:sub(2)) }, s:events())
      below(function() os.remove "other" end, name:sub(2))
      assert.same({ "delete " .. deepest:sub(2) .. "other" }, s:events())
      probe.remove(s.R)
   end)
end)
