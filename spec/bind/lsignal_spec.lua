-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

local function kill(name)
   os.execute(("kill -%s %s"):format(name, helper.read("/proc/self/stat"):match "^%d+"))
end

-- Which signals this process catches, as the kernel knows it.
local function caught()
   return helper.read("/proc/self/status"):match "SigCgt:%s*(%x+)"
end

describe("a signal", function()
   helper.leaves_nothing()

   it("is given with its name, and how often it came", function()
      local signal <close> = assert(moonwatch.signal "SIGUSR1")
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { signal:get(0) })
      kill "USR1"
      assert.same({ "USR1", 1 }, { signal:get(10) })
      kill "USR1"
      kill "USR1"
      assert.same({ "USR1", 2 }, { signal:get(10) })
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { signal:get(0.001) })
   end)

   it("wakes whoever waits, in a task or in the main program", function()
      local signal <close> = assert(moonwatch.signal("HUP", "usr2"))
      local task = moonwatch.spawn(function() return signal:get() end)
      moonwatch.sleep(0)
      kill "HUP"
      assert.same({ true, "HUP", 1 }, { task:join(10) })
      moonwatch.spawn(function() kill "USR2" end)
      assert.same({ "USR2", 1 }, { signal:get(10) })
   end)

   it("is told to each object that asked for it", function()
      local a <close> = assert(moonwatch.signal "USR1")
      local b <close> = assert(moonwatch.signal "USR1")
      kill "USR1"
      assert.same({ { "USR1", 1 }, { "USR1", 1 } }, { { a:get(10) }, { b:get(10) } })
   end)

   it("does not end another wait early", function()
      local signal <close> = assert(moonwatch.signal "USR1")
      local task = moonwatch.spawn(function()
         moonwatch.sleep(0.005)
         kill "USR1"
      end)
      local before = moonwatch.now()
      assert.is_true(moonwatch.sleep(0.05))
      assert.is_true(moonwatch.now() - before >= 0.05)
      assert.is_true(task:join())
      assert.equal("USR1", signal:get(0))
   end)

   it("gives the old disposition back when the last object is closed or collected", function()
      local before = caught()
      local a = assert(moonwatch.signal "USR1")
      local both = { a, assert(moonwatch.signal "USR1") }
      assert.not_equal(before, caught())
      a:close()
      a:close()
      assert.not_equal(before, caught())
      assert.same({ nil, "closed", errno.EPIPE }, { a:get() })
      assert.equal(2, #both)
      both[2] = nil
      collectgarbage()
      collectgarbage()
      assert.equal(before, caught())
   end)

   it("that cannot be caught is refused, one that does not exist is misuse", function()
      assert.same({ nil, "KILL: the signal cannot be caught", errno.EINVAL }, { moonwatch.signal "KILL" })
      assert.same({ nil, "SEGV: the signal cannot be caught", errno.EINVAL }, { moonwatch.signal("USR1", "SEGV") })
      local ok, err = pcall(function() moonwatch.signal "NOSUCH" end)
      assert.is_false(ok)
      assert.truthy(err:find "lsignal_spec.lua:%d+: there is no signal 'NOSUCH'$")
      assert.equal("there is no signal '4294967306'", helper.misuse(function() moonwatch.signal((1 << 32) + 10) end))
      assert.is_false(pcall(moonwatch.signal))
   end)
end)
