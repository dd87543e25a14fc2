-- SPDX-License-Identifier: MIT
--
-- pages_spec.lua - the Lua on the pages of doc/ is right: all of it compiles, and what begins with a require runs.

local helper = require "support.helper"

-- Pages whose blocks are whole programs; each asserts what it shows.
local WHOLE = { ["doc/watchers.md"] = true, ["doc/tasks.md"] = true }

local function blocks(path)
   local found, text, line = {}, helper.read(path), 1
   for before, body in text:gmatch "(.-)\n```lua[^\n]*\n(.-)\n```" do
      line = line + select(2, before:gsub("\n", "")) + 2
      found[#found + 1] = { line = line, body = body }
      line = line + select(2, body:gsub("\n", "")) + 1
   end
   return found
end

for rel in pairs(helper.tree "doc") do
   local path = "doc/" .. rel
   if rel:find "%.md$" and #blocks(path) > 0 then
      describe(path, function()
         for _, block in ipairs(blocks(path)) do
            local name = ("%s:%d"):format(path, block.line)

            it("has Lua in line " .. block.line .. " that compiles", function()
               assert(load(block.body, "@" .. name) or load("return " .. block.body, "@" .. name))
            end)

            if WHOLE[path] then
               it("has a program in line " .. block.line .. " that runs", function()
                  local folder = helper.folder()
                  helper.mkdir(folder .. "/src")
                  helper.write(folder .. "/program.lua", block.body)
                  local result = helper.run({ helper.interpreter, "program.lua" }, { cwd = folder, timeout = 60 })
                  assert.same({ status = 0, err = "" }, { status = result.status, err = result.err }, name)
               end)
            end
         end
      end)
   end
end
