-- SPDX-License-Identifier: MIT
--
-- demo.lua - plays the first rule script of examples/ in a fresh folder, for everyone to see: `make run`.
--
-- On a terminal the host is left running in that folder afterwards, until Ctrl-C.

package.path = "spec/?.lua;" .. package.path
local example = require "support.example"

local function first_rule_script()
   local found
   for _, path in ipairs(example.list()) do
      local this = example.read(path)
      if this.program == "moonwatch" and #this.steps > 0 and not found then found = this end
      if path == "examples/first.lua" then return this end
   end
   return found
end

local found = assert(first_rule_script(), "there is no rule script with a transcript in examples/")
local pipe = assert(io.popen "mktemp -d")
local folder = pipe:read "l"
pipe:close()
local interactive = os.execute "test -t 0" == true

print(("%s\n   in %s\n"):format(found.title, folder))
local ok, missed = example.play(found, os.getenv "BUILD" or "build", folder, {
   keep = interactive,
   say = function(line)
      print(line)
      if interactive and line == found.steps[#found.steps].shows[1] then
         print(("\nIt goes on; save a file in %s and see. Ctrl-C ends it."):format(folder))
      end
      io.flush()
   end,
})
os.execute("rm -rf '" .. folder .. "'")
if not ok then
   print("this did not come: " .. missed)
   os.exit(1)
end
