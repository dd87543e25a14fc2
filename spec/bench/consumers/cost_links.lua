-- SPDX-License-Identifier: MIT
-- Watches directories with a symbolic link to itself in each, and closes: - DIR DIRECTORIES.
local moonwatch = require "moonwatch"

assert(os.execute(("cd %s && seq %s | xargs mkdir && for d in *; do ln -s . $d/l; done"):format(arg[2], arg[3])))
local watcher = assert(moonwatch.watch(arg[2], { follow = true }))
assert(watcher:stats().entries == 2 * arg[3])
watcher:close()
