-- SPDX-License-Identifier: MIT
--
-- lwatcher_together_spec.lua - watchers that have one tree together: each shows what it would show alone.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local scene = require "support.scene"
local watching = require "support.watching"
local together = require("moonwatch.watcher").watch_together

local probe = scene.probe

local function watch(paths, options)
   return assert(together(paths, options or {}))
end

local function close(watchers)
   for _, watcher in ipairs(watchers) do watcher:close() end
end

local function has_same_tree(one, other)
   return one:_tree() == other:_tree()
end

-- A folder R to look at and a folder O beside it.
local function folders(files)
   local dir = helper.folder()
   helper.mkdir(dir .. "/R")
   helper.mkdir(dir .. "/O")
   for _, rel in ipairs(files or {}) do helper.write(dir .. "/R/" .. rel, "x") end
   return dir .. "/R", dir .. "/O"
end

-- What differs between a lone watcher and one of several: a directory that the others know is not looked through again.
local function sorted(watcher)
   return watching.words(watcher, "sorted")
end

describe("watchers that have one tree together", function()
   helper.leaves_nothing()

   it("are those with the same roots, as they were given, and the same options", function()
      local R = folders { "a/f" }
      local watchers = {
         watch(R), watch(R .. "/**/*.c"), watch(R .. "/*.h", { ignore = "build/" }), watch(R, { match = "*.lua" }),
         watch(R, { depth = 1 }), watch(R, { initial = true }), watch(R, { missing = "wait" }),
         watch(R, { recursive = false }), watch({ R .. "/*.c", R .. "/*.h" }),
      }
      for i = 2, #watchers do assert.is_true(has_same_tree(watchers[1], watchers[i]), i) end
      local apart = {
         watch(R .. "/a"), watch { R, R .. "/a" }, watch(R .. "/"), watch(R, { filter = function() return true end }),
         watch(R, { ignore_files = ".gitignore" }), watch(R, { follow = true }), watch(R, { backend = "poll" }),
         watch(R, { events = "modify" }), assert(moonwatch.watch(R, {})),
      }
      for i, one in ipairs(apart) do
         for j, other in ipairs(apart) do assert.equal(i == j, has_same_tree(one, other), i .. " and " .. j) end
         assert.is_false(has_same_tree(one, watchers[1]), i)
      end
      close(watchers)
      close(apart)
   end)

   it("have one watch per directory and one inotify instance", function()
      local R = folders()
      for i = 1, 30 do helper.write(("%s/d%d/e/f"):format(R, i), "") end
      local before = helper.watches()
      local watchers = {}
      for i = 1, 20 do watchers[i] = watch(("%s/**/*.x%d"):format(R, i)) end
      local instances = 0
      for _, descriptor in ipairs(helper.descriptors()) do
         if descriptor.target:find "inotify" then instances = instances + 1 end
      end
      local alone = assert(moonwatch.watch(R))
      local with_alone = helper.watches()
      assert.equal(1, instances)
      alone:close()
      assert.equal(with_alone, helper.watches())
      for _, watcher in ipairs(watchers) do
         local stats = watcher:stats()
         assert.same({ 61, 90, 61 }, { stats.directories, stats.entries, stats.watches })
      end
      close(watchers)
      moonwatch.step(0)
      assert.is_true(helper.watches() <= before)
   end)

   -- The same work before the eyes of several that share and of as many that do not.
   local views = {
      {}, { match = "*.c" }, { match = { "*.h", "sub/" } }, { ignore = "sub/" }, { ignore = { "*.c", "deep/" } }, { depth = 1 },
      { depth = 2 }, { events = "create delete move" }, { match = "/sub/*.c" }, { ignore = "/out/", match = "*.c" },
   }

   local function compare(files, work)
      local R, O = folders(files)
      local shared, alone = {}, {}
      for i, options in ipairs(views) do
         shared[i] = watch(R, options)
         alone[i] = assert(moonwatch.watch(R, options))
      end
      work(R, O)
      for i, options in ipairs(views) do
         assert.same(sorted(alone[i]), sorted(shared[i]), "options " .. i)
         assert.same(watching.known(alone[i]), watching.known(shared[i]), "options " .. i)
      end
      close(shared)
      close(alone)
   end

   it("tell of files what each alone would tell", function()
      compare({ "a.c", "a.h", "sub/b.c", "sub/b.h", "sub/deep/x.c" }, function(R, O)
         helper.append(R .. "/a.c", "y")
         helper.write(R .. "/sub/new.h", "")
         helper.rename(R .. "/a.c", R .. "/a.o")            -- out of some views
         helper.rename(R .. "/a.h", R .. "/a.c")            -- out of some, into others
         helper.rename(R .. "/sub/b.c", R .. "/sub/deep/x.c") -- onto what some know
         helper.rename(R .. "/sub/b.h", O .. "/b.h")
         helper.write(O .. "/in.c", "x")
         helper.rename(O .. "/in.c", R .. "/sub/in.c")
         helper.remove(R .. "/sub/deep/x.c")
         helper.symlink("nowhere", R .. "/link.c")
      end)
   end)

   it("tell of directories what each alone would tell", function()
      local files = { "sub/b.c", "sub/b.h", "sub/deep/x.c", "sub/deep/x.h", "other/y.c", "other/deep/z.c" }
      for _, work in ipairs {
         function(R) helper.rename(R .. "/sub", R .. "/out") end,
         function(R) helper.rename(R .. "/other", R .. "/sub/other") end,
         function(R) helper.rename(R .. "/other", R .. "/sub.c") end,
         function(R) helper.rename(R .. "/sub/deep", R .. "/deep") end,
         function(R, O) helper.rename(R .. "/sub", O .. "/sub") end,
         function(R, O)
            helper.rename(R .. "/other", O .. "/sub")
            helper.rename(O .. "/sub", R .. "/new.c")
         end,
         function(R) helper.remove(R .. "/sub") end,
         function(R) probe.exchange(R .. "/sub", R .. "/other") end,
         function(R)
            helper.mkdir(R .. "/out")
            helper.rename(R .. "/other", R .. "/out")
         end,
      } do
         compare(files, work)
      end
   end)

   it("tell of the root what each alone would tell", function()
      local R = folders { "a.c", "sub/b.c" }
      local shared, alone = { watch(R), watch(R .. "/*.c") }, { assert(moonwatch.watch(R)), assert(moonwatch.watch(R .. "/*.c")) }
      helper.rename(R, R .. ".away")
      for i = 1, 2 do assert.same(sorted(alone[i]), sorted(shared[i])) end
      local late = assert(together(R, { missing = "wait", match = "*.c" }))
      assert.same({}, watching.known(late))
      helper.rename(R .. ".away", R)
      for i = 1, 2 do assert.same(sorted(alone[i]), sorted(shared[i])) end
      assert.same({ "back ", "create a.c", "close_write a.c", "create sub/b.c", "close_write sub/b.c" }, sorted(late))
      close(shared)
      close(alone)
      late:close()
   end)

   it("tell of a single file what each alone would tell", function()
      local R = folders { "f" }
      local shared, alone = { watch(R .. "/f"), watch(R .. "/f", { events = "delete" }) }, assert(moonwatch.watch(R .. "/f"))
      assert.is_true(has_same_tree(shared[1], shared[2]))
      helper.append(R .. "/f", "y")
      helper.remove(R .. "/f")
      helper.write(R .. "/f", "y")
      assert.same(sorted(alone), sorted(shared[1]))
      assert.same({ "delete f" }, sorted(shared[2]))
      close(shared)
      alone:close()
   end)
end)

describe("a watcher that comes to a tree at work", function()
   helper.leaves_nothing()

   it("is told of nothing that was before", function()
      local R = folders { "a", "d/b" }
      local first = watch(R)
      helper.write(R .. "/before", "")
      local late = watch(R)
      assert.same({ "a", "before", "d/", "d/b" }, watching.known(late))
      helper.write(R .. "/after", "")
      assert.same({ "create after", "close_write after" }, watching.words(late))
      assert.same({ "create before", "close_write before", "create after", "close_write after" }, watching.words(first))
      close { first, late }
   end)

   it("is told of all that is there, where it asks for that", function()
      local R = folders { "a.c", "d/b.c", "d/e/c.h" }
      helper.mkdir(R .. "/z")
      local first = watch(R)
      helper.fifo(R .. "/d/fifo.c") -- the index does not know its type
      local function found(watch_it)
         local watcher, words = assert(watch_it(R, { initial = true, match = { "*.c", "/z" } })), {}
         for event in watcher:each(0) do
            words[#words + 1] = ("%s %s %s %s"):format(event.op, event.rel, event.type, event.synthetic)
         end
         watcher:close()
         table.sort(words)
         return words
      end
      local words = found(together)
      assert.same(found(moonwatch.watch), words)
      assert.equal(6, #words)
      assert.same({ "create d/fifo.c" }, watching.words(first))
      first:close()
   end)

   it("looks into what the others leave out, and leaves it again", function()
      local R = folders { "a/x/1", "b/y/2", "c/z/3" }
      local function watches() return helper.watches() end
      local first = watch(R, { ignore = { "/b", "/c" } })
      local narrow = watches()
      local second = watch(R, { ignore = "/c" })
      assert.equal(narrow + 2, watches())
      assert.same({ "a/", "a/x/", "a/x/1", "b/", "b/y/", "b/y/2" }, watching.known(second))
      assert.same({ "a/", "a/x/", "a/x/1" }, watching.known(first))
      local third = watch(R, { match = "/c/**" })
      assert.equal(narrow + 4, watches())
      helper.write(R .. "/c/z/4", "")
      assert.same({ "create c/z/4", "close_write c/z/4" }, watching.words(third))
      assert.same({}, watching.words(second))
      second:close()
      assert.same({}, watching.words(first))
      assert.equal(narrow + 2, watches())
      third:close()
      assert.same({}, watching.words(first))
      assert.equal(narrow, watches())
      helper.write(R .. "/b/y/2", "again")
      helper.write(R .. "/a/x/1", "again")
      assert.same({ "close_write a/x/1" }, watching.words(first))
      first:close()
   end)

   it("hears what cannot be watched", function()
      local R = folders { "a/f" }
      probe.chmod(R .. "/a", 448)
      probe.as(65534) -- root reads everything
      local ok, problem = pcall(function()
         local first, late, outside = watch(R), watch(R), watch(R, { ignore = "/a" })
         assert.same({ "unwatched* a" }, watching.words(first))
         assert.same({ "unwatched* a" }, watching.words(late))
         assert.same({}, watching.words(outside))
         close { first, late, outside }
      end)
      probe.as(0)
      assert(ok, problem)
   end)

   it("is ready with the first look that is under way, and may end before it", function()
      local R = folders()
      for i = 1, 300 do helper.write(("%s/d%d/f"):format(R, i), "") end
      local first = watch(R, { wait = false })
      local second = watch(R, { wait = false })
      local third = watch(R, { wait = false })
      first:close()
      assert.is_true(second:ready(10))
      assert.equal(301, second:stats().directories)
      assert.is_true(third:ready(10))
      assert.same({}, watching.words(second))
      close { second, third }
   end)
end)

describe("one of several watchers of a tree", function()
   helper.leaves_nothing()

   it("pauses alone", function()
      local R = folders()
      local first, second = watch(R), watch(R)
      first:pause()
      helper.write(R .. "/f", "")
      assert.same({ "create f", "close_write f" }, watching.words(second))
      assert.is_true(first:resume(10))
      helper.write(R .. "/g", "")
      assert.same({ "create g", "close_write g" }, watching.words(first))
      close { first, second }
   end)

   it("has a queue of its own, which is folded alone", function()
      local R = folders()
      local first, second = watch(R, { queue = 10 }), watch(R)
      for i = 1, 40 do helper.write(R .. "/f" .. i, "") end
      second:sync(10)
      local words = watching.words(first)
      assert.equal("overflow* ", words[1])
      assert.equal(81, #words)
      assert.equal(80, #watching.words(second))
      assert.same({ 1, 0 }, { first:stats().overflows, second:stats().overflows })
      close { first, second }
   end)

   it("may end while another is told, by its own hand or another's", function()
      local R = folders()
      local watchers, seen = {}, 0
      for i = 1, 3 do watchers[i] = watch(R) end
      watchers[1]:on("create", function()
         seen = seen + 1
         close(watchers)
         moonwatch.stop()
      end)
      for i = 2, 3 do watchers[i]:on("create", function() seen = seen + 1 end) end
      moonwatch.run(function()
         helper.write(R .. "/f", "")
         moonwatch.sleep(10)
      end)
      assert.equal(1, seen)
   end)

   it("keeps the roots and the kinds of events that it has", function()
      local R, O = folders { "d/f" }
      local first, second = watch(R), watch(R)
      for method, argument in pairs { add = O, remove = R .. "/d", changes = {} } do
         assert.error_matches(function() first[method](first, argument) end,
            ".*" .. method .. ": the watcher shares its tree with others")
      end
      assert.same({ "d/", "d/f" }, watching.known(second))
      close { first, second }
   end)

   it("learns of lost records as the others do", function()
      local limit = moonwatch.limits().max_queued_events
      if limit > 20000 then return pending "the queue is too long here" end
      local R = folders { "a" }
      local watchers = { watch(R), watch(R, { match = "*000" }), watch(R .. "/f7*0") }
      for i = 1, limit do helper.write(R .. "/f" .. i, "") end
      helper.remove(R .. "/a")
      for _, watcher in ipairs(watchers) do
         local known = {}
         assert(watcher:sync(20))
         for event in watcher:each(0) do
            if event.op == "create" then known[#known + 1] = event.rel end
         end
         table.sort(known)
         assert.equal(1, watcher:stats().overflows)
         assert.same(watching.known(watcher), known)
      end
      close(watchers)
   end)
end)
