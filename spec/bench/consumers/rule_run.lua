-- SPDX-License-Identifier: MIT
-- A rule whose function gets a batch: DIR EXPECTED; counts the saved files.
local expected = tonumber(arg[2])
local count, round = 0, 0

rule "count" {
   watch  = arg[1],
   on     = "modify",
   settle = 0.05,
   run    = function(batch)
      for _ in ipairs(batch) do count = count + 1 end
      if count < expected then return end
      round = round + 1
      print(("end-%d %d"):format(round, count))
      io.stdout:flush()
      count = 0
   end,
}
