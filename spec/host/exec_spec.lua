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
   return helper.watching({ helper.host, "exec", "--settle", "0.02", ... }, { cwd = dir })
end

local function run(dir, ...)
   return helper.run({ helper.host, "exec", ... }, { cwd = dir, timeout = 20 })
end

describe("moonwatch exec", function()
   it("runs the command on each change", function()
      local dir = folder()
      local program = start(dir, "in", "--", "echo", "changed")
      helper.put(dir .. "/in/a")
      program:wait_for "changed\n"
      helper.put(dir .. "/in/b")
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
      for _, name in ipairs(names) do helper.write(dir .. "/new/" .. name, "") end
      helper.rename(dir .. "/new", dir .. "/in/new") -- all of them in one step
      local result = program:wait()
      local seen = {}
      for path in result.out:gmatch "<in/new/(.-)>" do seen[#seen + 1] = path end
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
      assert.equal(143, program:wait().status)
   end)

   it("runs once more for what changes while it runs, with --busy queue and without", function()
      for _, options in ipairs { {}, { "--busy", "queue" } } do
         local dir = helper.folder()
         helper.mkdir(dir .. "/in")
         local script = 'echo begin "$@"; while [ ! -e go ]; do sleep 0.01; done'
         local words = table.move({ "--start", "in", "--", "sh", "-c", script, "sh", "{paths}" }, 1, 8, #options + 1, options)
         local program = start(dir, table.unpack(words))
         program:wait_for "begin\n"
         for _, name in ipairs { "a", "b", "c" } do helper.put(dir .. "/in/" .. name) end
         helper.write(dir .. "/go", "")
         -- Mostly in one run; the last of them may have settled too late for that.
         program:wait_for "^begin\nbegin in/a[^\n]*"
         helper.eventually(function()
            return program:out():gsub("begin", ""):gsub("%s+", " ") == " in/a in/b in/c "
         end)
         program:signal "TERM"
         assert.equal(143, program:wait().status)
      end
   end)

   it("forgets what changes while it runs with --busy drop", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      local program = start(dir, "-v", "--busy", "drop", "in", "--", "sh", "-c",
         'echo "$@"; while [ ! -e go ]; do sleep 0.01; done; rm go; echo end', "sh", "{paths}")
      helper.put(dir .. "/in/a")
      program:wait_for "in/a\n"
      helper.put(dir .. "/in/b")
      program:wait_for "exec: busy, changes dropped: 1\n"
      helper.write(dir .. "/go", "")
      program:wait_for "end\n"
      helper.eventually(function()
         helper.put(dir .. "/in/c")
         return program:out():find "^in/a\nend\nin/c\n"
      end)
      program:signal "TERM"
      assert.equal(143, program:wait().status)
   end)

   it("waits no longer than --max-wait where it is never quiet", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      local program = start(dir, "--settle", "300", "--max-wait", "0.05", "--once", "in", "--", "echo", "ran")
      helper.write(dir .. "/in/a", "")
      assert.same({ status = 0, out = "ran\n" }, { status = program:wait().status, out = program:out() })
   end)

   it("runs nothing for what is deleted with --each, and starts with what is there with --start", function()
      local dir = helper.folder()
      helper.write(dir .. "/in/a", "")
      helper.write(dir .. "/in/b", "")
      local program = start(dir, "--each", "--start", "in", "--", "echo", "{rel}")
      program:wait_for "[ab]\n[ab]\n"
      helper.remove(dir .. "/in/a")
      helper.put(dir .. "/in/c")
      program:wait_for "c\n"
      assert.matches("^[ab]\n[ab]\nc\n$", program:out())
   end)

   it("looks away from what --ignore and --gitignore name, and waits for a path that may come later", function()
      local dir = helper.folder()
      local program = start(dir, "--wait-for-path", "--ignore", "*.tmp", "--gitignore", "later", "--", "echo", "{paths}")
      helper.write(dir .. "/new/.gitignore", "*.o\n.gitignore\n")
      helper.write(dir .. "/new/a.tmp", "")
      helper.write(dir .. "/new/b.o", "")
      helper.rename(dir .. "/new", dir .. "/later")
      program:wait_for "^later\n"
      helper.write(dir .. "/later/d.o", "")
      helper.write(dir .. "/later/c.c", "")
      program:wait_for "^later\nlater/c.c\n"
   end)

   it("tells of a failure and goes on; of a success with --verbose", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      local program = start(dir, "in", "--", "sh", "-c", "test ! -e in/bad")
      helper.write(dir .. "/in/bad", "")
      program:wait_for " error exec: sh: exit code 1\n"
      helper.remove(dir .. "/in/bad")
      program:signal "TERM"
      assert.is_nil(program:wait().err:find "done in")
      program = start(dir, "-v", "in", "--", "true")
      helper.write(dir .. "/in/a", "")
      program:wait_for " info  exec: done in [%d.]+ s\n"
   end)

   it("ends at once at a second signal, and leaves no command behind", function()
      local dir = helper.folder()
      local program = start(dir, "--start", "--grace", "60", ".", "--", "sh", "-c", helper.STUBBORN)
      program:end_by_second_signal()
   end)

   it("kills what does not end within --grace", function()
      local dir = helper.folder()
      local program = start(dir, "--start", "--grace", "0.05", ".", "--", "sh", "-c",
         "trap '' TERM; echo begin; while :; do sleep 0.01; done")
      program:wait_for "begin\n"
      program:signal "INT"
      assert.equal(130, program:wait().status)
   end)

   it("reads the paths from a list, as entr does", function()
      for _, from in ipairs { "list", "-" } do
         local dir = helper.folder()
         helper.write(dir .. "/a b", "")
         helper.write(dir .. "/c", "")
         helper.write(dir .. "/list", "a b\n")
         local program = helper.start({ helper.host, "exec", "--settle", "0.02", "--once", "--from", from, "--", "echo",
            "{paths}" }, { cwd = dir, stdin = "a b\n" })
         program:wait_for "watching 1 directory"
         helper.write(dir .. "/c", "no")
         helper.write(dir .. "/a b", "yes")
         assert.equal("a b\n", program:wait().out)
      end
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
      wrong("--settle: '-1' is not a number of seconds" .. try, "--settle", "-1", ".", "--", "true")
      wrong("--max-wait: 'x' is not a number of seconds" .. try, "--max-wait", "x", ".", "--", "true")
      wrong("--grace: 'x' is not a number of seconds" .. try, "--grace", "x", ".", "--", "true")
      wrong("argument for option '--busy' must be one of 'queue', 'restart', 'drop', 'signal'" .. try, "--busy", "wait",
         ".", "--", "true")
      wrong("--ignore: '' is no pattern" .. try, "--ignore", "", ".", "--", "true")
      wrong("there is no signal '-9'", "--signal", "-9", ".", "--", "true")
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
         'exec script -qefc "$0" /dev/null <keys', table.concat(words, " ") }, { cwd = dir })
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

   it("goes with the terminal, and stops its command", function()
      local dir = helper.folder()
      local program, keys = on_terminal(dir, "--start", ".", "--", "sh", "-c", "echo pid $$; exec sleep 60")
      local pid = program:wait_for "pid (%d+)"
      program:signal "KILL"
      helper.eventually(function() return not helper.exists("/proc/" .. pid .. "/cwd") end)
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
