-- SPDX-License-Identifier: MIT
--
-- reload.lua - moonwatch reload: has a running host load its scripts anew.

local client = require "moonwatch.cli.client"
local exit = require "moonwatch.cli.exit"

return client.command {
   summary = "Has a running host load its scripts anew. All or nothing: an error leaves the old rules at work.",
   usage = "moonwatch reload [--socket PATH]",
   epilog = "Ends with 0 once the new rules are at work, 1 where they are not.",
   request = function() return { verb = "reload" } end,
   show = function(answer) exit.print(("reloaded: %d rule%s\n"):format(answer.rules, answer.rules == 1 and "" or "s")) end,
}
