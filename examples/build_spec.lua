-- A spec of the rule script build.lua, in a made-up world: no disk, no compiler, no waiting.
--
--    $ busted examples/build_spec.lua

local testing = require "moonwatch.testing"

describe("the build", function()
   it("runs make once, 0.2 s after the last save of a source", function()
      local world = testing.load "examples/build.lua"
      world:save("src/a.c"):pass(0.1):save("src/deep/b.h"):save("README"):pass(0.1)
      assert.same({}, world:runs "build")
      world:pass(0.1)
      assert.same({ { "make", "--no-print-directory" } }, world:runs "build")
   end)

   it("is stopped by a save, and begins anew", function()
      local world = testing.load("examples/build.lua", { processes = { make = { seconds = 60 } } })
      world:save("src/a.c"):pass(1):save("src/a.c"):pass(1)
      assert.equal(2, #world:runs "build")
      assert.same({ "TERM" }, world.records[1].signals)
      assert.is_true(world:pass_until_idle())
      assert.equal(2, #world:runs "build")
   end)
end)
