-- SPDX-License-Identifier: MIT
--
-- trigger.lua - moonwatch trigger: runs a rule now, whatever has changed.

local client = require "moonwatch.cli.client"

return client.command {
   summary = "Runs a rule now, whatever has changed. `moonwatch wait RULE` waits for its end.",
   usage = "moonwatch trigger [--socket PATH] RULE",
   define = function(parser) parser:argument("rule", "The rule's name.") end,
   request = function(given) return { verb = "trigger", rule = given.rule } end,
}
