-- SPDX-License-Identifier: MIT
--
-- record.lua - moonwatch record: what happens, as a log that `replay` feeds to a rule script again. It is `events` with
-- everything a rule can see, as JSON.

local events = require "moonwatch.cli.events"
local options = require "moonwatch.cli.options"

local record = {
   summary = "Writes what happens as a log that `moonwatch replay` feeds to a rule script: events, with all that rules "
      .. "can see, as JSON.",
   usage = "moonwatch record [options of events] PATH... >LOG",
   epilog = "Give the paths as the script gives them: replay compares names.",
   define = events.define,
   run = events.run,
}

function record.parse(words)
   local all = { "--json", "--events", "create,modify,close_write,attrib,delete,move" }
   return options.parse("record", record, table.move(words, 1, #words, #all + 1, all))
end

return record
