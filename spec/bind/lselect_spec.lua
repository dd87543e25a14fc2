-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

describe("select", function()
   helper.leaves_nothing()

   it("gives the first ready source and its value", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      b:put "x"
      assert.same({ b, "x" }, { moonwatch.select { a, b } })
      moonwatch.spawn(function()
         moonwatch.sleep(0.01)
         a:put "y"
      end)
      assert.same({ a, "y" }, { moonwatch.select { a, b } })
   end)

   it("takes one value from one source and leaves the rest", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      moonwatch.run(function()
         local selector = moonwatch.spawn(function() return moonwatch.select { a, b } end)
         moonwatch.sleep(0)
         a:put(1)
         b:put(2)
         local _, which, value = selector:join()
         assert.same(which == a and 1 or 2, value)
         assert.equal(1, #a + #b)
      end)
   end)

   it("waits on where another has taken the value", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      moonwatch.run(function()
         local first = moonwatch.spawn(function() return a:get() end)
         local selector = moonwatch.spawn(function() return moonwatch.select { a, b } end)
         moonwatch.sleep(0)
         a:put "for the first"
         assert.same({ true, "for the first" }, { first:join() })
         assert.equal("waiting", selector.status)
         b:put "then"
         assert.same({ true, b, "then" }, { selector:join() })
      end)
   end)

   it("passes a wake-up on when it leaves a queue", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      moonwatch.run(function()
         local selector = moonwatch.spawn(function() return moonwatch.select { a, b } end)
         local second = moonwatch.spawn(function() return a:get() end)
         local third = moonwatch.spawn(function() return b:get() end)
         moonwatch.sleep(0)
         a:put "a"
         b:put "b"
         a:put "a"
         b:put "b"
         assert.same({ { true, "a" }, { true, "b" } }, { { second:join(10) }, { third:join(10) } })
         assert.is_true(selector:join(10))
         assert.equal(1, #a + #b)
      end)
   end)

   it("is fair among the ready", function()
      local a, b, c = moonwatch.channel(), moonwatch.channel(), moonwatch.channel()
      for i = 1, 90 do for _, channel in ipairs { a, b, c } do channel:put(i) end end
      local count = { [a] = 0, [b] = 0, [c] = 0 }
      for _ = 1, 90 do
         local which = moonwatch.select { a, b, c }
         count[which] = count[which] + 1
      end
      assert.same({ 30, 30, 30 }, { count[a], count[b], count[c] })
   end)

   it("times out, and only looks with 0", function()
      local a = moonwatch.channel()
      local expected = { nil, "timeout", errno.ETIMEDOUT }
      assert.same(expected, { moonwatch.select { a, timeout = 0 } })
      assert.same(expected, { moonwatch.select { a, timeout = 0.01 } })
      assert.same(expected, { moonwatch.select { timeout = 0.001 } })
      a:put(1)
      assert.same({ a, 1 }, { moonwatch.select { a, timeout = 0 } })
   end)

   it("names a closed source", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      local expected = { b, nil, "closed", errno.EPIPE }
      moonwatch.spawn(function() b:close() end)
      assert.same(expected, { moonwatch.select { a, b } })
      assert.same(expected, { moonwatch.select { a, b } })
   end)

   it("takes tasks, intervals and signals", function()
      local interval <close> = moonwatch.interval(0.01)
      local signal <close> = assert(moonwatch.signal "USR2")
      local channel = moonwatch.channel()
      local task = moonwatch.spawn(function()
         moonwatch.sleep(0.001)
         return "done", 2
      end)
      assert.same({ task, true, "done", 2 }, { moonwatch.select { channel, task } })
      local source, ticks = moonwatch.select { channel, interval }
      assert.equal(interval, source)
      assert.is_true(ticks >= 1) -- a busy machine may have missed some: they are merged
      os.execute("kill -USR2 " .. helper.read("/proc/self/stat"):match "^%d+")
      assert.same({ signal, "USR2", 1 }, { moonwatch.select { channel, signal } })
   end)

   it("takes anything with the polling protocol", function()
      local before, fd = {}, nil
      for _, descriptor in ipairs(helper.descriptors()) do before[descriptor.fd] = true end
      local _ <close> = assert(io.popen "exec cat </dev/null")
      for _, descriptor in ipairs(helper.descriptors()) do
         if not before[descriptor.fd] and descriptor.target:find "^pipe:" then fd = descriptor.fd end
      end
      local channel = moonwatch.channel()
      local reader = {
         pollfd = function() return fd end,
         events = function() return "r" end,
         timeout = function() return nil end,
      }
      assert.same({ reader, "r" }, { moonwatch.select { channel, reader } })
      local timer = setmetatable({}, { __index = { pollfd = function() end, events = function() end,
         timeout = function() return 0.01 end } })
      assert.same({ timer, "" }, { moonwatch.select { channel, timer } })
      local wrapped = { pollfd = function() return reader end, events = reader.events, timeout = reader.timeout }
      assert.same({ wrapped, "r" }, { moonwatch.select { wrapped } })
   end)

   it("takes an object that names its source", function()
      local channel = moonwatch.channel()
      local object = setmetatable({}, { __waitable = function() return channel end })
      channel:put "x"
      local which, value = moonwatch.select { object }
      assert.is_true(rawequal(object, which))
      assert.equal("x", value)
   end)

   it("that is cancelled leaves every queue", function()
      local a, b = moonwatch.channel(), moonwatch.channel()
      moonwatch.run(function()
         local selector = moonwatch.spawn(function() moonwatch.select { a, b, timeout = 10 } end)
         moonwatch.sleep(0)
         a:put(1)
         selector:cancel()
         assert.same({ 1 }, { a:get(0) })
         b:put(2)
         assert.same({ 2 }, { b:get(0) })
      end)
   end)

   it("refuses what cannot be waited for, and nothing at all", function()
      local ok, err = pcall(function() moonwatch.select { moonwatch.channel(), 3 } end)
      assert.is_false(ok)
      assert.truthy(err:find "lselect_spec.lua:%d+: select: #2 is a number and nothing that can be waited for$")
      assert.is_false(pcall(moonwatch.select, {}))
      assert.is_false(pcall(moonwatch.select, { moonwatch.channel(), timeout = -1 }))
      assert.is_false(pcall(moonwatch.select))
   end)

   it("refuses a misspelt timeout, and a source behind a hole of the list", function()
      local channel = moonwatch.channel()
      local function refusal(what)
         local ok, err = pcall(function() moonwatch.select(what) end)
         assert.is_false(ok)
         return err
      end
      assert.truthy(refusal { channel, timout = 0 }
         :find "lselect_spec.lua:%d+: select: unknown key 'timout': there are sources and 'timeout'$")
      assert.truthy(refusal { channel, [3] = channel, timeout = 0 }:find "select: unknown key '3'")
   end)
end)
