-- Ships new lines of all logs in a folder, whole lines only and in order, and remembers how far it came.
--
--    $ mkdir logs sent; echo 'before the start' > logs/app.log
--    $ moonwatch examples/ship-logs.lua &
--    $ echo 'first line' >> logs/app.log
--    app.log: before the start
--    app.log: first line
--    $ printf 'second line\nhalf a' >> logs/app.log
--    app.log: second line
--    $ echo ' line' >> logs/app.log
--    app.log: half a line

local function read(path, from)
   local file <close> = io.open(path, "rb")
   if not file then return nil end       -- gone meanwhile
   local size = file:seek "end"
   if from > size then from = 0 end      -- another file, or emptied: from its beginning
   file:seek("set", from)
   return file:read "a":match "^.*\n" or "", from
end

rule "ship" {
   watch    = "logs/*.log",
   start    = true,                      -- what was written while nobody watched
   settle   = 0.2,
   max_wait = 1,                         -- a busy log is shipped every second
   each     = function(change)
      local mark = "sent/" .. change.name
      local lines, from = read(change.path, tonumber((read(mark, 0))) or 0)
      if not lines or lines == "" then return end
      for line in lines:gmatch "([^\n]*)\n" do log.info("%s: %s", change.name, line) end
      -- In earnest: local result = exec { "curl", "--fail", "--data-binary", "@-", url, stdin = lines }
      local file <close> = assert(io.open(mark, "wb"))
      assert(file:write(from + #lines, "\n"))  -- only now: what could not be sent is sent again
   end,
   retry    = { times = 100, delay = 1, cap = 60 },
}
