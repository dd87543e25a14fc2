-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch.core"

local function limit(name)
   return math.tointeger(tonumber(helper.read("/proc/sys/fs/inotify/" .. name)))
end

describe("moonwatch.limits", function()
   helper.leaves_nothing()

   it("tells the three limits of the kernel", function()
      assert.same({
         max_queued_events = limit "max_queued_events",
         max_user_instances = limit "max_user_instances",
         max_user_watches = limit "max_user_watches",
      }, moonwatch.limits())
   end)
end)

describe("limits_usage", function()
   helper.leaves_nothing()

   local function own(usage)
      local pid = math.tointeger(tonumber(helper.read("/proc/self/stat"):match "^%d+"))
      for _, process in ipairs(usage) do
         if process.pid == pid then return process end
      end
   end

   it("counts what each process holds", function()
      local before = own(moonwatch.limits_usage()) or { instances = 0, watches = 0 }
      local dir = helper.folder()
      helper.mkdir(dir .. "/a")
      local one <close> = assert(moonwatch.inotify())
      local two <close> = assert(moonwatch.inotify())
      assert(one:add(dir, "create"))
      assert(two:add(dir, "create"))
      assert(two:add(dir .. "/a", "create"))
      local usage = moonwatch.limits_usage()
      local now = own(usage)
      assert.equal(before.instances + 2, now.instances)
      assert.equal(before.watches + 3, now.watches)
      assert.is_string(now.name)
      assert.is_true(usage.instances >= now.instances and usage.watches >= now.watches)
   end)

   it("counts one user where asked for", function()
      local usage = moonwatch.limits_usage(4000000)
      assert.same({ instances = 0, watches = 0, partial = false }, usage)
   end)
end)
