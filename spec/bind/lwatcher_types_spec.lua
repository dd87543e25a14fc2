-- SPDX-License-Identifier: MIT
--
-- lwatcher_types_spec.lua - the type of what a record told of: known whenever it can be, and never that of another entry.

local moonwatch = require "moonwatch"
local helper = require "support.helper"

local function collect(watcher)
   local events = {}
   assert(watcher:sync(20))
   for event in watcher:each(0) do events[#events + 1] = event end
   return events
end

-- "op rel type" of each event, asked now.
local function typed(events)
   local lines = {}
   for i, event in ipairs(events) do lines[i] = ("%s %s %s"):format(event.op, event.rel, event.type) end
   return lines
end

describe("the type of an event", function()
   helper.leaves_nothing()

   local folder, watcher

   before_each(function()
      folder = helper.folder()
      for i = 1, 40 do helper.mkdir(folder .. "/d" .. i) end
      local opened = assert(moonwatch.watch(folder))
      helper.at_end(function() opened:close() end)
      watcher = opened
   end)

   it("is known where entries of one name are made in many folders at once, whenever it is asked for", function()
      local expected = {}
      for i = 1, 40 do
         helper.symlink("nowhere", ("%s/d%d/same"):format(folder, i))
         expected[i] = ("create d%d/same link"):format(i)
      end
      local list = {}
      assert(watcher:sync(20))
      for event in watcher:each(0) do list[#list + 1] = typed { event }[1] end
      assert.same(expected, list)
      for i = 1, 40 do
         helper.symlink("nowhere", ("%s/d%d/other"):format(folder, i))
         helper.remove(("%s/d%d/same"):format(folder, i))
         helper.mkdir(("%s/d%d/made"):format(folder, i))
         helper.remove(("%s/d%d/made"):format(folder, i))
      end
      local known = 0
      for _, event in ipairs(collect(watcher)) do
         if event.op == "create" and event.name == "other" and event.type == "link" then known = known + 1 end
      end
      assert.equal(40, known)
   end)

   it("is not that of what took the place of the path, or of a folder above it", function()
      local path = folder .. "/d1/x"
      helper.symlink("nowhere", path)
      helper.symlink("nowhere", folder .. "/d2/x")
      helper.remove(path)
      helper.fifo(path)
      helper.rename(folder .. "/d2", folder .. "/away")
      helper.mkdir(folder .. "/d2")
      helper.fifo(folder .. "/d2/x")
      local lines = typed(collect(watcher))
      assert.same({ "create d1/x nil", "create d2/x nil", "delete d1/x nil", "create d1/x fifo", "move away directory",
         "create d2 directory", "create d2/x fifo" }, lines)
   end)

   it("is not that of what took its place while the reader was slow, or away", function()
      watcher:close()
      watcher = assert(moonwatch.watch(folder, { queue = 16 }))
      helper.at_end(function() watcher:close() end)
      helper.symlink("nowhere", folder .. "/x")
      helper.symlink("nowhere", folder .. "/y")
      local old = collect(watcher)
      for i = 1, 40 do helper.symlink("nowhere", folder .. "/x" .. i) end
      helper.remove(folder .. "/x")
      helper.fifo(folder .. "/x")
      collect(watcher)
      assert.same({ "create x nil", "create y nil" }, typed(old))
      helper.symlink("nowhere", folder .. "/z")
      old = collect(watcher)
      watcher:pause()
      helper.remove(folder .. "/z")
      helper.fifo(folder .. "/z")
      watcher:resume()
      assert.same({ "create z nil" }, typed(old))
   end)

   it("is known of what goes or is replaced, once it was asked for", function()
      local function make(name)
         helper.symlink("nowhere", folder .. "/" .. name)
         assert.same({ "create " .. name .. " link" }, typed(collect(watcher)))
      end
      make "x"
      make "y"
      helper.rename(folder .. "/x", folder .. "/y")
      local event = collect(watcher)[1]
      assert.same({ "move", "link", "link" }, { event.op, event.type, event.replaced })
      os.remove(folder .. "/y")
      assert.same({ "delete y link" }, typed(collect(watcher)))
   end)

   it("of a link that is swapped again and again is that of what was replaced, asked for or not", function()
      for round = 1, 3 do
         helper.symlink("target" .. round, folder .. "/..data_tmp")
         helper.rename(folder .. "/..data_tmp", folder .. "/..data")
         local events = collect(watcher)
         assert.equal("move", events[2].op)
         assert.equal(round > 1 and "link" or nil, events[2].replaced)
         helper.write(folder .. "/tmp", "x")
         helper.rename(folder .. "/tmp", folder .. "/file")
         events = collect(watcher)
         assert.equal("move", events[3].op)
         assert.equal(round > 1 and "file" or nil, events[3].replaced)
      end
   end)

   it("is right or unknown where not all is asked for", function()
      watcher:close()
      watcher = assert(moonwatch.watch(folder, { events = "create" }))
      helper.at_end(function() watcher:close() end)
      helper.symlink("nowhere", folder .. "/x")
      helper.remove(folder .. "/x")
      helper.fifo(folder .. "/x")
      assert.same({ "create x nil", "create x fifo" }, typed(collect(watcher)))
   end)

   it("is right or unknown under random work, however late it is asked for", function()
      local makers = {
         file = function(path) helper.write(path, "x") end,
         link = function(path) helper.symlink("nowhere", path) end,
         directory = helper.mkdir,
      }
      local kinds = { "file", "link", "directory" }
      local paths = { "a", "b", "d1/a", "d1/b", "d2/a" }
      for seed = 1, 6 do
         math.randomseed(seed)
         local made, seen, asked, known = {}, {}, 0, 0
         for _ = 1, 40 do
            for _ = 1, 60 do
               local rel = paths[math.random(#paths)]
               local path = folder .. "/" .. rel
               if helper.exists(path) then
                  helper.remove(path)
               else
                  local kind = kinds[math.random(#kinds)]
                  makers[kind](path)
                  made[#made + 1] = rel .. " " .. kind
               end
               if math.random(20) == 1 then helper.step(0) end
            end
            for _, event in ipairs(collect(watcher)) do
               if event.op == "create" then seen[#seen + 1] = event end
               local any = seen[math.random(math.max(1, #seen - 100), #seen)]
               if any and any.type then
                  asked = asked + 1
                  assert(any.type == "directory" or not any.isdir)
               end
            end
         end
         assert.equal(#made, #seen)
         for i, event in ipairs(seen) do
            local rel, kind = made[i]:match "^(.*) (.*)$"
            assert.equal(rel, event.rel)
            if event.type then
               known = known + 1
               assert.equal(kind, event.type, ("seed %d, event %d, %s"):format(seed, i, rel))
            end
         end
         assert(asked > 0 and known > #seen / 4, known .. " of " .. #seen)
         for _, rel in ipairs(paths) do helper.remove(folder .. "/" .. rel) end
         collect(watcher)
      end
   end)

   it("is right or unknown after more events than are remembered", function()
      helper.symlink("nowhere", folder .. "/early")
      local early = collect(watcher)[1]
      for round = 1, 10 do
         for i = 1, 1500 do helper.symlink("nowhere", ("%s/%d"):format(folder, i)) end
         if round == 1 then
            helper.remove(folder .. "/early")
            helper.fifo(folder .. "/early")
         end
         for i = 1, 1500 do helper.remove(("%s/%d"):format(folder, i)) end
         collect(watcher)
      end
      assert.is_nil(early.type)
      helper.symlink("nowhere", folder .. "/late")
      assert.same({ "create late link" }, typed(collect(watcher)))
   end)
end)
