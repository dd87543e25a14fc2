-- SPDX-License-Identifier: MIT
--
-- control_spec.lua - speaking to a running host.

local dkjson = require "dkjson"
local helper = require "support.helper"
local lfs = require "lfs"

local SCRIPT = [[
rule "show" { watch = "in", settle = 0.02, each = { "echo", "saw", "{name}" } }
rule "fail" { watch = "bad", settle = 0.02, run = { "false" } }
]]

local function folder(script)
   local dir = helper.folder()
   for _, name in ipairs { "in", "bad", "run" } do helper.mkdir(dir .. "/" .. name) end
   helper.write(dir .. "/rules.lua", script or SCRIPT)
   return dir
end

local function options(dir)
   return { cwd = dir, env = { XDG_RUNTIME_DIR = dir .. "/run" }, timeout = 20 }
end

local function start(dir, ...)
   return helper.watching({ helper.host, "run", "rules.lua", ... }, options(dir))
end

local function ask(dir, ...)
   return helper.run({ helper.host, ... }, options(dir))
end

local function sockets(dir)
   local found = {}
   for name in lfs.dir(dir .. "/run/moonwatch") do
      if name:find "%.sock$" then found[#found + 1] = dir .. "/run/moonwatch/" .. name end
   end
   return found
end

local function mode(path)
   return lfs.symlinkattributes(path, "permissions")
end

describe("the control socket", function()
   it("lies in a folder of the user's own, both for this user alone, and goes with the host", function()
      local dir = folder()
      local program = start(dir)
      local found = sockets(dir)
      assert.equal(1, #found)
      assert.equal("rw-------", mode(found[1]))
      assert.equal("rwx------", mode(dir .. "/run/moonwatch"))
      program:signal "TERM"
      program:wait()
      assert.same({}, sockets(dir))
   end)

   it("is refused to a second host", function()
      local dir = folder()
      local program = start(dir)
      local second = ask(dir, "run", "rules.lua")
      assert.equal(1, second.status)
      assert.matches("another host is at work there, process " .. program.pid, second.err)
      assert.equal("", second.out)
   end)

   it("is refused to a second host where both name it", function()
      local dir = folder()
      local program = start(dir, "--socket", dir .. "/here")
      assert.equal("rw-------", mode(dir .. "/here"))
      helper.write(dir .. "/other.lua", "")
      assert.same({ status = 1, out = "", err = ("moonwatch: %s/here: another host is at work there, process %d\n"):format(
         dir, program.pid) }, ask(dir, "run", "--socket", dir .. "/here", "other.lua"))
   end)

   it("is taken over from a host that was killed", function()
      local dir = folder()
      local program = start(dir)
      program:kill()
      assert.equal(1, #sockets(dir))
      start(dir)
      assert.equal(0, ask(dir, "status").status)
   end)

   it("of a host that was killed is removed by any other", function()
      local dir = folder()
      start(dir):kill()
      local left = sockets(dir)
      helper.write(dir .. "/other.lua", "")
      helper.start({ helper.host, "other.lua" }, options(dir)):wait_for "watching"
      assert.equal(1, #sockets(dir))
      assert.not_same(left, sockets(dir))
   end)

   -- Each removes what the others have left, and for that holds their places for a moment.
   it("is had by each of many hosts that were killed and are started again at once", function()
      local count, dir = 20, folder()
      for i = 1, count do helper.write(("%s/%d.lua"):format(dir, i), 'rule "r" { watch = "in", run = { "true" } }') end
      for _ = 1, 4 do
         local hosts = helper.start({ "sh", "-c", ('for i in $(seq %d); do "$0" $i.lua & echo $!; done; wait'):format(count),
            helper.host }, options(dir))
         local function kill() os.execute("kill -KILL " .. hosts:out():gsub("\n", " ") .. "2>/dev/null") end
         helper.at_end(kill)
         helper.eventually(function() return select(2, hosts:err():gsub("\n", "")) == count end)
         assert.equal(("moonwatch: watching 1 directory for 1 rule\n"):rep(count), hosts:err())
         kill()
         hosts:wait()
      end
   end)

   it("is not opened where others may write", function()
      local dir = folder()
      os.execute("chmod 777 " .. helper.quote(dir))
      assert.same({ status = 1, out = "", err = ("moonwatch: %s/here: others may write to that folder\n"):format(dir) },
         ask(dir, "run", "--socket", dir .. "/here", "rules.lua"))
      os.execute("chmod 755 " .. helper.quote(dir))
   end)

   it("does not replace a file that is no socket", function()
      local dir = folder()
      helper.write(dir .. "/here", "mine")
      local result = ask(dir, "run", "--socket", dir .. "/here", "rules.lua")
      assert.equal(1, result.status)
      assert.matches("/here: File exists\n$", result.err)
      assert.equal("mine", helper.read(dir .. "/here"))
   end)

   it("answers nonsense politely", function()
      local dir = folder()
      start(dir, "--socket", dir .. "/here")
      local core, moonwatch = require "moonwatch.core", require "moonwatch"
      moonwatch.run(function()
         local connection <close> = assert(core.connect(dir .. "/here"))
         for _, line in ipairs { "", "nonsense", "[]", "7", '{"verb":"no"}', '{"verb":{}}', ("x"):rep(100000) } do
            connection:write(line .. "\n")
            assert.same({ ok = false, status = 2, message = "no such request" }, dkjson.decode(connection:get(10)))
         end
      end)
      assert.equal(0, ask(dir, "status", "--socket", dir .. "/here").status)
   end)
end)

describe("without a host", function()
   it("every verb says so, with 1", function()
      local dir = folder()
      local missing = ("moonwatch: no host is running: nobody listens in %s/run/moonwatch\n"):format(dir)
      for _, words in ipairs { { "status" }, { "reload" }, { "stop" }, { "pause", "r" }, { "resume", "r" }, { "trigger", "r" },
         { "tail" }, { "explain", "p" }, { "log", "info" }, { "wait" }, { "metrics" } } do
         assert.same({ status = 1, out = "", err = missing }, ask(dir, table.unpack(words)))
      end
      assert.same({ status = 1, out = "", err = "moonwatch: no host is running: nowhere: No such file or directory\n" },
         ask(dir, "status", "--socket", "nowhere"))
   end)

   it("a verb without its word is a usage error", function()
      local dir = folder()
      for _, verb in ipairs { "pause", "resume", "trigger", "explain", "log" } do
         local result = ask(dir, verb)
         assert.equal(2, result.status, verb)
         assert.matches("^moonwatch: " .. verb .. ": missing argument '%l+'\nTry 'moonwatch " .. verb .. " %-%-help'%.\n$",
            result.err)
      end
      assert.matches("must be one of 'debug', 'info', 'warn', 'error'", ask(dir, "log", "loud").err)
   end)

   it("words too many and values that are none are usage errors", function()
      local dir = folder()
      local function wrong(message, ...)
         assert.same({ status = 2, out = "", err = ("moonwatch: %s: %s\nTry 'moonwatch %s --help'.\n"):format(..., message,
            ...) }, ask(dir, ...))
      end
      for _, verb in ipairs { "status", "reload", "stop", "tail", "metrics" } do wrong("too many arguments", verb, "x") end
      for _, verb in ipairs { "pause", "resume", "trigger", "wait", "explain" } do
         wrong("too many arguments", verb, "x", "y")
      end
      wrong("--timeout: 'soon' is not a number of seconds", "wait", "--timeout", "soon")
      wrong("--interval: '-1' is not a number of seconds", "status", "--watch", "--interval", "-1")
      wrong("--socket: '' is no path", "status", "--socket", "")
   end)
end)

describe("with several hosts", function()
   it("wants to know which one", function()
      local dir = folder()
      start(dir)
      helper.write(dir .. "/other.lua", "")
      helper.start({ helper.host, "other.lua" }, options(dir)):wait_for "watching"
      local result = ask(dir, "status")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: 2 hosts are running; say which one:\n   %-%-socket .*/other%-%x+%.sock\n"
         .. "   %-%-socket .*/rules%-%x+%.sock\n$", result.err)
   end)
end)

describe("moonwatch status", function()
   it("shows rules and figures to people", function()
      local dir = folder()
      local program = start(dir)
      helper.put(dir .. "/in/a")
      program:wait_for "saw a"
      assert.equal(0, ask(dir, "wait").status)
      local result = ask(dir, "status")
      assert.equal(0, result.status)
      assert.equal("", result.err)
      assert.matches(("^moonwatch %%d+%%.%%d+%%.%%d+, process %d, up .*: rules%%.lua\n"):format(program.pid), result.out)
      assert.matches("\nrule +state +runs +failed +queued +pending +last run\n", result.out)
      assert.matches("\nshow +idle +1 +0 +0 +0 +[%w ]+, ok, in ", result.out)
      assert.is_nil(result.out:find "us ago", "the clock of a last run has whole seconds")
      assert.matches("\nfail +idle +0 +0 +0 +0 +never\n", result.out)
      assert.matches("\nwatches %d+ of %d+, directories 2, ", result.out)
      assert.matches("\nlatency of events: 50%% within ", result.out)
   end)

   it("is plain data with --json", function()
      local dir = folder()
      local program = start(dir)
      local status = dkjson.decode(ask(dir, "status", "--json").out)
      assert.equal(program.pid, status.pid)
      assert.same({ "rules.lua" }, status.scripts)
      assert.equal(2, #status.rules)
      local rule = status.rules[1]
      assert.same({ "show", "idle", "each", "rules.lua:1", 0, 0, 0, 0, 0 }, { rule.name, rule.state, rule.mode, rule.position,
         rule.runs, rule.failures, rule.running, rule.queued, rule.pending })
      assert.equal(2, status.watching.directories)
      assert.equal(helper.watches(program.pid), status.watching.watches)
      assert.same({ done = 0, failed = 0 }, status.reloads)
   end)

   it("counts once what several rules look at", function()
      local dir = folder [[
         rule "all" { watch = "in", run = { "true" } }
         rule "c" { watch = "in/**/*.c", run = { "true" } }
         rule "h" { watch = "in/**/*.h", ignore = "sub/", run = { "true" } }
         rule "own" { watch = "in", filter = function() return true end, run = { "true" } }
      ]]
      helper.write(dir .. "/in/sub/a.c", "")
      start(dir)
      local watching = dkjson.decode(ask(dir, "status", "--json").out).watching
      assert.same({ 2, 2 }, { watching.directories, watching.entries })
   end)

   it("says what became of the kernel's records, and so do the metrics", function()
      local dir = folder 'rule "show" { watch = "in", settle = 0.02, match = "*1", run = { "true" } }'
      start(dir)
      for i = 1, 200 do helper.write(dir .. "/in/" .. i, "") end
      assert.equal(0, ask(dir, "wait").status)
      local records = dkjson.decode(ask(dir, "status", "--json").out).records
      assert.is_true(records.read > 300 and records.delivered > 0 and records.filtered > records.delivered)
      assert.equal(records.handed, records.delivered + records.merged + records.filtered + records.dropped)
      assert.equal(records.read, records.handed + records.unclaimed)
      local metrics = ask(dir, "metrics").out
      assert.matches(("\nmoonwatch_records_total %d\n"):format(records.read), metrics)
      assert.matches(("\nmoonwatch_record_fates_total{fate=\"filtered\"} %d\n"):format(records.filtered), metrics)
      assert.matches(("\nrecords %d: delivered %d, merged %d, filtered %d, part of a listing %d\n"):format(records.handed,
         records.delivered, records.merged, records.filtered, records.dropped), ask(dir, "status").out)
   end)

   it("is a line of JSON per look with --watch and --json", function()
      local dir = folder()
      local program = start(dir)
      local watching = helper.start({ helper.host, "status", "--watch", "--json", "--interval", "0.02" }, options(dir))
      watching:wait_for "\n.*\n.*\n"
      watching:signal "TERM"
      local result = watching:wait()
      assert.equal(143, result.status)
      for line in result.out:gmatch "[^\n]+\n" do assert.equal(program.pid, dkjson.decode(line).pid) end
   end)

   it("goes on with --watch, with the busiest folders", function()
      local dir = folder()
      start(dir)
      local watching = helper.start({ helper.host, "status", "--watch", "--interval", "0.05" }, options(dir))
      watching:wait_for "events per second"
      for i = 1, 20 do helper.write(dir .. "/in/" .. i, "") end
      watching:wait_for "\n +%d+  in\n"
      watching:signal "INT"
      assert.equal(130, watching:wait().status)
   end)
end)

describe("a host's socket", function()
   it("does not speak to other users", function()
      local before = helper.unprivileged()
      if not before or #before == 0 then return pending "needs another user" end
      local dir = folder()
      start(dir, "--socket", dir .. "/here")
      local words = table.move({ helper.host, "status", "--socket", dir .. "/here" }, 1, 4, #before + 1, before)
      assert.same({ status = 1, out = "", err = ("moonwatch: %s/here: Permission denied\n"):format(dir) },
         helper.run(words, options(dir)))
   end)

   it("of root's without XDG_RUNTIME_DIR lies in /run", function()
      if #(helper.unprivileged() or {}) == 0 then return pending "needs root" end
      local dir = folder()
      local program = helper.start({ "env", "-u", "XDG_RUNTIME_DIR", helper.host, "rules.lua" }, { cwd = dir })
      program:wait_for "watching"
      local found
      for name in lfs.dir "/run/moonwatch" do
         local path = "/run/moonwatch/" .. name
         local status = name:find "^rules%-%x+%.sock$" and ask(dir, "status", "--json", "--socket", path).out
         local answer = status and dkjson.decode(status)
         if answer and answer.pid == program.pid then found = answer.socket end
      end
      assert.matches("^/run/moonwatch/rules%-%x+%.sock$", found)
      assert.equal("rw-------", mode(found))
      assert.equal("rwx------", mode "/run/moonwatch")
      program:signal "TERM"
      assert.equal(0, program:wait().status)
      assert.is_false(helper.exists(found))
   end)
end)

describe("moonwatch wait", function()
   it("ends with 0 once all that changed before is handled", function()
      local dir = folder()
      local program = start(dir)
      for i = 1, 20 do
         helper.put(dir .. "/in/" .. i)
      end
      assert.same({ status = 0, out = "", err = "" }, ask(dir, "wait"))
      local saw, count = {}, 0
      for name in program:out():gmatch "saw (%d+)\n" do saw[name] = true end
      for _ in pairs(saw) do count = count + 1 end
      assert.equal(20, count)
   end)

   it("ends with 1 where a run failed, of all rules or of the one that is named", function()
      local dir = folder()
      start(dir)
      helper.write(dir .. "/bad/a", "")
      assert.same({ status = 1, out = "", err = "moonwatch: failed: fail\n" }, ask(dir, "wait"))
      assert.equal(1, ask(dir, "wait", "fail").status)
      assert.equal(0, ask(dir, "wait", "show").status)
   end)

   it("ends with 3 when the time is over", function()
      local dir = folder 'rule "slow" { watch = "in", start = true, run = { "sleep", "30" } }'
      start(dir)
      assert.same({ status = 3, out = "", err = "moonwatch: timeout\n" }, ask(dir, "wait", "--timeout", "0.1"))
      assert.equal(3, ask(dir, "wait", "slow", "--timeout", "0").status)
   end)

   it("names the nearest rule of an unknown one, with 2", function()
      local dir = folder()
      start(dir)
      assert.same({ status = 2, out = "", err = "moonwatch: there is no rule 'shwo' (did you mean 'show'?)\n" },
         ask(dir, "wait", "shwo"))
      for _, verb in ipairs { "pause", "resume", "trigger" } do assert.equal(2, ask(dir, verb, "none").status) end
   end)
end)

describe("a rule from outside", function()
   it("is paused, collects, and goes on", function()
      local dir = folder()
      local program = start(dir)
      assert.same({ status = 0, out = "", err = "" }, ask(dir, "pause", "show"))
      helper.write(dir .. "/in/a", "")
      assert.equal(0, ask(dir, "wait", "show").status)
      assert.matches("\nshow +paused ", ask(dir, "status").out)
      assert.equal("", program:out())
      assert.same({ status = 0, out = "", err = "" }, ask(dir, "resume", "show"))
      program:wait_for "saw a\n"
   end)

   it("forgets what changes while it is paused with --drop", function()
      local dir = folder()
      local program = start(dir)
      ask(dir, "pause", "--drop", "show")
      helper.write(dir .. "/in/a", "")
      assert.equal(0, ask(dir, "wait", "show").status)
      ask(dir, "resume", "show")
      helper.put(dir .. "/in/b")
      program:wait_for "saw b\n"
      assert.equal("saw b\n", program:out())
   end)

   it("is triggered", function()
      local dir = folder()
      start(dir)
      assert.equal(0, ask(dir, "trigger", "fail").status)
      assert.equal(1, ask(dir, "wait", "fail").status)
   end)
end)

describe("moonwatch reload", function()
   it("ends with 0 once the new rules are at work", function()
      local dir = folder()
      local program = start(dir)
      helper.write(dir .. "/rules.lua", 'rule "show" { watch = "in", settle = 0.02, each = { "echo", "new", "{name}" } }')
      assert.same({ status = 0, out = "reloaded: 1 rule\n", err = "" }, ask(dir, "reload"))
      helper.write(dir .. "/in/a", "")
      program:wait_for "new a\n"
   end)

   it("ends with 1 and the script's error where the old rules go on", function()
      local dir = folder()
      local program = start(dir)
      helper.write(dir .. "/rules.lua", '\nrule "show" { wach = "in" }')
      local result = ask(dir, "reload")
      assert.equal(1, result.status)
      assert.matches('^moonwatch: rules%.lua:2: rule "show": unknown key "wach"', result.err)
      helper.write(dir .. "/in/a", "")
      program:wait_for "saw a\n"
      assert.same({ done = 0, failed = 1 }, (function(reloads)
         return { done = reloads.done, failed = reloads.failed }
      end)(dkjson.decode(ask(dir, "status", "--json").out).reloads))
   end)
end)

describe("moonwatch explain", function()
   it("says for each rule whether a change there fires it, and why; paths are taken from where one stands", function()
      local dir = folder [[
rule "c" { watch = "in/**/*.c", ignore = "gen/", run = { "true" } }
rule "all" { watch = "in", run = { "true" } }]]
      start(dir)
      local function explain(path)
         local rows = {}
         for _, row in ipairs(dkjson.decode(ask(dir, "explain", "--json", path).out).rules) do rows[row.rule] = row.fires end
         return rows
      end
      assert.same({ c = true, all = true }, explain "in/a.c")
      assert.same({ c = false, all = true }, explain "in/gen/a.c")
      assert.same({ c = false, all = true }, explain(dir .. "/in/a\xff"))
      assert.same({ c = false, all = false }, explain "bad/a.c")
      local result = ask(dir, "explain", "in/gen/a.c")
      assert.equal(0, result.status)
      assert.matches("^c +no +ignore has gen/\nall +yes +[^\n]+\n$", result.out)
   end)
end)

describe("a host under a storm", function()
   it("answers all the time, and its counters add up", function()
      local dir = folder 'rule "r" { watch = "in", settle = 1, run = function() end }'
      start(dir, "--socket", dir .. "/here")
      local storm = helper.start({ "sh", "-c",
         "i=0; while [ $i -lt 30000 ] || [ ! -e enough ]; do : >in/$i; i=$((i + 1)); done" }, { cwd = dir })
      local core, moonwatch = require "moonwatch.core", require "moonwatch"
      local answers, status = 0, nil
      moonwatch.run(function()
         local connection <close> = assert(core.connect(dir .. "/here"))
         local function request(text)
            connection:write(text .. "\n")
            status = dkjson.decode((assert(connection:get(30))))
         end
         local deadline = moonwatch.now() + 60
         while storm:running() do
            assert(moonwatch.now() < deadline, "the host answers too rarely")
            local before = status and status.records.read or 0
            request '{"verb":"status"}'
            if status.records.read > before then answers = answers + 1 end
            if answers == 5 then helper.write(dir .. "/enough", "") end
            moonwatch.sleep(0.02)
         end
         request '{"verb":"wait"}'
         request '{"verb":"status"}'
      end)
      assert.is_true(answers >= 5, answers) -- in spite of the storm, and not after it
      local records = status.records
      assert.same({ records.read, records.handed }, { records.handed + records.unclaimed,
         records.delivered + records.merged + records.filtered + records.dropped })
      assert.equal(records.delivered, status.watching.events)
      assert.same({ status.watching.events, status.events }, { status.events, status.latency.count })
      assert.equal(0, status.watching.queued)
      assert.is_true(status.events >= 30000)
   end)
end)

describe("moonwatch tail", function()
   it("shows the last lines and what comes, until the host ends", function()
      local dir = folder()
      local program = start(dir)
      helper.write(dir .. "/bad/a", "")
      program:wait_for "fail: false: exit code 1"
      local tail = helper.start({ helper.host, "tail" }, options(dir))
      tail:wait_for "error fail: false: exit code 1\n"
      ask(dir, "trigger", "fail")
      tail:wait_for "exit code 1\n.*exit code 1\n"
      assert.equal(0, ask(dir, "stop").status)
      assert.equal(0, tail:wait().status)
   end)

   -- A rule that logged more at once than was kept for the reader failed, and the host never came to its end.
   it("counts what comes too fast for it, and disturbs nobody", function()
      local dir = folder 'rule "loud" { watch = "in", run = function() for i = 1, 3000 do log.info("line %d", i) end end }'
      local program = start(dir)
      local tail = helper.start({ helper.host, "tail", "--new" }, options(dir))
      -- Nothing tells that it listens by now.
      helper.eventually(function()
         ask(dir, "trigger", "loud")
         assert.equal(0, ask(dir, "wait").status)
         return #tail:out() > 0
      end)
      tail:wait_for "line 1000\n.*moonwatch: %d+ lines of the log are not shown: they came too fast\n"
      assert.equal(0, ask(dir, "stop").status)
      assert.equal(0, program:wait().status)
      assert.equal(0, tail:wait().status)
   end)

   it("shows only what comes with --new, as JSON with --json", function()
      local dir = folder()
      local program = start(dir)
      ask(dir, "trigger", "fail")
      program:wait_for "fail: false: exit code 1"
      local tails = {}
      for _, option in ipairs { "--json", "--new" } do
         tails[option] = helper.start({ helper.host, "tail", "--json", option ~= "--json" and option or nil }, options(dir))
      end
      tails["--json"]:wait_for "\n"
      -- Nothing tells that the other one listens by now; what it is to show is made until it has.
      helper.eventually(function()
         ask(dir, "trigger", "fail")
         return #tails["--new"]:out() > 0
      end)
      helper.eventually(function() return #tails["--json"]:out() > #tails["--new"]:out() end)
      assert.equal(0, ask(dir, "stop").status)
      assert.equal(0, program:wait().status)
      for _, tail in pairs(tails) do
         local result = tail:wait()
         assert.equal(0, result.status)
         for line in result.out:gmatch "[^\n]+" do
            local record = dkjson.decode(line)
            assert.same({ "error", "fail: false: exit code 1" }, { record.level, record.message })
            assert.matches("^%d+%-%d+%-%d+ %d+:%d+:%d+ error fail: false: exit code 1$", record.line)
         end
      end
   end)
end)

describe("moonwatch log", function()
   it("changes the level of a running host", function()
      local dir = folder()
      local program = start(dir, "--log-level", "error")
      helper.write(dir .. "/in/a", "")
      program:wait_for "saw a"
      assert.equal(0, ask(dir, "wait").status)
      assert.same({ status = 0, out = "", err = "" }, ask(dir, "log", "info"))
      helper.put(dir .. "/in/b")
      program:wait_for "info  show: in/b: done in"
      assert.equal(1, select(2, program:err():gsub("done in", "")))
   end)
end)

describe("moonwatch stop", function()
   it("ends the host politely and waits for its end", function()
      local dir = folder [[rule "r" { watch = "in", start = true,
         run = { "sh", "-c", "trap 'sleep 0.1; echo bye; exit' TERM; echo up; while :; do sleep 0.01; done" } }]]
      local program = start(dir)
      program:wait_for "up\n"
      assert.same({ status = 0, out = "", err = "" }, ask(dir, "stop"))
      assert.equal("up\nbye\n", program:out())
      assert.equal(0, program:wait().status)
   end)
end)

describe("moonwatch metrics", function()
   it("gives each figure its help and its type", function()
      local dir = folder 'rule "odd\\"name\\n" { watch = "in", start = true, run = { "false" } }'
      start(dir)
      ask(dir, "wait")
      local out = ask(dir, "metrics").out
      local typed = {}
      for name in out:gmatch "# TYPE (%S+) %l+\n" do typed[name] = true end
      for line in out:gmatch "[^\n]+" do
         local name = line:match "^(moonwatch_[%l_]+)%b{} %S+$" or line:match "^(moonwatch_[%l_]+) [%d.e+-]+$"
         assert.is_true(line:find "^# " ~= nil or typed[name] or typed[(name:gsub("_count$", ""))], line)
      end
      assert.matches('\nmoonwatch_rule_failures_total{rule="odd\\"name\\n"} 1\n', out)
      assert.matches("\nmoonwatch_directories 1\n", out)
   end)
end)
