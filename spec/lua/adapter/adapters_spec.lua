-- SPDX-License-Identifier: MIT
--
-- adapters_spec.lua - moonwatch inside the loops of others. Each is asked the same, in a program of its own.

local helper = require "support.helper"

-- How each loop starts a coroutine, sleeps in one, and runs to its end.
local LOOPS = {
   cqueues = [[
      local cqueues = require "cqueues"
      local queue = cqueues.new()
      local adapter = require "moonwatch.adapter.cqueues"
      local function go(fn) queue:wrap(fn) end
      local function doze(seconds) cqueues.sleep(seconds) end
      local function start() return adapter.start(queue) end
      local function loop() assert(queue:loop()) end
   ]],
   luv = [[
      local uv = require "luv"
      local adapter = require "moonwatch.adapter.luv"
      local function go(fn) coroutine.wrap(fn)() end
      local function doze(seconds)
         local co = coroutine.running()
         local timer = uv.new_timer()
         timer:start(math.floor(seconds * 1000), 0, function()
            timer:close()
            coroutine.resume(co)
         end)
         coroutine.yield()
      end
      local start = adapter.start
      local function loop() uv.run() end
   ]],
   copas = [[
      local copas = require "copas"
      local adapter = require "moonwatch.adapter.copas"
      local running = 0
      local function go(fn)
         running = running + 1
         copas.addthread(function()
            fn()
            running = running - 1
         end)
      end
      -- The old copas knows no sleep.
      local function doze(seconds)
         adapter.await(moonwatch.sleep, seconds)
      end
      local function start()
         local driver = adapter.start()
         running = running + 1
         return { stop = function()
            driver:stop()
            running = running - 1
         end }
      end
      local function loop() while running > 0 do copas.step(10) end end
   ]],
}

-- Debian has copas for older Lua only; the file is the same.
local COPAS = "/usr/share/lua/5.2/?.lua"

local function run_program(text)
   local file = helper.program(('package.path = package.path .. ";%s"\n%s'):format(COPAS, text))
   return helper.run { helper.interpreter, file }
end

local function run(name, body)
   return run_program('local moonwatch = require "moonwatch"\n' .. LOOPS[name] .. body)
end

local function is_there(name)
   return run_program(("require %q"):format(name)).status == 0
end

local function says(lines)
   return { status = 0, out = table.concat(lines, "\n") .. "\n", err = "" }
end

for name in pairs(LOOPS) do
   describe("moonwatch.adapter." .. name, function()
      local function it_says(what, body, lines)
         it(what, function()
            if not is_there(name) then return pending("needs the Lua module " .. name) end
            assert.same(says(lines), run(name, body))
         end)
      end

      it_says("lets coroutines wait for tasks side by side, and gives what they return", [[
         local others = moonwatch.channel(2)
         go(function()
            print(adapter.await(function(a, b)
               others:get()
               others:get()
               return a, nil, b
            end, "slow", 3))
         end)
         local code
         go(function()
            code = adapter.await(moonwatch.exec, { "sh", "-c", "exit 3" }).code
            others:put(true)
         end)
         go(function()
            print(select("#", adapter.await(function() moonwatch.sleep(0.01) end)))
            others:put(true)
         end)
         loop()
         print(code)
      ]], { "0", "slow\tnil\t3", "3" })

      it_says("raises what a task raises", [[
         go(function()
            local ok, err = pcall(adapter.await, function() error { "told" } end); print(ok, err[1])
            print(pcall(adapter.await, function() error("plain", 0) end))
         end)
         loop()
      ]], { "false\ttold", "false\tplain" })

      it_says("drives tasks that were started elsewhere and deadlines that became sooner", [[
         local driver = start()
         go(function()
            doze(0.02)
            moonwatch.spawn(function() moonwatch.sleep(1000) end)
            doze(0.02)
            moonwatch.spawn(function()
               moonwatch.sleep(0.02)
               print "soon"
               driver:stop()
            end)
         end)
         loop()
      ]], { "soon" })

      it_says("serves a watcher with handlers while its own coroutines work", [[
         local folder = os.tmpname()
         os.remove(folder)
         os.execute("mkdir " .. folder)
         local watcher = assert(moonwatch.watch(folder))
         local driver = start()
         local seen = {}
         watcher:on("create", function(event)
            seen[#seen + 1] = event.rel
            moonwatch.sleep(0.001)
            if #seen < 20 then return end
            print(table.concat(seen, " "))
            watcher:close()
            driver:stop()
            os.execute("rm -r " .. folder)
         end)
         go(function()
            for i = 1, 20 do
               io.open(folder .. "/" .. i, "w"):close()
               doze(0.001)
            end
         end)
         loop()
      ]], { "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20" })

      it_says("waits without turning", [[
         local before = os.clock()
         go(function() adapter.await(function() moonwatch.sleep(0.5) end) end)
         loop()
         print(os.clock() - before < 0.25)
      ]], { "true" })
   end)
end

describe("cqueues.poll", function()
   it("waits for watchers and inotify objects by their own protocol", function()
      if not is_there "cqueues" then return pending "needs the Lua module cqueues" end
      local folder = helper.folder()
      local result = run("cqueues", ([[
         local watcher = assert(moonwatch.watch(%q))
         local inotify = assert(moonwatch.inotify())
         assert(inotify:add(%q, "create"))
         local function next_of(object)
            while true do
               local event = object:get(0)
               if event then return event end
               cqueues.poll(object)
            end
         end
         go(function() print(next_of(watcher).rel, next_of(watcher).op) end)
         go(function() print(next_of(inotify).name) end)
         go(function() io.open(%q, "w"):close() end)
         loop()
      ]]):format(folder, folder, folder .. "/made"))
      assert.same({ status = 0, err = "" }, { status = result.status, err = result.err })
      assert.truthy(result.out:find("made\tclose_write\n", 1, true) and result.out:find("made\n", 1, true), result.out)
   end)
end)
