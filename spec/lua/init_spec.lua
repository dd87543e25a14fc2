-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch"

describe("the module", function()
   it("has every name of its reference", function()
      local types = {}
      for _, name in ipairs { "run", "spawn", "scope", "sleep", "now", "select", "timeout", "interval", "signal",
         "channel", "stop", "pollfd", "step", "next_timeout", "on_error", "inotify", "parse", "limits", "watch",
         "pattern", "exec", "process" } do
         if type(moonwatch[name]) ~= "function" then types[name] = type(moonwatch[name]) end
      end
      assert.same({}, types)
      assert.same({ "string", "table", "table" },
         { type(moonwatch.version), type(moonwatch.errno), type(moonwatch.coroutine) })
      assert.is_nil(moonwatch.no_such_name)
   end)

   it("loads its larger parts at their first use, and opens nothing", function()
      local script = helper.program([[
         local helper = require "support.helper"
         local function count() return #helper.descriptors() end
         local before = count()
         local moonwatch = require "moonwatch"
         local function loaded() return package.loaded["moonwatch.process"] ~= nil end
         print(loaded(), moonwatch.exec ~= nil, loaded(), moonwatch.watch ~= nil, count() - before)
      ]])
      assert.same({ status = 0, out = "false\ttrue\ttrue\ttrue\t0\n", err = "" },
         helper.run { helper.interpreter, script })
   end)

   it("changes no signal's disposition", function()
      local script = helper.program([[
         local function signals()
            local status = io.open("/proc/self/status"):read "a"
            return status:match "SigIgn:%s*(%x+)" .. status:match "SigCgt:%s*(%x+)"
         end
         local before = signals()
         local moonwatch = require "moonwatch"
         local _ = moonwatch.watch, moonwatch.exec
         moonwatch.sleep(0)
         print(before == signals())
      ]])
      assert.equal("true\n", helper.run({ helper.interpreter, script }).out)
   end)
end)
