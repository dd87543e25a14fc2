-- SPDX-License-Identifier: MIT
--
-- lwatcher_filter_spec.lua - the `filter` of a watcher: a function that says no.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local words = require("support.watching").words

describe("filter", function()
   helper.leaves_nothing()

   it("prunes what it says no to, and all below it", function()
      local folder = helper.folder()
      helper.write(folder .. "/no/old", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { filter = function(rel) return rel ~= "no" end }))
      assert.equal(1, watcher:stats().watches)
      helper.write(folder .. "/no/new", "x")
      helper.write(folder .. "/yes/no", "x")
      assert.same({ "create yes", "create yes/no", "close_write yes/no" }, words(watcher, "plain"))
   end)

   it("is asked once per new entry, with its path and whether it is a directory", function()
      local folder, asked = helper.folder(), {}
      local watcher <close> = assert(moonwatch.watch(folder, { filter = function(rel, isdir)
         asked[#asked + 1] = rel .. (isdir and "/" or "")
      end }))
      helper.mkdir(folder .. "/d")
      assert(watcher:sync(10))
      helper.write(folder .. "/d/f", "x")
      helper.append(folder .. "/d/f", "y")
      assert(watcher:sync(10))
      helper.remove(folder .. "/d/f")
      assert(watcher:sync(10))
      assert.same({ "d/", "d/f" }, asked)
   end)

   it("is asked again about a new name", function()
      local folder = helper.folder()
      helper.write(folder .. "/a/f", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { filter = function(rel) return not rel:find "secret" end }))
      helper.rename(folder .. "/a", folder .. "/secret")
      assert(watcher:sync(10))
      helper.write(folder .. "/secret/g", "x")
      assert.same({ "delete a" }, words(watcher))
      helper.rename(folder .. "/secret", folder .. "/b")
      assert.same({ "create b", "create b/f", "close_write b/f", "create b/g", "close_write b/g" },
         words(watcher, "sorted"))
   end)

   it("is asked once about each new name, also where links are followed", function()
      local folder, asked = helper.folder(), {}
      helper.write(folder .. "/a/no/f", "x")
      helper.write(folder .. "/a/yes/f", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { follow = true, filter = function(rel)
         asked[#asked + 1] = rel
         return not rel:find "no$"
      end }))
      helper.rename(folder .. "/a", folder .. "/b")
      assert.same({ "move a -> b" }, words(watcher))
      table.sort(asked)
      assert.same({ "a", "a/no", "a/yes", "a/yes/f", "b", "b/no", "b/yes", "b/yes/f" }, asked)
   end)

   it("keeps the entry and says so where it fails", function()
      local folder, told = helper.folder(), {}
      local before = moonwatch.on_error(function(message) told[#told + 1] = message end)
      local watcher <close> = assert(moonwatch.watch(folder, { filter = function() error "broken" end }))
      helper.write(folder .. "/f", "x")
      assert.same({ "create f", "close_write f" }, words(watcher))
      moonwatch.on_error(before)
      assert.equal(1, #told)
      assert.matches("lwatcher_filter_spec.lua:%d+: broken", tostring(told[1]))
   end)

   it("must not wait", function()
      local folder, told = helper.folder(), {}
      local before = moonwatch.on_error(function(message) told[#told + 1] = message end)
      local watcher <close> = assert(moonwatch.watch(folder, { filter = function() moonwatch.sleep(0.01) end }))
      helper.write(folder .. "/f", "x")
      assert.same({ "create f", "close_write f" }, words(watcher))
      moonwatch.on_error(before)
      assert.matches("cannot wait inside filter", tostring(told[1]))
   end)

   it("cannot use its watcher", function()
      local folder, told, watcher = helper.folder(), {}, nil
      local before = moonwatch.on_error(function(message) told[#told + 1] = tostring(message) end)
      watcher = assert(moonwatch.watch(folder, { filter = function(rel)
         if rel == "a" then watcher:close() else watcher:get(0) end
      end }))
      helper.write(folder .. "/a", "x")
      helper.write(folder .. "/b", "x")
      assert.same({ "create a", "close_write a", "create b", "close_write b" }, words(watcher))
      moonwatch.on_error(before)
      assert.equal(2, #told)
      assert.matches("lwatcher_filter_spec.lua:%d+: a filter cannot close its watcher", told[1])
      assert.matches("lwatcher_filter_spec.lua:%d+: a filter cannot use a watcher", told[2])
      watcher:close()
   end)

   -- Their trees were freed under the step that asks the filter.
   it("may let go of other watchers, alone or together in a tree, and leave some to be collected", function()
      local folder, watchers, closed = helper.folder(), {}, 0
      local function let_go(asked)
         for i = 1, asked > 0 and 12 or 0 do
            if i ~= asked and watchers[i] then
               closed = closed + 1
               if closed % 2 == 0 then watchers[i]:close() end
               watchers[i] = nil
               if closed % 3 == 0 then break end
            end
         end
         collectgarbage()
      end
      for round = 1, 10 do
         local working = false
         for i = 1, 12 do
            watchers[i] = assert(moonwatch.watch(folder, i % 3 == 0 and { match = "*" .. i }
               or { filter = function() let_go(working and i or 0) end }))
         end
         helper.write(("%s/%d/a/b/f"):format(folder, round), "x")
         helper.write(("%s/%d/c/f"):format(folder, round), "x")
         working = true
         moonwatch.step(0)
         local _, last = next(watchers)
         assert.equal(8, #words(last))
         last:close()
         watchers = {}
      end
      assert.equal(110, closed)
   end)

   it("keeps its watcher while it is asked, though nobody else does", function()
      local folder, kept, asked = helper.folder(), {}, 0
      for round = 1, 3 do
         kept[1] = assert(moonwatch.watch(folder, { filter = function()
            kept[1] = nil
            asked = asked + 1
            coroutine.wrap(function() collectgarbage() end)()
         end }))
         asked = 0
         helper.write(("%s/%d/f"):format(folder, round), "x")
         helper.eventually(function() return asked > 0 end)
         assert.is_nil(kept[1])
      end
   end)

   it("may run out of memory", function()
      local chunk = [[
         local folder, reported = %q, 0
         moonwatch.on_error(function() reported = reported + 1 end)
         local watcher = moonwatch.watch(folder, { match = "*", ignore_files = "rules", filter = function() end })
         if not watcher then return end
         local file = io.open(folder .. "/f", "w")
         if file then file:close() end
         pcall(watcher.sync, watcher, 5)
         local ok, err = pcall(watcher.sync, watcher, 5)
         if not (ok or tostring(err):find "memory") then print("lost:", err) end
         os.remove(folder .. "/f")
         watcher:close()
      ]]
      local result = helper.run { helper.build .. "/spec/bind/bind_driver", "starve", chunk:format(helper.folder()) }
      assert.same({ "survived many\n", 0 }, { result.out, result.status })
   end)

   it("cannot use its watcher either where a method asks, and may let go of others", function()
      local folder, refused, watcher = helper.folder(), {}, nil
      helper.write(folder .. "/d/f", "x")
      watcher = assert(moonwatch.watch(folder, { filter = function()
         if not watcher then return end
         for _, method in ipairs { "add", "remove", "rescan", "pause", "stats", "explain" } do
            local ok, message = pcall(function() watcher[method](watcher, folder .. "/d") end)
            assert(not ok)
            refused[#refused + 1] = message:match "a filter cannot use a watcher$"
         end
         assert(moonwatch.watch(folder, { wait = false })):close()
      end }))
      local methods = {
         entries = function() for _ in watcher:entries() do end end,
         covers = function() return watcher:covers(folder .. "/d/new") end,
         explain = function() return watcher:explain(folder .. "/d/new") end,
      }
      for name, method in pairs(methods) do
         refused = {}
         method()
         assert.is_true(#refused > 0 and #refused % 6 == 0, name)
      end
      watcher:close()
   end)

   it("must be a function", function()
      local ok, message = pcall(function() moonwatch.watch(".", { filter = "*.c" }) end)
      assert.is_false(ok)
      assert.matches('lwatcher_filter_spec.lua:%d+: watch: filter must be a function, not "%*.c"', message)
   end)
end)
