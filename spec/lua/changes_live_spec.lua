-- SPDX-License-Identifier: MIT
--
-- changes_live_spec.lua - batches taken from a real tree under random work lead to that tree. SEEDS=n for more of it.

local moonwatch = require "moonwatch"
local lfs = require "lfs"
local helper = require "support.helper"
local netmodel = require "support.netmodel"

local SEEDS = tonumber(os.getenv "SEEDS") or 2
local OPERATIONS = 800

local TYPES = { file = "file", directory = "directory", link = "link", socket = "socket", ["named pipe"] = "fifo" }

local function disk(path)
   local tree = netmodel.directory()
   for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then
         local mode = lfs.symlinkattributes(path .. "/" .. name, "mode")
         tree.children[name] = mode == "directory" and disk(path .. "/" .. name) or { type = TYPES[mode] or mode }
      end
   end
   return tree
end

-- Only whether it is a directory: what a record does not tell about the rest may have been looked up too late.
local function compare(target, truth, rel)
   local is = target and (target.children and "directory" or "leaf")
   local should = truth and (truth.children and "directory" or "leaf")
   if is ~= should then error(("%s: is %s, should be %s"):format(rel, is or "nothing", should or "nothing"), 0) end
   for name in pairs(target.children or {}) do compare(target.children[name], truth.children[name], rel .. "/" .. name) end
   for name in pairs(truth.children or {}) do compare(target.children[name], truth.children[name], rel .. "/" .. name) end
end

local function shorten(batch, root)
   for _, change in ipairs(batch) do
      assert.equal(root, change.root)
      change.root, change.path = "r", "r" .. change.path:sub(#root + 1)
      change.from = change.from and "r" .. change.from:sub(#root + 1)
   end
   return batch
end

local function run(seed, writers, work, options)
   local base = helper.folder()
   for _, name in ipairs { "R", "O", "E" } do assert(lfs.mkdir(base .. "/" .. name)) end
   local root = base .. "/R"
   local watcher = assert(moonwatch.watch(root))
   local target = netmodel.target(netmodel.directory(), true)
   local worker = helper.start({
      helper.build .. "/torture/worker", "--root", root, "--outside", base .. "/O", "--elsewhere", base .. "/E", "--log",
      base .. "/log", "--seed", tostring(seed), "--writers", tostring(writers),
   }, { stdin = ("go %s %d\n"):format(work, OPERATIONS) })
   local function drain()
      for batch in watcher:changes(options) do target:apply(shorten(batch, root)) end
   end
   while worker:running() do drain() end
   assert(watcher:sync(20))
   drain()
   compare(target.top.children.r, disk(root), "r")
   watcher:close()
end

describe("the batches of a tree under random work", function()
   for _, case in ipairs { { "mixed", 1 }, { "mixed", 3 }, { "trees", 2 }, { "renames", 1 }, { "saves", 2 } } do
      local work, writers = table.unpack(case)
      it(("lead to that tree: %s, %d writers"):format(work, writers), function()
         if not helper.exists(helper.build .. "/torture/worker") then pending "the worker is not built" return end
         for seed = 1, SEEDS do
            local ok, message = pcall(run, seed, writers, work, { settle = 0.02, max_wait = 0.1, timeout = 0.2 })
            if not ok then error(("seed %d: %s"):format(seed, tostring(message)), 0) end
         end
      end)
   end
end)
