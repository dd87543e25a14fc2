-- SPDX-License-Identifier: MIT
-- Watchers as those of rules, with one tree of 100 directories, each of which looks into another one of them: - DIR WATCHERS.
local together = require("moonwatch.watcher").watch_together

assert(os.execute(("cd %s && seq 100 | xargs mkdir"):format(arg[2])))
local watchers = {}
for i = 1, tonumber(arg[3]) do watchers[i] = assert(together(arg[2], { match = i .. "/*.c" })) end
assert(watchers[1]:stats().directories == 101)
