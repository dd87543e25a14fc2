-- The kernel's own events, one to one: what happens in a folder, until nothing did for five seconds.
--
--    $ mkdir inbox
--    $ lua5.4 examples/inotify.lua inbox &
--    $ echo text > inbox/letter
--    create inbox/letter
--    close_write inbox/letter

local moonwatch = require "moonwatch"

io.stdout:setvbuf "line"

local inotify <close> = assert(moonwatch.inotify())
assert(inotify:add(arg[1], "create close_write delete move"))
print "ready"

for event in inotify:each(5) do
   print(table.concat(event.names, "+") .. " " .. event.path)
end
