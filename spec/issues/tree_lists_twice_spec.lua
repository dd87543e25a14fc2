-- SPDX-License-Identifier: MIT
--
-- A polled directory that was listed twice in one go was read on from its end the second time: all its entries were told
-- as deleted.

local helper = require "support.helper"
local scene = require "support.scene"

describe("a directory that goes while its parent is listed", function()
   helper.leaves_nothing()

   it("makes that be listed again, whole", function()
      local s = scene.new()
      for _, rel in ipairs { "p/f", "p/g" } do helper.write(s.R .. "/" .. rel, "x") end
      s:watch {
         backend = "poll",
         interval = 60,
         filter = function(rel)
            if rel == "p/new" then os.remove(s.R .. "/p/new") end
            return true
         end,
      }
      helper.mkdir(s.R .. "/p/new")
      assert.same({ "*create p/new/", "*delete p/new/" }, s:events())
      s:check { none = true }
   end)
end)
