-- SPDX-License-Identifier: MIT
--
-- log.lua - moonwatch log: sets the log level of a running host.

local client = require "moonwatch.cli.client"
local logging = require "moonwatch.cli.logging"

return client.command {
   summary = "Sets the log level of a running host.",
   usage = "moonwatch log [--socket PATH] debug|info|warn|error",
   define = function(parser) parser:argument("level", "The least important level that is logged."):choices(logging.levels) end,
   request = function(given) return { verb = "log", level = given.level } end,
}
