-- SPDX-License-Identifier: MIT
--
-- format.lua - an event as a record: readable, by a format, or as JSON.
--
-- A record is one record whatever the names hold: where it ends in a newline names are escaped, where it ends in NUL
-- they are as they are, in JSON both.

local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"

local format = {}

local KEYS = { "op", "path", "from", "rel", "from_rel", "name", "root", "from_root", "type", "isdir", "replaced", "exchange",
   "synthetic", "reason", "seq", "time", "wall" }

-- JSON ----------------------------------------------------------------------------------------------------------------

-- What is false or unknown is left out, but for `isdir`.
local function as_json(event)
   local record = {}
   for _, key in ipairs(KEYS) do
      local value = event[key]
      if value or key == "isdir" then record[key] = value end
   end
   return json.encode(record, KEYS)
end

-- Codes ---------------------------------------------------------------------------------------------------------------

local function text_of(key)
   return function(event) return event[key] or "" end
end

local function time_of(event, context)
   local seconds = math.floor(event.wall)
   local text = os.date(context.time_format, seconds)
   return (text:gsub("%%N", ("%06d"):format((event.wall - seconds) * 1e6 // 1 | 0)))
end

local codes = {
   T = time_of,
   e = text_of "op",
   p = text_of "path",
   r = text_of "rel",
   f = text_of "name",
   w = text_of "root",
   o = text_of "from",
   t = text_of "type",
   s = function(event) return ("%d"):format(event.seq or 0) end,
   m = function(event) return ("%.6f"):format(event.wall) end,
   d = function(event) return event.isdir and "/" or "" end,
   n = "\n",
   ["0"] = "\0",
   ["%"] = "%",
}

format.help = [[
Codes of --format:
  %e op       %p path     %r path below the root    %f last component    %w root
  %o the old path of a move    %t type    %d "/" for a directory    %s sequence number
  %T time (--time-format)      %m seconds since 1970
  %n newline  %0 NUL      %% a percent sign
]]

-- What a letter stands for, escaped where it is a name.
local function piece(letter, is_raw)
   local code = codes[letter]
   if not code then exit.usage("events: --format has no code '%%%s'", exit.escape(letter)) end
   if type(code) == "string" then return code end
   if is_raw then return code end
   return function(event, context) return exit.escape(code(event, context)) end
end

-- The format as a list of texts and functions.
local function compile(template, is_raw)
   local pieces, from = {}, 1
   while from <= #template do
      local at = template:find("%", from, true)
      pieces[#pieces + 1] = template:sub(from, (at or #template + 1) - 1)
      if not at then break end
      if at == #template then exit.usage "events: --format ends in a single '%'" end
      pieces[#pieces + 1] = piece(template:sub(at + 1, at + 1), is_raw)
      from = at + 2
   end
   return pieces
end

local function fill(pieces, event, context)
   local out = {}
   for i, part in ipairs(pieces) do out[i] = type(part) == "string" and part or part(event, context) end
   return table.concat(out)
end

-- os.date raises for what it does not know, and gives a table for "*t"; %N is ours.
local function check_time_format(text)
   local ok, shown = pcall(os.date, (text:gsub("%%N", "")), 0)
   if not ok or type(shown) ~= "string" then
      exit.usage("events: --time-format '%s' is not one of strftime's", exit.escape(text))
   end
   return (text:gsub("%%N", "%%%%N"))
end

-- Readable ------------------------------------------------------------------------------------------------------------

local COLOURS = { create = 32, delete = 31, move = 36, overflow = 35, unwatched = 35, gone = 35, back = 35 }

local function raw_line(event)
   local from = event.from and event.from .. " -> " or ""
   return ("%s %s%s%s"):format(event.op, from, event.path or "", event.isdir and "/" or "")
end

local function coloured(event)
   local line = tostring(event)
   local colour = COLOURS[event.op] or 33
   return (line:gsub("^%S+", function(op) return ("\27[%dm%s\27[0m"):format(colour, op) end))
end

-- A function that gives an event's record, with its end. options: json, null, format, time_format, colour.
function format.new(options)
   local ending = options.null and "\0" or "\n"
   if options.json then
      return function(event) return as_json(event) .. ending end
   elseif options.format then
      local pieces = compile(options.format, options.null)
      local context = { time_format = check_time_format(options.time_format or "%Y-%m-%dT%H:%M:%S") }
      return function(event) return fill(pieces, event, context) .. ending end
   elseif options.null then
      return function(event) return raw_line(event) .. ending end
   end
   local show = options.colour and coloured or tostring
   return function(event) return show(event) .. ending end
end

return format
