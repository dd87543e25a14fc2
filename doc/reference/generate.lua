-- SPDX-License-Identifier: MIT
--
-- generate.lua - turns the annotations of types/ into what LDoc reads: a file per class.
--
--    lua5.4 doc/reference/generate.lua FOLDER types/moonwatch.lua types/rules.lua ...
--
-- So that hover texts and the reference have one source. LDoc knows types of one word only.

local annotations = dofile "doc/reference/annotations.lua"

local folder = table.remove(arg, 1)
local found = annotations.read(arg)

local function simple(word)
   if word:find "^async fun" or word:find "^fun" then return "func" end
   if word:find "^%{" or word:find "^table" then return "tab" end
   if word:find "%[%]$" or word:find "^%b()" then return "{" .. simple((word:gsub("%[%]$", ""))) .. ",...}" end
   return (word:gsub("^moonwatch%.([%w_]+)$", "%1"):gsub('"', "'"))
end

-- The alternatives of a type, at its outermost level.
local function alternatives(text)
   local list, depth, from = {}, 0, 1
   for at = 1, #text + 1 do
      local char = at <= #text and text:sub(at, at) or "|"
      if char:find "[%(%{%[<]" then depth = depth + 1 end
      if char:find "[%)%}%]>]" and text:sub(at - 1, at) ~= "=>" then depth = depth - 1 end
      if char == "|" and depth == 0 then
         list[#list + 1] = text:sub(from, at - 1):match "^%s*(.-)%s*$"
         from = at + 1
      end
   end
   return list
end

local function ldoc_type(text)
   local words = {}
   for _, word in ipairs(alternatives((text:gsub("%?$", "")))) do words[#words + 1] = simple(word) end
   return table.concat(words, "|")
end

local function write_about(out, about)
   local in_code = false
   for at, line in ipairs(about) do
      local code = line:match "^    (.*)$"
      if code and not in_code then out:write("-- @usage\n") end
      in_code = code ~= nil
      out:write(at == 1 and "--- " or "-- ", code or line, "\n")
   end
   if #about == 0 then out:write("---\n") end
end

-- What is said of a function, with its usage last as LDoc wants it.
local function split_usage(about)
   local words, usage = {}, {}
   for _, line in ipairs(about) do table.insert(line:find "^    " and usage or words, (line:gsub("^    ", ""))) end
   while words[#words] == "" do words[#words] = nil end
   return words, usage
end

local function write_function(out, class, doc)
   local words, usage = split_usage(doc.about)
   write_about(out, words)
   for _, param in ipairs(doc.params) do
      out:write(("-- @tparam%s %s %s %s\n"):format(param.optional and "[opt]" or "", ldoc_type(param.type), param.name,
         param.about))
   end
   if #doc.returns > 0 then
      local names = {}
      for _, value in ipairs(doc.returns) do
         names[#names + 1] = value.name .. (value.about ~= "" and " (" .. value.about .. ")" or "")
      end
      local may_fail = doc.returns[1].type:find "%?$" and #doc.returns > 1
      out:write("-- @treturn ", ldoc_type(doc.returns[1].type), " ",
         may_fail and names[1] .. "; or nil, " .. table.concat(names, ", ", 2) or table.concat(names, ", "), "\n")
   end
   if #usage > 0 then out:write("-- @usage\n-- ", table.concat(usage, "\n-- "), "\n") end
   local separator = doc.is_method and ":" or "."
   out:write("-- @function ", class.is_module and doc.name or class.short .. separator .. doc.name, "\n\n")
end

local function write_fields(out, class, name)
   local title = #class.about > 0 and class.about or { "Its fields." }
   write_about(out, title)
   out:write("-- @table ", name, "\n")
   for _, field in ipairs(class.fields) do
      out:write(("-- @tfield%s %s %s %s\n"):format(field.optional and "[opt]" or "", ldoc_type(field.type),
         (field.name:gsub("[%[%]]", "")), field.about))
   end
   out:write "\n"
end

local function write_class(class, tables)
   local out = assert(io.open(folder .. "/" .. class.name .. ".lua", "w"))
   write_about(out, #class.about > 0 and select(1, split_usage(class.about)) or { class.name .. "." })
   local _, usage = split_usage(class.about)
   if #usage > 0 then out:write("-- @usage\n-- ", table.concat(usage, "\n-- "), "\n") end
   out:write("-- @", class.is_module and "module" or "classmod", " ", class.name, "\n\n")
   if #class.fields > 0 then
      local name = class.is_module and "fields" or class.short .. "_fields"
      write_fields(out, { about = { "Fields." }, fields = class.fields }, name)
   end
   for _, doc in ipairs(class.functions) do write_function(out, class, doc) end
   for _, other in ipairs(tables) do write_fields(out, other, other.short) end
   out:close()
end

local MODULES = { ["moonwatch"] = true, ["moonwatch.rules"] = true, ["moonwatch.testing"] = true,
   ["moonwatch.adapter"] = true, ["moonwatch.compat.inotify"] = true }

-- Classes without functions are tables of the module before them.
local current
local tables_of = {}
for _, class in ipairs(found.order) do
   class.short = class.name:match "[%w_]+$"
   class.is_module = MODULES[class.name] or false
   if class.is_module then
      current = class
      tables_of[current] = {}
   elseif #class.functions == 0 then
      table.insert(tables_of[current], class)
   end
end
for _, class in ipairs(found.order) do
   if #class.functions > 0 then write_class(class, tables_of[class] or {}) end
end
