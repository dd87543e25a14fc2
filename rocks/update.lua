-- SPDX-License-Identifier: MIT
--
-- update.lua - writes the list of Lua modules in the given rockspecs anew, from the files that are there:
--
--    lua5.4 rocks/update.lua rocks/moonwatch-scm-1.rockspec lua/moonwatch/init.lua ...

local function module_name(path)
   local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", ".")
   return (name:gsub("%.init$", ""))
end

local rockspec = table.remove(arg, 1)
table.sort(arg)
local lines = {}
for _, path in ipairs(arg) do lines[#lines + 1] = ("         [%q] = %q,\n"):format(module_name(path), path) end

local file = assert(io.open(rockspec))
local text = file:read "a"
file:close()
local head, tail = text:match "^(.-\n      lua = {\n).-(      },\n.*)$"
assert(head, rockspec .. " has no list of Lua files")
file = assert(io.open(rockspec, "w"))
file:write(head, table.concat(lines), tail)
file:close()
