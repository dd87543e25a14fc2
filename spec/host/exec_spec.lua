-- SPDX-License-Identifier: MIT
--
-- exec_spec.lua - moonwatch exec, run as a program.

local helper = require "support.helper"

-- A fresh folder with a folder "in" to be watched.
local function folder()
   local dir = helper.folder()
   helper.mkdir(dir .. "/in")
   return dir
end

local function start(dir, ...)
   local program = helper.start({ helper.host, "exec", "--settle", "0.02", ... }, { cwd = dir })
   program:wait_for "watching %d+ director"
   return program
end

local function run(dir, ...)
   return helper.run({ helper.host, "exec", ... }, { cwd = dir, timeout = 20 })
end

describe("moonwatch exec", function()
   it("runs the command on each change", function()
      local dir = folder()
      local program = start(dir, "in", "--", "echo", "changed")
      helper.write(dir .. "/in/a", "")
      program:wait_for "changed\n"
      helper.write(dir .. "/in/b", "")
      program:wait_for "changed\nchanged\n"
      program:signal "TERM"
      assert.same({ status = 143, out = "changed\nchanged\n", err = "moonwatch: watching 1 directory\n" }, program:wait())
   end)

   it("gives the command's own status with --once", function()
      for command, status in pairs { ["exit 0"] = 0, ["exit 7"] = 7, ["kill -9 $$"] = 137 } do
         local dir = folder()
         local program = start(dir, "--once", "in", "--", "sh", "-c", command)
         helper.write(dir .. "/in/a", "")
         assert.equal(status, program:wait().status, command)
      end
   end)

   it("does not wait for a change with --start", function()
      local dir = helper.folder()
      local result = run(dir, "-q", "--once", "--start", ".", "--", "sh", "-c", "echo now; exit 3")
      assert.equal(3, result.status)
      assert.equal("now\n", result.out)
      assert.matches("error exec: sh: exit code 3\n$", result.err)
   end)

   it("ends with 1 where the command cannot be started", function()
      local result = run(helper.folder(), "--once", "--start", ".", "--", "no-such-command")
      assert.equal(1, result.status)
      assert.matches("no%-such%-command: No such file or directory\n$", result.err)
   end)

   it("has one argument per path for {paths}, whatever the names hold", function()
      local dir = folder()
      local program = start(dir, "--once", "in", "--", "printf", "<%s>", "{paths}")
      local names = { "$(touch x)", "-rf", "a b", "q'\"", "x\ny" }
      for _, name in ipairs(names) do helper.write(dir .. "/in/" .. name, "") end
      local result = program:wait()
      local seen = {}
      for path in result.out:gmatch "<in/(.-)>" do seen[#seen + 1] = path end
      table.sort(seen)
      table.sort(names)
      assert.same(names, seen)
      assert.is_false(helper.exists(dir .. "/x"))
   end)

   it("runs once for each path with --each", function()
      local dir = folder()
      local program = start(dir, "--each", "in", "--", "echo", "{name}", "{stem}", "{ext}", "{op}")
      helper.write(dir .. "/in/a.txt", "")
      program:wait_for "a.txt a txt create\n"
      helper.write(dir .. "/in/b.c", "")
      program:wait_for "b.c b c create\n"
   end)

   it("waits for what matches a pattern, also where nothing does yet, and with a space in it", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/a b")
      local program = start(dir, "--once", "a b/*.txt", "--", "echo", "{paths}")
      helper.write(dir .. "/a b/no", "")
      helper.write(dir .. "/a b/yes it.txt", "")
      assert.equal("a b/yes it.txt\n", program:wait().out)
   end)

   it("restarts a running command with --busy restart, by its signal", function()
      local dir = folder()
      local program = start(dir, "--start", "--busy", "restart", "--signal", "HUP", "in", "--",
         "sh", "-c", "trap 'echo told; exit' HUP; echo begin; while :; do sleep 0.01; done")
      program:wait_for "begin\n"
      helper.write(dir .. "/in/a", "")
      program:wait_for "begin\ntold\nbegin\n"
      program:signal "TERM"
      assert.equal(143, program:wait().status)
   end)

   it("sends a running command a signal with --busy signal", function()
      local dir = folder()
      local program = start(dir, "--start", "--busy", "signal", "--signal", "USR1", "in", "--",
         "sh", "-c", "trap 'echo told' USR1; echo begin; while :; do sleep 0.01; done")
      program:wait_for "begin\n"
      helper.write(dir .. "/in/a", "")
      program:wait_for "begin\ntold\n"
      program:signal "TERM"
      assert.equal(143, program:wait(10).status)
   end)

   it("kills what does not end within --grace", function()
      local dir = helper.folder()
      local program = start(dir, "--start", "--grace", "0.05", ".", "--", "sh", "-c",
         "trap '' TERM; echo begin; while :; do sleep 0.01; done")
      program:wait_for "begin\n"
      program:signal "INT"
      assert.equal(130, program:wait(5).status)
   end)

   it("reads the paths from a list, as entr does", function()
      local dir = helper.folder()
      helper.write(dir .. "/a b", "")
      helper.write(dir .. "/c", "")
      helper.write(dir .. "/list", "a b\n")
      local program = start(dir, "--once", "--from", "list", "--", "echo", "{paths}")
      helper.write(dir .. "/c", "no")
      helper.write(dir .. "/a b", "yes")
      assert.equal("a b\n", program:wait().out)
   end)

   it("refuses what is not there with 1", function()
      assert.same({ status = 1, out = "", err = 'moonwatch: none: No such file or directory\n' },
         run(helper.folder(), "none", "--", "true"))
   end)

   it("names what is wrong on its command line", function()
      local function wrong(message, ...)
         assert.same({ status = 2, out = "", err = "moonwatch: exec: " .. message .. "\n" }, run(helper.folder(), ...))
      end
      local try = "\nTry 'moonwatch exec --help'."
      wrong("the command is missing: put it behind --" .. try, "in")
      wrong("the command is missing: put it behind --" .. try, "in", "--")
      wrong("'echo hi' is one word and no program: leave the quotes away, or say -- sh -c '...'", ".", "--", "echo hi")
      wrong("a pattern is missing" .. try, "--", "true")
      wrong("there is no signal 'FOO'", "--signal", "FOO", ".", "--", "true")
      wrong("--busy signal needs a --signal", "--busy", "signal", ".", "--", "true")
      wrong('{path} belongs to one path, and the command runs once for all: use --each, or "{paths}"', ".", "--", "echo",
         "{path}")
      wrong("--each: {paths} stands for many paths; each has one: {path}", "--each", ".", "--", "echo", "{paths}")
      wrong("--settle: 'long' is not a number of seconds" .. try, "--settle", "long", ".", "--", "true")
   end)
end)

describe("moonwatch exec on a terminal", function()
   local function on_terminal(dir, ...)
      local words = { helper.quote(helper.host), "exec", "--settle", "0.02" }
      for _, word in ipairs { ... } do words[#words + 1] = helper.quote(word) end
      os.execute("mkfifo " .. helper.quote(dir .. "/keys"))
      local program = helper.start({ "sh", "-c",
         'script -qefc "$0" /dev/null <keys', table.concat(words, " ") }, { cwd = dir })
      return program, assert(io.open(dir .. "/keys", "w"))
   end

   it("runs now at a space, and ends with 0 at q", function()
      local dir = folder()
      local program, keys = on_terminal(dir, "in", "--", "echo", "ran")
      program:wait_for "watching"
      keys:write " "
      keys:flush()
      program:wait_for "ran"
      keys:write "q"
      keys:flush()
      assert.equal(0, program:wait().status)
      keys:close()
   end)

   it("clears the screen before each run with --clear", function()
      local dir = folder()
      local program, keys = on_terminal(dir, "--clear", "in", "--", "echo", "ran")
      program:wait_for "watching"
      keys:write " "
      keys:flush()
      program:wait_for "\27%[H\27%[2J\27%[3Jran"
      keys:write "q"
      keys:close()
      assert.equal(0, program:wait().status)
   end)
end)
