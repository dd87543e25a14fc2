-- SPDX-License-Identifier: MIT
-- Watches many directories, each a root of its own: - DIR ROOTS.
local moonwatch = require "moonwatch"

local roots = {}
for i = 1, tonumber(arg[3]) do roots[i] = ("%s/%d"):format(arg[2], i) end
assert(os.execute(("cd %s && seq %s | xargs mkdir"):format(arg[2], arg[3])))
local watcher = assert(moonwatch.watch(roots))
assert(watcher:stats().directories == #roots)
