-- Several things at once in straight lines: a watcher, a clock and a program, each in a task of its own.
--
--    $ mkdir inbox
--    $ lua5.4 examples/tasks.lua inbox &
--    $ touch inbox/a
--    a came
--    tick
--    uname says Linux

local moonwatch = require "moonwatch"

io.stdout:setvbuf "line"

moonwatch.run(function()
   local watcher <close> = assert(moonwatch.watch(arg[1]))
   print "ready"
   watcher:get()

   local listing = moonwatch.spawn("listing", function()
      for name in io.popen("ls " .. arg[1]):lines() do print(name .. " came") end
   end)
   local clock = moonwatch.spawn("clock", function()
      moonwatch.sleep(0.1)
      print "tick"
   end)
   local program = moonwatch.spawn("program", function()
      return assert(moonwatch.exec { "uname" }).out
   end)

   listing:join()
   clock:join()
   local _, out = program:join(5)
   print("uname says " .. out:gsub("\n", ""))
end)
