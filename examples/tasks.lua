-- Several things at once in straight lines: a watcher, a clock and a program, each in a task of its own.
--
--    $ mkdir inbox
--    $ lua5.4 examples/tasks.lua inbox &
--    $ touch inbox/a
--    create a
--    tick 1
--    tick 2
--    uname says Linux

local moonwatch = require "moonwatch"

io.stdout:setvbuf "line"

moonwatch.run(function()
   local watcher <close> = assert(moonwatch.watch(arg[1]))
   print "ready"
   local event = watcher:get()           -- waits, and lets others run
   print(event.op .. " " .. event.rel)

   moonwatch.scope(function(scope)       -- ends when its tasks have; one that fails ends the others
      scope:spawn("clock", function()
         for tick = 1, 2 do
            moonwatch.sleep(0.1)
            print("tick " .. tick)
         end
      end)
      scope:spawn("program", function()
         local result = assert(moonwatch.exec { "sh", "-c", "sleep 0.3; uname", timeout = 10 })
         print("uname says " .. result.out:gsub("\n", ""))
      end)
   end)
end)
