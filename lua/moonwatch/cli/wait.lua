-- SPDX-License-Identifier: MIT
--
-- wait.lua - moonwatch wait: until all that changed before is handled and nothing runs.

local client = require "moonwatch.cli.client"
local options = require "moonwatch.cli.options"

return client.command {
   summary = "Waits until all that changed before is handled and nothing runs.",
   usage = "moonwatch wait [options] [RULE]",
   epilog = "Ends with 0 then, 1 where the last run of a rule failed, 3 where S seconds were not enough.",
   define = function(parser)
      parser:argument("rule", "One rule alone."):args "?"
      parser:option("--timeout", "Wait no longer than S seconds."):argname("S"):convert(options.seconds)
   end,
   request = function(given) return { verb = "wait", rule = given.rule, timeout = given.timeout } end,
}
