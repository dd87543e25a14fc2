-- SPDX-License-Identifier: MIT
-- A rule with a function that is given one batch of new files, and ends: LOAD DIR FILES.
local moonwatch = require "moonwatch"
local rules = require "moonwatch.rules"

local left = tonumber(arg[3])

local function take(batch)
   left = left - #batch
   if left == 0 then moonwatch.stop() end
end

rules.log:set { level = "warn" }
rules.rule "take" { watch = arg[2], settle = 0.02, max_wait = 60, run = take }
assert(rules.start())
assert(os.execute(("%s load %s new %s 0"):format(arg[1], arg[2], arg[3])))
moonwatch.run()
assert(left == 0)
