-- SPDX-License-Identifier: MIT
--
-- record.lua - moonwatch record: what happens, as a log that `replay` feeds to a rule script again. It is `events` with
-- everything a rule can see, as JSON.

local events = require "moonwatch.cli.events"

local record = {
   summary = "Writes what happens as a log that `moonwatch replay` feeds to a rule script: events, with all that rules "
      .. "can see, as JSON.",
   usage = "moonwatch record [options] PATH... >LOG",
   epilog = [[
Give the paths as the script gives them: replay compares names.

Ends with 0 after --count, 1 where something cannot be watched, 2 on a wrong option,
3 where nothing happened for --timeout, 128 + n by signal n.]],
   define = events.define_record,
}

function record.run(given)
   given.json = true
   given.events = { { "create", "modify", "close_write", "attrib", "delete", "move", "overflow", "gone", "back", "unwatched" } }
   return events.run(given)
end

return record
