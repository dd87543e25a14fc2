-- SPDX-License-Identifier: MIT
--
-- moonwatch - exact, scriptable file watching for Linux: what `require "moonwatch"` returns.
--
-- The functions of the core and of the tasks are here from the start; the larger parts are loaded by the first use of
-- their name. Nothing here opens a descriptor.

local core = require "moonwatch.core"

-- Misuse is reported at the user's line, never in a file beside this one.
core.own_files((debug.getinfo(1, "S").source:gsub("init%.lua$", "")))

local task = require "moonwatch.task"

local moonwatch = {}

local PUBLIC = {
   "version", "errno",
   "mask", "inotify", "parse", "limits", "pattern",
   "run", "stop", "step", "next_timeout", "pollfd", "sleep", "now", "on_error",
   "spawn", "select", "interval", "signal", "channel",
}
for _, name in ipairs(PUBLIC) do moonwatch[name] = core[name] end
for name, value in pairs(task) do moonwatch[name] = value end

-- name -> where it lives: a field of that module, or (true) the module itself.
local LAZY = {
   watch = { "moonwatch.watcher", "watch" },
   exec = { "moonwatch.process", "exec" },
   process = { "moonwatch.process", "process" },
   rules = { "moonwatch.rules", true },
   testing = { "moonwatch.testing", true },
}

local function load_part(self, name)
   local part = LAZY[name]
   if not part then return nil end
   local value = require(part[1])
   if part[2] ~= true then value = value[part[2]] end
   rawset(self, name, value)
   return value
end

return setmetatable(moonwatch, { __index = load_part })
