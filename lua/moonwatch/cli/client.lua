-- SPDX-License-Identifier: MIT
--
-- client.lua - the other side of the control socket: what status, reload, wait and their kind share.

local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"
local options = require "moonwatch.cli.options"
local place = require "moonwatch.cli.place"
local supervise = require "moonwatch.cli.supervise"

local client = {}

--- The option that all of them have.
function client.define_socket(parser)
   parser:option("--socket", "Where the host listens (else the only one that runs)."):argname("PATH")
      :convert(options.path)
end

local function read(connection)
   local line, message = connection:get()
   if not line then exit.refused("the host has gone: %s", message) end
   local answer = json.decode(line)
   if type(answer) ~= "table" then exit.refused "the host's answer is not understood" end
   return answer
end

--- Sends a request and returns its answer; a refusal ends the command with the status that goes with it.
function client.ask(connection, request)
   exit.check(connection:write(json.encode(request) .. "\n"))
   local answer = read(connection)
   if answer.ok then return answer end
   exit.with(answer.status or exit.REFUSED, "%s", exit.escape(answer.message or "refused"):gsub("\\n", "\n"):gsub("\\t", "\t"))
end

--- The next line of an answer that goes on; nil at its end.
function client.next(connection)
   local line = connection:get()
   return line and json.decode(line)
end

--- Runs body(connection) against the host that the options name: its status.
function client.run(given, body)
   return supervise.run(function()
      local connection <close> = place.connect(given.socket)
      return body(connection) or exit.DONE
   end)
end

--- A command that is one request: `describe` has summary, usage, define(parser), request(given) and show(answer, given).
function client.command(describe)
   local define = describe.define
   function describe.define(parser)
      if define then define(parser) end
      client.define_socket(parser)
   end
   function describe.run(given)
      return client.run(given, function(connection)
         local answer = client.ask(connection, describe.request(given))
         return describe.show and describe.show(answer, given, connection)
      end)
   end
   return describe
end

return client
