-- SPDX-License-Identifier: MIT
--
-- log.lua - levels, two formats, one line per record on standard error.
--
-- log.info(format, ...) formats only where arguments follow, so a message with a bare % is printed as it is. What is
-- not printable is escaped in the text form; a traceback keeps its lines, indented.

local declare = require "moonwatch.rule.declare"

local log = {}

local LEVELS = { debug = 1, info = 2, warn = 3, error = 4 }
log.levels = LEVELS

local methods = {}
methods.__index = methods

local function escape(text)
   return (text:gsub("[%z\1-\8\11-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

local function json_string(text)
   if not utf8.len(text) then
      text = text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
   end
   return '"' .. text:gsub('[%c"\\\127]', function(c)
      return ESCAPES[c] or ("\\u%04x"):format(c:byte())
   end) .. '"'
end

local function as_text(level, message, wall)
   local lines = escape(message):gsub("\n", "\n   ")
   return ("%s %-5s %s\n"):format(os.date("%Y-%m-%d %H:%M:%S", wall // 1 | 0), level, lines)
end

local function as_json(level, message, wall)
   return ('{"time":%.3f,"level":"%s","message":%s}\n'):format(wall, level, json_string(message))
end

local function write_stderr(line)
   io.stderr:write(line)
end

-- options: level ("info"), format ("text" or "json"), write(line, level), wall().
function log.new(options)
   options = options or {}
   local self = setmetatable({ write = options.write or write_stderr, wall = options.wall or os.time }, methods)
   methods.set(self, { level = options.level or "info", format = options.format or "text" })
   for level in pairs(LEVELS) do
      self[level] = function(format, ...) return self:record(level, format, ...) end
   end
   return self
end

-- Changes level or format while running; nil and a message where there is no such.
function methods:set(options)
   if options.level and not LEVELS[options.level] then
      return nil, "no such log level: " .. tostring(options.level)
   elseif options.format and options.format ~= "text" and options.format ~= "json" then
      return nil, "no such log format: " .. tostring(options.format)
   end
   self.level = options.level or self.level
   self.form = options.format == "json" and as_json or options.format == "text" and as_text or self.form
   return true
end

function methods:record(level, format, ...)
   if LEVELS[level] < LEVELS[self.level] then
      return
   end
   local message = format
   if type(format) ~= "string" then
      message = tostring(format)
   elseif select("#", ...) > 0 then
      local ok, formatted = pcall(string.format, format, ...)
      message = ok and formatted or ("%s (%s: %s)"):format(format, declare.position(), formatted)
   end
   self.write(self.form(level, message, self.wall()), level, message)
end

return log
