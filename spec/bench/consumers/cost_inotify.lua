-- SPDX-License-Identifier: MIT
-- Takes the events of one load from an inotify object and ends: LOAD DIR FILES.
local moonwatch = require "moonwatch"

local inotify = assert(moonwatch.inotify())
assert(inotify:add(arg[2], "create close_write delete move"))
assert(os.execute(("%s load %s files %s 0"):format(arg[1], arg[2], arg[3])))
local count = 0
for _ in inotify:each(0) do count = count + 1 end
print(count)
