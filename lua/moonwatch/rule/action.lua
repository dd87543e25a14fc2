-- SPDX-License-Identifier: MIT
--
-- action.lua - what a run does: the body of its task, from the call of a function or the start of processes to an
-- outcome { ok, err, code, result, script, traceback, again }.
--
-- Everything here may wait. It never touches the engine: the world hands the outcome to engine:finished.

local batch = require "moonwatch.rule.batch"
local declare = require "moonwatch.rule.declare"
local template = require "moonwatch.rule.template"

local action = {}

local ROOM = 1500000 -- bytes of arguments tried in one exec; halved where the system says E2BIG
local E2BIG = 7

local sethook = debug.sethook

-- Functions ------------------------------------------------------------------------------------------------------

local function describe(err)
   if type(err) == "string" then
      return err
   end
   local ok, text = pcall(tostring, err)
   return ("(error is a %s: %s)"):format(type(err), ok and text or "without text")
end

-- The traceback ends where the script's own code was called.
local function explain_error(err)
   sethook() -- a time budget that is used up would be raised here again
   local text = describe(err)
   local traceback = debug.traceback(text, 2)
   return { err = text, traceback = declare.tidy((traceback:gsub("\n%s*%[C%]: in function 'xpcall'.*", ""))) }
end

local SUCCESS = { ok = true }

-- nil or false with a message is a failure, so is a result whose `ok` is false; anything else is success.
local function judge(result, message, code)
   if not result and message ~= nil then
      local text = describe(message)
      return { ok = false, err = text, code = code, result = { ok = false, err = text, code = code } }
   elseif type(result) == "table" and result.ok == false then
      return { ok = false, err = action.reason(result), code = result.code, result = result }
   end
   return SUCCESS
end

-- An error that was raised, as an outcome.
local function script_error(problem)
   if type(problem) ~= "table" then
      problem = { err = describe(problem), traceback = describe(problem) }
   end
   return {
      ok = false, script = true, err = problem.err, traceback = problem.traceback,
      result = { ok = false, err = problem.err },
   }
end

-- action.in_script, where the host has set it for its memory limit, is told true when a script's function is called, and
-- afterwards what held before.
local function conclude(before, ...)
   if action.in_script then
      action.in_script(before)
   end
   return ...
end

local function protected(fn, ...)
   local before = action.in_script and action.in_script(true)
   return conclude(before, xpcall(fn, explain_error, ...))
end

-- What the function has given, if anything, is looked at under the same protection: it may have metamethods.
local function outcome_of(ok, result, message, code)
   if not ok then
      return script_error(result)
   elseif result == nil and message == nil then
      return SUCCESS
   end
   local is_judged, outcome = protected(judge, result, message, code)
   return is_judged and outcome or script_error(outcome)
end

-- Calls the script's function; its errors are an outcome.
local function call(fn, ...)
   return outcome_of(protected(fn, ...))
end

-- Asks a function of the script that is no run of its own (key, filter, retry.when, a line of output): true and what it
-- gives; false and the error with its traceback.
function action.ask(fn, ...)
   local ok, value = protected(fn, ...)
   if ok then
      return true, value
   end
   return false, script_error(value).traceback
end

-- What a job knows of itself.
local function job_of(run)
   return { rule = run.runtime.rule, try = run.try, reason = run.reason }
end

-- A function may do with them what it likes, and take them one by one off the list: what failed is tried again whole.
local function changes_for(run)
   if not run.runtime.spec.each then
      return batch.new(table.move(run.changes, 1, #run.changes, 1, {}))
   end
   local copy = {}
   for name, value in pairs(run.changes[1]) do
      copy[name] = value
   end
   return copy
end

local function call_function(run)
   local spec = run.runtime.spec
   local job = spec.takes_job and job_of(run) or nil
   if spec.next_time then
      return call(spec.fn, job)
   end
   return call(spec.fn, changes_for(run), job)
end

-- Processes ------------------------------------------------------------------------------------------------------

-- A failed result in words: "exit code 2", "killed by SIGKILL", "timed out".
function action.reason(result)
   if result.err and result.err ~= "" and not result.signal and not result.code then
      return describe(result.err)
   elseif result.timed_out then
      return "timed out"
   elseif result.signal then
      return "ended by " .. tostring(result.signal)
   end
   return result.code == nil and "failed" or "exit code " .. tostring(result.code)
end

local function environment(run)
   local env = { MOONWATCH_RULE = run.name, MOONWATCH_REASON = run.reason, MOONWATCH_TRY = tostring(run.try) }
   local spec, change = run.runtime.spec, run.changes[1]
   if spec.each and change then
      for _, name in ipairs(template.names) do
         env["MOONWATCH_" .. name:upper()] = template.value(name, change) or ""
      end
   elseif change then
      env.MOONWATCH_ROOT = change.root
   end
   for name, value in pairs(spec.env) do
      env[name] = value
   end
   return env
end

-- Where a rule has a folder of its own, relative paths would mean something else there.
local function rooted(spec, change)
   if not (spec.process_options.cwd and spec.base) then
      return change
   end
   local copy = {}
   for _, name in ipairs { "op", "path", "rel", "name", "root", "from" } do
      local value = change[name]
      local is_path = name == "path" or name == "root" or name == "from"
      copy[name] = is_path and value and value:sub(1, 1) ~= "/" and spec.base .. "/" .. value or value
   end
   return copy
end

local function rooted_all(spec, changes)
   local all = {}
   for i, change in ipairs(changes) do
      all[i] = rooted(spec, change)
   end
   return all
end

local function output(run, kind)
   local choice = run.runtime.spec[kind]
   local log = run.runtime.world.log
   if choice == "log" then
      return function(line) log.info("%s: %s", run.name, line) end
   elseif type(choice) ~= "function" then
      return choice
   end
   return function(line)
      local ok, problem = run.runtime.world.ask(choice, line)
      if not ok then
         log.error("%s: %s: %s", run.name, kind, problem)
      end
   end
end

local function success_list(spec)
   local codes = {}
   for code in pairs(spec.success) do
      codes[#codes + 1] = code
   end
   return codes
end

local function options_for(run, argv, changes)
   local spec, options = run.runtime.spec, argv
   for name, value in pairs(spec.process_options) do
      options[name] = value
   end
   local is_list = ({ paths = true, paths0 = true, rels = true, rels0 = true })[spec.stdin]
   options.stdin = is_list and template.list(spec.stdin, changes) or spec.stdin
   options.stdout, options.stderr = output(run, "stdout"), output(run, "stderr")
   options.env, options.success = environment(run), success_list(spec)
   return options
end

-- Runs one argv to its end: an outcome, or nil and the errno of a process that could not be started.
local function run_argv(run, argv, changes)
   local command = argv[1]
   local world = run.runtime.world
   local result, message, errno = world.execute(run, options_for(run, argv, changes))
   if not result then
      return { ok = false, err = message, result = { ok = false, err = message } }, errno
   elseif not result.ok then
      return { ok = false, err = command .. ": " .. action.reason(result), code = result.code, result = result }
   end
   return { ok = true, result = result }
end

-- A step whose argv has "{paths}": several processes where one would be too long.
local function run_split(run, words, changes)
   local room, from = ROOM, 1
   local outcome, errno
   repeat
      local to = template.chunk(words, changes, from, room)
      local argv = template.expand(words, changes[1], changes, from, to)
      outcome, errno = run_argv(run, argv, changes)
      local is_too_long = errno == E2BIG and to > from
      room = is_too_long and room // 2 or room
      from = is_too_long and from or to + 1
   until run.stopped or not (outcome.ok or is_too_long) or from > #changes
   return outcome
end

local function run_step(run, words, changes)
   if words.lists then
      return run_split(run, words, changes)
   end
   local change = changes[1] or { root = run.runtime.spec.watch and run.runtime.spec.watch[1] or "" }
   return (run_argv(run, template.expand(words, change), changes))
end

local function run_steps(run)
   local spec = run.runtime.spec
   local changes = rooted_all(spec, run.changes)
   local outcome
   for _, words in ipairs(spec.steps) do
      outcome = run_step(run, words, changes)
      if run.stopped or not outcome.ok then
         break
      end
   end
   return outcome
end

-- The whole ------------------------------------------------------------------------------------------------------

-- retry.when is the script's own: it may wait and it may fail.
local function ask_again(run, outcome)
   local retry = run.runtime.spec.retry
   if outcome.ok or run.stopped or not (retry and retry.when) then
      return
   end
   run.is_in_script = true
   local ok, again = action.ask(retry.when, outcome.result or { ok = false, err = outcome.err })
   if not ok then
      run.runtime.world.log.error("%s: retry.when: %s", run.name, again)
   end
   outcome.again = ok and again and true or false
end

-- The body of the task: returns the outcome. run.is_in_script: only a cancel ends it, there is no process to be stopped.
function action.perform(run)
   local spec = run.runtime.spec
   if run.phase == "on_failure" then
      run.is_in_script = true
      return call(spec.on_failure, batch.new(run.changes), run.err)
   end
   run.is_in_script = spec.fn ~= nil
   local outcome = spec.fn and call_function(run) or run_steps(run)
   ask_again(run, outcome)
   return outcome
end

return action
