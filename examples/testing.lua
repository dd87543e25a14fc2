-- Tests a rule script without a disk, without processes and without waiting.
--
--    $ lua5.4 examples/testing.lua &
--    $ echo the checks take no time
--    saved once: make ran once
--    saved during a build: stopped and built anew

local testing = require "moonwatch.testing"

print "ready"

local script = [[
rule "build" {
   watch  = "src/**/*.{c,h}",
   settle = 0.2,
   run    = { "make" },
   busy   = "restart",
}
]]

do
   local world = testing.load(script)
   world:save("src/a.c"):pass(0.1):save("src/deep/b.h"):save("README"):pass(0.2)
   assert(#world:runs "build" == 1)
   print "saved once: make ran once"
end

do
   local world = testing.load(script, { processes = { make = { seconds = 60 } } })
   world:save("src/a.c"):pass(1):save("src/a.c"):pass(1)
   assert(#world:runs "build" == 2)
   assert(world.records[1].signals[1] == "TERM")
   print "saved during a build: stopped and built anew"
end
