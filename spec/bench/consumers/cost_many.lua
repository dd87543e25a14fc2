-- SPDX-License-Identifier: MIT
-- Two hundred watchers with folders of their own; in one of them a file is made again and again, and heard of: LOAD DIR FILES.
local moonwatch = require "moonwatch"

local watchers = {}
for i = 1, 200 do watchers[i] = ("%s/%d"):format(arg[2], i) end
assert(os.execute("mkdir " .. table.concat(watchers, " ")))
for i, dir in ipairs(watchers) do watchers[i] = assert(moonwatch.watch(dir, { latency = 0 })) end
local count = 0
for i = 1, tonumber(arg[3]) do
   io.open(("%s/1/%d"):format(arg[2], i), "w"):close()
   repeat
      local event = assert(watchers[1]:get(10))
      count = count + 1
   until event.op == "close_write"
end
print(count)
