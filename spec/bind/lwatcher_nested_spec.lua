-- SPDX-License-Identifier: MIT
--
-- lwatcher_nested_spec.lua - roots within one another under random work: the events of all of them, applied by path,
-- give the tree.

local lfs = require "lfs"
local moonwatch = require "moonwatch"
local helper = require "support.helper"

local NAMES = { "i", "j", "x", "deep", "a", "b" }

local function is_below(path, top)
   return path == top or path:sub(1, #top + 1) == top .. "/"
end

local function drop(model, top, keeps_top)
   for path in pairs(model) do
      if is_below(path, top) and not (keeps_top and path == top) then model[path] = nil end
   end
end

local apply = {}

function apply.create(model, event)
   assert(event.replaced or not model[event.path], "it is there already")
   drop(model, event.path)
   model[event.path] = event.isdir and "directory" or "file"
end

function apply.delete(model, event)
   assert(model[event.path], "it is not known")
   drop(model, event.path)
end

function apply.gone(model, event)
   drop(model, event.path, true)
end

function apply.move(model, event)
   assert(model[event.from], "its old name is not known")
   assert(event.replaced or not model[event.path], "its new name is there already")
   drop(model, event.path)
   local moved = {}
   for path, kind in pairs(model) do
      if is_below(path, event.from) then moved[path] = kind end
   end
   for path, kind in pairs(moved) do
      model[path] = nil
      model[event.path .. path:sub(#event.from + 1)] = kind
   end
end

local function list(folder, into)
   for name in lfs.dir(folder) do
      local path = folder .. "/" .. name
      if name ~= "." and name ~= ".." then
         into[path] = lfs.symlinkattributes(path, "mode")
         if into[path] == "directory" then list(path, into) end
      end
   end
   return into
end

local function random_path(top)
   local path = top
   for _ = 1, math.random(0, 3) do path = path .. "/" .. NAMES[math.random(#NAMES)] end
   return path
end

local function work(top)
   local what, path, other = math.random(6), random_path(top), random_path(top)
   if what == 1 then
      pcall(helper.mkdir, path)
   elseif what == 2 then
      pcall(helper.write, path .. "/f" .. math.random(3), "x")
   elseif what == 3 and path ~= top then
      helper.remove(path)
   elseif path ~= top then
      os.rename(path, other)
   end
end

describe("roots within one another", function()
   helper.leaves_nothing()

   local function try(options)
      for seed = 1, 12 do
         math.randomseed(seed)
         local top = helper.folder() .. "/o"
         for _, rel in ipairs { "/i/j", "/x" } do helper.mkdir(top .. rel) end
         local watcher <close> = assert(moonwatch.watch({ top, top .. "/i", top .. "/x/deep" }, options))
         local model = list(top, {})
         for round = 1, 30 do
            for _ = 1, math.random(8) do work(top) end
            assert(watcher:sync(10))
            for event in watcher:each(0) do
               local ok, message = pcall(apply[event.op] or function() end, model, event)
               assert(ok, ("seed %d, round %d: %s: %s"):format(seed, round, event, message))
            end
            assert.same(list(top, {}), model, ("seed %d, round %d"):format(seed, round))
         end
      end
   end

   it("tell what leads to the tree, whatever happens to the inner ones", function()
      try { missing = "wait" }
   end)

   it("do so by polling, too", function()
      try { missing = "wait", backend = "poll", interval = 60 }
   end)
end)
