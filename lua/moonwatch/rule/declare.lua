-- SPDX-License-Identifier: MIT
--
-- declare.lua - options declared once: a field's kind, check, default and a line of documentation.
--
-- From one declaration come the check of what a user gave, the message with the user's own file and line, the nearest
-- key for a misspelt one, and the defaults. A *kind* is a named predicate; a field may allow several, tried in order.

local declare = {}

local OWN = debug.getinfo(1, "S").source:match("^(@.*moonwatch/)rule/") or "@moonwatch/"

-- The position of the nearest caller that is not one of moonwatch's own files: "file:line", file, line.
function declare.position()
   local level = 2
   while true do
      local info = debug.getinfo(level, "Sl")
      if not info then
         return "?", "?", 0
      end
      if info.what ~= "C" and info.source:sub(1, #OWN) ~= OWN then
         return info.short_src .. ":" .. info.currentline, info.short_src, info.currentline
      end
      level = level + 1
   end
end

-- Raises misuse at the user's line.
function declare.misuse(format, ...)
   local message = select("#", ...) > 0 and format:format(...) or format
   error(declare.position() .. ": " .. message, 0)
end

-- "\tlua/moonwatch/", with which the lines of our own files begin in a traceback.
local OWN_LINE = "\t" .. (debug.getinfo(1, "S").short_src:match "^(.*)rule/declare%.lua$" or "lua/moonwatch/")

local function is_own(line)
   return line:sub(1, #OWN_LINE) == OWN_LINE or line:find "^\t%[C%]: " ~= nil or line == "\t(...tail calls...)"
end

-- An error with its traceback, without the lines of moonwatch's own files.
function declare.tidy(message)
   local head, traceback = message:match "^(.-)\nstack traceback:\n(.*)$"
   if not head then return message end
   local lines = {}
   for line in traceback:gmatch "[^\n]+" do
      if not is_own(line) then lines[#lines + 1] = line end
   end
   if #lines == 0 then return head end
   return head .. "\nstack traceback:\n" .. table.concat(lines, "\n")
end

-- How many letters must be changed, added, removed or swapped with their neighbour to get from a to b.
local function distance(a, b)
   local before, previous = {}, {}
   for j = 0, #b do
      previous[j] = j
   end
   for i = 1, #a do
      local current = { [0] = i }
      for j = 1, #b do
         local cost = a:byte(i) == b:byte(j) and 0 or 1
         current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
         local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
         if swapped then
            current[j] = math.min(current[j], before[j - 2] + 1)
         end
      end
      before, previous = previous, current
   end
   return previous[#b]
end

-- The name nearest to `word` among the keys of `names`, or nil where none is near: at most `most` letters away.
function declare.nearest(word, names, most)
   local best, best_distance = nil, (most or math.max(2, #word // 3)) + 0.75
   local sorted = {}
   for name in pairs(names) do
      sorted[#sorted + 1] = name
   end
   table.sort(sorted)
   for _, name in ipairs(sorted) do
      -- Of two that are as near, the one with the same first letter: that is the letter people get right.
      local d = distance(word:lower(), name) + (name:sub(1, 1) == word:sub(1, 1):lower() and 0 or 0.5)
      if not most and #word > 2 and name:sub(1, #word) == word then
         d = 1
      end
      if d < best_distance then
         best, best_distance = name, d
      end
   end
   return best
end

-- A value as a message shows it.
function declare.show(value)
   local kind = type(value)
   if kind == "string" then
      local text = #value > 40 and value:sub(1, 37) .. "..." or value
      return ("%q"):format(text):gsub("\\\n", "\\n"), kind
   elseif kind == "number" or kind == "boolean" or kind == "nil" then
      return tostring(value), kind
   end
   return "a " .. kind, kind
end

-- A list without holes, whose items all satisfy `item`; an empty one only where `empty` says so.
function declare.is_list(value, item, empty)
   if type(value) ~= "table" then
      return false
   end
   local count = 0
   for key, element in pairs(value) do
      if math.type(key) ~= "integer" or key < 1 or not item(element) then
         return false
      end
      count = count + 1
   end
   return count == #value and (empty or count > 0)
end

local function is_text(value)
   return type(value) == "string" and not value:find("\0", 1, true)
end

local function is_path(value)
   return is_text(value) and value ~= ""
end

local function is_word(value)
   return type(value) == "number" or is_text(value)
end

local function is_word_or_list(value)
   return is_word(value) or type(value) == "table"
end

local function is_argv(value)
   return declare.is_list(value, is_word) and value[1] ~= ""
end

local function is_seconds(value)
   return type(value) == "number" and value >= 0 and value == value
end

-- Each kind: what a message calls it, and how it is recognised.
local kinds = {
   boolean = { "true or false", function(v) return type(v) == "boolean" end },
   no = { "false", function(v) return v == false end },
   seconds = { "a number of seconds", is_seconds },
   number = { "a number of at least 0", is_seconds },
   positive = { "a number above 0", function(v) return is_seconds(v) and v > 0 end },
   count = { "a whole number of at least 1", function(v) return math.type(v) == "integer" and v >= 1 end },
   tries = { "a whole number of at least 0 or math.huge", function(v)
      return v == math.huge or math.type(v) == "integer" and v >= 0
   end },
   natural = { "a whole number of at least 0", function(v) return math.type(v) == "integer" and v >= 0 end },
   integer = { "a whole number", function(v) return math.type(v) == "integer" end },
   text = { "a string", is_text },
   bytes = { "a string", function(v) return type(v) == "string" end },
   path = { "a path", is_path },
   name = { "a name", is_path },
   paths = { "a list of paths", function(v) return declare.is_list(v, is_path) end },
   pattern = { "a pattern", is_path },
   patterns = { "a list of patterns", function(v) return declare.is_list(v, is_path, true) end },
   argv = { "a list of words", is_argv },
   argvs = { "a list of such lists", function(v) return declare.is_list(v, is_argv) end },
   ["function"] = { "a function", function(v) return type(v) == "function" end },
   integers = { "a list of whole numbers", function(v)
      return declare.is_list(v, function(n) return math.type(n) == "integer" end)
   end },
   words = { "a list of words", function(v) return declare.is_list(v, is_text, true) end },
   table = { "a table", function(v) return type(v) == "table" end },
}
declare.kinds = kinds

local function expected(field)
   local words = {}
   for _, kind in ipairs(field.kinds or {}) do
      words[#words + 1] = kinds[kind][1]
   end
   for _, choice in ipairs(field.choices or {}) do
      words[#words + 1] = ("%q"):format(choice)
   end
   local last = table.remove(words)
   return #words > 0 and table.concat(words, ", ") .. " or " .. last or last
end

local function choice_of(field, value)
   for _, choice in ipairs(field.choices or {}) do
      if choice == value then
         return true
      end
   end
   return false
end

local function has_kind(field, value)
   for _, kind in ipairs(field.kinds or {}) do
      if kinds[kind][2](value) then
         return true
      end
   end
   return choice_of(field, value)
end

local ITEMS = { paths = is_path, patterns = is_path, words = is_text, argv = is_word_or_list,
   integers = function(v) return math.type(v) == "integer" end }

-- What spoils a table that should be a list of such items.
local function show_spoilt(value, is_item)
   local count, lists = 0, 0
   for key, element in pairs(value) do
      if math.type(key) ~= "integer" then
         return "a table with the key " .. declare.show(key)
      elseif not is_item(element) then
         return "a list with " .. declare.show(element)
      end
      count, lists = count + 1, lists + (type(element) == "table" and 1 or 0)
   end
   if count == 0 then
      return "an empty table"
   elseif count ~= #value then
      return "a list with a hole"
   elseif lists > 0 and lists < count then
      return "a list of words and lists"
   end
   for _, element in ipairs(value) do
      if type(element) == "table" and not is_argv(element) then
         return "a list with " .. show_spoilt(element, is_word)
      end
   end
   return value[1] == "" and "a list that begins with an empty word" or lists > 0 and "a list of lists" or "a table"
end

local function show_wrong(field, value)
   for _, kind in ipairs(type(value) == "table" and field.kinds or {}) do
      if ITEMS[kind] then
         return show_spoilt(value, ITEMS[kind])
      end
   end
   return type(value) == "table" and next(value) == nil and "an empty table" or (declare.show(value))
end

local function check_field(field, name, value, subject)
   if not has_kind(field, value) then
      local near = type(value) == "string" and field.choices
         and declare.nearest(value, declare.set(field.choices))
      declare.misuse("%s: %s must be %s, not %s%s", subject, name, expected(field), show_wrong(field, value),
         near and (' (did you mean "%s"?)'):format(near) or "")
   end
   if field.check then
      local problem = field.check(value, subject .. ": " .. name)
      if problem then
         declare.misuse("%s: %s %s", subject, name, problem)
      end
   end
end

function declare.set(list)
   local set = {}
   for _, value in ipairs(list) do
      set[value] = true
   end
   return set
end

-- Checks what the user gave against the declaration; raises at the user's line. `subject` begins each message.
function declare.check(fields, given, subject)
   if type(given) ~= "table" then
      declare.misuse("%s: a table of keys expected, not %s", subject, (declare.show(given)))
   end
   for name, value in pairs(given) do
      local field = fields[name]
      if not field then
         local near = type(name) == "string" and declare.nearest(name, fields)
         if math.type(name) == "integer" then
            declare.misuse("%s: a value without a key: %s", subject, (declare.show(value)))
         end
         declare.misuse("%s: unknown key %s%s", subject, (declare.show(name)),
            near and (' (did you mean "%s"?)'):format(near) or "")
      end
      check_field(field, name, value, subject)
   end
end

-- A copy that shares no table with the original.
function declare.copy(value)
   if type(value) ~= "table" then
      return value
   end
   local copy = {}
   for key, element in pairs(value) do
      copy[key] = declare.copy(element)
   end
   return copy
end

-- Puts the defaults of the declaration where nothing was given.
function declare.fill(fields, values)
   for name, field in pairs(fields) do
      if values[name] == nil and field.default ~= nil then
         values[name] = declare.copy(field.default)
      end
   end
   return values
end

local function refuse()
   declare.misuse("this value cannot be changed")
end

-- A read-only face of a value; tables inside are frozen when they are asked for.
function declare.freeze(value)
   if type(value) ~= "table" then
      return value
   end
   return setmetatable({}, {
      __name = "moonwatch.frozen",
      __index = function(_, key) return declare.freeze(value[key]) end,
      __newindex = refuse,
      __len = function() return #value end,
      __pairs = function()
         return function(_, key)
            local next_key, element = next(value, key)
            return next_key, declare.freeze(element)
         end
      end,
      __metatable = "frozen",
   })
end

return declare
