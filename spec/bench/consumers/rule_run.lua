-- SPDX-License-Identifier: MIT
-- A rule whose function gets a batch: DIR EXPECTED; counts the saved files.
rule "count" {
   watch  = arg[1],
   on     = "modify",
   settle = 0.05,
   run    = require "count_batches" (tonumber(arg[2])),
}
