-- SPDX-License-Identifier: MIT
-- cqueues' notify, which gives names with what happened to them since: DIR.
local cqueues = require "cqueues"
local notify = require "cqueues.notify"

local handle = notify.opendir(arg[1], notify.ALL)
print "ready"
io.stdout:flush()
local count = 0
cqueues.new():wrap(function()
   while true do
      local _, name = handle:get()
      if name and name:find "^end%-" then
         print(name, count)
         io.stdout:flush()
         count = 0
      else
         count = count + 1
      end
   end
end):loop()
