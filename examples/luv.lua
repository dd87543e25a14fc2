-- Answers whoever connects with what changed last: a watcher beside a server of libuv. Needs the Lua module luv.
--
--    $ mkdir inbox
--    $ lua5.4 examples/luv.lua inbox server &
--    $ touch inbox/letter
--    create letter
--    $ echo 'local uv = require "luv"; local pipe = uv.new_pipe(false)' > ask.lua
--    $ echo 'pipe:connect("server", function() pipe:read_start(function(_, text) io.write(text or "") end) end)' >> ask.lua
--    $ echo 'uv.run()' >> ask.lua; lua5.4 ask.lua > answer; grep -q letter answer
--    was asked

local uv = require "luv"
local moonwatch = require "moonwatch"
local adapter = require "moonwatch.adapter.luv"

io.stdout:setvbuf "line"

local folder, socket = arg[1], arg[2]
local last = "nothing"
local watcher = assert(moonwatch.watch(folder, { events = "create delete move" }))
watcher:on({ default = function(event)
   last = event.op .. " " .. event.rel
   print(last)
end })

local server = uv.new_pipe(false)
assert(server:bind(socket))
server:listen(16, function()
   local client = uv.new_pipe(false)
   server:accept(client)
   print "was asked"
   client:write(last .. "\n", function() client:close() end)
end)

adapter.start()                          -- handlers and tasks of moonwatch run whenever uv.run does
print "ready"
uv.run()
