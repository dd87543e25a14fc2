-- SPDX-License-Identifier: MIT
--
-- bind_spec.lua - handlers' batches, a foreign loop, and memory that runs out, in an embedding program.

local helper = require "support.helper"

local driver = helper.build .. "/spec/bind/bind_driver"

local function run(how, chunk)
   return helper.run({ driver, how, chunk })
end

local function output(how, chunk)
   local result = run(how, chunk)
   assert.same({ "", 0 }, { result.err, result.status })
   return result.out
end

describe("a handler", function()
   it("is called for each value, in order", function()
      assert.equal("1 2 3 4 5 end\n", output("own", [[
         local b = box(true, function(value) io.write(value, " ") end)
         b:put(3)
         b:put(2)
         moonwatch.sleep(0)
         print "end"
      ]]))
   end)

   it("is called for many more than fit in one batch, and others get their turn in between", function()
      assert.equal("100000\ttrue\n", output("own", [[
         local count, others = 0, 0
         local b = box(false, function() count = count + 1 end)
         b:put(100000)
         moonwatch.spawn(function() while count < 100000 do others = others + 1; moonwatch.sleep(0) end end)
         moonwatch.run(function() while count < 100000 do moonwatch.sleep(0) end end)
         print(count, others > 10)
      ]]))
   end)

   it("that raises is told with its traceback, and the rest of the batch goes on", function()
      local result = run("own", [[
         local b = box(true, function(value) io.write(value, " ") if value == 2 then error("boom", 0) end end)
         b:put(4)
         moonwatch.sleep(0)
      ]])
      assert.equal("1 2 3 4 ", result.out)
      assert.truthy(result.err:find "^moonwatch: error in box: boom\nstack traceback:\n.*in function")
   end)

   it("that waits holds the rest back where it is serial", function()
      assert.equal("<1 1> <2 2> <3 3> 3\n", output("own", [[
         local b = box(true, function(value)
            io.write("<", value, " ")
            moonwatch.sleep(0.002)
            io.write(value, "> ")
            return true
         end)
         b:put(3)
         while b:done() < 3 do moonwatch.sleep(0.001) end
         print(b:done())
      ]]))
   end)

   it("that waits lets the others go on where it is not", function()
      assert.equal("<1 <2 <3 3> 2> 1> \n", output("own", [[
         local left = 3
         local b = box(false, function(value)
            io.write("<", value, " ")
            while value < left do moonwatch.sleep(0.001) end
            io.write(value, "> ")
            left = left - 1
         end)
         b:put(3)
         while left > 0 do moonwatch.sleep(0.001) end
         print()
      ]]))
   end)

   it("goes on to its end when its object is closed meanwhile, and nothing more is handled", function()
      for _, serial in ipairs { "true", "false" } do
         assert.equal("1 end 1\n", output("own", ([[
            local b
            b = box(%s, function(value)
               io.write(value, " ")
               b:close()
               moonwatch.sleep(0.001)
               io.write("end ", value, "\n")
            end)
            b:put(3)
            moonwatch.run()
         ]]):format(serial)))
      end
   end)

   it("keeps run going as long as its object is open", function()
      assert.equal("1 2 done\n", output("own", [[
         local b
         b = box(true, function(value)
            io.write(value, " ")
            if value == 2 then b:close() end
         end)
         moonwatch.spawn(function() moonwatch.sleep(0.002) b:put(1) moonwatch.sleep(0.002) b:put(1) end)
         moonwatch.run()
         print "done"
      ]]))
   end)

   it("that yields to nobody is told", function()
      local result = run("own", [[
         local b = box(true, function(value) io.write(value, " ") if value == 1 then coroutine.yield() end end)
         b:put(2)
         moonwatch.sleep(0)
      ]])
      assert.equal("1 2 ", result.out)
      assert.truthy(result.err:find "^moonwatch: error in box: stray coroutine.yield in a task")
   end)
end)

describe("an embedding program's loop", function()
   it("drives tasks, deadlines, channels and handlers, and ends when all is done", function()
      assert.equal("task ticked got 42 1 2 end\n", output("foreign", [[
         local channel = moonwatch.channel()
         local b = box(true, function(value) io.write(value, " ") end)
         moonwatch.spawn(function()
            io.write "task "
            io.write("got ", channel:get(), " ")
            b:put(2)
            moonwatch.sleep(0.01)
            b:close()
            print "end"
         end)
         function ticked() io.write "ticked " channel:put(42) end
         tick(0.01)
      ]]))
   end)

   it("is driven by a wait of the main program, with the program's own callbacks", function()
      assert.equal("ticked got 1\nstopped nil\n", output("foreign", [[
         local channel = moonwatch.channel()
         function ticked() io.write "ticked " channel:put(1) end
         tick(0.01)
         print("got " .. channel:get())
         function ticked() moonwatch.stop() end
         tick(0.01)
         local value, why = channel:get()
         print(why .. " " .. tostring(value))
      ]]))
   end)

   it("survives the errors of tasks", function()
      local result = run("foreign", [[
         moonwatch.spawn("bad", function() moonwatch.sleep(0.001) error("boom", 0) end)
         moonwatch.spawn("good", function() moonwatch.sleep(0.01) print "good" end)
      ]])
      assert.equal("good\n", result.out)
      assert.truthy(result.err:find "^moonwatch: error in bad: boom\n")
   end)
end)

describe("memory that runs out", function()
   local chunk = [[
      moonwatch.on_error(function() end)
      local channel = moonwatch.channel(1)
      local interval = moonwatch.interval(0.0001)
      pcall(moonwatch.run, function()
         local task = moonwatch.spawn("reader", function()
            local _ <close> = setmetatable({}, { __close = function() end })
            for value in channel:each() do
               if value == 2 then error "two" end
            end
         end)
         moonwatch.spawn(function() for i = 1, 3 do channel:put(i, 0.01) end end)
         moonwatch.select { interval, channel, timeout = 0.01 }
         pcall(moonwatch.scope, function(scope)
            scope:spawn(function() moonwatch.sleep(0.0001) error "x" end)
            scope:spawn(function() moonwatch.sleep(1) end)
         end)
         for value in moonwatch.coroutine.wrap(function() moonwatch.sleep(0.0001) coroutine.yield(1) end) do break end
         task:join(0.01)
      end)
      local b = box(false, function(value) if value == 2 then moonwatch.sleep(0) end end)
      b:put(3)
      moonwatch.sleep(0.0001)
      b:close()
   ]]

   it("is survived wherever it happens", function()
      local result = run("starve", chunk)
      assert.same({ "survived many\n", 0 }, { result.out, result.status })
   end)

   it("leaves Lua's own buffers whole under a limit", function()
      -- A longer search path would need a buffer before the limit is set.
      local result = helper.run({ driver, "starve", [[
         require "moonwatch.core".limit_memory(1 << 30)
         for i = 1, 30 do
            local ok, message = pcall(string.rep, "x", 5000 + i)
            if not ok and message ~= "not enough memory" then print(message) end
         end
      ]] }, { env = { LUA_PATH = "/none/?.lua" } })
      assert.same({ "survived many\n", 0 }, { result.out, result.status })
   end)

   it("gives no handler of an inotify object another one's event", function()
      local result = run("starve", ([[
         local folder, wrong = %q, 0
         moonwatch.on_error(function() end)
         local inotify = moonwatch.inotify()
         if not inotify then return end
         local function add(op)
            inotify:add(folder, op, function(event) if type(event) ~= "userdata" or event.op ~= op then wrong = wrong + 1 end end)
         end
         add "create"
         add "delete"
         local function work()
            for _ = 1, 3 do
               local file = io.open(folder .. "/f", "w")
               if file then file:close() end
               os.remove(folder .. "/f")
            end
         end
         work()
         pcall(inotify.add, inotify, folder, "attrib") -- decodes for all of them
         work()
         for _ = 1, 3 do pcall(moonwatch.step, 0) end
         if wrong > 0 then print(wrong) end
         inotify:close()
      ]]):format(helper.folder()))
      assert.same({ "survived many\n", 0 }, { result.out, result.status })
   end)
end)
