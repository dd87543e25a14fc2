-- SPDX-License-Identifier: MIT
-- Many rules with disjoint roots, of which one has work: DIR EXPECTED RULES; roots are DIR/r1 ... DIR/rN.
local count = require "count_batches" (tonumber(arg[2]))

for index = 1, tonumber(arg[3]) do
   rule("r" .. index) {
      watch  = arg[1] .. "/r" .. index,
      on     = "modify",
      settle = 0.05,
      run    = count,
   }
end
