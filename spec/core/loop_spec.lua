-- SPDX-License-Identifier: MIT
--
-- loop_spec.lua - descriptors, deadlines, jobs and signals, below Lua.

local helper = require "support.helper"

local function show(situation)
   local result = helper.run { helper.build .. "/spec/core/loop_driver", situation }
   assert.same({ "", 0 }, { result.err, result.status })
   return result.out
end

describe("the loop", function()
   it("looks at a descriptor while it is started", function()
      assert.equal("start 0\nnothing 0\nfirst a\nfirst b\nagain 0\nmuted 0\nfirst c\nidle 1\n", show "io")
   end)

   it("looks at descriptors above 1024", function()
      assert.equal("open 0, above 1024: 1\nstart 0\nnothing 0\nfirst a\nfirst b\nagain 0\nmuted 0\nfirst c\nidle 1\n",
         show "many")
   end)

   it("lets two look at one descriptor, and one stop the other in the same batch", function()
      assert.truthy(show("twice"):find "^second 0\n%a+ stops both\nran 1\nthen 0\n$")
   end)

   it("refuses regular files and closed descriptors", function()
      assert.equal("file Operation not permitted\nclosed Bad file descriptor\nidle 1\n", show "refused")
   end)

   it("keeps deadlines in order and never early, however they are moved and stopped", function()
      assert.equal("half 1 disordered 0 early 0\n", show "timers")
   end)

   it("does each job once per start and turn", function()
      assert.equal("timeout 0\njob 1\nturn 1\njob 2\nturn 1\njob 3\nturn 1\njob 4\nturn 1\ntimeout -1\n", show "jobs")
   end)

   it("has a descriptor that is readable whenever there is work, deadlines and jobs included", function()
      assert.equal("quiet 0\ntick\nquiet 0\njob 1\nquiet 0 idle 1\n", show "polled")
   end)

   it("lives in a loop of the embedding program, which ends when nothing is left", function()
      assert.equal("job\nafter dispatch\ntimer\nafter dispatch\nfirst x\nafter dispatch\nended, idle 1\n", show "foreign")
   end)

   it("shares a signal inside one loop, refuses it to another, and gives the disposition back", function()
      assert.equal("a 0 b 0\nrival Device or resource busy\na 2\nb takes 2\na takes 0\nrival 0\ndefault 1\n",
         show "signals")
   end)
end)
