-- SPDX-License-Identifier: MIT
-- Watches directories within directories until all is ready and ends: - DIR DEPTH.
local moonwatch = require "moonwatch"

assert(os.execute(("cd %s && for i in $(seq %s); do mkdir d && cd d; done"):format(arg[2], arg[3])))
local watcher = assert(moonwatch.watch(arg[2], { events = "create" }))
assert(watcher:stats().entries == tonumber(arg[3]))
