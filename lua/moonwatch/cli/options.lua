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

local function longest_name(option)
   local longest = option._aliases[1]
   for _, name in ipairs(option._aliases) do longest = #name > #longest and name or longest end
   return longest
end

-- Both names and the value once: "-e, --events OPS".
local function label_lines(option)
   local words = option:_get_argument_list()
   table.insert(words, 1, table.concat(option._aliases, ", "))
   return { table.concat(words, " ") }
end

-- What is wrong with a value is said of its option.
local function name_in_messages(option)
   local convert = option._convert
   if not convert then return end
   option:convert(function(text)
      local value, message = convert(text)
      if value == nil then return nil, ("%s: %s"):format(longest_name(option), message) end
      return value
   end)
end

--- The parser of a command.
function options.parser(name, command)
   local parser = load_argparse()("moonwatch " .. name, command.description or command.summary, command.epilog)
   parser:add_help(false)
   parser:help_max_width(96):usage_max_width(96)
   if command.usage then parser:usage("Usage: " .. command.usage) end
   command.define(parser)
   parser:flag("-h --help", "Show this help and end."):action(function() error(Help, 0) end)
   for _, option in ipairs(parser._options) do
      option._get_label_lines = label_lines
      name_in_messages(option)
   end
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

-- Every name of an option, and which of them want a value.
local function names_of(parser)
   local known, valued = {}, {}
   for _, option in ipairs(parser._options) do
      for _, name in ipairs(option._aliases) do
         known[name] = true
         valued[name] = option._maxargs > 0
      end
   end
   return known, valued
end

-- A value that begins with a dash (-1, -*) and is no option of ours is tied to the option before it: argparse would
-- take it for an option of its own.
local function tie_values(parser, words)
   local known, valued = names_of(parser)
   local tied, at = {}, 1
   while at <= #words do
      if words[at] == "--" then return table.move(words, at, #words, #tied + 1, tied) end
      local word, value = words[at], words[at + 1]
      local is_value = valued[word] and value and value:find "^%-." and value ~= "--"
         and not known[value:match "^[^=]*"] and not known[value:sub(1, 2)]
      tied[#tied + 1] = is_value and word .. (word:find "^%-%-" and "=" or "") .. value or word
      at = at + (is_value and 2 or 1)
   end
   return tied
end

--- Reads the words of a command line into a table; a mistake ends the command with 2.
function options.parse(name, command, words)
   local parser = options.parser(name, command)
   local ok, given = pcall(parser.parse, parser, tie_values(parser, words))
   if not ok then fail(name, parser, given) end
   given.command_name = name
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

local function something(what)
   return function(text)
      if text ~= "" then return text end
      return nil, "'' is no " .. what
   end
end

options.path = something "path"
options.pattern = something "pattern"

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

-- The paths listed in a file, "-" for standard input: one a line, or, where there is a NUL, between NULs.
local function read_list(name, paths)
   local file, message = io.stdin, nil
   if name ~= "-" then file, message = io.open(name, "rb") end
   if not file then exit.refused("%s", exit.escape(message)) end
   local text
   text, message = file:read "a"
   if name ~= "-" then file:close() end
   if not text then exit.refused("%s: %s", exit.escape(name), message) end
   local before = #paths
   for path in text:gmatch(text:find("\0", 1, true) and "[^\0]+" or "[^\n]+") do paths[#paths + 1] = path end
   if #paths == before then exit.refused("%s: names no path", name == "-" and "standard input" or exit.escape(name)) end
end

function options.define_from(parser)
   parser:option("--from", "Read further paths from FILE, one a line ('-': standard input)."):argname("FILE"):count "*"
end

--- What a command is to watch: the words of its command line, and what the lists of --from name.
-- @param missing what to say where there is none
function options.paths(command, words, lists, missing)
   local paths = table.move(words, 1, #words, 1, {})
   for _, list in ipairs(lists) do read_list(list, paths) end
   if #paths == 0 then exit.usage("%s: %s\nTry 'moonwatch %s --help'.", command, missing, command) end
   for _, path in ipairs(paths) do
      if path == "" then exit.refused "'': No such file or directory" end
   end
   return paths
end

return options
