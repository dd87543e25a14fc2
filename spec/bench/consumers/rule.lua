-- SPDX-License-Identifier: MIT
-- A rule with a function, per changed path once that has settled: "run" or "each" DIR.
local moonwatch = require "moonwatch"
local rules = require "moonwatch.rules"

rules.log:set { level = "warn" }

local count = 0

local function handle(change)
   if not change.name:find "^end%-" then
      count = count + 1
      return
   end
   print(change.name, count)
   io.stdout:flush()
   count = 0
end

local function handle_all(batch)
   for _, change in ipairs(batch) do handle(change) end
end

rules.rule "count" {
   watch = arg[2], settle = 0.02, max_wait = 60, on = { "create", "modify", "move" },
   [arg[1]] = arg[1] == "each" and handle or handle_all,
   limit = 1,
}
assert(rules.start())
print "ready"
io.stdout:flush()
moonwatch.run()
