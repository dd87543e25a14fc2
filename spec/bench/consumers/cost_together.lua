-- SPDX-License-Identifier: MIT
-- Twenty watchers as those of rules, with one tree and a pattern each that nothing fits; they hear of nothing: LOAD DIR FILES.
local together = require("moonwatch.watcher").watch_together

local watchers = {}
for i = 1, 20 do watchers[i] = assert(together(("%s/**/*.x%d"):format(arg[2], i), { latency = 0 })) end
assert(os.execute(("%s load %s moves %s 0"):format(arg[1], arg[2], arg[3])))
assert(watchers[1]:sync(60))
for _, watcher in ipairs(watchers) do assert(not watcher:get(0)) end
