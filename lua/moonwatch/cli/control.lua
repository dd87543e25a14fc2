-- SPDX-License-Identifier: MIT
--
-- control.lua - the host's side of the control socket.
--
-- A request is a line of JSON, { verb = ..., ... }; the answer is one, { ok = true, ... } or { ok = false, message =,
-- status = }. `tail` goes on with a line for each of the log's, until the other end is gone. Whoever may speak to the
-- socket is this user or root, so everything may be asked.

local json = require "moonwatch.cli.json"
local moonwatch = require "moonwatch"

local control = {}

local function refuse(status, format, ...)
   return { ok = false, status = status, message = format:format(...) }
end

local function ok(answer)
   answer = answer or {}
   answer.ok = true
   return answer
end

-- Rules ---------------------------------------------------------------------------------------------------------------

local function find_rule(host, name)
   local rule = type(name) == "string" and host.set:find(name)
   if rule then return rule end
   local names = {}
   for _, known in ipairs(host.set.rules) do names[known.name] = true end
   local near = require("moonwatch.rule.declare").nearest(tostring(name), names)
   return nil, refuse(2, "there is no rule '%s'%s", tostring(name), near and (" (did you mean '%s'?)"):format(near) or "")
end

-- A verb about one rule.
local function with_rule(act)
   return function(host, request)
      local rule, problem = find_rule(host, request.rule)
      if not rule then return problem end
      act(rule, request)
      return ok()
   end
end

-- Whether a run of these rules has failed, the last one of each.
local function failed_rules(rules)
   local names = {}
   for _, rule in ipairs(rules) do
      local last = rule:status().last
      if last and not last.ok then names[#names + 1] = rule.name end
   end
   return names
end

local function wait(host, request)
   local rule, problem
   if request.rule then
      rule, problem = find_rule(host, request.rule)
      if not rule then return problem end
   end
   local idle, message = (rule or host.set):idle(request.timeout)
   if not idle and message == "timeout" then return refuse(3, "timeout") end
   if not idle then return refuse(1, "%s", message) end
   local failed = failed_rules(rule and { rule } or host.set.rules)
   if #failed > 0 then return refuse(1, "failed: %s", table.concat(failed, ", ")) end
   return ok()
end

-- The host ------------------------------------------------------------------------------------------------------------

-- Reloads are done by the host's main task, one after the other; the answer comes when this one is done.
local function reload(host)
   local answer = moonwatch.channel()
   host.requests:put { verb = "reload", answer = answer }
   local result = answer:get()
   if not result or not result.ok then return refuse(1, "%s", result and result.message or "the host ends") end
   return ok { rules = result.rules }
end

local function stop(host)
   host.requests:put { verb = "stop" }
   return ok()
end

local function set_level(host, request)
   local done, message = host.log:set { level = request.level }
   return done and ok() or refuse(2, "%s", message)
end

local function explain(host, request)
   return ok { rules = json.list(host:explain(request.path)) }
end

local function lost_record(count)
   local message = ("%d lines of the log are not shown: they came too fast"):format(count)
   return { line = "moonwatch: " .. message .. "\n", level = "warn", message = message }
end

-- The log, from now on. Whoever logs does not wait for the reader: what is too much is counted, and told after the rest.
local function tail(host, request, connection)
   local lines, lost = moonwatch.channel(1000), 0
   local function listener(line, level, message)
      if not lines:put({ line = line, level = level, message = message }, 0) then lost = lost + 1 end
   end
   connection:write(json.encode(ok()) .. "\n")
   for _, record in ipairs(request.history and host.sink.history or {}) do
      connection:write(json.encode(record) .. "\n")
   end
   host.sink.listeners[listener] = true
   local _ <close> = setmetatable({}, { __close = function() host.sink.listeners[listener] = nil end })
   while true do
      local source, record = moonwatch.select { lines, connection }
      if source == connection then return nil end
      local text = json.encode(record) .. "\n"
      if #lines == 0 and lost > 0 then text, lost = text .. json.encode(lost_record(lost)) .. "\n", 0 end
      if not connection:write(text) then return nil end
   end
end

local verbs = {
   status = function(host, request) return ok(host:status(request)) end,
   reload = reload,
   stop = stop,
   pause = with_rule(function(rule, request) rule:pause(request.drop and "drop" or "collect") end),
   resume = with_rule(function(rule) rule:resume() end),
   trigger = with_rule(function(rule) rule:trigger() end),
   explain = explain,
   log = set_level,
   wait = wait,
   tail = tail,
}

-- Serving -------------------------------------------------------------------------------------------------------------

local function answer_to(host, line, connection)
   local request = json.decode(line)
   local verb = type(request) == "table" and verbs[request.verb]
   if not verb then return refuse(2, "no such request") end
   local done, answer = xpcall(verb, debug.traceback, host, request, connection)
   if not done then return refuse(1, "%s", answer) end
   return answer
end

local function talk(host, accepted)
   local connection <close> = accepted
   while true do
      local line = connection:get()
      if not line then return end
      local answer = answer_to(host, line, connection)
      if not answer or not connection:write(json.encode(answer) .. "\n") then return end
   end
end

--- Answers whoever speaks to the listener, until that is closed. Runs in a task.
function control.serve(host, listener)
   while true do
      local connection, message = listener:get()
      if connection then
         moonwatch.spawn("control", talk, host, connection)
      elseif message == "closed" then
         return
      else
         host.log.warn("control socket: %s", message)
         moonwatch.sleep(1)
      end
   end
end

return control
