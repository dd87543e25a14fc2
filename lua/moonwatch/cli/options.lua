-- SPDX-License-Identifier: MIT
--
-- options.lua - command lines, read with argparse: a parser per command, loaded where one is needed.
--
-- argparse ends the program by itself on a mistake and on --help; here both go through cli/exit.lua.

local exit = require "moonwatch.cli.exit"

local options = {}

local function load_argparse()
   local there, argparse = pcall(require, "argparse")
   if not there then
      exit.refused "the Lua module argparse is missing (Debian: lua-argparse; LuaRocks: argparse)"
   end
   return argparse
end

local Help, Mistake = {}, {}

--- The parser of a command.
function options.parser(name, command)
   local parser = load_argparse()("moonwatch " .. name, command.description or command.summary, command.epilog)
   parser:add_help(false)
   parser:help_max_width(96):usage_max_width(96)
   if command.usage then parser:usage("Usage: " .. command.usage) end
   command.define(parser)
   parser:flag("-h --help", "Show this help and end."):action(function() error(Help, 0) end)
   parser.error = function(_, message) error(setmetatable({ message = message }, Mistake), 0) end
   return parser
end

local function fail(name, parser, why)
   if why == Help then
      exit.print(parser:get_help() .. "\n")
      exit.with(exit.DONE)
   elseif getmetatable(why) == Mistake then
      exit.usage("%s: %s\nTry 'moonwatch %s --help'.", name, exit.escape(why.message):gsub("\\n", "\n"), name)
   end
   error(why, 0)
end

--- Reads the words of a command line into a table; a mistake ends the command with 2.
function options.parse(name, command, words)
   local parser = options.parser(name, command)
   local ok, given = pcall(parser.parse, parser, words)
   if not ok then fail(name, parser, given) end
   return given
end

-- Kinds of values, each a converter for argparse that names what it wanted.

local function number_of(what, is_good)
   return function(text)
      local number = tonumber(text)
      if number and is_good(number) then return number end
      return nil, ("'%s' is not %s"):format(text, what)
   end
end

options.seconds = number_of("a number of seconds", function(n) return n >= 0 and n < math.huge end)
options.count = number_of("a whole number above 0", function(n) return math.type(n) == "integer" and n > 0 end)

local UNITS = { [""] = 1, K = 1024, M = 1024 ^ 2, G = 1024 ^ 3 }
local LEAST = 4 * 1024 ^ 2

--- A size of memory, in bytes.
function options.memory(text)
   local number, unit = text:match "^(%d+%.?%d*)([KMG]?)$"
   local bytes = number and tonumber(number) * UNITS[unit] // 1
   if not bytes then return nil, ("'%s' is not a size such as 64M"):format(text) end
   if bytes < LEAST then return nil, ("'%s' is less than 4M"):format(text) end
   return math.tointeger(bytes) or nil, ("'%s' is too much"):format(text)
end

--- Words separated by commas, each of them one of `choices`.
function options.words(choices)
   local known = {}
   for _, choice in ipairs(choices) do known[choice] = true end
   return function(text)
      local words = {}
      for word in text:gmatch "[^,%s|]+" do
         if not known[word] then
            local near = require("moonwatch.rule.declare").nearest(word, known)
            return nil, ("'%s' is not one of %s%s"):format(word, table.concat(choices, ", "),
               near and (" (did you mean '%s'?)"):format(near) or "")
         end
         words[#words + 1] = word
      end
      if #words == 0 then return nil, ("'%s' names none of %s"):format(text, table.concat(choices, ", ")) end
      return words
   end
end

--- The words before and after the first "--"; nil where there is none.
function options.split(words)
   for i, word in ipairs(words) do
      if word == "--" then
         return table.move(words, 1, i - 1, 1, {}), table.move(words, i + 1, #words, 1, {})
      end
   end
   return words, nil
end

--- The paths listed in a file, "-" for standard input: one a line, or, where there is a NUL, between NULs.
function options.read_list(name)
   local file, message = io.stdin, nil
   if name ~= "-" then file, message = io.open(name, "rb") end
   if not file then exit.refused("%s", exit.escape(message)) end
   local text
   text, message = file:read "a"
   if name ~= "-" then file:close() end
   if not text then exit.refused("%s: %s", exit.escape(name), message) end
   local paths = {}
   for path in text:gmatch(text:find("\0", 1, true) and "[^\0]+" or "[^\n]+") do paths[#paths + 1] = path end
   return paths
end

return options
