-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

local function run_lua(script)
   return helper.run { helper.interpreter, helper.program(script) }
end

describe("run", function()
   helper.leaves_nothing()

   it("gives arguments to fn and returns its results", function()
      assert.same({ 3, nil, "x", n = 3 }, table.pack(moonwatch.run(function(a, b)
         moonwatch.sleep(0)
         return a + b, nil, "x"
      end, 1, 2)))
   end)

   it("without fn runs until every task is done", function()
      local log = {}
      for i = 3, 1, -1 do
         moonwatch.spawn(function()
            moonwatch.sleep(i / 100)
            log[#log + 1] = i
         end)
      end
      assert.is_true(moonwatch.run())
      table.sort(log)
      assert.same({ 1, 2, 3 }, log)
      assert.is_true(moonwatch.run())
   end)

   it("ends when fn is done, whatever else waits; the rest goes on in the next run", function()
      local channel = moonwatch.channel()
      local task = moonwatch.spawn(function() return channel:get() end)
      assert.equal("first", moonwatch.run(function() return "first" end))
      assert.equal("waiting", task.status)
      channel:put "rest"
      assert.same({ true, "rest" }, { moonwatch.run(function() return task:join() end) })
   end)

   it("raises the error of a failed fn with its traceback; other values as they are", function()
      local ok, err = pcall(moonwatch.run, function() error "boom" end)
      assert.is_false(ok)
      assert.truthy(err:find "^[^\n]*lloop_spec.lua:%d+: boom\nstack traceback:\n.*lloop_spec.lua")
      local thing = {}
      assert.same({ false, thing }, { pcall(moonwatch.run, function() error(thing) end) })
   end)

   it("is ended by stop, and so is any wait of the main program", function()
      local function stop_soon() moonwatch.spawn(function() moonwatch.stop() end) end
      local stopped = { nil, "stopped", errno.ECANCELED }
      stop_soon()
      local task = moonwatch.spawn(function() moonwatch.sleep(10) end)
      assert.same(stopped, { moonwatch.run() })
      assert.is_true(task:cancel())
      stop_soon()
      local channel = moonwatch.channel()
      assert.same(stopped, { moonwatch.run(function() return channel:get() end) })
      channel:close()
      stop_soon()
      assert.same(stopped, { moonwatch.sleep(10) })
      stop_soon()
      assert.same(stopped, { moonwatch.channel():get(10) })
      moonwatch.stop()
      assert.is_true(moonwatch.sleep(0))
   end)

   it("is misuse inside a task", function()
      local ok, err = moonwatch.spawn(function() moonwatch.run(function() end) end):join()
      assert.is_false(ok)
      assert.truthy(err:find "lloop_spec.lua:%d+: run inside a task")
   end)

   it("raises deadlock with the place of each task where nothing can wake one", function()
      local channel = moonwatch.channel()
      local here = debug.getinfo(1, "l").currentline
      local task = moonwatch.spawn("reader", function() channel:get() end)
      local ok, err = pcall(moonwatch.run, function()
         for value in channel:each() do print(value) end
      end)
      assert.is_false(ok)
      local place = "%S*lloop_spec.lua:"
      assert.truthy(err:find("^" .. place .. "%d+: deadlock: every task waits and nothing can wake one\n"
         .. "  reader waits at " .. place .. here + 1 .. "\n"
         .. "  main waits at " .. place .. here + 3 .. "$"))
      assert.is_true(task:cancel())
      assert.is_true(moonwatch.run())
      ok, err = pcall(function() moonwatch.channel():get() end)
      assert.is_false(ok)
      assert.truthy(err:find "lloop_spec.lua:%d+: deadlock: .*\n  the main program waits here$")
   end)

   it("raises deadlock also beside a watcher or an inotify object that nobody waits for", function()
      local inotify <close> = assert(moonwatch.inotify())
      assert(inotify:add("/", "create"))
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local ok, err = pcall(moonwatch.run, function() moonwatch.channel():get() end)
      assert.is_false(ok)
      assert.truthy(err:find "deadlock: every task waits")
      assert.same({ nil, "timeout", errno.ETIMEDOUT }, { watcher:get(0.001) })
   end)

   it("serves all tasks in turn, also beside one that never lacks values", function()
      local channel, ticks = moonwatch.channel(), 0
      moonwatch.run(function()
         local busy = moonwatch.spawn(function()
            while true do
               channel:put(1)
               channel:get()
            end
         end)
         for _ = 1, 3 do
            moonwatch.sleep(0.001)
            ticks = ticks + 1
         end
         busy:cancel()
      end)
      assert.equal(3, ticks)
   end)
end)

describe("on_error", function()
   helper.leaves_nothing()

   it("gives back what was set before, and nil sets standard error again", function()
      local function first() end
      assert.is_nil(moonwatch.on_error(first))
      assert.equal(first, moonwatch.on_error(nil))
      assert.is_false(pcall(moonwatch.on_error, 3))
   end)

   it("may wait, and its own error goes to standard error", function()
      local result = run_lua [[
         local moonwatch = require "moonwatch"
         moonwatch.on_error(function(err)
            moonwatch.sleep(0.01)
            print("told", err)
            error("worse", 0)
         end)
         moonwatch.spawn("bad", function() error("boom", 0) end)
         moonwatch.run()
         print "end"
      ]]
      assert.equal("told\tboom\nend\n", result.out)
      assert.truthy(result.err:find "^moonwatch: error in on_error: worse\nstack traceback:\n")
   end)

   it("is standard error with name and traceback by default", function()
      local result = run_lua [[
         local moonwatch = require "moonwatch"
         moonwatch.spawn("bad", function() error("boom", 0) end)
         moonwatch.run(function() end)
      ]]
      assert.equal("", result.out)
      assert.truthy(result.err:find "^moonwatch: error in bad: boom\nstack traceback:\n")
      assert.equal(0, result.status)
   end)
end)

describe("the loop under a foreign one", function()
   setup(function() moonwatch.pollfd() end) -- opens what tells deadlines, once per Lua state
   helper.leaves_nothing()

   it("says when it has work, and does it in steps", function()
      assert.is_nil(moonwatch.next_timeout())
      local log = {}
      local task = moonwatch.spawn(function()
         log[#log + 1] = "started"
         moonwatch.sleep(0.05)
         log[#log + 1] = "slept"
      end)
      assert.equal(0, moonwatch.next_timeout())
      local before = moonwatch.now()
      assert.is_true(moonwatch.step(0))
      assert.same({ "started" }, log)
      local left = moonwatch.next_timeout()
      assert.is_true(left <= 0.05 and left >= 0.05 - (moonwatch.now() - before))
      local deadline = moonwatch.now() + 10
      while task.status == "waiting" and moonwatch.now() < deadline do moonwatch.step(moonwatch.next_timeout()) end
      assert.same({ "started", "slept" }, log)
      assert.is_nil(moonwatch.next_timeout())
      assert.equal("number", math.type(moonwatch.pollfd()) and type(moonwatch.pollfd()))
   end)

   it("has a descriptor that is readable when there is work", function()
      local signal <close> = assert(moonwatch.signal "USR2")
      local task = moonwatch.spawn(function() return signal:get() end)
      moonwatch.step(0)
      local outer = { pollfd = function() return moonwatch.pollfd() end, events = function() return "r" end }
      assert.is_true(moonwatch.pollfd() >= 0 and outer.events() == "r")
      os.execute("kill -USR2 " .. helper.read("/proc/self/stat"):match "^%d+")
      assert.is_true(moonwatch.step(10))
      assert.same({ true, "USR2", 1 }, { task:join(10) })
   end)
end)

describe("require", function()
   it("opens no descriptor and prints nothing", function()
      local script = [[
         local helper = require "support.helper"
         local function count() return #helper.descriptors() end
         local before = count()
         local moonwatch = require "moonwatch"
         moonwatch.spawn(function() end)
         io.stdout:write(count() - before, " ")
         moonwatch.run()
         io.stdout:write(count() - before, " ", moonwatch.version)
      ]]
      assert.same({ status = 0, out = "0 1 " .. moonwatch.version, err = "" },
         run_lua(script))
   end)

   it("gives the names of the error codes, and the codes of the names", function()
      assert.same({ 2, "ENOENT", 110, "ETIMEDOUT" }, { errno.ENOENT, errno[2], errno.ETIMEDOUT, errno[110] })
   end)
end)
