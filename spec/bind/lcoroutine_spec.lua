-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local closer = helper.closer
local co = moonwatch.coroutine

local function in_task(fn)
   local results = table.pack(moonwatch.spawn(fn):join(10))
   assert.is_true(results[1], results[3])
   return table.unpack(results, 2, results.n)
end

describe("moonwatch.coroutine", function()
   helper.leaves_nothing()

   it("has all that Lua's own has", function()
      for name in pairs(coroutine) do assert.equal("function", type(co[name])) end
   end)

   it("tells misuse at the line of the caller", function()
      for _, make in ipairs { co.create, co.wrap } do
         local ok, err = pcall(function() local made = make(42) return made end)
         assert.is_false(ok)
         assert.truthy(err:find "lcoroutine_spec.lua:%d+: coroutine: function expected, got number$")
      end
   end)

   it("has the hook of whoever has made it, as a time budget needs", function()
      local counted = 0
      local function loop() for _ = 1, 1000 do end end
      debug.sethook(function() counted = counted + 1 end, "", 100)
      local wrapped, created = co.wrap(loop), co.create(loop)
      debug.sethook()
      wrapped()
      co.resume(created)
      assert.is_true(counted >= 10, tostring(counted))
      local before = counted
      co.wrap(loop)()
      assert.equal(before, counted)
   end)

   it("is like Lua's own where nothing waits", function()
      local thread = co.create(function(a, b)
         local c = co.yield(a + b)
         local d, e = co.yield(c * 2)
         return d, e
      end)
      assert.same({ true, 3 }, { co.resume(thread, 1, 2) })
      assert.same({ true, 20 }, { co.resume(thread, 10) })
      assert.same({ true, "d", nil, n = 3 }, table.pack(co.resume(thread, "d", nil)))
      assert.same({ false, "cannot resume dead coroutine" }, { co.resume(thread) })
      assert.equal("dead", co.status(thread))
      local ok, err = co.resume(co.create(function() error "boom" end))
      assert.is_false(ok)
      assert.truthy(err:find "lcoroutine_spec.lua:%d+: boom$")
      local count = 0
      for value in co.wrap(function() for i = 1, 3 do co.yield(i) end end) do count = count + value end
      assert.equal(6, count)
      ok, err = pcall(co.wrap(function() error("boom", 0) end))
      assert.is_false(ok)
      assert.truthy(err:find "boom$")
      assert.is_false(pcall(co.create, 3))
   end)

   it("lets a task wait inside a generator", function()
      assert.equal("1 2 3", in_task(function()
         local seen = {}
         for value in co.wrap(function()
            for i = 1, 3 do
               moonwatch.sleep(0.001)
               co.yield(i)
            end
         end) do seen[#seen + 1] = value end
         return table.concat(seen, " ")
      end))
   end)

   it("lets a task wait at any depth, through pcall and resume, and hands values through", function()
      local channel = moonwatch.channel()
      local task = moonwatch.spawn(function()
         local outer = co.wrap(function()
            local inner = co.create(function(a)
               local ok, value = pcall(function() return channel:get() end)
               local b = co.yield(a, ok, value)
               return b, channel:get()
            end)
            co.yield(co.resume(inner, "a"))
            return co.resume(inner, "b")
         end)
         local first = { outer() }
         return first, { outer() }
      end)
      for _, value in ipairs { "x", "y" } do
         moonwatch.sleep(0)
         channel:put(value)
      end
      assert.same({ true, { true, "a", true, "x" }, { true, "b", "y" } }, { task:join(10) })
   end)

   it("lets the main program wait inside a generator", function()
      local seen = {}
      for value in co.wrap(function()
         moonwatch.sleep(0.001)
         co.yield(1)
         moonwatch.sleep(0.001)
         co.yield(2)
      end) do seen[#seen + 1] = value end
      assert.same({ 1, 2 }, seen)
   end)

   it("is closed innermost first when its task is cancelled while it waits", function()
      local log = {}
      moonwatch.run(function()
         local task = moonwatch.spawn(function()
            local _ <close> = closer(log, "task")
            local outer = co.wrap(function()
               local _ <close> = closer(log, "outer")
               local inner = co.create(function()
                  local _ <close> = closer(log, "inner")
                  moonwatch.sleep(10)
               end)
               co.resume(inner)
            end)
            outer()
         end)
         moonwatch.sleep(0)
         task:cancel()
      end)
      assert.same({ "inner", "outer", "task" }, log)
   end)

   it("is closed with its task when it stands between two values", function()
      local log = {}
      moonwatch.run(function()
         local task = moonwatch.spawn(function()
            local _ <close> = closer(log, "task")
            for _ in co.wrap(function()
               local _ <close> = closer(log, "generator")
               co.yield(1)
            end) do moonwatch.sleep(10) end
         end)
         moonwatch.sleep(0)
         task:cancel()
      end)
      table.sort(log)
      assert.same({ "generator", "task" }, log)
   end)

   it("raises where a foreign coroutine or a C function stands in between", function()
      assert.truthy(in_task(function()
         return select(2, pcall(coroutine.wrap(function()
            return co.wrap(function() moonwatch.sleep(0) end)()
         end)))
      end):find "cannot wait inside a foreign coroutine")
      assert.truthy(in_task(function()
         local generator = co.wrap(function() moonwatch.sleep(0) end)
         return select(2, pcall(table.sort, { 1, 2 }, generator))
      end):find "cannot wait inside")
   end)

   it("is not woken by a stranger who resumes it", function()
      local channel, generator = moonwatch.channel(), nil
      moonwatch.run(function()
         local task = moonwatch.spawn(function()
            generator = co.create(function() return channel:get() end)
            return co.resume(generator)
         end)
         moonwatch.sleep(0)
         assert.same({ true }, { co.resume(generator) })
         assert.same({ true }, { coroutine.resume(generator) })
         channel:put "value"
         assert.same({ true, true, "value" }, { task:join(10) })
      end)
   end)
end)
