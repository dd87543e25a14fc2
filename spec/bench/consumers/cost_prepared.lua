-- SPDX-License-Identifier: MIT
-- Takes the events of one load on what is there from the start, and ends: LOAD DIR COUNT KIND.
local moonwatch = require "moonwatch"

local kind = arg[4]
local events = { saves = "modify close_write", within = "move", renames = "move", ["in"] = "create", out = "delete" }

local function trial(what)
   assert(os.execute(("%s %s %s/in %s %s 0"):format(arg[1], what, arg[2], kind, arg[3])))
end

assert(os.execute(("mkdir -p %s/in/moving-0/below"):format(arg[2])))
trial "prepare"
local watcher = assert(moonwatch.watch(arg[2] .. "/in", { events = events[kind], latency = 0 }))
trial "load"
assert(watcher:sync(60))
local count = 0
for _ in watcher:each(0) do count = count + 1 end
assert(count >= tonumber(arg[3]), count)
