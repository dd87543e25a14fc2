-- SPDX-License-Identifier: MIT
--
-- Rules on a real tree with real processes.

local core = require "moonwatch.core"
if not (core.settle and core.watcher) then return end

local helper = require "support.helper"
local moonwatch = require "moonwatch"
local rules = require "moonwatch.rules"
local log = require "moonwatch.rule.log"

local HOSTILE = "$(touch x);\n'\" -rf %s {op} \255"

-- A set whose log goes into a list.
local function new_set(options)
   local lines = {}
   options = options or {}
   options.log = log.new { level = "debug", write = function(_, level, message)
      lines[#lines + 1] = level .. " " .. message
   end }
   return rules.new(options), lines
end

local function errors_in(lines)
   local found = {}
   for _, line in ipairs(lines) do
      if line:find "^error" or line:find "^warn" then found[#found + 1] = line end
   end
   return found
end

-- Runs fn(set, dir, lines) in a task; afterwards the set is stopped.
local function with_rules(fn, options)
   local dir = helper.folder()
   helper.mkdir(dir .. "/in")
   local set, lines = new_set(options)
   moonwatch.run(function()
      local ok, err = xpcall(fn, debug.traceback, set, dir, lines)
      set:stop(10)
      if not ok then error(err, 0) end
   end)
   helper.clean()
end

local function started(set)
   assert(set:start())
   return set
end

describe("rules on a real tree", function()
   helper.leaves_nothing()

   it("run a command when a file is saved", function()
      with_rules(function(set, dir)
         set:declare("r", { watch = dir .. "/in", settle = 0.02, run = { "sh", "-c", 'echo "$@" >>"$0"', dir .. "/out",
            "{rels}" } })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(10))
         helper.write(dir .. "/in/b", "x")
         helper.write(dir .. "/in/c", "x")
         assert.is_true(set:idle(10))
         assert.equal("a\nb c\n", helper.read(dir .. "/out"))
      end)
   end)

   it("pass hostile names unharmed through every form", function()
      with_rules(function(set, dir)
         local seen = {}
         local watch = dir .. "/in"
         local function script(body) return { "sh", "-c", body .. ' >"$0"', dir .. "/out-" .. body:match "%w+" } end
         local each = script 'printf %s "$1"'
         each[5] = "<{name}>"
         set:declare("argument", { watch = watch, each = each })
         set:declare("environment", { watch = watch, each = script 'echo "$MOONWATCH_NAME"' })
         set:declare("input", { watch = watch, run = script "cat", stdin = "rels0" })
         set:declare("function", { watch = watch, each = function(change) seen[1] = change.name end })
         local list = script 'eval=1; printf "%s\\n" "$@"'
         list[5] = "{rels}"
         set:declare("list", { watch = watch, run = list })
         started(set)
         helper.write(dir .. "/in/" .. HOSTILE, "x")
         assert.is_true(set:idle(10))
         assert.same({ "<" .. HOSTILE .. ">", HOSTILE .. "\n", HOSTILE .. "\0", HOSTILE, HOSTILE .. "\n" },
            { helper.read(dir .. "/out-printf"), helper.read(dir .. "/out-echo"), helper.read(dir .. "/out-cat"), seen[1],
               helper.read(dir .. "/out-eval") })
         assert.is_false(helper.exists "x")
      end)
   end)

   it("lose no change that is made while a run ends", function()
      with_rules(function(set, dir)
         local seen, count = {}, 0
         set:declare("r", { watch = dir .. "/in", settle = 0, guard = false, run = function(batch)
            for _, change in ipairs(batch) do seen[change.rel] = true end
            moonwatch.exec { "true" }
         end })
         started(set)
         for i = 1, 200 do
            helper.write(dir .. "/in/" .. i, "x")
            moonwatch.sleep((i % 13) / 5000)
         end
         assert.is_true(set:idle(20))
         for _ in pairs(seen) do count = count + 1 end
         assert.equal(200, count)
      end)
   end)

   -- Each run makes the change for the next: as the last act of its command, or, from the background, once the command's
   -- end has been noticed. Where one is lost the chain ends.
   local STEP = [[
      dir=$1
      shift
      for path; do
         number=${path##*/}
         next=$dir/in/$((number + 1))
         echo "$number" >>"$dir/log"
      done
      if [ $number = 1000 ]; then exit; fi
      if [ $((number % 2)) = 0 ]; then exec mkdir -p "$next"; fi
      me=$$
      { while [ -d /proc/$me ]; do :; done; mkdir -p "$next"; } &
   ]]

   local function chain(keys)
      local found = {}
      with_rules(function(set, dir)
         helper.write(dir .. "/step.sh", STEP)
         helper.write(dir .. "/log", "")
         keys.watch, keys.settle, keys.guard, keys.limit = dir .. "/in", 0, false, 1
         local step = { "sh", dir .. "/step.sh", dir, keys.each and "{path}" or "{paths}" }
         keys.each, keys.run = keys.each and step, not keys.each and step or nil
         set:declare("chain", keys)
         started(set)
         helper.mkdir(dir .. "/in/1")
         helper.eventually(function() return helper.read(dir .. "/log"):find "%f[%d]1000\n" end, 120)
         assert.is_true(set:idle(10))
         for number in helper.read(dir .. "/log"):gmatch "%d+" do found[#found + 1] = math.tointeger(number) end
      end)
      return found
   end

   local function to_thousand()
      local numbers = {}
      for i = 1, 1000 do numbers[i] = i end
      return numbers
   end

   it("lose none of a thousand changes made in the moment in which a command ends", function()
      assert.same(to_thousand(), chain {})
   end)

   it("nor with each", function()
      assert.same(to_thousand(), chain { each = true })
   end)

   it("nor where a change restarts what is ending", function()
      local seen, each_once = {}, {}
      for _, number in ipairs(chain { busy = "restart" }) do
         if not seen[number] then each_once[#each_once + 1] = number end
         seen[number] = true
      end
      assert.same(to_thousand(), each_once)
   end)

   it("idle is a barrier: whatever changed before is handled", function()
      with_rules(function(set, dir)
         local last
         set:declare("r", { watch = dir .. "/in", settle = 0.001, run = function(batch)
            last = helper.read(batch[1].path)
         end })
         started(set)
         for i = 1, 100 do
            helper.write(dir .. "/in/a", tostring(i))
            assert.is_true(set:idle(10))
            assert.equal(tostring(i), last)
         end
      end)
   end)

   it("restart: the whole group of the old run is gone before the new one begins", function()
      with_rules(function(set, dir)
         set:declare("r", { watch = dir .. "/in", settle = 0.01, busy = "restart", grace = 2,
            run = { "sh", "-c", 'trap "echo end >>$0; exit" TERM; echo begin >>"$0"; sleep 60 & wait', dir .. "/out" } })
         started(set)
         for i = 1, 3 do
            helper.write(dir .. "/in/a", tostring(i))
            helper.eventually(function()
               local text = helper.exists(dir .. "/out") and helper.read(dir .. "/out") or ""
               return select(2, text:gsub("begin", "")) == i
            end)
         end
         set:stop(10)
         assert.equal(("begin\nend\n"):rep(3), helper.read(dir .. "/out"))
         assert.same({}, helper.children())
      end)
   end)

   it("restart: a function for lines that waits for ever does not hold it up", function()
      with_rules(function(set, dir)
         local begun = 0
         set:declare("r", { watch = dir .. "/in", settle = 0.01, busy = "restart", grace = 0.05,
            run = { "sh", "-c", "echo begun; exec sleep 60" },
            stdout = function()
               begun = begun + 1
               moonwatch.sleep(1e6)
            end })
         started(set)
         for i = 1, 3 do
            helper.write(dir .. "/in/a", tostring(i))
            helper.eventually(function() return begun == i end)
         end
         assert.is_true(set:stop(10))
      end)
   end)

   it("say that a root is there again only where it was gone", function()
      with_rules(function(set, dir, lines)
         set:declare("r", { watch = dir .. "/in/later", missing = "wait", settle = 0.01, run = function() end })
         started(set)
         local function told(line)
            helper.eventually(function()
               return table.concat(lines, "\n"):find(line:format(dir), 1, true)
            end)
         end
         helper.write(dir .. "/in/later", "x")
         told "info r: %s/in/later is watched now"
         helper.rename(dir .. "/in", dir .. "/out")
         told "warn r: %s/in is gone"
         helper.rename(dir .. "/out", dir .. "/in")
         told "warn r: %s/in is there again"
      end)
   end)

   it("a function that is restarted takes the processes of its exec with it", function()
      with_rules(function(set, dir)
         local exec = moonwatch.exec
         local begun = 0
         set:declare("r", { watch = dir .. "/in", settle = 0.01, busy = "restart", run = function(batch)
            begun = begun + 1
            if begun < 3 then exec { "sleep", "60" } end
            return #batch == 1
         end })
         started(set)
         for i = 1, 3 do
            helper.write(dir .. "/in/a", tostring(i))
            helper.eventually(function() return begun == i end)
         end
         assert.is_true(set:idle(10))
         assert.same({}, helper.children())
      end)
   end)

   it("no second run begins before what an exec of the first has started is gone", function()
      with_rules(function(set, dir)
         local overlaps, finished = 0, 0
         local stubborn = "trap 'sleep 0.1; rm -r $0; exit' TERM; mkdir $0 || exit 9; echo >$0.begun; "
            .. "while :; do sleep 0.01; done"
         set:declare("r", { watch = dir .. "/in", settle = 0.01, busy = "restart", run = function(batch)
            if helper.read(batch[1].path) == "last" then
               finished = finished + 1
               overlaps = overlaps + (helper.exists(dir .. "/alone") and 1 or 0)
               return
            end
            local result = moonwatch.exec { "sh", "-c", stubborn, dir .. "/alone" }
            if result.code == 9 then overlaps = overlaps + 1 end
         end })
         started(set)
         for i = 1, 4 do
            helper.write(dir .. "/in/a", i < 4 and tostring(i) or "last")
            if i < 4 then
               helper.eventually(function() return os.remove(dir .. "/alone.begun") end)
            end
         end
         assert.is_true(set:idle(10))
         assert.same({ 0, 1 }, { overlaps, finished })
         assert.same({}, helper.children())
      end)
   end)

   it("end what takes too long, and tell it", function()
      with_rules(function(set, dir, lines)
         set:declare("process", { watch = dir .. "/in", timeout = 0.1, run = { "sleep", "60" } })
         set:declare("function", { watch = dir .. "/in", timeout = 0.1, run = function() moonwatch.sleep(60) end })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(10))
         local found = errors_in(lines)
         table.sort(found)
         assert.same({ "error function: timed out after 0.1 s", "error process: sleep: timed out" }, found)
      end)
   end)

   it("stop a function that neither waits nor returns, whatever it catches", function()
      with_rules(function(set, dir, lines)
         set:declare("hog", { watch = dir .. "/in", run = function()
            while true do pcall(function() while true do end end) end
         end })
         local calm
         set:declare("calm", { watch = dir .. "/in", run = function()
            local deadline = os.clock() + 0.4
            while os.clock() < deadline do
               for _ = 1, 100000 do end
               moonwatch.sleep(0)
            end
            calm = true
         end })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(20))
         assert.is_true(calm)
         assert.equal(1, #errors_in(lines))
         assert.matches("^error hog: .-neither waited nor returned for 0.2 s\nstack traceback", errors_in(lines)[1])
      end, { budget = 0.2 })
   end)

   it("stop what computes for ever wherever the script is asked, generators too", function()
      with_rules(function(set, dir, lines)
         local function hog()
            while true do
               pcall(moonwatch.coroutine.wrap(function()
                  while true do pcall(function() while true do end end) end
               end))
            end
         end
         local function declare(name, keys)
            keys.watch, keys.settle = dir .. "/in", 0.01
            set:declare(name, keys)
         end
         declare("filter", { run = { "true" }, filter = hog })
         declare("key", { each = { "true" }, key = hog })
         declare("when", { run = { "false" }, retry = { times = 1, when = hog } })
         declare("stdout", { run = { "echo" }, stdout = hog })
         declare("on_failure", { run = { "false" }, on_failure = hog })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(60))
         local told = {}
         for _, line in ipairs(errors_in(lines)) do
            local name = line:match "^error (%S+): .-neither waited nor returned for 0.2 s\nstack traceback:\n\t"
            told[#told + 1] = name
         end
         table.sort(told)
         assert.same({ "filter", "key", "on_failure", "stdout", "when" }, told)
      end, { budget = 0.2 })
   end)

   it("name a wrong time limit at the line of the caller", function()
      with_rules(function(set, dir)
         local rule = set:declare("r", { watch = dir, run = { "true" } })
         started(set)
         for _, idle in ipairs { rule.idle, set.idle, function(_, timeout) return rules.idle(timeout) end } do
            for _, wrong in ipairs { "1", -1, {} } do
               local ok, message = pcall(function() return (idle(idle == set.idle and set or rule, wrong)) end)
               assert.is_false(ok)
               assert.matches("^[^:]*rules_world_spec.lua:%d+: idle: a number of seconds expected, not ", message)
            end
         end
      end)
   end)

   it("end with the set though a function waits for what never comes", function()
      local dir = helper.folder()
      local set = new_set()
      local waiting = 0
      local function wait()
         waiting = waiting + 1
         moonwatch.sleep(1000)
      end
      set:declare("on_failure", { watch = dir, settle = 0.01, run = { "false" }, on_failure = wait })
      set:declare("when", { watch = dir, settle = 0.01, run = { "false" }, retry = { when = wait } })
      set:declare("run", { watch = dir, settle = 0.01, run = wait })
      moonwatch.run(function()
         started(set)
         helper.write(dir .. "/a", "x")
         helper.eventually(function() return waiting == 3 end)
         assert.is_true(set:stop(20))
      end)
   end)

   it("tell errors of whatever kind wherever the script is asked, and go on", function()
      with_rules(function(set, dir, lines)
         local nasty = setmetatable({}, { __tostring = function() error "no text" end })
         local function fail() error(nasty) end
         local ran = {}
         local function declare(name, keys)
            keys.watch, keys.settle = dir .. "/in", 0.01
            set:declare(name, keys)
         end
         declare("filter", { run = function() ran.filter = true end, filter = fail })
         declare("key", { each = function() ran.key = true end, key = fail })
         declare("when", { run = { "false" }, retry = { times = 1, when = fail } })
         declare("stdout", { run = { "echo" }, stdout = fail })
         declare("result", { run = function() return setmetatable({}, { __index = fail }) end })
         declare("last", { run = function() ran.last = true end })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(10))
         assert.same({ filter = true, key = true, last = true }, ran)
         local told = {}
         for _, line in ipairs(errors_in(lines)) do
            local name = line:match "^error (%S+): .-%(error is a table: without text%)\nstack traceback:\n\t"
            told[#told + 1] = name
         end
         table.sort(told)
         assert.same({ "filter", "key", "result", "stdout", "when" }, told)
      end)
   end)

   it("keep a service running, restart it on a change, end it with the set", function()
      with_rules(function(set, dir)
         set:declare("s", { watch = dir .. "/in", settle = 0.01, retry = { delay = 0.05 },
            service = { "sh", "-c", 'echo $$ >>"$0"; exec sleep 60', dir .. "/pids" } })
         started(set)
         local function pids(count)
            return helper.eventually(function()
               local found = {}
               for pid in (helper.exists(dir .. "/pids") and helper.read(dir .. "/pids") or ""):gmatch "%d+" do
                  found[#found + 1] = pid
               end
               return #found == count and found
            end)
         end
         local first = pids(1)[1]
         helper.write(dir .. "/in/a", "x")
         local second = pids(2)[2]
         assert.is_false(helper.exists("/proc/" .. first .. "/exe"))
         moonwatch.exec { "kill", "-9", second }
         pids(3)
         set:stop(10)
         assert.same({}, helper.children())
      end)
   end)

   it("hand over what is there at the start, and at a trigger", function()
      with_rules(function(set, dir)
         helper.write(dir .. "/in/sub/a.csv", "x")
         helper.write(dir .. "/in/b.csv", "x")
         helper.write(dir .. "/in/c.txt", "x")
         local seen = {}
         set:declare("r", { watch = dir .. "/in/**/*.csv", start = true, complete = true, settle = 0.01,
            each = function(change, job) seen[#seen + 1] = job.reason .. " " .. change.op .. " " .. change.rel end })
         started(set)
         assert.is_true(set:idle(10))
         table.sort(seen)
         assert.same({ "start create b.csv", "start create sub/a.csv" }, seen)
         set:find("r"):trigger()
         assert.is_true(set:idle(10))
         table.sort(seen)
         assert.same({ "start create b.csv", "start create sub/a.csv", "trigger create b.csv",
            "trigger create sub/a.csv" }, seen)
      end)
   end)

   it("hold a file until its writer has closed it", function()
      with_rules(function(set, dir)
         local seen = {}
         set:declare("r", { watch = dir .. "/in", complete = true, settle = 0.01,
            each = function(change) seen[#seen + 1] = helper.read(change.path) end })
         started(set)
         local file = assert(io.open(dir .. "/in/a", "w"))
         file:write "half"
         file:flush()
         helper.write(dir .. "/in/b", "later")
         helper.eventually(function() return #seen > 0 end)
         file:write " whole"
         file:close()
         assert.is_true(set:idle(10))
         assert.same({ "later", "half whole" }, seen)
      end)
   end)

   it("give output to the log, by line and with the rule's name", function()
      with_rules(function(set, dir, lines)
         set:declare("r", { watch = dir .. "/in", stdout = "log", stderr = "stdout", run = { "sh", "-c",
            "echo one; echo two >&2" } })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(10))
         helper.eventually(function() return table.concat(lines, "\n"):find "r: two" end)
         assert.matches("info r: one\ninfo r: two", table.concat(lines, "\n"))
      end)
   end)

   it("hand a hundred thousand paths of one batch over as arguments, in as many runs as it takes", function()
      with_rules(function(set, dir, lines)
         set:declare("arguments", { watch = dir .. "/in", settle = 0.05, run = { "sh", "-c", 'echo $# >>"$0"',
            dir .. "/counts", "{paths}" } })
         set:declare("input", { watch = dir .. "/in", settle = 0.05, stdin = "paths0", run = { "sh", "-c",
            'tr -cd "\\0" | wc -c >"$0"', dir .. "/input" } })
         started(set)
         for _, name in ipairs { "arguments", "input" } do
            local runtime = set:runtime(name)
            for i = 1, 100000 do
               local rel = ("%040d/%d"):format(i % 100, i)
               runtime:feed { op = "create", path = dir .. "/in/" .. rel, rel = rel, root = dir .. "/in", type = "file" }
            end
         end
         assert.is_true(set:idle(60))
         assert.same({}, errors_in(lines))
         local sum, runs = 0, 0
         for count in helper.read(dir .. "/counts"):gmatch "%d+" do
            sum, runs = sum + math.tointeger(count), runs + 1
         end
         assert.equal(100000, sum)
         assert.is_true(runs > 1)
         assert.equal(100000, math.tointeger(helper.read(dir .. "/input"):match "%d+"))
      end)
   end)

   it("pause a rule that feeds itself, and name the path", function()
      with_rules(function(set, dir, lines)
         set:declare("process", { watch = dir .. "/in", settle = 0, guard = { runs = 4, hold = 0.1 }, match = "own",
            run = { "touch", dir .. "/in/own" } })
         set:declare("function", { watch = dir .. "/in", settle = 0, guard = { runs = 4, hold = 0.1 }, match = "fn*",
            run = function() helper.write(dir .. "/in/fn", "x") end })
         set:declare("each", { watch = dir .. "/each", settle = 0, guard = { runs = 4, hold = 0.1 },
            each = { "touch", "{path}" } })
         set:declare("births", { watch = dir .. "/births", settle = 0, guard = { runs = 4, hold = 0.1 },
            each = function(change) helper.write(change.path .. ".x", "x") end })
         helper.mkdir(dir .. "/each")
         helper.mkdir(dir .. "/births")
         started(set)
         helper.write(dir .. "/in/fn", "x")
         helper.write(dir .. "/in/own", "x")
         helper.write(dir .. "/each/a", "x")
         helper.write(dir .. "/births/a", "x")
         helper.eventually(function() return #errors_in(lines) == 4 end)
         local function paused(name, path)
            return ("error %s: paused: it feeds itself through %s (name what it writes in `outputs`, or ignore it)")
               :format(name, path)
         end
         local found = errors_in(lines)
         table.sort(found)
         assert.same({ paused("births", dir .. "/births/a" .. (".x"):rep(5)), paused("each", dir .. "/each/a"),
            paused("function", dir .. "/in/fn"), paused("process", dir .. "/in/own") }, found)
      end)
   end)

   it("go on where memory runs out in one of them", function()
      with_rules(function(set, dir, lines)
         local good = 0
         set:declare("greedy", { watch = dir .. "/in", run = function() error("not enough memory", 0) end })
         set:declare("huge", { watch = dir .. "/in", run = function() return ("x"):rep(1 << 60) end })
         set:declare("good", { watch = dir .. "/in", run = function() good = good + 1 end })
         started(set)
         helper.write(dir .. "/in/a", "x")
         assert.is_true(set:idle(10))
         assert.same({ 1, 2 }, { good, #errors_in(lines) })
      end)
   end)

   it("refuse to start where something cannot be watched, and leave nothing", function()
      with_rules(function(set, dir)
         set:declare("good", { watch = dir .. "/in", run = { "true" } })
         set:declare("bad", { watch = dir .. "/nowhere", run = { "true" } })
         local ok, message, errno = set:start()
         assert.same({ nil, 'rule "bad": ' .. dir .. "/nowhere: No such file or directory", 2 }, { ok, message, errno })
      end)
   end)

   it("are reloaded without loss and without disturbing what runs", function()
      with_rules(function(set, dir)
         local seen, running = {}, 0
         local function declare(target)
            target:declare("r", { watch = dir .. "/in", settle = 0.005, limit = 3, each = function(change)
               running = running + 1
               moonwatch.sleep(0.01)
               running = running - 1
               seen[change.rel] = (seen[change.rel] or 0) + 1
            end })
         end
         declare(set)
         started(set)
         local current = set
         for i = 1, 60 do
            helper.write(dir .. "/in/" .. i, "x")
            if i % 3 == 0 then
               local following = new_set()
               declare(following)
               assert(following:succeed(current))
               current = following
            end
            moonwatch.sleep(0.002)
         end
         assert.is_true(current:idle(20))
         current:stop(10)
         local once = 0
         for _, count in pairs(seen) do once = once + (count == 1 and 1 or 0) end
         assert.same({ 60, 0 }, { once, running })
      end)
   end)

   for _, is_other in ipairs { false, true } do
      it(("are reloaded while a scan runs, %s"):format(is_other and "to watch in another way" or "to watch the same"), function()
         with_rules(function(set, dir)
            local files, seen = 3000, {}
            local function declare(target, number)
               target:declare("r", { watch = dir .. "/in", ignore = is_other and "none" .. number or nil, settle = 0.005,
                  run = function(batch)
                     for _, change in ipairs(batch) do seen[change.rel] = (seen[change.rel] or 0) + 1 end
                  end })
            end
            for i = 1, files do helper.write(("%s/new/%d/%d"):format(dir, i % 10, i), "x") end
            declare(set, 0)
            started(set)
            local current = set
            helper.rename(dir .. "/new", dir .. "/in/new")
            for number = 1, 8 do
               local following = new_set()
               declare(following, number)
               assert(following:succeed(current))
               current = following
               moonwatch.sleep(0)
            end
            assert.is_true(current:idle(20))
            current:stop(10)
            local once = 0
            for i = 1, files do once = once + (seen[("new/%d/%d"):format(i % 10, i)] == 1 and 1 or 0) end
            assert.equal(files, once)
         end)
      end)
   end
end)

describe("rule scripts", function()
   it("have globals of their own, and Lua's", function()
      local dir = helper.folder()
      helper.write(dir .. "/a.lua", 'shared = (shared or 0) + 1; rule "a" { watch = ".", run = { "x" } }')
      helper.write(dir .. "/b.lua", 'assert(shared == nil); assert(arg[1] == "one" and arg[0]:match "b.lua$")\n'
         .. 'assert(_G.rule == rule and string.rep and exec and spawn and sleep and every and at and log and moonwatch)')
      helper.write(dir .. "/c.txt", "no Lua")
      local set = assert(rules.load({ dir }, { arg = { "one" } }))
      assert.is_not_nil(set:find "a")
      assert.is_nil(rawget(_G, "shared"))
   end)

   it("load further files with their own globals", function()
      local dir = helper.folder()
      helper.write(dir .. "/common.lua", 'shared = "yes"; rule "common" { watch = ".", run = { "x" } }')
      helper.write(dir .. "/a.lua", ('dofile(%q)\nassert(shared == "yes" and load "return rule"() == rule)'):format(
         dir .. "/common.lua"))
      assert.is_not_nil(assert(rules.load(dir .. "/a.lua")):find "common")
   end)

   it("begin with #! where they like", function()
      local dir = helper.folder()
      helper.write(dir .. "/a.lua", '#!/usr/bin/env moonwatch\nrule "a" { watch = ".", run = { "x" }, oops = 1 }')
      local set, message = rules.load(dir .. "/a.lua")
      assert.is_nil(set)
      assert.matches('a.lua:2: rule "a": unknown key "oops"', message, 1, true)
   end)

   it("are refused with file and line: syntax, error, a file that is not there", function()
      local dir = helper.folder()
      helper.write(dir .. "/syntax.lua", "\nrule =")
      helper.write(dir .. "/error.lua", "\n\nerror 'boom'")
      assert.matches("syntax.lua:2: unexpected symbol near <eof>", select(2, rules.load(dir .. "/syntax.lua")), 1, true)
      assert.matches("error.lua:3: boom\nstack traceback:", select(2, rules.load(dir .. "/error.lua")), 1, true)
      local _, message, errno = rules.load(dir .. "/none.lua")
      assert.same({ dir .. "/none.lua: No such file or directory", 2 }, { message, errno })
   end)

   it("may be a part of a program that runs the loop itself", function()
      local dir = helper.folder()
      helper.write(dir .. "/main.lua", ([[
local moonwatch = require "moonwatch"
local rule = require "moonwatch.rules".rule
local dir, started = %q, moonwatch.channel()
rule "r" { watch = dir .. "/in", settle = 0.01, start = true, run = function(batch)
   if #batch == 0 then return started:put(true) end
   print(batch[1].op, batch[1].rel)
   moonwatch.stop()
end }
moonwatch.spawn(function()
   started:get()
   io.open(dir .. "/in/a", "w"):close()
end)
moonwatch.run()
]]):format(dir))
      helper.mkdir(dir .. "/in")
      local result = helper.run { helper.interpreter, dir .. "/main.lua" }
      assert.same({ 0, "create\ta\n" }, { result.status, result.out })
   end)
end)

describe("a script's own modules", function()
   it("are asked for in a line that is told where there is no such module", function()
      local dir = helper.folder()
      helper.write(dir .. "/rules.lua", "local x = 1\nrequire 'no.such.module'\n")
      local ok, message = rules.load({ dir .. "/rules.lua" })
      assert.is_nil(ok)
      assert.matches("rules%.lua:2: module 'no%.such%.module' not found", message)
   end)

   it("are read anew by each set, and declare into it", function()
      local dir = helper.folder()
      local path = package.path
      package.path = dir .. "/?.lua;" .. path
      helper.write(dir .. "/site_rules.lua", 'local rule = require "moonwatch.rules".rule\n'
         .. 'return rule "from a module" { watch = ".", run = { "x" } }')
      helper.write(dir .. "/main.lua", 'local first = require "site_rules"\nassert(require "site_rules" == first)\n'
         .. 'assert(require "moonwatch" and require "string" == string)')
      local one, two = assert(rules.load(dir .. "/main.lua")), assert(rules.load(dir .. "/main.lua"))
      package.path = path
      assert.is_not_nil(one:find "from a module")
      assert.is_not_nil(two:find "from a module")
      assert.is_nil(rules.find "from a module")
      assert.is_nil(package.loaded.site_rules)
   end)

   it("end the tasks they have spawned when the set ends", function()
      local dir = helper.folder()
      local ticks = {}
      rawset(_G, "moonwatch_spec_ticks", ticks)
      helper.write(dir .. "/main.lua", 'local ticks = require "_G".moonwatch_spec_ticks\n'
         .. "spawn(function() while true do ticks[#ticks + 1] = true sleep(0.001) end end)")
      local set = assert(rules.load(dir .. "/main.lua"))
      assert(set:start())
      moonwatch.run(function()
         while #ticks < 3 do moonwatch.sleep(0.001) end
         set:stop()
      end)
      assert.is_nil(moonwatch.next_timeout()) -- nobody sleeps any more
      rawset(_G, "moonwatch_spec_ticks", nil)
   end)
end)
