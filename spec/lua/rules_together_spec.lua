-- SPDX-License-Identifier: MIT
--
-- Many rules over one tree: one index, and each rule gets what it would get alone.

local core = require "moonwatch.core"
if not (core.settle and core.watcher) then return end

local helper = require "support.helper"
local log = require "moonwatch.rule.log"
local moonwatch = require "moonwatch"
local rules = require "moonwatch.rules"

-- What twenty rules look at, below the folder that they share.
local LOOKS = {
   {}, { match = "*.c" }, { match = { "*.h", "*.c" } }, { match = "/lib/" }, { ignore = "lib/" }, { ignore = { "*.h", "deep/" } },
   { depth = 1 }, { depth = 2 }, { recursive = false, match = "*.c" }, { ignore = "out/" }, { missing = "wait" },
   { watch = "/**/*.c" }, { watch = "/**/*.{c,h}" }, { watch = "/{lib,out}/*" }, { watch = "/*/*.h" }, { watch = "/*.c" },
   { watch = "/**/deep/**" }, { watch = "/**/*.c", ignore = "lib/" }, { watch = "/*ut/**" }, { on = "delete move" },
}

local STEPS = {
   function(dir) helper.write(dir .. "/main.c", "x") end,
   function(dir) helper.write(dir .. "/lib/deep/new.c", "x") end,
   function(dir) helper.append(dir .. "/lib/old.h", "x") end,
   function(dir) helper.rename(dir .. "/main.c", dir .. "/main.h") end,
   function(dir) helper.rename(dir .. "/lib/deep", dir .. "/deep") end,
   function(dir) helper.rename(dir .. "/lib", dir .. "/out") end,
   function(dir) helper.rename(dir .. "/out/old.h", dir .. "/main.h") end,
   function(dir) helper.remove(dir .. "/deep") end,
}

local function declare(set, dir, number, heard)
   local keys = { settle = 0.01 }
   for key, value in pairs(LOOKS[number]) do keys[key] = value end
   keys.watch = dir .. (keys.watch or "")
   keys.run = function(batch)
      for _, change in ipairs(batch) do
         heard[#heard + 1] = ("%s %s%s"):format(change.op, change.from and change.from:sub(#dir + 2) .. " -> " or "", change.rel)
      end
   end
   set:declare("rule " .. number, keys)
end

-- Does the work before these rules; what each of them got, step by step.
local function perform(numbers, look)
   local dir, heard = helper.folder(), {}
   helper.write(dir .. "/lib/old.c", "x")
   helper.write(dir .. "/lib/old.h", "x")
   helper.write(dir .. "/lib/deep/old.c", "x")
   local set = rules.new { log = log.new { write = function() end } }
   moonwatch.run(function()
      for _, number in ipairs(numbers) do
         heard[number] = {}
         declare(set, dir, number, heard[number])
      end
      local ok, err = xpcall(function()
         assert(set:start())
         if look then look(set, dir) end
         for _, step in ipairs(STEPS) do
            step(dir)
            assert.is_true(set:idle(10))
            for _, number in ipairs(numbers) do table.insert(heard[number], "-") end
         end
      end, debug.traceback)
      set:stop(10)
      if not ok then error(err, 0) end
   end)
   helper.clean()
   -- The order of what came in one batch is that of the events, and those of different directories may be told in another.
   for _, list in pairs(heard) do table.sort(list) end
   return heard
end

describe("twenty rules over one tree", function()
   helper.leaves_nothing()

   it("get each what it would get alone", function()
      local numbers = {}
      for i = 1, #LOOKS do numbers[i] = i end
      assert.equal(20, #numbers)
      local heard, counts = perform(numbers), 0
      for i = 1, #LOOKS do
         assert.same(perform { i }[i], heard[i], "rule " .. i)
         counts = counts + #heard[i] - #STEPS
      end
      assert.is_true(counts > 60, counts)
   end)

   it("have one inotify instance, one watch per directory, and one index", function()
      local numbers = {}
      for i = 1, #LOOKS do numbers[i] = i end
      local before = helper.watches()
      local alone
      perform({ 1 }, function() alone = helper.watches() end)
      perform(numbers, function(set)
         local instances, trees = 0, {}
         for _, descriptor in ipairs(helper.descriptors()) do
            if descriptor.target:find "inotify" then instances = instances + 1 end
         end
         assert.equal(1, instances)
         assert.equal(alone, helper.watches())
         for _, runtime in ipairs(set.engine.runtimes) do
            local stats = runtime.watcher:stats()
            trees[runtime.watcher:_tree()] = true
            assert.same({ 3, 5, 3 }, { stats.directories, stats.entries, stats.watches })
         end
         assert.is_nil(next(trees, (next(trees))))
      end)
      assert.is_true(helper.watches() <= before)
   end)
end)

describe("a reload of rules over a tree", function()
   helper.leaves_nothing()

   it("takes the index that is there", function()
      local dir, heard = helper.folder(), {}
      helper.write(dir .. "/a/f", "x")
      local function new(key, pattern)
         local set = rules.new { log = log.new { write = function() end } }
         set:declare("r", { watch = dir .. pattern, settle = 0.01, run = function(batch)
            for _, change in ipairs(batch) do heard[#heard + 1] = key .. " " .. change.op .. " " .. change.rel end
         end })
         return set
      end
      moonwatch.run(function()
         local old, young = new("old", "/**/*.c"), new("new", "/**/*.{c,h}")
         assert(old:start())
         local tree = old.engine.runtimes[1].watcher:_tree()
         local rescans = old.engine.runtimes[1].watcher:stats().rescans
         helper.write(dir .. "/a/one.c", "x")
         assert.is_true(old:idle(10))
         assert(young:succeed(old))
         local watcher = young.engine.runtimes[1].watcher
         assert.same({ tree, rescans }, { watcher:_tree(), watcher:stats().rescans })
         helper.write(dir .. "/a/two.h", "x")
         assert.is_true(young:idle(10))
         assert.same({ "old create a/one.c", "new create a/two.h" }, heard)
         young:stop(10)
         old:stop(10)
      end)
      helper.clean()
   end)
end)
