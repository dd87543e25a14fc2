-- SPDX-License-Identifier: MIT
--
-- pause.lua - moonwatch pause: a rule collects changes and runs nothing.

local client = require "moonwatch.cli.client"

return client.command {
   summary = "A rule collects changes and runs nothing, until `moonwatch resume`.",
   usage = "moonwatch pause [options] RULE",
   define = function(parser)
      parser:argument("rule", "The rule's name.")
      parser:flag("--drop", "Forget what changes meanwhile.")
   end,
   request = function(given) return { verb = "pause", rule = given.rule, drop = given.drop } end,
}
