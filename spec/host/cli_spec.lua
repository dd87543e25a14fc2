-- SPDX-License-Identifier: MIT
--
-- cli_spec.lua - the program's front door: commands, help, version, what is wrong on the command line.

local helper = require "support.helper"

local function moonwatch(...)
   return helper.run({ helper.host, ... }, { timeout = 20 })
end

local COMMANDS = { "run", "events", "exec", "check", "record", "replay", "limits", "status", "reload", "stop", "pause",
   "resume", "trigger", "tail", "explain", "log", "wait", "metrics" }

describe("the program", function()
   it("tells its version", function()
      local result = moonwatch "--version"
      assert.equal(0, result.status)
      assert.equal("", result.err)
      assert.matches("^moonwatch %d+%.%d+%.%d+ %(Lua 5%.4, libev, Linux .*%)\n$", result.out)
   end)

   it("shows every command in its help, on standard output", function()
      local result = moonwatch "--help"
      assert.equal(0, result.status)
      assert.equal("", result.err)
      for _, name in ipairs(COMMANDS) do assert.matches("\n  " .. name .. " ", result.out) end
   end)

   it("has a help for each command", function()
      for _, name in ipairs(COMMANDS) do
         local result = moonwatch(name, "--help")
         assert.equal(0, result.status, name)
         assert.equal("", result.err, name)
         assert.matches("^Usage: moonwatch ", result.out)
         assert.matches("\n +%-h, %-%-help ", result.out)
      end
   end)

   it("shows the same help for `help COMMAND`", function()
      assert.same(moonwatch("events", "--help"), moonwatch("help", "events"))
   end)

   it("wants a script or a command", function()
      local result = moonwatch()
      assert.equal(2, result.status)
      assert.equal("", result.out)
      assert.matches("^Usage: moonwatch .*\nmoonwatch: a script or a command is missing\n$", result.err)
   end)

   it("names the nearest command", function()
      assert.same({ status = 2, out = "", err = "moonwatch: evnts: no such command or script (did you mean 'events'?)\n" },
         moonwatch "evnts")
   end)

   it("knows the beginning of a command, and a script without its ending", function()
      assert.matches("did you mean 'events'", moonwatch("ev").err)
      local dir = helper.folder()
      helper.write(dir .. "/build.lua", "")
      assert.same({ status = 2, out = "", err = "moonwatch: build: no such command or script (did you mean 'build.lua'?)\n" },
         helper.run({ helper.host, "build" }, { cwd = dir }))
   end)

   it("refuses an unknown option of each command, with 2", function()
      for _, name in ipairs(COMMANDS) do
         local result = moonwatch(name, "--no-such-option")
         assert.equal(2, result.status, name)
         assert.equal("", result.out, name)
         assert.matches("^moonwatch: " .. name .. ": unknown option '%-%-no%-such%-option'\n", result.err)
      end
   end)

   it("says with 1 that its output cannot be written", function()
      for _, words in ipairs { "--help", "--version", "events --help", "limits" } do
         for output, why in pairs { [">/dev/full"] = "No space left on device", [">&-"] = "Bad file descriptor" } do
            local line = ('exec "$0" %s %s'):format(words, output)
            assert.same({ status = 1, out = "", err = "moonwatch: standard output: " .. why .. "\n" },
               helper.run({ "sh", "-c", line, helper.host }, { timeout = 20 }))
         end
      end
   end)

   it("shows each option with its names and its value once, on a line that fits", function()
      local help = moonwatch("run", "--help").out
      assert.matches("\n   %-e, %-%-eval CHUNK +Lua instead", help)
      assert.matches("\n   %-j, %-%-jobs N +At most", help)
      for _, name in ipairs(COMMANDS) do
         for line in moonwatch(name, "--help").out:gmatch "[^\n]+" do assert.is_true(#line <= 96, line) end
      end
   end)

   it("is the same program when the rock's launcher starts it", function()
      local result = helper.run({ helper.interpreter, helper.top .. "/rocks/moonwatch", "--version" }, { timeout = 20 })
      assert.same(moonwatch "--version", result)
   end)

   it("gives the launcher's process its status too", function()
      local result = helper.run({ helper.interpreter, helper.top .. "/rocks/moonwatch", "evnts" }, { timeout = 20 })
      assert.equal(2, result.status)
   end)
end)
