-- Follows a log file by its name, over rotation, deletion and a late start: `tail -F` in a screen of Lua.
--
--    $ echo old > app.log
--    $ lua5.4 examples/follow.lua app.log &
--    $ echo one >> app.log
--    one
--    $ mv app.log app.log.1; echo two > app.log
--    two

local moonwatch = require "moonwatch"

io.stdout:setvbuf "line"

local path = arg[1]
local watcher <close> = assert(moonwatch.watch(path, { events = "create modify", missing = "wait" }))
local file = io.open(path, "rb")
if file then file:seek "end" end
print("watching " .. path)

local function show_new_lines()
   if file then io.write(file:read "a") end
end

for event in watcher:each() do
   if event.op == "create" then  -- the name is another file now
      show_new_lines()           -- what was still written to the old one
      if file then file:close() end
      file = io.open(path, "rb")
   end
   show_new_lines()
end
