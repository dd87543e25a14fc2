-- SPDX-License-Identifier: MIT
--
-- A directory that an exchange brought to a name is exchanged with one that nobody watches yet, before anybody could read:
-- the kernel merges the two comings to that name, and what came last stayed unknown.

local helper = require "support.helper"
local scene = require "support.scene"

describe("an exchange behind another", function()
   helper.leaves_nothing()

   it("with a directory that is not watched yet is found, with what is in it", function()
      local s = scene.new()
      helper.write(s.R .. "/d/a/f", "x")
      s:watch()
      helper.mkdir(s.R .. "/y")
      helper.write(s.R .. "/n/p/g", "x")
      assert(scene.probe.exchange(s.R .. "/d/a", s.R .. "/y"))
      assert(scene.probe.exchange(s.R .. "/n/p", s.R .. "/d/a"))
      s:check()
   end)
end)
