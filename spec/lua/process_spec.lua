-- SPDX-License-Identifier: MIT
--
-- process_spec.lua - running commands: exec and process handles.

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local process = require "moonwatch.process"

local exec, start = moonwatch.exec, moonwatch.process
local ECHILD, EPIPE, ESRCH = moonwatch.errno.ECHILD, moonwatch.errno.EPIPE, moonwatch.errno.ESRCH
local ENOENT, EACCES, ETIMEDOUT = moonwatch.errno.ENOENT, moonwatch.errno.EACCES, moonwatch.errno.ETIMEDOUT

-- The result without its time, which is never the same.
local function timeless(result, ...)
   if not result then return result, ... end
   assert.is_true(result.seconds >= 0 and result.seconds < 60)
   result.seconds = nil
   return result
end

local function sh(script, options)
   local command = { "sh", "-c", script }
   for key, value in pairs(options or {}) do command[key] = value end
   return command
end

-- Runs a script under a time limit in which it gets as far as saying "up": how long that takes is the machine's business.
local function limited(script, options)
   local result
   options.timeout = 0.05
   repeat
      result = exec(sh(script, options))
      options.timeout = 2 * options.timeout
   until result.out:find "^up" or options.timeout > 20
   return result
end

local function state_of(pid)
   local file = io.open(("/proc/%d/stat"):format(pid))
   if not file then return nil end
   local text = file:read "a"
   file:close()
   return text and text:match "%) (%a)"
end

-- Neither running nor sleeping; whether someone has buried it is init's business.
local function is_dead(pid)
   local state = state_of(pid)
   return state == nil or state == "Z" or state == "X"
end

local function number_in(path)
   return helper.eventually(function()
      return helper.exists(path) and math.tointeger(tonumber(helper.read(path)))
   end)
end

describe("exec", function()
   helper.leaves_nothing()

   it("gives what a command wrote and how it ended", function()
      assert.same({ ok = true, code = 0, timed_out = false, truncated = false, out = "out\n", err = "err\n" },
         timeless(exec(sh "echo out; echo err >&2")))
   end)

   it("tells a failure by its code", function()
      assert.same({ ok = false, code = 3, timed_out = false, truncated = false, out = "", err = "" },
         timeless(exec(sh "exit 3")))
   end)

   it("tells a death by its signal, without a code", function()
      assert.same({ ok = false, signal = "KILL", timed_out = false, truncated = false, out = "", err = "" },
         timeless(exec(sh "kill -KILL $$")))
   end)

   it("measures the seconds", function()
      local result = exec { "sleep", 0.1 }
      assert.is_true(result.seconds >= 0.1 and result.seconds < 60)
   end)

   it("takes other codes for success where it is told so", function()
      assert.is_true(exec(sh("exit 2", { success = { 0, 2 } })).ok)
      assert.is_true(exec(sh("exit 255", { success = 255 })).ok)
      assert.is_false(exec(sh("exit 0", { success = { 1 } })).ok)
      assert.is_false(exec(sh("kill $$", { success = { 0, 15, 143 } })).ok)
   end)

   it("hands words over untouched", function()
      local words = { "$(touch x)", "; rm x", "-rf", "a\nb", "'\"", "", "\xff\xfe", "%s", ("x"):rep(100000) }
      local result = exec { "printf", "[%s]", table.unpack(words) }
      assert.equal("[" .. table.concat(words, "][") .. "]", result.out)
   end)

   it("takes numbers for words", function()
      assert.equal("7 0.5\n", exec { "echo", 7, 0.5 }.out)
   end)

   it("works in tasks, side by side", function()
      local meeting = "cd %s; echo >%d; while [ ! -e 1 ] || [ ! -e 10 ]; do sleep 0.01; done; echo %d"
      local dir = helper.folder()
      moonwatch.run(function()
         local tasks = {}
         for i = 1, 10 do
            tasks[i] = moonwatch.spawn(function() return exec(sh(meeting:format(dir, i, i), { timeout = 30 })).out end)
         end
         for i = 1, 10 do assert.same({ true, i .. "\n" }, { tasks[i]:join() }) end
      end)
   end)

   it("stops the command where its task is cancelled", function()
      local file = helper.folder() .. "/pid"
      local pid
      moonwatch.run(function()
         local task = moonwatch.spawn(function() exec(sh(("echo $$ >%s; exec sleep 100"):format(file))) end)
         pid = number_in(file)
         task:cancel()
      end)
      helper.eventually(function() return is_dead(pid) end)
   end)
end)

describe("standard output and error", function()
   helper.leaves_nothing()

   it("may be one", function()
      local result = timeless(exec(sh("echo a; echo b >&2; echo c", { stderr = "stdout" })))
      assert.same({ ok = true, code = 0, timed_out = false, truncated = false, out = "a\nb\nc\n" }, result)
   end)

   it("may be thrown away", function()
      assert.same({ ok = true, code = 0, timed_out = false, truncated = false, err = "" },
         timeless(exec(sh('[ "$(readlink /proc/$$/fd/1)" = /dev/null ]', { stdout = "null" }))))
   end)

   it("keep their tail in a capture that has a limit", function()
      local result = exec(sh("seq 100000", { capture_limit = 13 }))
      assert.same({ "99999\n100000\n", true }, { result.out, result.truncated })
      result = exec(sh("printf 12345", { capture_limit = 5 }))
      assert.same({ "12345", false }, { result.out, result.truncated })
      result = exec(sh("printf 123456; printf abc >&2", { capture_limit = 5 }))
      assert.same({ "23456", "abc", true }, { result.out, result.err, result.truncated })
      result = exec(sh("printf 123456", { capture_limit = 0 }))
      assert.same({ "", true }, { result.out, result.truncated })
   end)

   it("keep a megabyte where nothing else is said", function()
      local result = exec { "head", "-c", 1024 * 1024, "/dev/zero" }
      assert.same({ 1024 * 1024, false }, { #result.out, result.truncated })
      result = exec { "head", "-c", 1024 * 1024 + 1, "/dev/zero" }
      assert.same({ 1024 * 1024, true }, { #result.out, result.truncated })
   end)

   it("do not hold the result in the hands of a grandchild", function()
      local result = exec(sh "sleep 100 & echo $!")
      local pid = tonumber(result.out)
      assert.is_true(result.ok and result.seconds < 60)
      assert.is_false(is_dead(pid)) -- what is left in the background is left alone
      os.execute("kill " .. pid)
   end)

   it("do not hold the result in the hands of a grandchild that never stops writing", function()
      local script = "(for i in $(seq 100); do echo noise; done; echo >%s; while :; do echo noise; done) & "
         .. "while [ ! -e %s ]; do sleep 0.01; done"
      local told = helper.folder() .. "/told"
      local result = exec(sh(script:format(told, told), { capture_limit = 100, timeout = 30 }))
      assert.is_true(result.ok and result.truncated)
   end)

   it("may be closed by a command that lives on", function()
      local result = exec(sh "echo a; exec >&- 2>&-; sleep 0.1; exit 4")
      assert.same({ "a\n", 4 }, { result.out, result.code })
      assert.is_true(result.seconds >= 0.1)
   end)

   it("go to a function line by line", function()
      local out, err = {}, {}
      local result = timeless(exec(sh("echo 1; echo e >&2; echo; printf '2\\r\\nrest'", {
         stdout = function(line) out[#out + 1] = line end,
         stderr = function(line) err[#err + 1] = line end,
      })))
      assert.same({ ok = true, code = 0, timed_out = false, truncated = false }, result)
      assert.same({ { "1", "", "2\r", "rest" }, { "e" } }, { out, err })
   end)

   it("wait for a function that waits, and so does the result", function()
      local lines = {}
      local result = exec(sh("seq 5", { stdout = function(line)
         moonwatch.sleep(0.01)
         lines[#lines + 1] = line
      end }))
      assert.same({ "1", "2", "3", "4", "5" }, lines)
      assert.is_true(result.ok)
   end)

   it("do not hold up what is stopped for longer than its grace, where a function waits for ever", function()
      for _, stop in ipairs { "timeout", "stop", "own stop" } do
         local handle, closed, began
         handle = assert(moonwatch.process(sh("echo 1; echo 2; exec sleep 60", {
            grace = 0.05, timeout = stop == "timeout" and 0.05 or nil, stdout = function(line)
               local _ <close> = setmetatable({}, { __close = function() closed = line end })
               began = true
               if stop == "own stop" then handle:stop() end
               moonwatch.sleep(1e6)
            end,
         })))
         helper.eventually(function() return began end)
         if stop == "stop" then handle:stop() end
         local result = handle:wait(10)
         assert.same({ "TERM", stop == "timeout" }, { result and result.signal, result and result.timed_out })
         assert.equal("1", closed)
      end
   end)

   it("do not hold up a stop after the end either", function()
      local began
      local handle = assert(moonwatch.process(sh("echo 1", { stdout = function()
         began = true
         moonwatch.sleep(1e6)
      end })))
      helper.eventually(function() return began and not handle.running end)
      assert.equal(nil, (handle:wait(0)))
      assert.equal(0, handle:stop(0.05).code)
   end)

   it("that are a process's last words are handed over when it is stopped", function()
      local lines = {}
      local handle = assert(moonwatch.process(sh("trap 'seq 5; exit' TERM; echo up; while :; do sleep 0.01; done", {
         stdout = function(line)
            moonwatch.sleep(0.01)
            lines[#lines + 1] = line
         end,
      })))
      helper.eventually(function() return #lines == 1 end)
      handle:stop()
      assert.same({ "up", "1", "2", "3", "4", "5" }, lines)
   end)

   it("go on to a function that has raised, and the error is told", function()
      local told, lines = {}, {}
      local before = moonwatch.on_error(function(message) told[#told + 1] = tostring(message) end)
      local result = exec(sh("seq 3", { stdout = function(line)
         if line == "2" then error "two is bad" end
         lines[#lines + 1] = line
      end }))
      helper.eventually(function() return #told > 0 end)
      moonwatch.on_error(before)
      assert.is_true(result.ok)
      assert.same({ "1", "3" }, lines)
      assert.equal(1, #told)
      assert.truthy(told[1]:find("process_spec.lua:%d+: two is bad"))
   end)

   it("come in pieces where a line is longer than the limit", function()
      local lines = {}
      exec(sh("printf 1234567890; echo; echo ab; printf 12345", {
         capture_limit = 4, stdout = function(line) lines[#lines + 1] = line end,
      }))
      assert.same({ "1234", "5678", "90", "ab", "1234", "5" }, lines)
   end)
end)

describe("standard input", function()
   helper.leaves_nothing()

   it("is empty", function()
      assert.equal("/dev/null\n", exec { "readlink", "/proc/self/fd/0" }.out)
   end)

   it("may be a string", function()
      assert.equal("a\0b\n", exec { "cat", stdin = "a\0b\n" }.out)
      assert.equal("", exec { "cat", stdin = "" }.out)
   end)

   it("may be a long string while the output is captured", function()
      local text = ("0123456789abcdef"):rep(1024 * 128)
      local result = exec { "cat", stdin = text, capture_limit = #text }
      assert.is_true(result.ok and result.out == text)
   end)

   it("need not be read", function()
      assert.is_true(exec { "true", stdin = ("x"):rep(1024 * 1024) }.ok)
      assert.is_true(exec(sh("exec <&-; sleep 0.05", { stdin = ("x"):rep(1024 * 1024) })).ok)
   end)
end)

describe("what a command gets from us", function()
   helper.leaves_nothing()

   it("is our environment with what is added, without what is removed", function()
      local result = exec(sh('echo "$MOONWATCH_A|$HOME|${USER-unset}|$N"', {
         env = { MOONWATCH_A = "a b\n$x", USER = false, HOME = "/h", N = 5 },
      }))
      assert.equal("a b\n$x|/h|unset|5\n", result.out)
   end)

   it("is the search path of its own environment", function()
      local dir = helper.folder()
      helper.write(dir .. "/tool-of-spec", "#!/bin/sh\necho found")
      os.execute("chmod +x " .. dir .. "/tool-of-spec")
      assert.equal("found\n", exec { "tool-of-spec", env = { PATH = dir .. ":/bin:/usr/bin" } }.out)
      assert.same({ nil, "tool-of-spec: No such file or directory", ENOENT },
         table.pack(exec { "tool-of-spec" }, nil) and { exec { "tool-of-spec" } })
   end)

   it("is a folder", function()
      local dir = helper.folder()
      assert.equal(dir .. "\n", exec { "pwd", cwd = dir }.out)
   end)

   it("is no descriptor, no signal and not NOTIFY_SOCKET", function()
      local script = [[
         local moonwatch = require "moonwatch"
         local leak = io.open("/dev/zero")
         local inotify = moonwatch.inotify()
         print((moonwatch.exec{ "ls", "-m", "/proc/self/fd" }.out:gsub("\n", "")))
         local status = moonwatch.exec{ "cat", "/proc/self/status" }.out
         print(status:match "SigBlk:%s*0*(%x-)\n", status:match "SigIgn:%s*0*(%x-)\n")
         print(moonwatch.exec{ "printenv", "NOTIFY_SOCKET" }.code)
      ]]
      local result = helper.run({ "env", "--ignore-signal=HUP", "--ignore-signal=PIPE", "--block-signal=USR1",
         helper.interpreter, helper.program(script) }, { env = { NOTIFY_SOCKET = "/run/x" } })
      -- 3 is the folder that ls looks at
      assert.same({ "0, 1, 2, 3\n\t\n1\n", "" }, { result.out, result.err })
   end)

   it("is a process group", function()
      assert.equal("yes\n", exec(sh "[ $$ = $(ps -o pgid= $$) ] && echo yes").out)
   end)

   it("is another user with all that belongs to it, where the rights allow", function()
      if not helper.is_root() then return pending "needs root" end
      local script = "echo $(id -un) $(id -gn) $(id -Gn) $HOME $USER $LOGNAME"
      assert.equal("daemon daemon daemon /usr/sbin daemon daemon\n", exec(sh(script, { user = "daemon" })).out)
      assert.equal("daemon nogroup nogroup /tmp daemon daemon\n",
         exec(sh(script, { user = "daemon:nogroup", env = { HOME = "/tmp" } })).out)
      assert.same({ nil, "true: cannot become user nobody-here: No such file or directory", ENOENT },
         { exec { "true", user = "nobody-here" } })
   end)
end)

describe("a command that cannot be started", function()
   helper.leaves_nothing()

   it("is refused with its name, the reason and the code", function()
      assert.same({ nil, "no-such-command: No such file or directory", ENOENT }, { exec { "no-such-command" } })
      assert.same({ nil, "/: Permission denied", EACCES }, { exec { "/" } })
      assert.same({ nil, "a\\nb: No such file or directory", ENOENT }, { exec { "a\nb" } })
      assert.same({ nil, "no-such-command: No such file or directory", ENOENT },
         { start { "no-such-command", stdin = "pipe", stdout = "pipe", stderr = "pipe" } })
   end)

   it("names the folder that is not there", function()
      assert.same({ nil, "true: cannot enter /no/such: No such file or directory", ENOENT },
         { exec { "true", cwd = "/no/such" } })
   end)

   it("says so where its interpreter is missing", function()
      local tool = helper.write(helper.folder() .. "/tool", "#!/no/such/interpreter\n")
      os.execute("chmod +x " .. tool)
      assert.same({ nil, tool .. ": its interpreter is missing: No such file or directory", ENOENT }, { exec { tool } })
   end)

   it("is refused where it is longer than the system allows", function()
      local result, message, errno = exec { "true", ("x"):rep(200000) }
      assert.same({ nil, "true: Argument list too long", moonwatch.errno.E2BIG }, { result, message, errno })
   end)
end)

describe("misuse", function()
   local function message_of(...)
      local ok, message = pcall(...)
      assert.is_false(ok)
      return (message:gsub("^.-process_spec.lua:%d+: ", "HERE: "))
   end

   it("is a string instead of a list", function()
      assert.equal('HERE: exec: a list such as { "cmd", "arg" } expected, not "ls"; '
         .. 'there is no shell, unless you say { "sh", "-c", ... }', message_of(exec, "ls"))
   end)

   it("is told with the user's line and the nearest key", function()
      assert.equal('HERE: exec: unknown key "timeot" (did you mean "timeout"?)', message_of(exec, { "true", timeot = 1 }))
      assert.equal('HERE: process: stdout must be a function, "capture", "inherit", "null" or "pipe", not "pip" '
         .. '(did you mean "pipe"?)', message_of(start, { "true", stdout = "pip" }))
   end)

   it("is whatever cannot be meant", function()
      for _, options in ipairs {
         {}, { "" }, { 1, {} }, { "a\0b" }, { "true", [3] = "x" }, { "true", env = { [1] = "x" } },
         { "true", env = { ["a=b"] = "x" } }, { "true", env = { A = "\0" } }, { "true", timeout = -1 },
         { "true", timeout = 0 / 0 }, { "true", success = { 256 } }, { "true", success = { "0" } },
         { "true", stop_signal = "NOSUCH" }, { "true", stop_signal = 1000 }, { "true", cwd = "" },
         { "true", stdin = "pipe" }, { "true", stdout = "pipe" }, { "true", stdout = "stdout" },
         { "true", capture_limit = 1.5 }, { "true", cwd = "a\0b" }, { "true", user = 1 }, { "true", stdin = 5 },
      } do
         assert.truthy(message_of(exec, options):find "^HERE: exec: ")
      end
   end)

   it("of a handle is told too", function()
      local handle <close> = start { "sleep", 100 }
      assert.equal("HERE: the stdout of this process is not a pipe", message_of(function() handle:lines() end))
      assert.equal("HERE: the standard input of this process is not a pipe", message_of(function() handle:write "x" end))
      assert.equal("HERE: there is no signal 'NOSUCH'", message_of(function() handle:kill "NOSUCH" end))
      assert.equal("HERE: there is no signal '0'", message_of(function() handle:kill(0) end))
   end)
end)

describe("a time limit", function()
   helper.leaves_nothing()

   it("ends the command with its stop signal", function()
      local result = timeless(exec { "sleep", 100, timeout = 0.05 })
      assert.same({ ok = false, signal = "TERM", timed_out = true, truncated = false, out = "", err = "" }, result)
   end)

   it("is no success whatever the command makes of it", function()
      local result = timeless(limited("trap 'echo bye; exit 0' INT; echo up; while :; do sleep 0.01; done",
         { stop_signal = "INT" }))
      assert.same({ ok = false, code = 0, timed_out = true, truncated = false, out = "up\nbye\n", err = "" }, result)
   end)

   it("kills after the grace what does not listen", function()
      local result = limited("trap '' TERM; echo up; while :; do sleep 0.02; done", { grace = 0.1 })
      assert.same({ "KILL", true }, { result.signal, result.timed_out })
      assert.is_true(result.seconds >= 0.15 and result.seconds < 60)
   end)

   it("ends the whole group, and wakes what has been stopped", function()
      local file = helper.folder() .. "/pid"
      local result = limited(("sleep 100 & echo $! >%s; echo up; kill -STOP $$; wait"):format(file), {})
      assert.same({ "TERM", true }, { result.signal, result.timed_out })
      assert.is_true(is_dead(number_in(file)))
   end)

   it("kills at once where there is no grace", function()
      local result = limited("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done", { grace = 0 })
      assert.same({ "KILL", true }, { result.signal, result.timed_out })
   end)

   it("that is not reached changes nothing", function()
      assert.same({ ok = true, code = 0, timed_out = false, truncated = false, out = "", err = "" },
         timeless(exec { "true", timeout = 30 }))
      assert.is_true(exec { "true", timeout = math.huge }.ok)
   end)
end)

describe("a handle", function()
   helper.leaves_nothing()

   it("knows the process", function()
      local handle <close> = start { "sleep", 100 }
      assert.equal("S", helper.eventually(function() return state_of(handle.pid) == "S" and "S" end))
      assert.is_true(handle.running)
      assert.equal(("process %d (sleep, running)"):format(handle.pid), tostring(handle))
      handle:stop()
      assert.is_false(handle.running)
      assert.equal(("process %d (sleep, ended)"):format(handle.pid), tostring(handle))
      assert.is_nil(state_of(handle.pid))
   end)

   it("waits as long as it is told to", function()
      local handle <close> = start { "sleep", 100 }
      assert.same({ nil, "timeout", ETIMEDOUT }, { handle:wait(0) })
      assert.same({ nil, "timeout", ETIMEDOUT }, { handle:wait(0.02) })
   end)

   it("gives its result to everybody, again and again", function()
      local handle = start(sh "sleep 0.05; exit 5")
      moonwatch.run(function()
         local tasks = {}
         for i = 1, 5 do tasks[i] = moonwatch.spawn(function() return handle:wait().code end) end
         for i = 1, 5 do assert.same({ true, 5 }, { tasks[i]:join() }) end
      end)
      assert.same({ ok = false, code = 5, timed_out = false, truncated = false }, timeless(handle:wait(0)))
   end)

   it("can be selected", function()
      if not moonwatch.select then return pending "until there is select" end
      local slow <close> = start { "sleep", 100 }
      local quick = start { "sleep", 0.02 }
      local source, result = moonwatch.select { slow, quick, timeout = 10 }
      assert.is_true(source == quick and result.ok)
   end)

   it("keeps the process alive without the script's help", function()
      local file = helper.folder() .. "/done"
      start(sh(("sleep 0.1; echo 1 >%s"):format(file)))
      collectgarbage()
      collectgarbage()
      moonwatch.run()
      assert.equal(1, number_in(file))
   end)

   it("signals the whole group", function()
      local file = helper.folder() .. "/pid"
      local handle = start(sh(("sleep 100 & echo $! >%s; wait"):format(file)))
      local pid = number_in(file)
      assert.is_true(handle:kill "SIGTERM")
      assert.equal("TERM", handle:wait().signal)
      helper.eventually(function() return is_dead(pid) end)
   end)

   it("signals by number too", function()
      local handle = start { "sleep", 100 }
      assert.is_true(handle:kill(9))
      assert.equal("KILL", handle:wait().signal)
   end)

   it("takes no number for a signal that is none", function()
      local handle <close> = start { "sleep", 100 }
      for _, number in ipairs { 0, -9, 9.5, 4711, (1 << 32) + 9, (1 << 63) + 9 } do
         assert.equal(("there is no signal '%s'"):format(number), helper.misuse(function() handle:kill(number) end))
      end
      assert.is_true(handle.running)
   end)

   it("refuses a signal after the end, in words", function()
      local handle = start { "true" }
      handle:wait()
      assert.same({ nil, "true: No such process", ESRCH }, { handle:kill "TERM" })
   end)

   it("can go to the process alone", function()
      local handle = start { "sh", "-c", "trap 'echo told; kill -0 $!  && echo spared; kill $!; exit' HUP; "
         .. "sleep 100 & echo ready; wait", stdout = "pipe" }
      local lines = handle:lines()
      assert.equal("ready", lines())
      assert.is_true(handle:kill("HUP", "leader"))
      assert.same({ "told", "spared", nil }, { lines(), lines(), lines() })
   end)

   it("reaches nobody in a process whose end has not been noticed yet", function()
      local handle = start { "true" }
      repeat until state_of(handle.pid) == "Z"
      assert.same({ nil, "true: No such process", ESRCH }, { handle:kill("TERM", "leader") })
      assert.is_true(handle:stop().ok)
   end)

   it("stops the whole group and then gives the result", function()
      local file = helper.folder() .. "/pid"
      local handle = start(sh(("sh -c \"trap 'sleep 0.1; echo 1 >%s.bye; exit' TERM; echo \\$\\$ >%s; "
         .. "while :; do sleep 0.01; done\" & wait"):format(file, file)))
      local pid = number_in(file)
      assert.equal("TERM", handle:stop().signal)
      assert.is_true(is_dead(pid))
      assert.equal(1, number_in(file .. ".bye")) -- the shell died at once, but its child had its time
   end)

   it("kills after the grace what is left of the group", function()
      local file = helper.folder() .. "/pid"
      local handle = start(sh(("sh -c \"trap '' TERM; echo \\$\\$ >%s; while :; do sleep 0.02; done\" & wait"):format(file),
         { grace = 1000 }))
      local pid = number_in(file)
      local before = moonwatch.now()
      assert.equal("TERM", handle:stop(0.1).signal)
      local seconds = moonwatch.now() - before
      assert.is_true(seconds >= 0.1 and seconds < 60)
      assert.is_true(is_dead(pid))
   end)

   it("leaves alone what has left the group, unless it was asked", function()
      local file = helper.folder() .. "/pid"
      local script = ("setsid sh -c 'echo $$ >%s; exec sleep 100' & wait"):format(file)
      local handle = start(sh(script))
      local pid = number_in(file)
      handle:stop()
      assert.is_false(is_dead(pid))
      os.execute("kill " .. pid)
      os.remove(file)
      handle = start(sh(script, { descendants = true }))
      pid = number_in(file)
      assert.equal("TERM", handle:stop().signal)
      assert.is_true(is_dead(pid))
   end)

   it("of guarded descendants gives results as every other", function()
      assert.same({ ok = false, code = 7, timed_out = false, truncated = false, out = "a\n", err = "" },
         timeless(exec(sh("echo a; exit 7", { descendants = true }))))
      assert.same({ nil, "no-such-command: No such file or directory", ENOENT },
         { exec { "no-such-command", descendants = true } })
      local result = exec(sh("(setsid sh -c 'trap \"\" TERM; while :; do sleep 0.02; done' &); sleep 100",
         { descendants = true, timeout = 0.1, grace = 0.1 }))
      assert.same({ "TERM", true }, { result.signal, result.timed_out })
   end)

   it("leaves alone what its guarded command has left behind at an orderly end", function()
      local pid = tonumber(exec(sh("setsid sleep 100 >&- 2>&- & echo $!", { descendants = true })).out)
      assert.is_false(is_dead(pid))
      os.execute("kill " .. pid)
   end)

   it("is stopped in the background by close", function()
      local handle = start { "sleep", 100 }
      local pid = handle.pid
      moonwatch.run(function()
         local waiter = moonwatch.spawn(function() return handle:wait() end)
         moonwatch.sleep(0)
         handle:close()
         assert.same({ true, nil, "closed", EPIPE }, { waiter:join() })
      end)
      helper.eventually(function() return is_dead(pid) end)
      handle:close()
      assert.same({ nil, "closed", EPIPE }, { handle:wait() })
   end)

   it("is stopped at the end of its block", function()
      local pid
      do
         local handle <close> = start { "sleep", 100 }
         pid = handle.pid
      end
      moonwatch.run()
      assert.is_nil(state_of(pid))
   end)
end)

describe("pipes of a handle", function()
   helper.leaves_nothing()

   it("carry a conversation", function()
      local handle <close> = start { "cat", stdin = "pipe", stdout = "pipe" }
      local next_line = handle:lines()
      for i = 1, 100 do
         assert.is_true(handle:write(i .. "\n"))
         assert.equal(tostring(i), next_line())
      end
      handle:write "rest"
      handle:close "stdin"
      assert.equal("rest", next_line())
      assert.is_nil(next_line())
      assert.is_nil(next_line())
      assert.is_true(handle:wait().ok)
   end)

   it("are read where lines were left", function()
      local handle = start(sh("seq 4", { stdout = "pipe" }))
      for line in handle:lines() do
         if line == "2" then break end
      end
      local rest = {}
      for line in handle:lines "stdout" do rest[#rest + 1] = line end
      assert.same({ "3", "4" }, rest)
      handle:wait()
   end)

   it("can be read after the end", function()
      local handle = start(sh("echo out; echo err >&2", { stdout = "pipe", stderr = "pipe" }))
      handle:wait()
      assert.equal("out", handle:lines()())
      assert.equal("err", handle:lines "stderr"())
      assert.is_nil(handle:lines()())
      assert.is_nil(handle:lines "stderr"())
   end)

   it("are not drained unread, so the command waits", function()
      local handle <close> = start { "yes", stdout = "pipe" }
      local function written()
         return tonumber(helper.read(("/proc/%d/io"):format(handle.pid)):match "wchar: (%d+)")
      end
      helper.eventually(function() return state_of(handle.pid) == "S" and written() > 0 end)
      assert.is_true(written() < 200000)
      local first = handle:lines()()
      assert.equal("y", first)
   end)

   it("end with the command, whoever else holds them", function()
      local handle = start(sh("sleep 100 & echo $!", { stdout = "pipe" }))
      local lines = {}
      for line in handle:lines() do lines[#lines + 1] = line end
      assert.equal(1, #lines)
      os.execute("kill " .. lines[1])
      handle:wait()
   end)

   it("take more than they hold, and wait for it", function()
      local handle <close> = start(sh("sleep 0.05; wc -c", { stdin = "pipe", stdout = "pipe" }))
      assert.is_true(handle:write(("x"):rep(300000)))
      handle:close "stdin"
      assert.equal("300000", handle:lines()())
   end)

   it("refuse what nobody reads", function()
      local handle = start { "true", stdin = "pipe" }
      handle:wait()
      assert.same({ nil, "true: Broken pipe", EPIPE }, { handle:write "x" })
      handle = start(sh("exec <&-; sleep 0.2", { stdin = "pipe" }))
      local message, errno
      helper.eventually(function()
         local ok
         ok, message, errno = handle:write(("x"):rep(100000))
         return not ok
      end)
      assert.same({ "sh: Broken pipe", EPIPE }, { message, errno })
      handle:wait()
   end)

   it("are served in the order in which tasks came", function()
      local got = {}
      moonwatch.run(function()
         local handle <close> = start { "cat", stdin = "pipe", stdout = "pipe" }
         local tasks = {}
         for i = 1, 3 do
            tasks[i] = moonwatch.spawn(function()
               local line = handle:lines()()
               got[#got + 1] = i .. line
            end)
         end
         moonwatch.sleep(0)
         handle:write "a\nb\nc\n"
         for i = 1, 3 do tasks[i]:join() end
      end)
      assert.same({ "1a", "2b", "3c" }, got)
   end)
end)

describe("many short runs", function()
   it("leave no descriptor, no zombie and no process", function()
      exec { "true" }
      local descriptors, children = #helper.descriptors(), #helper.children()
      local count = tonumber(os.getenv "SPEC_RUNS") or 5000
      moonwatch.run(function()
         for i = 1, count do
            local result = exec { "true", stdin = i % 2 == 0 and "x" or nil }
            assert.is_true(result.ok)
            if i % 250 == 0 then
               assert.is_true(#helper.descriptors() <= descriptors)
               assert.equal(children, #helper.children())
            end
         end
      end)
      assert.is_true(#helper.descriptors() <= descriptors)
   end)
end)

describe("another part of the program", function()
   it("that takes the status leaves us an error in words", function()
      local script = [[
         local moonwatch = require "moonwatch"
         print(moonwatch.exec{ "true" })
         print(moonwatch.process{ "sleep", 100 }:stop(1))
      ]]
      local result = helper.run { "env", "--ignore-signal=CHLD", helper.interpreter, helper.program(script) }
      local line = ("nil\t%%s: its end was taken by another part of the program: No child processes\t%d\n"):format(ECHILD)
      assert.same({ line:format "true" .. line:format "sleep", "" }, { result.out, result.err })
   end)

   it("that never turns the loop again finds no process left", function()
      local result = helper.run { helper.interpreter, helper.program [[
         local moonwatch = require "moonwatch"
         local one = moonwatch.process{ "sleep", 100 }
         local two = moonwatch.process{ "sh", "-c", "trap '' TERM; echo trapped; while :; do sleep 0.02; done", grace = 0.1,
            stdout = "pipe" }
         assert(two:lines()() == "trapped")
         print(one.pid, two.pid)
      ]] }
      local one, two = result.out:match "(%d+)%s+(%d+)"
      assert.same({ nil, nil, 0, "" }, { state_of(one), state_of(two), result.status, result.err })
   end)
end)

describe("split", function()
   it("puts all paths into one command where there is room", function()
      assert.same({ { "rm", "-f", "a", "b" } }, process.split({ "rm", "-f" }, { "a", "b" }))
      assert.same({ { "cp", "a", "b", "to/" } }, process.split({ "cp", "{paths}", "to/" }, { "a", "b" }))
      assert.same({ { "rm", "-f" } }, process.split({ "rm", "-f" }, {}))
   end)

   it("makes as many commands as the room asks for, each path once and in order", function()
      assert.same({ { "x", "aaaa", "b" }, { "x", "cccc", "d" } },
         process.split({ "x" }, { "aaaa", "b", "cccc", "d" }, 10 + 14 + 10))
      assert.same({ { "x", "aaaa" }, { "x", "b" } }, process.split({ "x" }, { "aaaa", "b" }, 1))
   end)

   it("makes commands that the system takes", function()
      local paths = {}
      for i = 1, 100000 do paths[i] = ("some/folder/with $(touch x) and 'quotes'/%06d"):format(i) end
      local seen = 0
      local commands = process.split({ "sh", "-c", 'echo $#', "sh" }, paths)
      for _, command in ipairs(commands) do seen = seen + tonumber(assert(exec(command)).out) end
      assert.is_true(#commands > 1)
      assert.equal(100000, seen)
   end)
end)
