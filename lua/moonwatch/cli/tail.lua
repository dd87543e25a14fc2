-- SPDX-License-Identifier: MIT
--
-- tail.lua - moonwatch tail: the log of a running host, as it comes.

local client = require "moonwatch.cli.client"
local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"

return client.command {
   summary = "Shows the log of a running host as it comes, after its last lines.",
   usage = "moonwatch tail [options]",
   epilog = "Ends with 0 when the host ends.",
   define = function(parser)
      parser:flag("--json", "One JSON object a line.")
      parser:flag("--new", "Only what is logged from now on.")
   end,
   request = function(given) return { verb = "tail", history = not given.new } end,
   show = function(_, given, connection)
      for record in client.next, connection do
         local line = record.line
         record.line = line:gsub("\n$", "")
         exit.print(given.json and json.encode(record, { "level", "message", "line" }) .. "\n" or line)
      end
   end,
}
