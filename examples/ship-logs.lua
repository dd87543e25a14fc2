-- Ships new lines of all logs in a folder, in batches and in order, and remembers how far it came.
--
--    $ mkdir logs; echo old > logs/app.log
--    $ moonwatch examples/ship-logs.lua &
--    $ echo 'first line' >> logs/app.log
--    app.log: first line
--    $ printf 'second line\nhalf a' >> logs/app.log
--    app.log: second line
--    $ echo ' line' >> logs/app.log
--    app.log: half a line

local shipped = {} -- path -> how many bytes; what was there at the start counts as shipped

-- The whole lines that are new, and where they end. A file that became shorter begins anew.
local function new_lines(path)
   local file <close> = io.open(path, "rb")
   if not file then return nil end
   local size = file:seek "end"
   local from = shipped[path] or 0
   file:seek("set", from <= size and from or 0)
   local text = file:read "a"
   local whole = text:match "^.*\n" or ""
   return whole, (from <= size and from or 0) + #whole
end

for _, path in ipairs { "logs/app.log" } do
   local _, size = new_lines(path)
   shipped[path] = size
end

rule "ship" {
   watch    = "logs/*.log",
   settle   = 0.2,
   max_wait = 1,                         -- a busy log is shipped every second
   each     = function(change)
      local lines, to = new_lines(change.path)
      if not lines or lines == "" then return end
      for line in lines:gmatch "[^\n]+" do log.info("%s: %s", change.name, line) end
      shipped[change.path] = to          -- only now: what could not be sent is sent again
   end,
   retry    = { times = 100, delay = 1, cap = 60 },
}
