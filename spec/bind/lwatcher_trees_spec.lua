-- SPDX-License-Identifier: MIT
--
-- Scenarios 15 to 21: what is made, renamed, moved in and out.

local helper = require "support.helper"
local scene = require "support.scene"

local probe = scene.probe

describe("new directories", function()
   helper.leaves_nothing()

   it("are told parents first, each once, with the file at the bottom", function()
      local s = scene.new()
      s:watch()
      helper.write(s.R .. "/a/b/c/d/f", "x")
      assert.same({
         "create a/", "*create a/b/", "*create a/b/c/", "*create a/b/c/d/", "*create a/b/c/d/f",
         "*close_write a/b/c/d/f",
      }, s:events())
      s:check()
   end)

   it("come with all their files, however fast they are made", function()
      local s = scene.new("fast")
      s:watch()
      local rounds = 1000
      for round = 1, rounds do
         local dir = ("%s/%d"):format(s.R, round)
         helper.mkdir(dir)
         if round % 3 == 0 then helper.step(0) end
         probe.fill(dir, 1, 20)
      end
      local creates = 0
      for line in pairs(scene.counts(s:events())) do
         if line:find "create" then creates = creates + 1 end
      end
      assert.equal(rounds * 21, creates)
      s:check()
   end)

   it("made by other processes meanwhile come with all their files", function()
      local s = scene.new()
      s:watch()
      local program = helper.start({ "sh", "-c",
         "for d in 1 2 3 4 5 6 7 8 9; do for e in 1 2 3 4 5 6 7 8 9; do mkdir -p $d/$e/x; for f in 1 2 3 4 5; do "
         .. ": > $d/$e/x/$f; done; done; done" }, { cwd = s.R })
      local seen = {}
      while program:running() do
         local event = s.watcher:get(0.01)
         if event then seen[#seen + 1] = s:take(event) end
      end
      assert.equal(0, program:wait().status)
      for _, line in ipairs(s:events()) do seen[#seen + 1] = line end
      local twice, creates = {}, 0
      for line, count in pairs(scene.counts(seen)) do
         if line:find "create" then creates = creates + 1 end
         if line:find "create" and count > 1 then twice[#twice + 1] = line end
      end
      assert.same({ 9 + 81 + 81 + 405, {} }, { creates, twice })
      s:check()
   end)

   it("unpacked, copied, checked out, removed and made again leave the model true", function()
      local s = scene.new()
      for i = 1, 5 do
         helper.write(("%s/src/d%d/e/f"):format(s.O, i), "x")
         helper.symlink("f", ("%s/src/d%d/e/l"):format(s.O, i))
      end
      os.execute(("tar -C %s -cf %s/src.tar src"):format(s.O, s.O))
      s:watch()
      for _, line in ipairs {
         "tar -xf ../O/src.tar", "cp -a ../O/src copy", "rm -rf src", "tar -xf ../O/src.tar", "cp -a src/. copy",
         "rsync -a src/ mirror 2>/dev/null || true", "rm -rf copy && cp -r src copy",
      } do
         assert(os.execute("cd " .. s.R .. " && " .. line))
         s:check()
      end
   end)

   it("unpacked and removed again while each event is looked at slowly leave the model true", function()
      local s = scene.new()
      helper.write(s.O .. "/src/d/e/f", "x")
      s:watch()
      local program = helper.start({ "sh", "-c",
         "for i in 1 2 3 4 5 6; do cp -a ../O/src t; rm -rf t; cp -a ../O/src t; mv t t$i; done" }, { cwd = s.R })
      while program:running() do
         local event = s.watcher:get(0.01)
         if event then
            s:take(event)
            probe.sleep(0.005)
         end
      end
      program:wait()
      s:check()
   end)

   it("renamed at once are known under their new name", function()
      local s = scene.new()
      s:watch()
      helper.mkdir(s.R .. "/t")
      helper.rename(s.R .. "/t", s.R .. "/u")
      helper.write(s.R .. "/u/f", "x")
      assert.same({ "create t/", "move t -> u/", "*create u/f", "*close_write u/f" }, s:events())
      s:check()
   end)

   it("made and removed at once, a thousand times, leave nothing", function()
      local s = scene.new("fast")
      s:watch()
      local lines = {}
      for round = 1, 1000 do
         helper.mkdir(s.R .. "/d")
         if round % 7 == 0 then helper.step(0) end
         helper.remove(s.R .. "/d")
         if round % 100 == 0 then
            for _, line in ipairs(s:events()) do lines[#lines + 1] = line end
         end
      end
      assert.same({ ["create d/"] = 1000, ["delete d/"] = 1000 }, scene.counts(lines))
      s:check()
   end)

   it("removed and made again under the same name are another directory", function()
      local s = scene.new()
      helper.write(s.R .. "/d/old", "x")
      s:watch()
      helper.remove(s.R .. "/d")
      helper.write(s.R .. "/d/new", "x")
      assert.same({ "delete d/old", "delete d/", "create d/", "*create d/new", "*close_write d/new" }, s:events())
      helper.append(s.R .. "/d/new", "y")
      assert.same({ "close_write d/new" }, s:events())
      s:check()
   end)
end)

describe("renames", function()
   helper.leaves_nothing()

   local function with(files)
      local s = scene.new()
      for _, rel in ipairs(files) do
         if rel:sub(-1) == "/" then helper.mkdir(s.R .. "/" .. rel) else helper.write(s.R .. "/" .. rel, rel) end
      end
      s:watch()
      return s
   end

   local function rename(s, from, to)
      helper.rename(s.R .. "/" .. from, s.R .. "/" .. to)
   end

   it("inside a directory and across directories are moves", function()
      local s = with { "d/a", "e/" }
      rename(s, "d/a", "d/b")
      rename(s, "d/b", "e/b")
      rename(s, "d", "e/d")
      assert.same({ "move d/a -> d/b", "move d/b -> e/b", "move d -> e/d/" }, s:events())
      s:check()
   end)

   it("onto a file and onto an empty directory say what was there", function()
      local s = with { "a", "b", "d/f", "e/" }
      rename(s, "a", "b")
      rename(s, "d", "e")
      assert.same({ "move a -> b over file", "move d -> e/ over directory" }, s:events())
      helper.append(s.R .. "/e/f", "y")
      assert.same({ "close_write e/f" }, s:events())
      s:check()
   end)

   it("that change the case only are moves", function()
      local s = with { "readme", "dir/f" }
      rename(s, "readme", "README")
      rename(s, "dir", "Dir")
      assert.same({ "move readme -> README", "move dir -> Dir/" }, s:events())
      s:check()
   end)

   it("let a file become a directory and a file again", function()
      local s = with { "x" }
      helper.remove(s.R .. "/x")
      helper.write(s.R .. "/x/f", "x")
      assert.same({ "delete x", "create x/", "*create x/f", "*close_write x/f" }, s:events())
      helper.remove(s.R .. "/x")
      helper.write(s.R .. "/x", "x")
      assert.same({ "delete x/f", "delete x/", "create x", "close_write x" }, s:events())
      s:check()
   end)

   it("of a directory twice leave every path below it right, whatever is reported", function()
      for _, events in ipairs { "close_write", "create close_write attrib delete move" } do
         local s = scene.new()
         helper.write(s.R .. "/a/b/c/d/f", "x")
         helper.write(s.R .. "/ab/f", "x")
         s.loose = events == "close_write"
         s:watch { events = events }
         rename(s, "a", "n")
         s:events()
         rename(s, "n", "m")
         rename(s, "m/b", "m/q")
         for _, rel in ipairs { "m/q/f", "m/q/c/d/f", "m/q/c/d/g", "ab/f" } do helper.write(s.R .. "/" .. rel, "y") end
         local lines = {}
         for _, line in ipairs(s:events()) do
            if line:find "close_write" then lines[#lines + 1] = line end
         end
         assert.same({ "close_write m/q/f", "close_write m/q/c/d/f", "close_write m/q/c/d/g", "close_write ab/f" }, lines)
         s.watcher:close()
      end
   end)

   it("with all reads between the two halves are moves still", function()
      local s = with { "d/a", "e/" }
      for i = 1, 50 do
         rename(s, i % 2 == 1 and "d/a" or "e/a", i % 2 == 1 and "e/a" or "d/a")
         helper.step(0)
      end
      assert.same({ ["move d/a -> e/a"] = 25, ["move e/a -> d/a"] = 25 }, scene.counts(s:events()))
      s:check()
   end)
end)

describe("what is moved out and in", function()
   helper.leaves_nothing()

   it("is one delete, then silence, and its watches are given back", function()
      local s = scene.new()
      helper.write(s.R .. "/d/e/f", "x")
      s:watch()
      helper.rename(s.R .. "/d", s.O .. "/d")
      assert.same({ "delete d/" }, s:events())
      helper.write(s.O .. "/d/e/f", "y")
      helper.write(s.O .. "/d/n", "y")
      assert.same({}, s:events())
      s:check()
   end)

   it("is a create with everything in it", function()
      local s = scene.new()
      helper.write(s.O .. "/d/e/f", "x")
      helper.write(s.O .. "/g", "x")
      s:watch()
      helper.rename(s.O .. "/d", s.R .. "/d")
      helper.rename(s.O .. "/g", s.R .. "/g")
      assert.same({
         "create d/", "create g", "*close_write g", "*create d/e/", "*create d/e/f", "*close_write d/e/f",
      }, s:events())
      s:check()
   end)

   it("may be moved into and renamed in before it is listed", function()
      local s = scene.new("fast")
      local count = 3000
      helper.write(s.R .. "/d/f", "x")
      for i = 1, count do helper.mkdir(("%s/n/%d"):format(s.O, i)) end
      s:watch()
      helper.rename(s.O .. "/n", s.R .. "/n")
      helper.step(0) -- all folders are found and watched; nobody has looked into most of them
      local into
      for i = 1, count, 100 do
         local place = ("%s/n/%d"):format(s.R, i)
         helper.rename(into and into .. "/y" or s.R .. "/d", place .. "/x")
         helper.rename(place .. "/x", place .. "/y")
         helper.write(place .. "/y/g", "x")
         into = place
      end
      for line in pairs(scene.counts(s:events())) do
         assert.is_nil(line:match "/x/g", "told under a name that it had lost: " .. line)
      end
      s:check()
   end)

   it("comes back under another name", function()
      local s = scene.new()
      helper.write(s.R .. "/d/f", "x")
      s:watch()
      helper.rename(s.R .. "/d", s.O .. "/d")
      helper.rename(s.O .. "/d", s.R .. "/back")
      assert.same({ "delete d/", "create back/", "*create back/f", "*close_write back/f" }, s:events())
      helper.append(s.R .. "/back/f", "y")
      assert.same({ "close_write back/f" }, s:events())
      s:check()
   end)

   it("moves into a directory made a moment before with all that is known below it", function()
      local s = scene.new()
      helper.write(s.R .. "/known/deep/f", "x")
      s:watch()
      helper.mkdir(s.R .. "/new")
      assert.same({ "create new/" }, s:events())
      helper.rename(s.R .. "/known", s.R .. "/new/known")
      assert.same({ "move known -> new/known/" }, s:events())
      helper.append(s.R .. "/new/known/deep/f", "y")
      assert.same({ "close_write new/known/deep/f" }, s:events())
      s:check()
   end)

   -- The kernel tells one half of the rename alone.
   it("moves into a directory before that could be watched, and is found there", function()
      local s = scene.new()
      helper.write(s.R .. "/known/deep/f", "x")
      s:watch()
      helper.mkdir(s.R .. "/new")
      helper.rename(s.R .. "/known", s.R .. "/new/known")
      s:check()
      helper.append(s.R .. "/new/known/deep/f", "y")
      assert.same({ "close_write new/known/deep/f" }, s:events())
      s:check()
   end)

   it("changes places by three renames", function()
      local s = scene.new()
      helper.write(s.R .. "/a/in_a", "x")
      helper.write(s.R .. "/b/in_b", "x")
      s:watch()
      helper.rename(s.R .. "/a", s.R .. "/t")
      helper.rename(s.R .. "/b", s.R .. "/a")
      helper.rename(s.R .. "/t", s.R .. "/b")
      assert.same({ "move a -> t/", "move b -> a/", "move t -> b/" }, s:events())
      helper.write(s.R .. "/a/in_b", "y")
      helper.write(s.R .. "/b/in_a", "y")
      assert.same({ "close_write a/in_b", "close_write b/in_a" }, s:events())
      s:check()
   end)
end)
