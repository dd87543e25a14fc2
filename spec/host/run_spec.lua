-- SPDX-License-Identifier: MIT
--
-- run_spec.lua - rule scripts in the host, run as a program.

local helper = require "support.helper"

local function script(text, dir)
   dir = dir or helper.folder()
   helper.write(dir .. "/rules.lua", text)
   return dir
end

local function environment(dir)
   return { XDG_RUNTIME_DIR = dir .. "/run" }
end

local function run(dir, ...)
   helper.mkdir(dir .. "/run")
   return helper.run({ helper.host, ... }, { cwd = dir, env = environment(dir), timeout = 20 })
end

local function start(dir, ...)
   helper.mkdir(dir .. "/run")
   return helper.watching({ helper.host, ... }, { cwd = dir, env = environment(dir) })
end

local COUNT = [[
rule "count" { watch = "in", settle = 0.01, run = { "sh", "-c", "echo run >>out" } }
]]

describe("moonwatch SCRIPT.lua", function()
   it("says how much it watches, runs its rules, and ends politely with 0", function()
      for _, name in ipairs { "TERM", "INT" } do
         local dir = script 'rule "show" { watch = "in", settle = 0.01, each = { "echo", "saw", "{name}" } }'
         helper.mkdir(dir .. "/in/sub")
         local program = start(dir, "rules.lua")
         helper.put(dir .. "/in/sub/a b")
         program:wait_for "saw a b\n"
         program:signal(name)
         local result = program:wait()
         assert.equal(0, result.status)
         assert.equal("saw a b\n", result.out)
         assert.matches("^moonwatch: watching 2 directories for 1 rule\n", result.err)
      end
   end)

   it("gives the script its arguments", function()
      local dir = script 'print(arg[0], arg[1], arg[2], ...) rule "r" { watch = ".", start = true, run = { "true" } }'
      assert.same({ status = 0, out = "rules.lua\tone\t-x\tone\t-x\n", err = "moonwatch: watching 2 directories for 1 rule\n" },
         run(dir, "--once", "--log-level", "warn", "rules.lua", "one", "-x"))
   end)

   it("works as a #! line", function()
      local dir = script("#!" .. helper.host .. "\n" .. 'print("up", ...) rule "r" { watch = ".", run = { "true" } }')
      os.execute("chmod +x " .. helper.quote(dir .. "/rules.lua"))
      local program = helper.start({ "./rules.lua", "one" }, { cwd = dir, env = environment(dir) })
      program:wait_for "watching"
      program:signal "TERM"
      local result = program:wait()
      assert.equal(0, result.status)
      assert.equal("up\tone\n", result.out)
   end)

   it("refuses a script that is not there with 1", function()
      assert.same({ status = 1, out = "", err = "moonwatch: none.lua: No such file or directory\n" },
         run(helper.folder(), "none.lua"))
   end)

   it("refuses a script error with 2: file and line", function()
      local dir = script "\nrule 'x' {"
      local result = run(dir, "rules.lua")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: rules%.lua:2: ", result.err)
   end)

   it("names the nearest key of an unknown one, and its line", function()
      local dir = script "\nrule 'x' { watch = '.', run = { 'true' }, settel = 1 }"
      local result = run(dir, "rules.lua")
      assert.equal(2, result.status)
      assert.matches('^moonwatch: rules%.lua:2: rule "x": unknown key "settel" %(did you mean "settle"%?%)\n', result.err)
   end)

   it("shows the traceback of an error in a script, without our own files", function()
      local dir = script "local function inner() error 'boom' end\ninner()"
      local result = run(dir, "rules.lua")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: rules%.lua:1: boom\nstack traceback:\n\trules%.lua:1: in .*\n\trules%.lua:2: in main chunk\n$",
         result.err)
   end)

   it("shows the traceback of a script in a folder of our name, too", function()
      local dir = helper.folder()
      helper.write(dir .. "/moonwatch/deploy.lua", "error 'boom'")
      assert.same({ status = 2, out = "", err = "moonwatch: moonwatch/deploy.lua:1: boom\nstack traceback:\n"
         .. "\tmoonwatch/deploy.lua:1: in main chunk\n" }, run(dir, "moonwatch/deploy.lua"))
   end)

   it("refuses what cannot be watched with 1", function()
      local dir = script 'rule "r" { watch = "nowhere", run = { "true" } }'
      local result = run(dir, "rules.lua")
      assert.equal(1, result.status)
      assert.matches('^moonwatch: rule "r": .*nowhere: No such file or directory\n$', result.err)
   end)

   it("shows no line of our own files in the traceback of a rule", function()
      local dir = script 'rule "r" { watch = ".", start = true, run = function()\nexec { "ls", timout = 1 } end }'
      local result = run(dir, "--once", "rules.lua")
      assert.matches('error r: rules%.lua:2: exec: unknown key "timout" %(did you mean "timeout"%?%)\n'
         .. "   stack traceback:\n   \trules%.lua:2: in function <rules%.lua:1>\n$", result.err)
   end)

   it("logs the error of a task that nobody joins", function()
      local dir = script [[
spawn("helper", function()
   error "lost"
end)
spawn(function() sleep(0.01) moonwatch.stop() end)
rule "r" { watch = ".", run = { "true" } }
]]
      local result = run(dir, "run", "--log-format", "json", "rules.lua")
      assert.matches('"level":"error","message":"helper: rules.lua:2: lost\\nstack traceback:\\n\\trules.lua:2: in [^"]*"}\n',
         result.err)
      for line in result.err:gmatch "[^\n]+" do assert.matches("^{.*}$", line) end
   end)

   it("goes on after an error in a rule", function()
      local dir = script [[
         rule "bad" { watch = "in", settle = 0.01, each = function() error "boom" end }
         rule "good" { watch = "in", settle = 0.01, each = function(change) print("good", change.name) end }
      ]]
      helper.mkdir(dir .. "/in")
      local program = start(dir, "rules.lua")
      helper.write(dir .. "/in/a", "")
      program:wait_for "good\ta"
      program:wait_for "rules%.lua:1: boom\n.*stack traceback"
      helper.write(dir .. "/in/b", "")
      program:wait_for "good\tb"
   end)

   it("ends at once at a second signal, with 128 + n, and leaves no command behind", function()
      local dir = script(('rule "r" { watch = ".", start = true, grace = 60, run = { "sh", "-c", %q } }'):format(
         helper.STUBBORN))
      start(dir, "rules.lua"):end_by_second_signal()
   end)

   it("takes signals as its own, whatever those before it have left", function()
      local dir = script 'rule "r" { watch = "in", start = true, run = { "sh", "-c", "exit 3" }, stderr = "log" }'
      helper.mkdir(dir .. "/in")
      local program = helper.watching({ "env", "--ignore-signal=CHLD", "--block-signal=TERM", "--block-signal=HUP",
         helper.host, "rules.lua" }, { cwd = dir, env = environment(dir) })
      program:wait_for "error r: sh: exit code 3\n"
      program:signal "HUP"
      program:wait_for "watching .-watching "
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)

   it("ends when its script calls stop", function()
      local dir = script 'rule "r" { watch = ".", start = true, run = function() moonwatch.stop() end }'
      assert.equal(0, run(dir, "rules.lua").status)
   end)

   it("needs less than 4 MiB for an empty script", function()
      if helper.build:find "sanitize" then return end -- they take what they like
      local dir, least = script "", math.huge
      for _ = 1, 5 do -- how much of the libraries the kernel maps besides is a matter of luck
         local program = start(dir, "rules.lua")
         local kilobytes = tonumber(helper.read(("/proc/%d/status"):format(program.pid)):match "VmRSS:%s*(%d+)")
         least = math.min(least, kilobytes)
         program:kill()
      end
      assert.is_true(least < 4096, least .. " kB")
   end)
end)

describe("moonwatch run", function()
   it("takes several scripts and folders of them, each with its own globals", function()
      local dir = helper.folder()
      helper.write(dir .. "/d/a.lua", 'assert(shared == nil) shared = 1 print "a"')
      helper.write(dir .. "/d/b.lua", 'assert(shared == nil) shared = 1 print "b"')
      helper.write(dir .. "/d/c.txt", "no Lua")
      helper.write(dir .. "/e.lua", 'assert(shared == nil) print("e", ...)')
      local result = run(dir, "run", "--once", "d", "e.lua", "--", "x")
      assert.same({ status = 0, out = "a\nb\ne\tx\n", err = "moonwatch: watching 0 directories for 0 rules\n" }, result)
   end)

   it("does with --once what `start` asks, and ends with the status of what failed", function()
      local function once(text) return run(script(text), "run", "--once", "rules.lua").status end
      assert.equal(0, once 'rule "r" { watch = ".", start = true, run = { "true" } }')
      assert.equal(0, once 'rule "r" { watch = ".", run = { "false" } }')
      assert.equal(5, once 'rule "r" { watch = ".", start = true, run = { "sh", "-c", "exit 5" } }')
      assert.equal(137, once 'rule "r" { watch = ".", start = true, run = { "sh", "-c", "kill -9 $$" } }')
      assert.equal(1, once 'rule "r" { watch = ".", start = true, run = function() error "x" end }')
   end)

   it("runs at most --jobs at a time", function()
      local dir = script [[
         for i = 1, 3 do rule("r" .. i) { watch = ".", start = true,
            run = { "sh", "-c", "mkdir busy && sleep 0.05 && rmdir busy" } } end
      ]]
      assert.equal(0, run(dir, "run", "--once", "--jobs", "1", "rules.lua").status)
   end)

   it("lets each rule have its turn with --jobs", function()
      local dir = script [[
         for _, name in ipairs { "a", "b" } do
            rule(name) { watch = "in", start = true, each = { "echo", name } }
         end]]
      for i = 1, 4 do helper.write(dir .. "/in/" .. i, "") end
      assert.equal("a\nb\na\nb\na\nb\na\nb\n", run(dir, "run", "--once", "--jobs", "1", "rules.lua").out)
   end)

   it("says what a script has left out, or a folder", function()
      local dir = script 'rule "x"\nrule "y" { watch = ".", run = { "true" } }'
      assert.same({ status = 2, out = "", err = 'moonwatch: rules.lua:1: rule "x": its table of keys is missing\n' },
         run(dir, "rules.lua"))
      helper.mkdir(dir .. "/empty")
      local result = run(dir, "run", "--once", "empty")
      assert.equal(0, result.status)
      assert.matches(" warn  empty: no %*%.lua file is in it\nmoonwatch: watching 0 directories for 0 rules\n$", result.err)
   end)

   it("refuses with 1 a place for the socket or the pid file that is not there", function()
      local dir = script(COUNT)
      for _, option in ipairs { "--socket", "--pid-file" } do
         assert.same({ status = 1, out = "", err = "moonwatch: none/x: No such file or directory\n" },
            run(dir, "run", option, "none/x", "rules.lua"))
      end
   end)

   it("does not listen with --no-socket, and says so where it cannot", function()
      local dir = script 'rule "r" { watch = ".", run = { "true" } }'
      start(dir, "--no-socket", "rules.lua")
      assert.is_false(helper.exists(dir .. "/run/moonwatch"))
      helper.remove(dir .. "/run")
      local program = helper.start({ helper.host, "rules.lua" }, { cwd = dir, env = environment(dir) })
      program:wait_for "watching"
      assert.matches((" warn  no control socket: %s/run/moonwatch: No such file or directory\n"):format(dir), program:err(), 1,
         true)
   end)

   it("logs as it is asked to", function()
      local dir = script 'log.debug "low" log.info("%d", 7) log.warn "odd\\nline" log.error "high"'
      local function lines(...)
         local err = run(dir, "run", "--once", ...).err:gsub("moonwatch: watching[^\n]*\n", "")
         return (err:gsub("%d+%-%d+%-%d+ %d+:%d+:%d+", "T"))
      end
      assert.equal("T debug low\nT info  7\nT warn  odd\n   line\nT error high\n", lines("--log-level", "debug", "rules.lua"))
      assert.equal("T error high\n", lines("--log-level", "error", "rules.lua"))
      local json = lines("--log-level", "warn", "--log-format", "json", "rules.lua")
      assert.is_nil(json:match '"time":%d+%.000,.*"time":%d+%.000,', "whole seconds only")
      assert.matches('^{"time":%d+%.%d+,"level":"warn","message":"odd\\nline"}\n'
         .. '{"time":%d+%.%d+,"level":"error","message":"high"}\n$', json)
   end)

   it("names what is wrong on its command line", function()
      local function wrong(message, ...)
         assert.same({ status = 2, out = "", err = "moonwatch: run: " .. message .. "\nTry 'moonwatch run --help'.\n" },
            run(helper.folder(), ...))
      end
      wrong("a script is missing", "run")
      wrong("a script is missing", "--once")
      wrong("--jobs: 'many' is not a whole number above 0", "run", "--jobs", "many", "x.lua")
      wrong("--jobs: '-1' is not a whole number above 0", "-j", "-1", "x.lua")
      wrong("option '-e' requires an argument", "-e")
      wrong("argument for option '--log-format' must be one of 'text', 'json'", "--log-format", "xml", "x.lua")
      wrong("--socket: '' is no path", "--socket", "", "x.lua")
      wrong("--pid-file: '' is no path", "--pid-file", "", "x.lua")
      wrong("argument for option '--log-level' must be one of 'debug', 'info', 'warn', 'error'", "--log-level", "loud", "x.lua")
   end)
end)

describe("--memory-limit", function()
   it("fails the functions that take too much, and nothing else, even where a script keeps what it took", function()
      local dir = script [[
         local hoard = {}
         rule "hoard" { watch = "in", settle = 0.01, run = function()
            for i = 1, math.huge do hoard[i] = ("x"):rep(1000) .. i end
         end }
         rule "big" { watch = "in", settle = 0.01, run = function() sleep(0.01); return #("x"):rep(1e9) end }
         rule "fine" { watch = "in", settle = 0.05, run = { "echo", "fine" } }]]
      helper.mkdir(dir .. "/in")
      local program = start(dir, "--memory-limit", "8M", "--socket", dir .. "/socket", "rules.lua")
      helper.write(dir .. "/in/a", "")
      program:wait_for "error hoard: not enough memory\n"
      program:wait_for "error big: not enough memory\n"
      program:wait_for "fine\n" -- else both changes may be of one batch
      helper.write(dir .. "/in/b", "")
      program:wait_for "fine\n.*fine\n"
      local status = require "dkjson".decode(run(dir, "status", "--json", "--socket", dir .. "/socket").out)
      local memory = status.scripts_memory
      assert.equal(8 * 1024 * 1024, memory.limit)
      assert.is_true(memory.used <= memory.limit + memory.limit // 8 and memory.refused >= 2)
      local metrics = run(dir, "metrics", "--socket", dir .. "/socket").out
      assert.matches("\nmoonwatch_scripts_memory_limit_bytes 8388608\n", metrics)
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)

   it("wants a size that makes sense", function()
      local function message(size)
         local result = run(script(COUNT), "--memory-limit", size, "rules.lua")
         return { result.status, (result.err:match "run: ([^\n]*)") }
      end
      assert.same({ 2, "--memory-limit: 'much' is not a size such as 64M" }, message "much")
      assert.same({ 2, "--memory-limit: '1M' is less than 4M" }, message "1M")
   end)
end)

describe("moonwatch -e", function()
   it("runs a line of Lua, with arguments, and ends when nothing is left to do", function()
      assert.same({ status = 0, out = "hi\ta\tb\n", err = "" }, run(helper.folder(), "-e", 'print("hi", ...)', "a", "b"))
      assert.same({ status = 0, out = "late\n", err = "" },
         run(helper.folder(), "-e", 'spawn(function() sleep(0.1) print "late" end)'))
   end)

   it("takes several lines as one chunk, by either name of the option", function()
      assert.same({ status = 0, out = "3\n", err = "" },
         run(helper.folder(), "-e", "local x = 1", "--eval", "x = x + 2", "-e", "print(x)"))
      assert.equal(2, run(helper.folder(), "-e", "print(").status)
   end)

   it("runs rules", function()
      local dir = helper.folder()
      local program = start(dir, "-e", 'rule "r" { watch = "*.txt", settle = 0.01, each = { "echo", "{name}" } }')
      helper.write(dir .. "/a.txt", "")
      program:wait_for "a%.txt\n"
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)

   it("refuses an error with 2", function()
      local result = run(helper.folder(), "-e", "error 'boom'")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: %(command line%):1: boom\n", result.err)
   end)
end)

describe("a reload", function()
   it("comes with HUP and takes the script as it is now", function()
      local dir = script 'rule "a" { watch = "in", settle = 0.01, each = { "echo", "old", "{name}" } }'
      helper.mkdir(dir .. "/in")
      local program = start(dir, "rules.lua")
      helper.write(dir .. "/in/1", "")
      program:wait_for "old 1\n"
      script('rule "a" { watch = "in", settle = 0.01, each = { "echo", "new", "{name}" } }', dir)
      program:signal "HUP"
      program:wait_for "watching.*watching"
      helper.write(dir .. "/in/2", "")
      program:wait_for "new 2\n"
   end)

   it("leaves the old rules at work where the script has an error", function()
      local dir = script(COUNT)
      helper.mkdir(dir .. "/in")
      local program = start(dir, "rules.lua")
      script("rule 'count' { watch = ", dir)
      program:signal "HUP"
      program:wait_for "not loaded anew, the old rules go on: rules%.lua:1: "
      helper.write(dir .. "/in/1", "")
      helper.eventually(function() return helper.exists(dir .. "/out") end)
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)

   it("does not disturb a running job", function()
      local dir = script [[rule "slow" { watch = "in", settle = 0.01,
         run = { "sh", "-c", "echo begin; while [ ! -e go ]; do sleep 0.01; done; echo end" } }]]
      helper.mkdir(dir .. "/in")
      local program = start(dir, "rules.lua")
      helper.put(dir .. "/in/1")
      program:wait_for "begin\n"
      program:signal "HUP"
      program:wait_for "watching.*watching"
      helper.write(dir .. "/go", "")
      program:wait_for "begin\nend\n"
      program:signal "TERM"
      assert.equal("begin\nend\n", program:wait().out)
   end)
end)
