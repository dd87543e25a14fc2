-- Builds in a coroutine of cqueues, beside whatever else it serves. Needs the Lua module cqueues.
--
--    $ mkdir src
--    $ lua5.4 examples/cqueues.lua src &
--    $ touch src/a.c
--    close_write a.c: 1 file
--    $ touch src/b.c
--    close_write b.c: 2 files

local cqueues = require "cqueues"
local moonwatch = require "moonwatch"
local adapter = require "moonwatch.adapter.cqueues"

io.stdout:setvbuf "line"

local queue = cqueues.new()
local watcher = assert(moonwatch.watch(arg[1], { events = "close_write" }))

-- Whatever may wait is awaited: this coroutine waits for it, the others go on.
local function next_event() return adapter.await(watcher.get, watcher) end
local function list() return adapter.await(moonwatch.exec, { "ls", "--", arg[1] }) end

queue:wrap(function()
   print "ready"
   for event in next_event do
      local _, count = list().out:gsub("\n", "")
      print(("%s %s: %d file%s"):format(event.op, event.rel, count, count == 1 and "" or "s"))
   end
end)

queue:wrap(function()
   while true do
      cqueues.sleep(3600)
      print "an hour has gone by"
   end
end)

assert(queue:loop())
