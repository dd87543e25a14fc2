-- SPDX-License-Identifier: MIT
-- Takes the events of one load from a watcher and ends: LOAD DIR FILES.
local moonwatch = require "moonwatch"

local watcher = assert(moonwatch.watch(arg[2], { events = "create close_write delete move", latency = 0 }))
assert(os.execute(("%s load %s moves %s 0"):format(arg[1], arg[2], arg[3])))
assert(watcher:sync(60))
local count = 0
for _ in watcher:each(0) do count = count + 1 end
print(count)
