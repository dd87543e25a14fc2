-- SPDX-License-Identifier: MIT
--
-- process.lua - run commands: exec{...} to the end, process{...} with a handle.
--
-- Options are checked here, from one declaration, and handed to the core in their plainest form. A command is a list
-- of words that reach it untouched; there is no shell in between.

local core = require "moonwatch.core"
local declare = require "moonwatch.rule.declare"

local process = {}

local LONGEST = 1e9          -- seconds: for ever
local LARGEST = 1 << 40      -- bytes: as many as there are
local HEADROOM = 8192        -- bytes of arguments left free for what the environment may gain
local POINTER = 8            -- bytes that each argument costs beside its own
local LIST = "{paths}"

local function check_signal(value)
   return not core.signal_number(value) and ("names no signal: %s"):format((declare.show(value))) or nil
end

local function check_codes(value)
   for _, code in ipairs(type(value) == "table" and value or { value }) do
      if code < 0 or code > 255 then return ("has %d, and exit codes are 0 to 255"):format(code) end
   end
end

local function check_env(value)
   for name, text in pairs(value) do
      if type(name) ~= "string" or name == "" or name:find "[=\0]" then
         return "has a name that cannot be one: " .. declare.show(name)
      elseif text ~= false and type(text) ~= "number" and (type(text) ~= "string" or text:find("\0", 1, true)) then
         return ("needs a string, a number or false for %s"):format(name)
      end
   end
end

local fields = {
   stdin = { kinds = { "bytes" }, doc = 'what it reads: "null", "inherit", "pipe", or the bytes themselves' },
   stdout = { kinds = { "function" }, choices = { "capture", "inherit", "null", "pipe" }, doc = "where it writes" },
   stderr = { kinds = { "function" }, choices = { "capture", "inherit", "null", "pipe", "stdout" }, doc = "the same" },
   capture_limit = { kinds = { "natural" }, doc = "bytes of a capture that are kept: the last ones" },
   cwd = { kinds = { "path" }, doc = "where it runs" },
   env = { kinds = { "table" }, check = check_env, doc = "added to the environment; false removes" },
   user = { kinds = { "name" }, doc = '"name" or "name:group"' },
   timeout = { kinds = { "seconds" }, doc = "it is stopped after so long" },
   stop_signal = { kinds = { "text", "integer" }, check = check_signal, doc = "asks it to end" },
   grace = { kinds = { "seconds" }, doc = "seconds from the stop signal to KILL" },
   success = { kinds = { "integers", "integer" }, check = check_codes, doc = "the codes that count as ok" },
   descendants = { kinds = { "boolean" }, doc = "a stop also ends what has left the process group" },
}
process.fields = fields

-- What only a handle is good for.
local function check_handle(options, what)
   for _, name in ipairs { "stdin", "stdout", "stderr" } do
      if options[name] == "pipe" then
         declare.misuse('%s: %s = "pipe" needs a handle: use process instead', what, name)
      end
   end
end

local function check_word(word, index, what)
   if type(word) == "number" then word = tostring(word) end
   if type(word) ~= "string" then
      declare.misuse("%s: word %d of the command must be a string, not %s", what, index, (declare.show(word)))
   elseif word:find("\0", 1, true) then
      declare.misuse("%s: word %d of the command has a NUL byte", what, index)
   end
   return word
end

-- Takes the list and the options apart.
local function split_options(options, what)
   if type(options) ~= "table" then
      declare.misuse('%s: a list such as { "cmd", "arg" } expected, not %s%s', what, (declare.show(options)),
         type(options) == "string" and '; there is no shell, unless you say { "sh", "-c", ... }' or "")
   end
   local argv, named, count = {}, {}, #options
   for index = 1, count do argv[index] = check_word(options[index], index, what) end
   for key, value in pairs(options) do
      if math.type(key) ~= "integer" or key < 1 or key > count then named[key] = value end
   end
   if count == 0 or argv[1] == "" then declare.misuse("%s: a command is missing", what) end
   return argv, named
end

local function plain_env(env)
   local plain = {}
   for name, value in pairs(env) do plain[name] = value and tostring(value) end
   return plain
end

local function plain_codes(codes)
   return type(codes) == "table" and { table.unpack(codes) } or { codes }
end

local function plain_seconds(seconds)
   return seconds and math.min(seconds, LONGEST)
end

-- What the core understands.
local function plain_options(given, default_output)
   local stdin = given.stdin or "null"
   local is_mode = stdin == "null" or stdin == "inherit" or stdin == "pipe"
   local function output(mode)
      return type(mode) == "function" and "lines" or mode or default_output
   end
   return {
      stdin = is_mode and stdin or "string",
      input = not is_mode and stdin or nil,
      stdout = output(given.stdout),
      stderr = output(given.stderr),
      on_stdout = given.stdout,
      on_stderr = given.stderr,
      capture_limit = given.capture_limit and math.min(given.capture_limit, LARGEST),
      cwd = given.cwd,
      env = given.env and plain_env(given.env),
      user = given.user,
      timeout = given.timeout and given.timeout < LONGEST and given.timeout or nil,
      stop_signal = given.stop_signal and core.signal_number(given.stop_signal),
      grace = plain_seconds(given.grace),
      success = given.success and plain_codes(given.success),
      descendants = given.descendants,
   }
end

-- The command and its options apart, both checked; misuse is raised at the user's line. `what` is "exec" or "process".
function process.check(options, what)
   local argv, given = split_options(options, what)
   declare.check(fields, given, what)
   if what == "exec" then check_handle(given, what) end
   return argv, given
end

local function start(options, what, default_output)
   local argv, given = process.check(options, what)
   return core.process(argv, plain_options(given, default_output))
end

--- Starts a command and gives its handle.
-- @tparam table options the command's words and the options by name
-- @return a handle; or nil, message, errno where it cannot be started
-- @usage
-- local server <close> = assert(moonwatch.process{ "server", "--port", 8080, stdout = "pipe" })
-- for line in server:lines() do print("server: " .. line) end
function process.process(options)
   return start(options, "process", "inherit")
end

-- Waits for the end of what exec has started. rule/world.lua puts its own in place: in a job of a rule a command belongs
-- to the job.
function process.attend(handle)
   local _ <close> = handle
   return handle:wait()
end

--- Runs a command to its end.
-- @tparam table options the command's words and the options by name
-- @treturn table `{ ok, code, signal, timed_out, out, err, truncated, seconds }`; or nil, message, errno where it cannot
-- be started
-- @usage
-- local result = assert(moonwatch.exec{ "git", "status", "-s", cwd = "project", timeout = 10 })
-- if result.ok then io.write(result.out) end
function process.exec(options)
   local handle, message, errno = start(options, "exec", "capture")
   if not handle then return nil, message, errno end
   return process.attend(handle)
end

local function cost(word)
   return #word + 1 + POINTER
end

--- Splits a long list of paths over several commands, as xargs does, so that each fits the system's limit.
-- @tparam table argv the words; the paths come in place of "{paths}", or at the end
-- @tparam table paths
-- @tparam[opt] integer room bytes that the words of one command may take
-- @treturn table a list of argvs; a single one without paths where there are none
function process.split(argv, paths, room)
   local place, fixed = #argv + 1, 0
   for index, word in ipairs(argv) do
      if word == LIST then place = index else fixed = fixed + cost(word) end
   end
   room = (room or core.argument_room() - HEADROOM) - fixed
   local commands, first = {}, 1
   repeat
      local last, used = first - 1, 0
      while paths[last + 1] and (last < first or used + cost(paths[last + 1]) <= room) do
         last = last + 1
         used = used + cost(paths[last])
      end
      local command = table.move(argv, 1, place - 1, 1, {})
      table.move(paths, first, last, place, command)
      table.move(argv, argv[place] == LIST and place + 1 or place, #argv, #command + 1, command)
      commands[#commands + 1] = command
      first = last + 1
   until first > #paths
   return commands
end

return process
