-- SPDX-License-Identifier: MIT
--
-- completion_spec.lua - the shells know what the commands know.

local helper = require "support.helper"

local FILES = { bash = "moonwatch.bash", zsh = "_moonwatch", fish = "moonwatch.fish" }

local function has(shell)
   return os.execute(("command -v %s >/dev/null"):format(shell)) == true
end

-- What bash offers for a line.
local function offered(...)
   local words = {}
   for i, word in ipairs { ... } do words[i] = helper.quote(word) end
   local script = ([[source completion/moonwatch.bash; compopt() { :; }; COMP_WORDS=(%s); COMP_CWORD=%d; COMPREPLY=()
      _moonwatch; printf '%%s\n' "${COMPREPLY[@]}"]]):format(table.concat(words, " "), #words - 1)
   return (helper.run({ "bash", "-c", script }).out:gsub("\n$", ""))
end

describe("completion", function()
   for shell, name in pairs(FILES) do
      it("for " .. shell .. " is what the commands declare", function()
         local result = helper.run { helper.interpreter, "completion/generate.lua", shell }
         assert.equal("", result.err)
         assert.equal(helper.read("completion/" .. name), result.out)
      end)

      it("for " .. shell .. " is understood by the shell", function()
         if not has(shell) then return pending(shell .. " is not installed") end
         assert.same({ status = 0, out = "", err = "" }, helper.run { shell, "-n", "completion/" .. name })
      end)
   end

   it("in bash offers commands, options, their values, files", function()
      assert.equal("events", offered("moonwatch", "ev"))
      assert.equal("--backend", offered("moonwatch", "events", "--ba"))
      assert.equal("auto\ninotify\npoll", offered("moonwatch", "events", "--backend", ""))
      assert.equal("debug\ninfo\nwarn\nerror", offered("moonwatch", "log", ""))
      assert.equal("--jobs", offered("moonwatch", "--jo"))
      assert.equal("completion", offered("moonwatch", "check", "completi"))
      assert.equal("", offered("moonwatch", "stop", ""))
   end)
end)
