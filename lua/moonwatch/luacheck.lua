-- SPDX-License-Identifier: MIT
--
-- luacheck.lua - the globals of rule scripts, for luacheck. In .luacheckrc:
--
--    stds.moonwatch = require "moonwatch.luacheck"
--    std = "lua54+moonwatch"                             -- or only for them: files["rules"] = { std = "lua54+moonwatch" }

local function fields_of(names)
   local fields = {}
   for name in names:gmatch "%S+" do fields[name] = {} end
   return fields
end

return {
   read_globals = {
      "rule", "defaults", "exec", "spawn", "sleep", "every", "at", "arg",
      log = { fields = fields_of "debug info warn error" },
      moonwatch = {
         fields = {
            "channel", "exec", "inotify", "interval", "limits", "next_timeout", "now", "on_error", "parse", "pattern", "pollfd",
            "process", "run", "scope", "select", "signal", "sleep", "spawn", "step", "stop", "timeout", "version", "watch",
            coroutine = { other_fields = true },
            errno = { other_fields = true },
            mask = { other_fields = true },
            rules = { other_fields = true },
            testing = { other_fields = true },
         },
      },
   },
}
