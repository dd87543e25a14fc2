-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno
local timeout = { nil, "timeout", errno.ETIMEDOUT }
local closed = { nil, "closed", errno.EPIPE }

describe("a channel", function()
   helper.leaves_nothing()

   it("holds any number of values, in order", function()
      local channel = moonwatch.channel()
      for i = 1, 1000 do assert.is_true(channel:put(i)) end
      assert.equal(1000, #channel)
      for i = 1, 1000 do assert.equal(i, channel:get()) end
      assert.same({ timeout, timeout }, { { channel:get(0) }, { channel:get(0.001) } })
   end)

   it("with a bound lets put wait", function()
      local channel, log = moonwatch.channel(2), {}
      moonwatch.run(function()
         local writer = moonwatch.spawn(function()
            for i = 1, 5 do
               channel:put(i)
               log[#log + 1] = "put " .. i
            end
            channel:close()
         end)
         moonwatch.sleep(0)
         assert.same({ "put 1", "put 2" }, log)
         local got = {}
         for value in channel:each() do got[#got + 1] = value end
         assert.same({ 1, 2, 3, 4, 5 }, got)
         assert.is_true(writer:join())
      end)
      channel = moonwatch.channel(1)
      channel:put(1)
      assert.same(timeout, { channel:put(2, 0) })
      assert.same(timeout, { channel:put(2, 0.001) })
      assert.same({ 1 }, { channel:get() })
   end)

   it("without room is a meeting", function()
      local channel, log = moonwatch.channel(0), {}
      assert.same(timeout, { channel:put("nobody is there", 0) })
      moonwatch.run(function()
         local writer = moonwatch.spawn(function()
            for i = 1, 3 do
               channel:put(i)
               log[#log + 1] = i
            end
         end)
         for i = 1, 3 do
            assert.equal(i, channel:get())
            assert.is_true(#log <= i)
         end
         writer:join()
         assert.same({ 1, 2, 3 }, log)
      end)
   end)

   it("serves those who wait in the order they came, also when values come late or all at once", function()
      local channel, order = moonwatch.channel(), {}
      moonwatch.run(function()
         local readers = {}
         for i = 1, 4 do
            readers[i] = moonwatch.spawn(function()
               for _ = 1, 2 do
                  local value = channel:get()
                  order[#order + 1] = i .. value
               end
            end)
         end
         moonwatch.sleep(0)
         for _, letter in ipairs { "a", "b", "c", "d", "e" } do channel:put(letter) end
         moonwatch.sleep(0)
         for _, letter in ipairs { "f", "g", "h" } do
            channel:put(letter)
            moonwatch.sleep(0)
         end
         for _, reader in ipairs(readers) do reader:join() end
      end)
      assert.same({ "1a", "2b", "3c", "4d", "1e", "2f", "3g", "4h" }, order)
   end)

   it("serves those who put in the order they came", function()
      local channel, order = moonwatch.channel(1), {}
      moonwatch.run(function()
         for i = 1, 4 do moonwatch.spawn(function() channel:put(i) end) end
         moonwatch.sleep(0)
         for i = 1, 4 do order[i] = channel:get() end
      end)
      assert.same({ 1, 2, 3, 4 }, order)
   end)

   it("that is closed gives what it holds, then ends; nothing can be put any more", function()
      local channel = moonwatch.channel()
      channel:put "a"
      channel:put "b"
      channel:close()
      channel:close()
      assert.same(closed, { channel:put "c" })
      assert.same({ "a", "b" }, { (channel:get()), (channel:get()) })
      assert.same(closed, { channel:get() })
      for _ in channel:each() do error "nothing is left" end
   end)

   it("that is closed wakes all who wait, those who put too", function()
      local full, empty = moonwatch.channel(1), moonwatch.channel()
      full:put(1)
      moonwatch.run(function()
         local waiters = { moonwatch.spawn(function() return full:put(2) end) }
         for i = 2, 3 do waiters[i] = moonwatch.spawn(function() return empty:get() end) end
         moonwatch.sleep(0)
         full:close()
         empty:close()
         for _, waiter in ipairs(waiters) do assert.same({ true, table.unpack(closed, 1, 3) }, { waiter:join() }) end
      end)
   end)

   it("loses nothing when an iterator is left early", function()
      local channel = moonwatch.channel()
      for i = 1, 10 do channel:put(i) end
      for value in channel:each() do
         if value == 3 then break end
      end
      local rest = {}
      for value in channel:each(0) do rest[#rest + 1] = value end
      assert.same({ 4, 5, 6, 7, 8, 9, 10 }, rest)
   end)

   it("refuses nil and a capacity below 0", function()
      local ok, err = pcall(function() moonwatch.channel():put(nil) end)
      assert.is_false(ok)
      assert.truthy(err:find "lchannel_spec.lua:%d+: put: nil cannot be told from the end of a channel$")
      assert.is_false(pcall(moonwatch.channel, -1))
      assert.is_false(pcall(moonwatch.channel, "x"))
   end)
end)
