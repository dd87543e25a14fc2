-- SPDX-License-Identifier: MIT
--
-- exit.lua - how a command ends: its status, and one line on standard error where it could not do its work.
--
-- A failure is an error value that carries both; it may be raised anywhere below `guard`, in tasks too.

local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"

local exit = {
   DONE = 0,
   REFUSED = 1, -- the world refused
   USAGE = 2,   -- usage or script error
   TIMEOUT = 3,
   SIGNAL = 128,
}

local Failure = { __name = "moonwatch.exit" }
Failure.__index = Failure

function Failure:__tostring()
   return self.message or "status " .. self.status
end

exit.escape = core.system.escape

--- Ends the command with this status; a message is printed after the program's name.
function exit.with(status, format, ...)
   local message = format and (select("#", ...) > 0 and format:format(...) or format)
   error(setmetatable({ status = status, message = message }, Failure), 0)
end

--- The world refused.
function exit.refused(format, ...)
   exit.with(exit.REFUSED, format, ...)
end

--- The command line or a script is wrong.
function exit.usage(format, ...)
   exit.with(exit.USAGE, format, ...)
end

--- Gives what it was given, or ends the command where that is nil, message.
function exit.check(value, message)
   if value == nil or value == false then exit.refused("%s", tostring(message)) end
   return value
end

local function write(file, name, text)
   local ok, message = file:write(text)
   if ok then ok, message = file:flush() end
   if not ok then exit.refused("%s: %s", name, message) end
end

--- Writes data (or, to io.stderr, words), or ends the command where that cannot be.
function exit.print(text, file)
   if file == io.stderr then
      io.stderr:write(text)
   else
      write(io.stdout, "standard output", text)
   end
end

--- An error with its traceback, without the lines of moonwatch's own files.
exit.tidy = declare.tidy

--- A line on standard error; nothing can be done where that fails.
function exit.say(format, ...)
   io.stderr:write("moonwatch: " .. format:format(...) .. "\n") -- at once: several programs may share it
end

local function handler(failure)
   if getmetatable(failure) == Failure then return failure end
   return debug.traceback(tostring(failure), 2)
end

--- Calls fn(...), which returns a status; a failure is printed and becomes its status.
function exit.guard(fn, ...)
   local ok, status = xpcall(fn, handler, ...)
   if ok then return status end
   if getmetatable(status) ~= Failure then
      exit.say("%s", status)
      return exit.REFUSED
   end
   if status.message then exit.say("%s", status.message) end
   return status.status
end

return exit
