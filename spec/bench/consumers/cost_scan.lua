-- SPDX-License-Identifier: MIT
-- Watches a tree until all is ready and ends: - DIR.
local moonwatch = require "moonwatch"

local watcher = assert(moonwatch.watch(arg[2], { events = "create" }))
print(watcher:stats().entries)
