-- SPDX-License-Identifier: MIT
--
-- lchild_spec.lua - the core's side of processes: plain options, the handle as an object, driving it turn by turn.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local core = require "moonwatch.core"

local function plain(options)
   return setmetatable(options or {}, { __index = { stdin = "null", stdout = "null", stderr = "null" } })
end

local function message_of(fn)
   local ok, message = pcall(fn)
   assert.is_false(ok)
   return (message:gsub("^.-lchild_spec.lua:%d+: ", "HERE: "))
end

describe("core.process", function()
   helper.leaves_nothing()

   it("starts what the plain options say", function()
      local handle = core.process({ "sh", "-c", "cat; exit 9" },
         plain { stdin = "string", input = "text", stdout = "capture", success = { 9 } })
      local result = handle:wait()
      assert.same({ true, 9, "text", nil }, { result.ok, result.code, result.out, result.err })
   end)

   it("leaves nothing open where the command cannot be started", function()
      local before = #helper.descriptors()
      for _ = 1, 100 do
         local options = plain { stdin = "pipe", stdout = "pipe", stderr = "capture" }
         assert.is_nil((core.process({ "no-such-command" }, options)))
      end
      collectgarbage()
      assert.equal(before, #helper.descriptors())
   end)

   it("can be driven turn by turn", function()
      local handle = core.process({ "sleep", "0.05" }, plain())
      while handle.running do moonwatch.step() end
      assert.is_true(handle:wait(0).ok)
   end)

   it("wakes whoever watches the loop's own descriptor", function()
      local handle = core.process({ "true" }, plain())
      local deadline = moonwatch.now() + 10
      while handle.running and moonwatch.now() < deadline do moonwatch.step(moonwatch.next_timeout()) end
      assert.is_false(handle.running)
   end)
end)

describe("a process as an object", function()
   helper.leaves_nothing()

   it("gives back its pipes when it is forgotten", function()
      local before = #helper.descriptors()
      for _ = 1, 20 do
         local handle = core.process({ "sh", "-c", "echo text; echo more >&2" },
            plain { stdin = "pipe", stdout = "pipe", stderr = "pipe" })
         handle:wait()
      end
      collectgarbage()
      collectgarbage()
      assert.equal(before, #helper.descriptors())
   end)

   it("lives on in an iterator over its lines", function()
      local lines = core.process({ "sh", "-c", "echo a; echo b" }, plain { stdout = "pipe" }):lines()
      collectgarbage()
      collectgarbage()
      assert.same({ "a", "b", nil }, { lines(), lines(), lines() })
   end)

   it("may be closed at any time, more than once", function()
      local handle = core.process({ "sleep", "100" }, plain { stdin = "pipe", stdout = "pipe" })
      local lines = handle:lines()
      handle:close()
      handle:close()
      assert.is_nil(lines())
      assert.same({ nil, "closed", moonwatch.errno.EPIPE }, { handle:wait() })
      assert.same({ nil, "closed", moonwatch.errno.EPIPE }, { handle:stop() })
      assert.same({ nil, "sleep: Broken pipe", moonwatch.errno.EPIPE }, { handle:write "x" })
      helper.eventually(function() return not handle.running end)
      assert.same({ nil, "sleep: No such process", moonwatch.errno.ESRCH }, { handle:kill "TERM" })
   end)

   it("has no other fields, and methods for itself only", function()
      local handle <close> = core.process({ "true" }, plain())
      assert.is_nil(handle.nothing)
      assert.is_nil(handle[1])
      assert.truthy(message_of(function() handle.wait({}) end):find "moonwatch.process expected")
      assert.equal("HERE: the grace is a number of seconds from 0 up", message_of(function() handle:stop(-1) end))
      assert.equal("HERE: close() or close('stdin'), not close('x')", message_of(function() handle:close "x" end))
   end)
end)

describe("signals by name", function()
   it("are found in every spelling", function()
      assert.same({ 15, 15, 15, 1, 9 }, { core.signal_number "TERM", core.signal_number "SIGTERM",
         core.signal_number "sigterm", core.signal_number "hup", core.signal_number(9) })
      assert.is_truthy(core.signal_number "RTMIN+3" == core.signal_number "RTMIN" + 3)
   end)

   it("are nil where there is none", function()
      for _, name in ipairs { "", "SIG", "NOSUCH", "RTMIN+", "RTMIN+100", "RTMIN-1", "15", 0, -1, 1000 } do
         assert.is_nil(core.signal_number(name))
      end
   end)
end)
