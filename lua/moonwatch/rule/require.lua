-- SPDX-License-Identifier: MIT
--
-- require.lua - `require` for rule scripts: a set of rules has modules of its own.
--
-- So a reload reads them anew, and a module that declares rules by require "moonwatch.rules" declares them in the set that
-- is being loaded. What is no Lua file on package.path, and moonwatch itself, is required as ever.

local declare = require "moonwatch.rule.declare"

local own_require = require

-- Only within the set: names that stand for the set's own words.
local function rules_of(set)
   local words = set:words()
   return setmetatable(words, { __index = own_require "moonwatch.rules" })
end

-- Told at the line that asks for it.
local function own(name)
   local loaded = table.pack(pcall(own_require, name))
   if not loaded[1] then
      declare.misuse("%s", tostring(loaded[2]))
   end
   return table.unpack(loaded, 2, loaded.n)
end

local function is_shared(name)
   return name == "moonwatch" or name:sub(1, 10) == "moonwatch."
end

-- environment(): the globals of a module.
return function(set, environment)
   set.loaded = set.loaded or {}
   local loaded = set.loaded
   return function(name)
      if type(name) ~= "string" then
         return own_require(name)
      elseif loaded[name] ~= nil then
         return loaded[name]
      elseif name == "moonwatch.rules" then
         loaded[name] = rules_of(set)
         return loaded[name]
      end
      local path = not is_shared(name) and not package.preload[name] and package.searchpath(name, package.path)
      if not path then
         return own(name)
      end
      local chunk, message = loadfile(path, "t", environment())
      if not chunk then
         error(message, 2)
      end
      local value = chunk(name, path)
      if loaded[name] == nil then
         loaded[name] = value == nil and true or value
      end
      return loaded[name], path
   end
end
