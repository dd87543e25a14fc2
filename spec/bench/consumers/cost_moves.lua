-- SPDX-License-Identifier: MIT
-- Takes the events of files that are moved out of the tree at once and ends: LOAD DIR FILES.
local moonwatch = require "moonwatch"

local function trial(what)
   assert(os.execute(("%s %s %s/in out %s 0"):format(arg[1], what, arg[2], arg[3])))
end

assert(os.execute(("mkdir %s/in"):format(arg[2])))
trial "prepare"
local watcher = assert(moonwatch.watch(arg[2] .. "/in", { events = "delete", latency = 0 }))
trial "load"
assert(watcher:sync(60))
local count = 0
for _ in watcher:each(0) do count = count + 1 end
assert(count == tonumber(arg[3]), count)
