-- SPDX-License-Identifier: MIT
--
-- lwatcher_filesystems_spec.lua - what is recognised by the type of its file system, and what is not to be: FUSE, overlays.

local helper = require "support.helper"
local scene = require "support.scene"

-- Runs the chunk where `base`/fuse shows what is in `base`/backing.
local function with_fuse(base, chunk)
   local result = scene.elsewhere(("local base = %q\n"):format(base) .. chunk,
      { helper.build .. "/spec/bind/fuse_driver", base .. "/backing", base .. "/fuse" })
   if result.status == 77 then pending(result.err) end
   return result.out .. result.err
end

describe("FUSE", function()
   helper.leaves_nothing()

   local base

   before_each(function()
      base = helper.folder()
      helper.write(base .. "/backing/sub/f", "x")
      helper.mkdir(base .. "/fuse")
      helper.mkdir(base .. "/local")
   end)

   it("is polled as a root, and what others change there is found", function()
      assert.equal([[
2 directories, 0 watches, 2 polled
create new, create new/f, close_write new/f, create sub/g, close_write sub/g
close_write* sub/f
delete* new
]], with_fuse(base, [[
   local watcher <close> = assert(moonwatch.watch(base .. "/fuse", { interval = 60 }))
   local stats = watcher:stats()
   print(("%d directories, %d watches, %d polled"):format(stats.directories, stats.watches, stats.polled))
   helper.write(base .. "/backing/sub/g", "x")
   helper.write(base .. "/backing/new/f", "x")
   show(watching.words(watcher, "sorted"))
   helper.append(base .. "/backing/sub/f", "y")
   show(watching.words(watcher))
   helper.remove(base .. "/backing/new")
   show(watching.words(watcher))
]]))
   end)

   it("is polled below a root that is watched", function()
      assert.equal([[
2 polled
create local/f, close_write local/f
create* fuse/sub/g, close_write* fuse/sub/g
]], with_fuse(base, [[
   local watcher <close> = assert(moonwatch.watch(base, { interval = 60, ignore = "/backing" }))
   print(("%d polled"):format(watcher:stats().polled))
   helper.write(base .. "/local/f", "x")
   show(watching.words(watcher))
   helper.write(base .. "/backing/sub/g", "x")
   show(watching.words(watcher))
]]))
   end)

   it("is watched where that is asked for", function()
      assert.equal("2 watches, 0 polled\n", with_fuse(base, [[
   local watcher <close> = assert(moonwatch.watch(base .. "/fuse", { backend = "inotify" }))
   local stats = watcher:stats()
   print(("%d watches, %d polled"):format(stats.watches, stats.polled))
]]))
   end)
end)

describe("an overlay", function()
   helper.leaves_nothing()

   it("is watched as any other, though what is written moves to another layer", function()
      local out, why = scene.mounting [[
   local s = scene.new()
   for _, name in ipairs { "low", "up", "work" } do helper.mkdir(s.base .. "/" .. name) end
   helper.write(s.base .. "/low/d/e/f", "x")
   helper.write(s.base .. "/low/g", "x")
   local mounted = os.execute(("mount -t overlay none %s -o lowerdir=%s/low,upperdir=%s/up,workdir=%s/work,userxattr"):format(
      s.R, s.base, s.base, s.base))
   if not mounted then os.exit(77) end
   s:watch()
   helper.append(s.R .. "/d/e/f", "y")
   show(s:events())
   helper.write(s.R .. "/d/new", "x")
   helper.write(s.R .. "/d/e/new", "x")
   show(s:events())
   helper.rename(s.R .. "/g", s.R .. "/d/e/g")
   os.remove(s.R .. "/d/e/f")
   show(s:events())
   helper.append(s.R .. "/d/e/g", "y")
   show(s:events())
   s:check()
   s.watcher:close()
   assert(os.execute("umount " .. s.R))
]]
      if not out then return pending(why) end
      assert.equal([[
close_write d/e/f
create d/new, close_write d/new, create d/e/new, close_write d/e/new
move g -> d/e/g, delete d/e/f
close_write d/e/g
]], out)
   end)
end)

describe("a mount elsewhere", function()
   helper.leaves_nothing()

   -- The way to each root is walked again, for it may lead over the mount.
   it("gives no watch back, and what leads to the root is watched as before", function()
      local out, why = scene.mounting [[
   local base = helper.folder()
   for _, name in ipairs { "above/root", "other" } do helper.mkdir(base .. "/" .. name) end
   local watcher <close> = assert(moonwatch.watch(base .. "/above/root"))
   local function records()
      assert(watcher:sync(20))
      return watcher:stats().all.records
   end
   local before = records()
   for _ = 1, 3 do
      if not os.execute(("mount -t tmpfs none %s/other"):format(base)) then os.exit(77) end
      records()
      assert(os.execute(("umount %s/other"):format(base)))
      print(records() - before)
   end
   helper.rename(base .. "/above", base .. "/moved")
   print(watcher:get(20).op)
   watcher:close()
]]
      if not out then return pending(why) end
      assert.equal("0\n0\n0\ngone\n", out)
   end)
end)
