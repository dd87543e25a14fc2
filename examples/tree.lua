-- Every change in a whole tree, told once, with the path it has now: new folders and renamed ones are followed.
--
--    $ mkdir project
--    $ lua5.4 examples/tree.lua project &
--    $ mkdir -p project/a/b && echo text > project/a/b/file
--    close_write a/b/file
--    $ mv project/a project/z && echo more > project/z/b/file
--    move z (was a)
--    close_write z/b/file

local moonwatch = require "moonwatch"

io.stdout:setvbuf "line"

local watcher <close> = assert(moonwatch.watch(arg[1]))
print "ready"

for event in watcher:each() do
   local was = event.from_rel and (" (was %s)"):format(event.from_rel) or ""
   print(event.op .. " " .. event.rel .. was)
end
