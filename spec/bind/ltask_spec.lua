-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local closer = helper.closer
local errno = moonwatch.errno

-- What on_error was told while fn ran: a list of { error, where }.
local function told(fn)
   local list = {}
   local before = moonwatch.on_error(function(err, traceback, where)
      list[#list + 1] = { err, where, (traceback or ""):find("stack traceback", 1, true) ~= nil }
   end)
   fn()
   moonwatch.on_error(before)
   return list
end

describe("a task", function()
   helper.leaves_nothing()

   it("starts at the loop's next turn and gives all its results to join", function()
      local log = {}
      moonwatch.run(function()
         local task = moonwatch.spawn("adder", function(a, b)
            log[#log + 1] = "task"
            return a + b, nil, "three"
         end, 1, 2)
         log[#log + 1] = "spawned"
         assert.same({ "adder", "waiting" }, { task.name, task.status })
         assert.same({ true, 3, nil, "three", n = 4 }, table.pack(task:join()))
         assert.equal("done", task.status)
         assert.same({ true, 3, nil, "three", n = 4 }, table.pack(task:join(0)))
      end)
      assert.same({ "spawned", "task" }, log)
   end)

   it("is named after its place where it has no name", function()
      local task = moonwatch.spawn(function() end)
      assert.truthy(task.name:find("ltask_spec.lua:" .. debug.getinfo(1, "l").currentline - 1, 1, true))
      assert.truthy(tostring(task):find("ltask_spec.lua", 1, true))
      assert.is_true(task:join())
   end)

   it("is joined from the main program too, which drives the loop", function()
      local task = moonwatch.spawn(function()
         moonwatch.sleep(0.01)
         return "late"
      end)
      assert.same({ true, "late" }, { task:join() })
   end)

   it("gives error and traceback to join, and on_error is not told", function()
      local errors = told(function()
         moonwatch.run(function()
            local task = moonwatch.spawn("bad", function() error "boom" end)
            local ok, err, traceback = task:join()
            assert.is_false(ok)
            assert.truthy(err:find "ltask_spec.lua:%d+: boom$")
            assert.truthy(traceback:find("^" .. err:gsub("%p", "%%%0") .. "\nstack traceback:\n"))
            assert.equal("failed", task.status)
         end)
      end)
      assert.same({}, errors)
   end)

   it("may fail before it is joined in the same turn without on_error being told", function()
      local errors = told(function()
         moonwatch.run(function()
            local first = moonwatch.spawn(function() error("one", 0) end)
            local second = moonwatch.spawn(function() error("two", 0) end)
            assert.same({ false, "one" }, { (function(a, b) return a, b end)(first:join()) })
            assert.same({ false, "two" }, { (function(a, b) return a, b end)(second:join()) })
         end)
      end)
      assert.same({}, errors)
   end)

   it("is told of with its traceback though its error has no text", function()
      local traceback
      local before = moonwatch.on_error(function(_, text) traceback = text end)
      moonwatch.run(function()
         moonwatch.spawn("nasty", function() error(setmetatable({}, { __tostring = function() error "no" end })) end)
         moonwatch.sleep(0)
      end)
      moonwatch.on_error(before)
      assert.matches("^%(error object is a table value%)\nstack traceback:\n.*ltask_spec", traceback)
   end)

   it("that fails and is joined by nobody is told to on_error once; the loop goes on", function()
      local after
      local errors = told(function()
         moonwatch.run(function()
            moonwatch.spawn("bad", function() error("boom", 0) end)
            moonwatch.sleep(0.01)
            after = true
         end)
      end)
      assert.same({ { "boom", "bad", true } }, errors)
      assert.is_true(after)
   end)

   it("may fail with any value", function()
      local thing = {}
      local task = moonwatch.spawn(function() error(thing) end)
      local ok, err, traceback = task:join()
      assert.is_false(ok)
      assert.equal(thing, err)
      assert.truthy(traceback:find "^%(error object is a table value%)\nstack traceback")
      assert.is_nil((select(2, moonwatch.spawn(function() error() end):join())))
   end)

   it("closes its variables when it fails, after the traceback was taken", function()
      local log = {}
      local task = moonwatch.spawn(function()
         local _ <close> = closer(log, "closed")
         error("boom", 0)
      end)
      local _, _, traceback = task:join()
      assert.same({ "closed" }, log)
      assert.truthy(traceback:find "ltask_spec.lua")
   end)

   it("whose coroutine yields to nobody fails and says so", function()
      local task = moonwatch.spawn(function() coroutine.yield(1, 2, 3) end)
      local ok, err, traceback = task:join()
      assert.is_false(ok)
      assert.equal("stray coroutine.yield in a task: nobody resumes it", err)
      assert.truthy(traceback:find "ltask_spec.lua")
   end)

   it("is joined by several, in the order they came", function()
      local order = {}
      moonwatch.run(function()
         local task = moonwatch.spawn(function() moonwatch.sleep(0.01) end)
         local joiners = {}
         for i = 1, 5 do
            joiners[i] = moonwatch.spawn(function()
               task:join()
               order[#order + 1] = i
            end)
         end
         for _, joiner in ipairs(joiners) do joiner:join() end
      end)
      assert.same({ 1, 2, 3, 4, 5 }, order)
   end)

   it("is not ended by a join that times out", function()
      moonwatch.run(function()
         local channel = moonwatch.channel()
         local task = moonwatch.spawn(function() return channel:get() end)
         assert.same({ nil, "timeout", errno.ETIMEDOUT }, { task:join(0) })
         assert.same({ nil, "timeout", errno.ETIMEDOUT }, { task:join(0.01) })
         channel:put(true)
         assert.same({ true, true }, { task:join() })
      end)
   end)

   it("cannot join itself", function()
      local task
      task = moonwatch.spawn(function() return pcall(task.join, task) end)
      local _, ok, err = task:join()
      assert.is_false(ok)
      assert.truthy(err:find "a task cannot join itself$")
   end)

   it("is kept alive by the loop and collected when it has ended", function()
      local log = {}
      moonwatch.spawn(function()
         moonwatch.sleep(0.02)
         log[#log + 1] = "ran"
      end)
      collectgarbage()
      moonwatch.run()
      local weak = setmetatable({ moonwatch.spawn(function() end) }, { __mode = "v" })
      moonwatch.run()
      collectgarbage()
      collectgarbage()
      assert.same({ { "ran" }, {} }, { log, weak })
   end)
end)

describe("cancel", function()
   helper.leaves_nothing()

   it("closes the variables of a waiting task, the inner ones first, and no pcall swallows it", function()
      local log = {}
      moonwatch.run(function()
         local task = moonwatch.spawn(function()
            local _ <close> = closer(log, "outer")
            pcall(function()
               local _ <close> = closer(log, "inner")
               moonwatch.sleep(10)
            end)
            log[#log + 1] = "went on"
         end)
         moonwatch.sleep(0)
         assert.is_true(task:cancel "enough")
         assert.same({ "inner", "outer" }, log)
         assert.same({ "cancelled", false }, { task.status, task:cancel() })
         assert.same({ false, "cancelled", "enough" }, { task:join() })
      end)
   end)

   it("ends a task before it starts", function()
      local log = {}
      local task = moonwatch.spawn(function() log[1] = "ran" end)
      assert.is_true(task:cancel())
      assert.same({ false, "cancelled", nil, n = 3 }, table.pack(task:join()))
      moonwatch.run()
      assert.same({}, log)
   end)

   it("of the running task by itself does not return", function()
      local log, task = {}, nil
      task = moonwatch.spawn(function()
         local _ <close> = closer(log, "closed")
         task:cancel "own wish"
         log[#log + 1] = "went on"
      end)
      assert.same({ false, "cancelled", "own wish" }, { task:join() })
      assert.same({ "closed" }, log)
   end)

   it("of the running task where it cannot be suspended takes hold at its next wait", function()
      local log, task = {}, nil
      task = moonwatch.spawn(function()
         table.sort({ 1, 2 }, function()
            log[#log + 1] = task:cancel()
            return false
         end)
         log[#log + 1] = "after"
         moonwatch.sleep(0)
         log[#log + 1] = "went on"
      end)
      assert.same({ false, "cancelled" }, { (function(a, b) return a, b end)(task:join()) })
      assert.same("after", log[#log])
   end)

   it("wakes those who join", function()
      moonwatch.run(function()
         local task = moonwatch.spawn(function() moonwatch.sleep(10) end)
         local joiner = moonwatch.spawn(function() return task:join() end)
         moonwatch.sleep(0)
         task:cancel "why not"
         assert.same({ true, false, "cancelled", "why not" }, { joiner:join() })
      end)
   end)

   it("of a waiter loses no value", function()
      moonwatch.run(function()
         local channel = moonwatch.channel()
         local first = moonwatch.spawn(function() return channel:get() end)
         local second = moonwatch.spawn(function() return channel:get() end)
         moonwatch.sleep(0)
         channel:put "value"
         first:cancel()
         assert.same({ true, "value" }, { second:join(10) })
      end)
   end)

   it("lets no __close wait, and tells its error", function()
      local errors = told(function()
         moonwatch.run(function()
            local task = moonwatch.spawn(function()
               local _ <close> = setmetatable({}, { __close = function() moonwatch.sleep(0) end })
               moonwatch.sleep(10)
            end)
            moonwatch.sleep(0)
            task:cancel()
            assert.equal("cancelled", task.status)
         end)
      end)
      assert.equal(1, #errors)
      assert.truthy(errors[1][1]:find "ltask_spec.lua:%d+: cannot wait in a __close while its task is being closed$")
   end)
end)

describe("a wait in an impossible place raises and names the cause:", function()
   helper.leaves_nothing()

   local function refusal(fn)
      local task = moonwatch.spawn(function() return pcall(fn) end)
      local _, ok, err = task:join(10)
      assert.is_false(ok)
      return (err:gsub("^.*ltask_spec%.lua:%d+: ", ""))
   end

   it("a foreign coroutine", function()
      assert.equal("cannot wait inside a foreign coroutine: make it by moonwatch.coroutine",
         refusal(function() coroutine.wrap(function() moonwatch.sleep(0) end)() end))
   end)

   it("table.sort, string.gsub and a metamethod of a C function", function()
      assert.equal("cannot wait inside 'sort': it cannot be suspended",
         refusal(function() table.sort({ 2, 1 }, function() moonwatch.sleep(0) end) end))
      assert.equal("cannot wait inside 'gsub': it cannot be suspended",
         refusal(function() ("x"):gsub("x", function() moonwatch.sleep(0) end) end))
      assert.equal("cannot wait inside 'tostring': it cannot be suspended",
         refusal(function() tostring(setmetatable({}, { __tostring = function() moonwatch.sleep(0) end })) end))
   end)

   it("but not in a pcall, a metamethod, an iterator or a __close of the task's own", function()
      local log = {}
      local task = moonwatch.spawn(function()
         local sum = setmetatable({}, { __add = function() return moonwatch.sleep(0) end, __index = function()
            return moonwatch.sleep(0)
         end })
         log[1] = sum + 1
         log[2] = sum.field
         log[3] = select(2, pcall(moonwatch.sleep, 0))
         for value in function() return not log[4] and moonwatch.sleep(0) or nil end do log[4] = value end
         do
            local _ <close> = setmetatable({}, { __close = function() log[5] = moonwatch.sleep(0) end })
         end
      end)
      assert.is_true(task:join())
      assert.same({ true, true, true, true, true }, log)
   end)

   it("a finaliser while the loop is at work", function()
      local err
      moonwatch.run(function()
         setmetatable({}, { __gc = function() err = select(2, pcall(moonwatch.sleep, 0)) end })
         collectgarbage()
         collectgarbage()
      end)
      assert.truthy(err:find("cannot wait inside '__gc': it cannot be suspended", 1, true))
   end)

   it("and a stranger's coroutine.resume does not end a task's wait", function()
      local channel = moonwatch.channel()
      local thread, waited
      local task = moonwatch.spawn(function()
         thread = coroutine.running()
         waited = channel:get()
      end)
      moonwatch.sleep(0)
      moonwatch.sleep(0)
      assert.same({ true }, { coroutine.resume(thread) })
      assert.is_nil(waited)
      channel:put(true)
      assert.is_true(task:join())
      assert.is_true(waited)
   end)
end)

describe("misuse of tasks", function()
   it("raises at the user's line", function()
      local line = "ltask_spec.lua:" .. debug.getinfo(1, "l").currentline + 1 .. ": "
      local _, err = pcall(function() moonwatch.spawn(3) end)
      assert.truthy(err:find(line, 1, true))
      assert.truthy(err:find("function expected, got number", 1, true))
      local task = moonwatch.spawn(function() end)
      for _, timeout in ipairs { -1, 0 / 0, "x", {} } do assert.is_false(pcall(task.join, task, timeout)) end
      assert.is_false(pcall(task.join, 3))
      assert.is_true(task:join(math.huge))
   end)
end)
