-- SPDX-License-Identifier: MIT
-- Many rules with disjoint roots, of which one has work: DIR EXPECTED RULES; roots are DIR/r1 ... DIR/rN.
local expected = tonumber(arg[2])
local count, round = 0, 0

for index = 1, tonumber(arg[3]) do
   rule("r" .. index) {
      watch  = arg[1] .. "/r" .. index,
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
end
