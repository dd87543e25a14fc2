-- SPDX-License-Identifier: MIT
--
-- annotations.lua - reads the annotations of types/: what they say about classes, fields and functions. For the
-- reference (generate.lua) and for the spec that holds them against the module.
--
--    local found = annotations.read { "types/moonwatch.lua", ... }
--    found.classes["moonwatch.task"]   { name, about = { lines }, fields = { { name, type, about } }, functions = { ... } }
--    a function: { name, about, params = { { name, type, about } }, returns = { { type, name, about } }, async, arguments, line }

local annotations = {}

-- "string | fun(a: b): c name about" as its type and the rest: a type ends at a space that no bracket or bar holds.
local function split_type(text)
   local depth, at = 0, 1
   while at <= #text do
      local char = text:sub(at, at)
      if char:find "[%(%{%[<]" then depth = depth + 1 end
      if char:find "[%)%}%]>]" then depth = depth - 1 end
      if char == " " and depth == 0 then
         local before, after = text:sub(1, at - 1), text:sub(at + 1)
         if not before:find "async$" and not before:find "[|:,]%s*$" and not after:find "^%s*[|]" then
            return before, (after:gsub("^%s+", ""))
         end
      end
      at = at + 1
   end
   return text, ""
end

local function new_doc()
   return { about = {}, params = {}, returns = {} }
end

local readers = {}

function readers.param(doc, text)
   local name, rest = text:match "^(%S+)%s+(.*)$"
   local kind, about = split_type(rest)
   table.insert(doc.params, { name = name:gsub("%?$", ""), optional = name:find "%?$" ~= nil, type = kind, about = about })
end

readers["return"] = function(doc, text)
   local kind, rest = split_type(text)
   local name, about = rest:match "^(%S+)%s*(.*)$"
   table.insert(doc.returns, { type = kind, name = name or "", about = about or "" })
end

function readers.async(doc) doc.async = true end
function readers.overload(doc, text) doc.overload = text end

local function open_class(found, text)
   local name, parent = text:match "^([%w_.]+)%s*:?%s*([%w_.]*)"
   local class = { name = name, parent = parent ~= "" and parent or nil, fields = {}, functions = {}, about = {} }
   found.classes[name] = class
   table.insert(found.order, class)
   return class
end

local function read_field(class, text)
   local name, rest = text:match "^(%b[])%s+(.*)$"
   if not name then name, rest = text:match "^(%S+)%s+(.*)$" end
   local kind, about = split_type(rest)
   table.insert(class.fields, { name = (name:gsub("%?$", "")), optional = name:find "%?$" ~= nil, type = kind, about = about })
end

local function read_function(found, variables, doc, path, number, variable, name, arguments)
   local class = assert(variables[variable], ("%s:%d: no class for %s"):format(path, number, variable))
   doc.name, doc.arguments, doc.line = name, {}, ("%s:%d"):format(path, number)
   for argument in arguments:gmatch "[^,%s]+" do table.insert(doc.arguments, argument) end
   table.insert(class.functions, doc)
end

local function read_file(found, path)
   local variables, class, doc, number = {}, nil, new_doc(), 0
   for line in io.lines(path) do
      number = number + 1
      local tag, text = line:match "^%-%-%-@(%w+)%s*(.*)$"
      local variable, colon, name, arguments = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%)"
      if tag == "class" then
         class = open_class(found, text)
         class.about, doc = doc.about, new_doc()
      elseif tag == "field" then
         read_field(class, text)
      elseif tag == "alias" then
         found.aliases[text:match "^[%w_.]+"] = { about = doc.about, type = text:match "^[%w_.]+%s+(.*)$" }
         doc = new_doc()
      elseif readers[tag] then
         readers[tag](doc, text)
      elseif line:find "^%-%-%-" and not tag then
         table.insert(doc.about, (line:gsub("^%-%-%-", "")))
      elseif variable then
         doc.is_method = colon == ":"
         read_function(found, variables, doc, path, number, variable, name, arguments)
         doc = new_doc()
      elseif line:match "^local ([%w_]+) = {}" and class then
         variables[line:match "^local ([%w_]+) = {}"] = class
      elseif line == "" then
         doc = new_doc()
      end
   end
end

function annotations.read(paths)
   local found = { classes = {}, order = {}, aliases = {} }
   for _, path in ipairs(paths) do read_file(found, path) end
   return found
end

return annotations
