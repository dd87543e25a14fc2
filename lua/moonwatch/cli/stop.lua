-- SPDX-License-Identifier: MIT
--
-- stop.lua - moonwatch stop: ends a running host politely, and waits until it has ended.

local client = require "moonwatch.cli.client"

return client.command {
   summary = "Ends a running host politely, and waits until it has ended.",
   usage = "moonwatch stop [--socket PATH]",
   request = function() return { verb = "stop" } end,
   show = function(_, _, connection)
      while client.next(connection) do end
   end,
}
