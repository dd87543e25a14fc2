-- SPDX-License-Identifier: MIT
-- Takes the events of directories that are made with a file in each, and ends: - DIR DIRECTORIES.
local moonwatch = require "moonwatch"

local watcher = assert(moonwatch.watch(arg[2], { events = "create", latency = 0 }))
assert(os.execute(("cd %s && seq %s | xargs mkdir && for d in *; do : > $d/f; done"):format(arg[2], arg[3])))
assert(watcher:sync(60))
local count = 0
for _ in watcher:each(0) do count = count + 1 end
assert(count == 2 * arg[3], count)
