-- SPDX-License-Identifier: MIT
--
-- settle_oom_spec.lua - net changes when memory runs out: what has been told stays true, what has not comes next.

local helper = require "support.helper"
local netmodel = require "support.netmodel"

local driver = helper.build .. "/spec/core/settle_driver"

local function run(...)
   local result = helper.run { driver, ... }
   assert.equal(0, result.status, result.err)
   return result.out
end

local function file() return netmodel.file() end
local function dir(children) return netmodel.directory(children or {}) end

-- The tree in which the driver's window happens, and what it leads to.
local function before()
   return dir {
      f = file(), ring1 = dir { one = file() }, ring2 = dir { two = file() }, ring3 = dir { three = file() },
      d = dir { e = dir { f = file() } }, old = dir { x = file(), y = file() }, gone = dir { unknown = file() }, a = file(),
   }
end

local AFTER = {
   f = "file", ["f~"] = "file", new = "file", a = "file", out = "file",
   ring1 = "directory", ["ring1/two"] = "file", ring2 = "directory", ["ring2/three"] = "file",
   ring3 = "directory", ["ring3/one"] = "file",
   d = "directory", ["d/e"] = "directory", ["d/f"] = "file", gone = "directory", ["gone/new"] = "file",
}

local function parse(line)
   local op, path, from, type, replaced, exchange, whole, modified =
      line:match "^(%S+) (%S+) (%S+) (%S+) (%S+) (%d) (%d) (%d)$"
   return {
      op = op, path = path, rel = path:sub(3), root = "r", from = from ~= "-" and from or nil, type = type,
      replaced = replaced ~= "-" and replaced or nil, exchange = exchange == "1", whole = whole == "1",
      modified = modified == "1",
   }
end

describe("net changes without memory", function()
   it("are true as far as they are told, and the rest comes with the next batch", function()
      local allocations = 0
      while true do
         local out = run("take", tostring(allocations))
         if out == "skip\n" then return end
         local target = netmodel.target(before())
         for line in out:gmatch "[^\n]+" do
            if line:find "^%l+ r/" then target:apply { parse(line) } end
         end
         assert.truthy(out:find("0 pending", 1, true), out)
         local flat = netmodel.flat(target.top.children.r)
         assert.same(AFTER, flat)
         if out:find("done", 1, true) then break end
         allocations = allocations + 1
      end
      assert.is_true(allocations > 3)
   end)

   it("survive any failure while they are fed and put back", function()
      for _, what in ipairs { "feed", "merge" } do
         local out = run(what)
         if out ~= "skip\n" then assert.equal("done\n", out) end
      end
   end)
end)
