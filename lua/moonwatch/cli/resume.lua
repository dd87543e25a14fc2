-- SPDX-License-Identifier: MIT
--
-- resume.lua - moonwatch resume: a paused rule goes on.

local client = require "moonwatch.cli.client"

return client.command {
   summary = "A paused rule goes on, with what it has collected.",
   usage = "moonwatch resume [--socket PATH] RULE",
   define = function(parser) parser:argument("rule", "The rule's name.") end,
   request = function(given) return { verb = "resume", rule = given.rule } end,
}
