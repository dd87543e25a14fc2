-- SPDX-License-Identifier: MIT
--
-- Roots under random work: folders above them and they themselves are renamed, removed, made again and replaced by links,
-- while things happen inside. At each quiet point the events have given the disk.

local helper = require "support.helper"
local lfs = require "lfs"
local moonwatch = require "moonwatch"
local scene = require "support.scene"

local Model = require "torture.model"
local oracles = require "torture.oracles"

local probe = scene.probe

local NAMES = { "a", "b", "c", "d" }

-- A path of one to `depth` names below base.
local function path(base, depth)
   for _ = 1, math.random(depth) do base = base .. "/" .. NAMES[math.random(#NAMES)] end
   return base
end

local function inside(s)
   return {
      function() pcall(helper.mkdir, path(s.R, 3)) end,
      function() pcall(helper.write, path(s.R, 4), ("x"):rep(math.random(20))) end,
      function() pcall(helper.write, path(s.R, 4), ("x"):rep(math.random(20))) end,
      function() os.rename(path(s.R, 3), path(s.R, 3)) end,
      function() os.rename(path(s.R, 3), path(s.O, 2)) end,
      function() os.rename(path(s.O, 2), path(s.R, 3)) end,
      function() pcall(helper.remove, path(s.R, 3)) end,
      function() probe.exchange(path(s.R, 3), path(s.R, 3)) end,
      function() helper.step(0) end,
   }
end

local function above(s)
   return {
      function() os.rename(s.R, s.base .. "/away") end,
      function() os.rename(s.base .. "/away", s.R) end,
      function() pcall(helper.remove, s.R) end,
      function() pcall(helper.mkdir, s.R) end,
      function() pcall(helper.symlink, "away", s.R) end,
   }
end

local function work(ops, most)
   for _ = 1, math.random(most) do ops[math.random(#ops)]() end
end

local function join(a, b)
   table.move(b, 1, #b, #a + 1, a)
   return a
end

local ROUNDS = 60

local function each_seed(count, fn)
   for seed = 1, count do
      math.randomseed(seed)
      local ok, message = pcall(fn, scene.new("fast"))
      if not ok then error(("seed %d: %s"):format(seed, message), 0) end
      helper.clean()
   end
end

local backends = { inotify = { missing = "wait" }, polling = { missing = "wait", backend = "poll", interval = 60 } }

for backend, options in pairs(backends) do
   describe("roots under random work, with " .. backend, function()
      helper.leaves_nothing()

      it("are a folder that comes and goes", function()
         each_seed(6, function(s)
            local target = helper.mkdir(s.R .. "/a")
            local ops = join(inside(s), above(s))
            s:watch(options, target)
            for _ = 1, ROUNDS do
               work(ops, 8)
               s:events()
               assert.equal(lfs.attributes(target, "mode") == "directory", s.model.present)
               if s.model.present and lfs.symlinkattributes(s.R, "mode") == "directory" then
                  s:check { none = backend == "polling" }
               end
            end
         end)
      end)

      it("are a single file that comes and goes", function()
         each_seed(6, function(s)
            local target = helper.write(s.R .. "/a/b", "x")
            local ops = join(inside(s), above(s))
            s:watch(options, target)
            s.loose = true
            for _ = 1, ROUNDS do
               work(ops, 8)
               s:events()
               local known = s.watcher:entries()()
               assert.equal(lfs.symlinkattributes(target, "mode") ~= nil, known == "b")
            end
         end)
      end)
   end)
end

describe("nested roots under random work", function()
   helper.leaves_nothing()

   -- One model for all of them, by the paths below R.
   local function replay(s, model, event)
      local function below(full) return full and full:sub(#s.R + 2) end
      local rel = below(event.path)
      if event.op == "gone" then
         for name in pairs(model:find(rel) and model:find(rel).kids or {}) do model:find(rel).kids[name] = nil end
         return true
      elseif event.op == "back" then
         model.sparse = true
         model:folder(rel)
         model.sparse = false
         return true
      end
      return model:apply {
         op = event.op, rel = rel, from_rel = below(event.from), isdir = event.isdir, type = event.type,
         replaced = event.replaced, exchange = event.exchange, synthetic = event.synthetic, moved_to = event.moved_to,
      }
   end

   it("tell each entry once", function()
      each_seed(8, function(s)
         local ops = inside(s)
         work(ops, 20)
         pcall(helper.remove, s.R .. "/a")
         helper.mkdir(s.R .. "/a/b")
         local roots = { s.R .. "/a/b", s.R }
         if math.random(2) == 1 then roots[3] = s.R .. "/a" end
         local watcher <close> = assert(moonwatch.watch(roots, { missing = "wait" }))
         local model = Model.new(probe.snapshot(s.R))
         for _ = 1, ROUNDS do
            work(ops, 8)
            assert(watcher:sync(20))
            for event in watcher:each(0) do
               local ok, why = replay(s, model, event)
               if not ok then error(tostring(event) .. ": " .. why, 0) end
            end
            assert.equal(nil, (oracles.replay(model, probe.snapshot(s.R))))
         end
      end)
   end)
end)
