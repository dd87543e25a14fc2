-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local closer = helper.closer
local errno = moonwatch.errno

describe("a scope", function()
   helper.leaves_nothing()

   it("waits for its children and returns what its function returns", function()
      local log = {}
      assert.same({ 1, nil, 3, n = 3 }, table.pack(moonwatch.scope(function(scope)
         for i = 2, 1, -1 do
            scope:spawn("child", function(nap)
               moonwatch.sleep(nap)
               log[#log + 1] = nap
            end, i / 100)
         end
         return 1, nil, 3
      end)))
      table.sort(log)
      assert.same({ 0.01, 0.02 }, log)
   end)

   it("waits for children of children that were given the scope", function()
      local log = {}
      moonwatch.scope(function(scope)
         scope:spawn(function()
            scope:spawn(function()
               moonwatch.sleep(0.01)
               log[#log + 1] = "grandchild"
            end)
         end)
      end)
      assert.same({ "grandchild" }, log)
   end)

   it("cancels the rest when one child fails, its own function too, and raises the error", function()
      local log, thing = {}, {}
      local ok, err = pcall(moonwatch.scope, function(scope)
         local _ <close> = closer(log, "body")
         scope:spawn(function()
            local _ <close> = closer(log, "sibling")
            moonwatch.sleep(10)
         end)
         scope:spawn(function()
            moonwatch.sleep(0.001)
            error(thing)
         end)
         moonwatch.sleep(10)
      end)
      assert.is_false(ok)
      assert.equal(thing, err)
      table.sort(log)
      assert.same({ "body", "sibling" }, log)
   end)

   it("raises its own function's error and tells it to nobody else", function()
      local told = 0
      local before = moonwatch.on_error(function() told = told + 1 end)
      local ok, err = moonwatch.spawn(function()
         moonwatch.scope(function(scope)
            scope:spawn(function() moonwatch.sleep(10) end)
            error("boom", 0)
         end)
      end):join()
      moonwatch.on_error(before)
      assert.same({ false, "boom", 0 }, { ok, err, told })
   end)

   it("takes its children with it when its task is cancelled", function()
      local log = {}
      moonwatch.run(function()
         local task = moonwatch.spawn(function()
            moonwatch.scope(function(scope)
               local _ <close> = closer(log, "body")
               scope:spawn(function()
                  local _ <close> = closer(log, "child")
                  moonwatch.sleep(10)
               end)
               moonwatch.sleep(10)
            end)
         end)
         moonwatch.sleep(0.001)
         task:cancel()
         table.sort(log)
         assert.same({ "body", "child" }, log)
      end)
   end)

   it("can cancel its children", function()
      local child
      moonwatch.scope(function(scope)
         child = moonwatch.spawn(function() end)
         local own = scope:spawn(function() moonwatch.sleep(10) end)
         moonwatch.sleep(0)
         own:cancel()
         child = own
      end)
      assert.equal("cancelled", child.status)
   end)

   it("may be nested", function()
      local ok, err = pcall(moonwatch.scope, function()
         moonwatch.scope(function(inner)
            inner:spawn(function() error("deep", 0) end)
         end)
      end)
      assert.same({ false, "deep" }, { ok, err })
   end)

   it("needs a function", function()
      local ok, err = pcall(function() moonwatch.scope(3) end)
      assert.is_false(ok)
      assert.truthy(err:find "task_spec.lua:%d+: scope: a function is needed$")
   end)

   it("tells misuse of its methods at the line of the caller", function()
      local function refusal(...)
         local call = table.pack(...)
         local ok, err = pcall(function() call[1](table.unpack(call, 2, call.n)) end)
         assert.is_false(ok)
         return err
      end
      moonwatch.scope(function(scope)
         assert.truthy(refusal(scope.spawn, scope, 3)
            :find "^[^:]*task_spec.lua:%d+: spawn: function expected, got number$")
         assert.truthy(refusal(scope.spawn, scope, "name")
            :find "^[^:]*task_spec.lua:%d+: spawn: function expected, got no value$")
         for _, method in ipairs { scope.spawn, scope.cancel } do
            assert.truthy(refusal(method):find "^[^:]*task_spec.lua:%d+: a scope is needed")
         end
      end)
   end)

   it("starts nothing once it has ended: nobody would be told how that fares", function()
      local kept
      moonwatch.scope(function(scope) kept = scope end)
      local ok, err = pcall(function() kept:spawn(function() error "never seen" end) end)
      assert.is_false(ok)
      assert.truthy(err:find "task_spec.lua:%d+: spawn: the scope has ended$")
   end)
end)

describe("timeout", function()
   helper.leaves_nothing()

   it("returns the results of what ends in time", function()
      assert.same({ 1, nil, 3, n = 3 }, table.pack(moonwatch.timeout(5, function(...)
         moonwatch.sleep(0.001)
         return ...
      end, 1, nil, 3)))
   end)

   it("cancels what does not", function()
      local log = {}
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { moonwatch.timeout(0.005, function()
         local _ <close> = closer(log, "closed")
         moonwatch.sleep(10)
      end) })
      assert.same({ "closed" }, log)
   end)

   it("raises the error of its function", function()
      assert.same({ false, "boom" }, { pcall(moonwatch.timeout, 5, function() error("boom", 0) end) })
   end)

   it("may be nested, and the outer one takes the inner with it", function()
      local log = {}
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { moonwatch.timeout(0.005, function()
         moonwatch.timeout(5, function()
            local _ <close> = closer(log, "inner")
            moonwatch.sleep(10)
         end)
      end) })
      assert.same({ "inner" }, log)
   end)

   it("needs a number and a function", function()
      assert.is_false(pcall(moonwatch.timeout, -1, print))
      assert.is_false(pcall(moonwatch.timeout, 1))
   end)
end)
