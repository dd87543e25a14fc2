-- SPDX-License-Identifier: MIT
--
-- count_batches.lua - the counting function of the rules among the consumers: a round ends with the batch in which the
-- EXPECTED-th change comes. Returns what a rule may run.

return function(expected)
   local count, round = 0, 0
   return function(batch)
      for _ in ipairs(batch) do count = count + 1 end
      if count < expected then return end
      round = round + 1
      print(("end-%d %d"):format(round, count))
      io.stdout:flush()
      count = 0
   end
end
