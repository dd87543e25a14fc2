-- SPDX-License-Identifier: MIT
--
-- What the keys of a rule do, in a made-up world: clock, tree and processes move only as told.

local core = require "moonwatch.core"
if not (core.settle and core.pattern) then return end

local testing = require "moonwatch.testing"

local function load_script(text, options)
   return testing.load("\n" .. text, options)
end

-- The words of each argv started so far, joined: "make -j2".
local function ran(world, name)
   local lines = {}
   for i, argv in ipairs(world:runs(name)) do lines[i] = table.concat(argv, " ") end
   return lines
end

-- When each process was started, in tenths of a second.
local function times(world)
   local found = {}
   for i, record in ipairs(world.records) do found[i] = math.floor(record.at * 10 + 0.5) / 10 end
   return found
end

describe("settle and max_wait", function()
   it("run once, when it has been quiet for so long", function()
      local world = load_script 'rule "r" { watch = "src", settle = 0.2, run = { "make" } }'
      for _ = 1, 5 do world:save("src/a.c"):pass(0.1) end
      assert.same({}, ran(world))
      world:pass(0.11)
      assert.same({ "make" }, ran(world))
      world:pass(60)
      assert.same({ "make" }, ran(world))
   end)

   it("bound the wait for a writer that never rests, and see its last write", function()
      local world = load_script 'rule "r" { watch = "log", settle = 0.3, max_wait = 1, run = { "x" } }'
      for _ = 1, 25 do world:save("log/a"):pass(0.1) end
      world:pass(5)
      assert.same({ 1, 2.1, 2.7 }, times(world))
   end)

   it("count per path with each", function()
      local world = load_script 'rule "r" { watch = "in", settle = 0.5, each = { "x", "{rel}" } }'
      world:save("in/quiet"):pass(0.1)
      for _ = 1, 10 do world:save("in/busy"):pass(0.1) end
      assert.same({ "x quiet" }, ran(world))
      world:pass(1)
      assert.same({ "x quiet", "x busy" }, ran(world))
   end)
end)

describe("watch, match, ignore and on", function()
   it("choose what fires the rule", function()
      local world = load_script [[
rule "c" { watch = "src/**/*.c", run = { "c" } }
rule "m" { watch = "src", match = "*.h", run = { "h" } }
rule "i" { watch = "src", ignore = "*.c", run = { "not-c" } }
rule "o" { watch = "other", run = { "other" } }
]]
      world:save("src/a.c"):pass(1):save("src/b.h"):pass(1)
      assert.same({ "c", "h", "not-c" }, ran(world))
   end)

   it("leave deletes out with each, and fire on what `on` names", function()
      local world = load_script [[
rule "each" { watch = "in", each = { "each", "{op}", "{rel}" } }
rule "run" { watch = "in", run = { "run" } }
rule "attrib" { watch = "in", on = "attrib", run = { "attrib" } }
rule "delete" { watch = "in", on = { "delete" }, each = { "gone", "{rel}" } }
]]
      world:save("in/a"):pass(1):remove("in/a")
      world:pass(1):save("in/b"):pass(1):chmod("in/b"):pass(1)
      assert.same({ "each create a", "each create b" }, ran(world, "each"))
      assert.same({ "run", "run", "run" }, ran(world, "run"))
      assert.same({ "attrib" }, ran(world, "attrib"))
      assert.same({ "gone a" }, ran(world, "delete"))
   end)
end)

describe("run", function()
   it("hands the batch and the job to a function", function()
      local seen
      local world = testing.load(function(env)
         env.rule "r" { watch = "src", run = function(batch, job)
            seen = { batch:paths(), #batch:by "create", #batch:by "delete", job.try, job.reason, job.rule.name }
         end }
      end)
      world:save("src/a"):save("src/b"):pass(1)
      assert.same({ { "src/a", "src/b" }, 2, 0, 1, "change", "r" }, seen)
   end)

   it("runs a list of argvs one after the other and ends at the first failure", function()
      local world = load_script 'rule "r" { watch = "src", run = { { "one" }, { "two" }, { "three" } } }'
      world:process("one", { seconds = 1 }):process("two", { code = 3 })
      world:save("src/a"):pass(0.5)
      assert.same({ "one" }, ran(world))
      world:pass(5)
      assert.same({ "one", "two" }, ran(world))
      assert.same({ "error r: two: exit code 3" }, world:logged "error")
   end)

   it("gives all paths as arguments, and on standard input", function()
      local world = load_script [[
rule "args" { watch = "src", run = { "lint", "--", "{paths}" } }
rule "input" { watch = "src", run = { "tar" }, stdin = "rels0" }
]]
      world:save("src/a b"):save("src/$(touch x);\n'\""):pass(1)
      assert.same({ { "lint", "--", "src/a b", "src/$(touch x);\n'\"" } }, world:runs "args")
      assert.equal("a b\0$(touch x);\n'\"\0", world.records[2].options.stdin)
   end)

   it("splits a list of paths where the system finds it too long", function()
      local world = load_script 'rule "r" { watch = "src", run = { "x", "{paths}" } }'
      local tries = {}
      world:process("x", function(argv)
         tries[#tries + 1] = #argv - 1
         if #argv > 4 then return nil, "x: Argument list too long", 7 end
         return {}
      end)
      for i = 1, 7 do world:save("src/" .. i) end
      world:pass(1)
      local given = 0
      for _, argv in ipairs(world:runs()) do given = given + #argv - 1 end
      assert.equal(7, given)
      assert.same({}, world:logged "error")
   end)

   it("makes paths absolute where the rule has a folder of its own", function()
      local world = load_script([[
rule "away" { watch = "src", each = { "away", "{path}", "{rel}", "{root}" }, cwd = "/elsewhere" }
rule "here" { watch = "src", each = { "here", "{path}", "{rel}", "{root}" } }
]], { base = "/home/me" })
      world:save("src/a"):pass(1)
      assert.same({ "away /home/me/src/a a /home/me/src" }, ran(world, "away"))
      assert.same({ "here src/a a src" }, ran(world, "here"))
   end)

   it("gives the values in the environment too", function()
      local world = load_script [[
rule "each" { watch = "in", each = { "x" }, env = { MINE = "1", PATH = false } }
rule "run" { watch = "in", run = { "y" } }
]]
      world:save("in/sub/a.txt"):pass(1)
      local environments = {}
      for _, record in ipairs(world.records) do environments[record.rule] = record.options.env end
      assert.same({
         MINE = "1", PATH = false, MOONWATCH_RULE = "each", MOONWATCH_REASON = "change", MOONWATCH_TRY = "1",
         MOONWATCH_PATH = "in/sub/a.txt", MOONWATCH_REL = "sub/a.txt", MOONWATCH_NAME = "a.txt",
         MOONWATCH_DIR = "in/sub", MOONWATCH_RELDIR = "sub", MOONWATCH_STEM = "a", MOONWATCH_EXT = "txt",
         MOONWATCH_FROM = "", MOONWATCH_OP = "create", MOONWATCH_ROOT = "in",
      }, environments.each)
      assert.same({ MOONWATCH_RULE = "run", MOONWATCH_REASON = "change", MOONWATCH_TRY = "1", MOONWATCH_ROOT = "in" },
         environments.run)
   end)
end)

describe("limit and key", function()
   it("never run more at a time", function()
      local world = load_script 'rule "r" { watch = "in", limit = 4, each = { "x", "{rel}" } }'
      world:process("x", { seconds = 1 })
      for i = 1, 20 do world:save("in/" .. i) end
      local most = 0
      for _ = 1, 60 do
         world:pass(0.1)
         most = math.max(most, #world:running())
      end
      assert.same({ 4, 20 }, { most, #world:runs() })
   end)

   it("never run one key twice at once", function()
      local world = load_script 'rule "r" { watch = "in", key = "dir", each = { "x", "{rel}" } }'
      world:process("x", { seconds = 1 })
      world:save("in/a/1"):save("in/a/2"):save("in/b/1"):save("in/a/3"):pass(0.5)
      assert.same({ "x a/1", "x b/1" }, ran(world))
      world:pass(1)
      assert.same({ "x a/1", "x b/1", "x a/2" }, ran(world))
      world:pass(5)
      assert.same({ "x a/1", "x b/1", "x a/2", "x a/3" }, ran(world))
      assert.is_true(world:rule("r"):idle())
   end)

   it("take a function as key, and survive its errors", function()
      local world = load_script [[
rule "r" { watch = "in", each = { "x", "{rel}" }, key = function(change)
   if change.name == "bad" then error "no key" end
   return "one"
end }]]
      world:process("x", { seconds = 1 })
      world:save("in/1"):save("in/2"):save("in/bad"):pass(0.5)
      assert.same({ "x 1", "x bad" }, ran(world))
      world:pass(5)
      assert.same({ "x 1", "x bad", "x 2" }, ran(world))
      assert.equal(1, #world:logged "error")
   end)

   it("share the slots of all rules in turn", function()
      local world = load_script([[
rule "many" { watch = "many", each = { "many", "{rel}" } }
rule "few" { watch = "few", each = { "few", "{rel}" } }
]], { jobs = 1 })
      world:process("many", { seconds = 1 }):process("few", { seconds = 1 })
      for i = 1, 8 do world:save("many/" .. i) end
      world:save("few/1"):save("few/2"):pass(4)
      assert.same({ "many 1", "few 1", "many 2", "few 2" }, ran(world))
      world:pass(20)
      assert.equal(10, #world:runs())
   end)
end)

describe("busy", function()
   local function script(busy)
      local world = load_script(('rule "r" { watch = "src", settle = 0.1, run = { "x", "{paths}" }, %s }'):format(busy))
      world:process("x", { seconds = 2 })
      world:save("src/a"):pass(1)
      for _, name in ipairs { "b", "c", "d" } do world:save("src/" .. name):pass(0.2) end
      return world
   end

   it("queue: one more run afterwards, with all that changed meanwhile", function()
      local world = script ""
      assert.same({ "x src/a" }, ran(world))
      world:pass(10)
      assert.same({ "x src/a", "x src/b src/c src/d" }, ran(world))
      assert.same({ 0.1, 2.1 }, times(world))
   end)

   it("restart: stopped, then run with old and new changes", function()
      local world = script 'busy = "restart"'
      world:pass(10)
      assert.same({ "x src/a", "x src/a src/b", "x src/a src/b src/c", "x src/a src/b src/c src/d" }, ran(world))
      assert.same({ "TERM" }, world.records[1].signals)
   end)

   it("restart: what the stopped run has seen and is gone by now is told as gone", function()
      local world = load_script [[
rule "r" { watch = "src", busy = "restart", run = function(batch)
   for _, change in ipairs(batch) do log.info("%s %s", change.op, change.rel) end
   sleep(5)
end }]]
      world:save("src/a"):save("src/b"):pass(1):remove("src/a"):pass(20)
      local lines = world:logged "info"
      table.sort(lines)
      assert.same({ "info create a", "info create b", "info create b", "info delete a", "info r: done in 5.00 s" }, lines)
   end)

   it("restart: the disk is not asked what is gone: it may be ahead of the events", function()
      local engine = require "moonwatch.rule.engine"
      local world = { settle = core.settle, exists = function() return true end }
      local self = { world = world, now = function() return 0 end, compose = engine.compose }
      local function change(op, rel, from)
         return { op = op, path = "/t/" .. rel, rel = rel, root = "/t", from = from and "/t/" .. from, from_rel = from,
            type = "file" }
      end
      local function composed(older, newer)
         local words = {}
         for i, one in ipairs(engine.compose_attempted(self, older, newer)) do words[i] = one.op .. " " .. one.rel end
         return words
      end
      assert.same({ "delete f" }, composed({ change("create", "f") }, { change("delete", "f") }))
      assert.same({ "delete b", "modify a" }, composed({ change("move", "b", "a") }, { change("move", "a", "b") }))
      local again = engine.compose_attempted(self, { change("create", "f") }, { change("delete", "f") })
      assert.same({ "delete f" }, composed(again, {}))
   end)

   it("each: two files moved onto one name, one after the other, lose none", function()
      local world = load_script([[
rule "r" { watch = "in", limit = 1, on = "create modify delete move", each = function(change)
   log.info("%s %s %s", change.op, change.rel, change.from or "")
   sleep(1)
end }]], { files = { ["in/a"] = "", ["in/b"] = "" } })
      world:save("in/other"):pass(0.5)
      world:move("in/a", "in/c"):pass(0.3):move("in/b", "in/c"):pass(20)
      local lines = {}
      for _, line in ipairs(world:logged "info") do
         if not line:find "done" then lines[#lines + 1] = line end
      end
      table.sort(lines)
      assert.same({ "info create other ", "info delete b ", "info move c in/a" }, lines)
   end)

   it("restart waits for a process that will not end until KILL", function()
      local world = load_script 'rule "r" { watch = "src", run = { "x" }, busy = "restart", grace = 3, stop_signal = "INT" }'
      world:process("x", { seconds = 60, stubborn = true })
      world:save("src/a"):pass(1):save("src/b"):pass(1)
      assert.equal(1, #world:runs())
      world:pass(3)
      assert.equal(2, #world:runs())
      assert.same({ "INT", "KILL" }, world.records[1].signals)
   end)

   it("restart of a function waits for the process that it has left behind", function()
      local world = load_script([[
rule "r" { watch = "src", busy = "restart", grace = 3, run = function() return exec { "x" } end }
]], { processes = { x = { seconds = 60, stubborn = true } } })
      world:save("src/a"):pass(1):save("src/b"):pass(1)
      assert.same({ { "x" } }, world:running())
      world:pass(3)
      assert.same({ { "x" } }, world:running())
      assert.same({ 0.1, 4.1 }, times(world))
   end)

   it("restart and stop end on_failure and retry.when of a command where they wait", function()
      for _, keys in ipairs { "on_failure = wait", "retry = { when = wait }" } do
         local closed = 0
         local world = load_script(([[
local function wait()
   local _ <close> = setmetatable({}, { __close = function() count() end })
   sleep(1000)
end
rule "r" { watch = "src", busy = "restart", run = { "x" }, %s }
]]):format(keys), { processes = { x = { code = 1 } } })
         world.environment.count = function() closed = closed + 1 end
         world:save("src/a"):pass(1):save("src/b"):pass(1)
         assert.same({ "x", "x" }, ran(world))
         assert.equal(1, closed)
         world.set:stop()
         assert.equal(2, closed)
         for _, line in ipairs(world:logged "error") do assert.equal("error r: x: exit code 1", line) end
      end
   end)

   it("drop: forgotten", function()
      local world = script 'busy = "drop"'
      world:pass(10)
      assert.same({ "x src/a" }, ran(world))
      world:save("src/e"):pass(1)
      assert.same({ "x src/a", "x src/e" }, ran(world))
   end)

   it("signal: told to the running process", function()
      local world = script 'busy = { signal = "HUP" }'
      world:pass(10)
      assert.same({ "x src/a" }, ran(world))
      assert.same({ "HUP", "HUP", "HUP" }, world.records[1].signals)
   end)

   it("signal: waits for the end of a run that has no process to be told", function()
      local world = load_script [[
rule "r" { watch = "src", busy = { signal = "HUP" }, run = function(batch)
   log.info(table.concat(batch:paths(), " "))
   sleep(1)
end }
rule "e" { watch = "src", busy = { signal = "HUP" }, each = function(change)
   log.info("each " .. change.path)
   sleep(1)
end }
]]
      world:save("src/a"):pass(0.5)
      world:save("src/a"):save("src/b"):pass(0.3)
      assert.is_nil(world:rule("r"):idle(0))
      world:pass_until_idle()
      local said = {}
      for _, line in ipairs(world:logged "info") do
         if not line:find "done in" then said[#said + 1] = line:sub(6) end
      end
      table.sort(said)
      assert.same({ "each src/a", "each src/a", "each src/b", "src/a", "src/b src/a" }, said)
   end)

   it("holds per key with each", function()
      local world = load_script 'rule "r" { watch = "in", each = { "x", "{rel}" }, busy = "restart" }'
      world:process("x", { seconds = 2 })
      world:save("in/a"):save("in/b"):pass(1):save("in/a"):pass(1)
      assert.same({ "x a", "x b", "x a" }, ran(world))
      assert.same({ { "TERM" }, {}, {} }, { world.records[1].signals, world.records[2].signals, world.records[3].signals })
   end)

   it("restarts a function by cancelling it, its variables closed", function()
      local steps = {}
      local world = testing.load(function(env)
         env.rule "r" { watch = "src", busy = "restart", run = function(batch)
            local _ <close> = setmetatable({}, { __close = function() steps[#steps + 1] = "closed " .. #batch end })
            steps[#steps + 1] = "begun " .. #batch
            env.sleep(10)
            steps[#steps + 1] = "done " .. #batch
         end }
      end)
      world:save("src/a"):pass(1):save("src/b"):pass(20)
      assert.same({ "begun 1", "closed 1", "begun 2", "done 2", "closed 2" }, steps)
   end)
end)

describe("a change in the moment in which a run ends", function()
   it("is never lost, whatever the moment", function()
      for tick = 0, 1000 do
         local world = load_script 'rule "r" { watch = "src", settle = 0.01, run = { "x", "{paths}" } }'
         world:process("x", { seconds = 0.05 })
         world:save("src/a"):pass(0.01 + tick / 10000)
         world:save("src/b"):pass(1)
         local found = {}
         for _, argv in ipairs(world:runs()) do
            for i = 2, #argv do found[argv[i]] = true end
         end
         assert.same({ ["src/a"] = true, ["src/b"] = true }, found)
         assert.is_true(world:rule("r"):idle())
      end
   end)
end)

describe("timeout", function()
   it("ends a process and is a failure", function()
      local world = load_script 'rule "r" { watch = "src", run = { "x" }, timeout = 3 }'
      world:process("x", { seconds = 60 })
      world:save("src/a"):pass(5)
      assert.same({ "error r: x: timed out" }, world:logged "error")
      assert.same({}, world:running())
   end)

   it("is what on_failure is told of", function()
      local world = load_script [[
rule "r" { watch = "in", timeout = 2, run = function() sleep(60) end, on_failure = function(changes, err)
   log.info("%s: %s", changes:paths()[1], err)
end }]]
      world:save("in/a"):pass(10)
      assert.same({ "error r: timed out after 2 s", "info in/a: timed out after 2 s" }, world:logged "info")
   end)

   it("cancels a function", function()
      local world = load_script 'rule "r" { watch = "src", run = function() sleep(60) end, timeout = 3 }'
      world:save("src/a"):pass(5)
      assert.same({ "error r: timed out after 3 s" }, world:logged "error")
      assert.is_true(world:rule("r"):idle())
   end)
end)

describe("retry", function()
   it("waits longer each time, up to the cap, then calls on_failure", function()
      local world = load_script [[
rule "r" {
   watch = "in", each = { "x", "{rel}" },
   retry = { times = 4, delay = 1, factor = 3, cap = 5 },
   on_failure = function(changes, err) log.warn("gave up %s: %s", changes:paths()[1], err) end,
}]]
      world:process("x", { code = 2 })
      world:save("in/a"):pass(100)
      assert.same({ 0.1, 1.1, 4.1, 9.1, 14.1 }, times(world))
      assert.same("warn gave up in/a: x: exit code 2", world:logged("warn")[#world:logged "warn"])
      assert.is_true(world:rule("r"):idle())
   end)

   it("counts tries and says why it runs", function()
      local world = load_script [[
rule "r" { watch = "in", retry = { times = 2 }, each = function(change, job)
   log.info("%d %s", job.try, job.reason)
   if job.try < 3 then return nil, "not yet" end
end }]]
      world:save("in/a"):pass(100)
      assert.same({ "info 1 change", "warn r: in/a: not yet (again in 1 s)", "info 2 retry",
         "warn r: in/a: not yet (again in 2 s)", "info 3 retry", "info r: in/a: done in 0.00 s" }, world:logged "info")
   end)

   it("starts the count anew with a new change, merged with the old ones", function()
      local world = load_script [[
rule "r" { watch = "in", retry = { times = 1, delay = 10 }, run = function(batch, job)
   log.info("%s %d %s", table.concat(batch:paths(), " "), job.try, job.reason)
   return nil, "no"
end }]]
      world:save("in/a"):pass(5):save("in/b"):pass(1)
      local lines = {}
      for _, line in ipairs(world:logged "info") do
         if line:find "^info" then lines[#lines + 1] = line end
      end
      assert.same({ "info in/a 1 change", "info in/a in/b 1 change" }, lines)
      world:pass(60)
      assert.equal("error r: no", world:logged("error")[1])
      assert.equal(3, world:rule("r"):status().runs)
   end)

   it("ends where the path is gone", function()
      local world = load_script 'rule "r" { watch = "in", each = { "x", "{rel}" }, retry = { times = 9 } }'
      world:process("x", { code = 1 })
      world:save("in/a"):pass(0.5):remove("in/a"):pass(60)
      assert.same({ "x a" }, ran(world))
      assert.is_true(world:rule("r"):idle())
   end)

   it("is for the codes named, or for what `when` says", function()
      local world = load_script [[
rule "codes" { watch = "in", each = { "x", "{rel}" }, retry = { times = 2, codes = { 75 } } }
rule "when" { watch = "in", each = { "x", "{rel}" }, retry = { times = 2, when = function(result)
   return result.code == 1
end } }
]]
      world:process({ "x", "a" }, { code = 75 }):process({ "x", "b" }, { code = 1 })
      world:save("in/a"):save("in/b"):pass(60)
      assert.same({ "x a", "x b", "x a", "x a" }, ran(world, "codes"))
      assert.same({ "x a", "x b", "x b", "x b" }, ran(world, "when"))
   end)

   it("is not needed where the code is a success", function()
      local world = load_script 'rule "r" { watch = "in", run = { "x" }, success = { 0, 24 }, retry = { times = 3 } }'
      world:process("x", { code = 24 })
      world:save("in/a"):pass(60)
      assert.equal(1, #world:runs())
   end)

   it("tries again a command that cannot be started", function()
      local world = load_script 'rule "r" { watch = "in", run = { "x" }, retry = { times = 1 } }'
      local calls = 0
      world:process("x", function()
         calls = calls + 1
         if calls == 1 then return nil, "x: No such file or directory", 2 end
         return {}
      end)
      world:save("in/a"):pass(60)
      assert.same({ "warn r: x: No such file or directory (again in 1 s)" }, world:logged "warn")
      assert.equal(2, calls)
   end)
end)

describe("cooldown", function()
   it("keeps a distance between runs and loses nothing", function()
      local world = load_script 'rule "r" { watch = "in", cooldown = 5, run = { "x", "{rels}" } }'
      world:process("x", { seconds = 1 })
      world:save("in/a"):pass(2):save("in/b"):pass(1):save("in/c"):pass(10)
      assert.same({ "x a", "x b c" }, ran(world))
      assert.same({ 0.1, 6.1 }, times(world))
   end)
end)

describe("hold", function()
   it("lets the batch wait and grow while the path exists", function()
      local world = load_script 'rule "r" { watch = "in", hold = ".git/index.lock", run = { "x", "{rels}" } }'
      world:save ".git/index.lock"
      world:save("in/a"):pass(3):save("in/b"):pass(3)
      assert.same({}, ran(world))
      assert.equal("held", world:rule("r"):status().state)
      world:remove(".git/index.lock"):pass(0.2)
      assert.same({ "x a b" }, ran(world))
   end)
end)

describe("complete", function()
   it("hands a slow upload over once, after its close", function()
      local world = load_script 'rule "r" { watch = "in", complete = true, each = { "x", "{rel}" } }'
      world:write "in/a"
      for _ = 1, 20 do world:write("in/a"):pass(1) end
      assert.same({}, ran(world))
      world:close("in/a"):pass(0.2)
      assert.same({ "x a" }, ran(world))
   end)
end)

describe("outputs and guard", function()
   it("outputs: what the rule writes itself does not fire it", function()
      local world = load_script [[
rule "r" { watch = "src", outputs = "*.o", settle = 0.1, run = function(batch)
   exec { "cc", table.unpack(batch:paths()) }
end }]]
      world:process("cc", function()
         world:save "src/a.o"
         return {}
      end)
      world:save("src/a.c"):pass(20)
      assert.equal(1, #world:runs())
      world:save("src/b.o"):pass(1)
      assert.equal(2, #world:runs())
   end)

   it("guard: a rule that feeds itself is paused and the paths are named", function()
      local world = load_script 'rule "r" { watch = "src", guard = { runs = 10 }, run = { "x" } }'
      world:process("x", function()
         world:save "src/out"
         return { seconds = 0.2 }
      end)
      world:save("src/in"):pass(60)
      assert.equal(11, #world:runs())
      assert.same({ "error r: paused: it feeds itself through src/out (name what it writes in `outputs`, or ignore it)" },
         world:logged "error")
      assert.same({ "paused", "it feeds itself through src/out" },
         { world:rule("r"):status().state, world:rule("r"):status().paused })
   end)

   it("guard: pauses for one key of each too", function()
      local world = load_script 'rule "r" { watch = "in", guard = { runs = 3 }, each = { "x", "{path}" } }'
      world:process("x", function(argv)
         world:save(argv[2])
         return { seconds = 0.2 }
      end)
      world:save("in/a"):pass(60)
      assert.equal(4, #world:runs())
      assert.equal("paused", world:rule("r"):status().state)
   end)

   it("guard: pauses an each that makes of each name the next one", function()
      for _, next_name in ipairs { "%s.gz", "deep/%s", "%s-small" } do
         local world = load_script 'rule "r" { watch = "in", guard = { runs = 3 }, each = { "x", "{rel}", "{stem}" } }'
         world:process("x", function(argv)
            if #world.records < 50 then world:save("in/" .. next_name:format(next_name == "deep/%s" and argv[2] or argv[3])) end
            return { seconds = 0.2 }
         end)
         world:save("in/a"):pass(60)
         assert.equal(4, #world:runs())
         assert.equal("paused", world:rule("r"):status().state)
      end
   end)

   it("guard: files that arrive while others are at work are not taken for the rule's", function()
      local world = load_script 'rule "r" { watch = "in", guard = { runs = 3 }, each = { "x", "{path}" } }'
      world:process("x", function(argv)
         world:save(argv[2] .. ".log"):remove(argv[2] .. ".log")
         return { seconds = 1 }
      end)
      for i = 1, 60 do world:save(("in/upload-%d.csv"):format(i)):pass(0.3) end
      world:pass(60)
      assert.same({ 60, "idle" }, { #world:runs(), world:rule("r"):status().state })
      assert.equal(nil, next(world.set:runtime("r").births))
   end)

   it("guard: forgets what a run has taken away", function()
      for _, done in ipairs { "remove", "move" } do
         local world = load_script 'rule "r" { watch = "in", each = { "x", "{path}" } }'
         world:process("x", function(argv)
            world[done](world, argv[2], "done/" .. argv[2])
            return { seconds = 0.2 }
         end)
         for i = 1, 20 do world:save("in/" .. i) end
         world:pass(60)
         assert.equal(20, #world:runs())
         assert.equal(nil, next(world.set:runtime("r").items))
      end
   end)

   it("guard: somebody who saves all the time is not taken for the rule", function()
      local world = load_script 'rule "r" { watch = "src", run = { "x" } }'
      world:process("x", { seconds = 1 })
      for _ = 1, 200 do world:save("src/a"):pass(0.3) end
      world:pass(10)
      assert.equal("idle", world:rule("r"):status().state)
      assert.is_true(#world:runs() > 40)
   end)

   it("guard: several keys at once", function()
      local world = load_script 'rule "r" { watch = "in", guard = { runs = 2, hold = 1 }, each = { "x", "{path}" } }'
      world:process("x", function(argv)
         world:save(argv[2])
         return { seconds = 0.2 }
      end)
      world:save("in/a"):save("in/b"):pass(0.3):save("in/c"):pass(60)
      assert.equal("paused", world:rule("r"):status().state)
   end)

   it("guard = false: it may feed itself", function()
      local world = load_script 'rule "r" { watch = "src", guard = false, run = { "x" } }'
      local left = 30
      world:process("x", function()
         left = left - 1
         if left > 0 then world:save "src/out" end
         return {}
      end)
      world:save("src/in"):pass(60)
      assert.equal(30, #world:runs())
   end)
end)

describe("start", function()
   it("runs once at the start", function()
      local world = load_script 'rule "r" { watch = "src", start = true, run = { "x" } }'
      assert.same({ "x" }, ran(world))
      world:pass(10)
      assert.same({ "x" }, ran(world))
   end)

   it("runs for every match with each, and says so", function()
      local world = load_script([[
rule "r" { watch = "in/*.csv", start = true, each = function(change, job)
   log.info("%s %s %s", change.op, change.rel, job.reason)
end }]], { files = { ["in/a.csv"] = "", ["in/b.csv"] = "", ["in/c.txt"] = "" } })
      world:pass(1)
      local lines = {}
      for _, line in ipairs(world:logged "info") do
         if not line:find "done" then lines[#lines + 1] = line end
      end
      assert.same({ "info create a.csv start", "info create b.csv start" }, lines)
   end)
end)

describe("a function that has taken its changes to pieces", function()
   local function tried(keys)
      local world = load_script(('rule "r" { watch = "in", retry = { times = 1 }, %s }'):format(keys))
      world:save("in/a"):save("in/b"):pass(10)
      return ran(world)
   end

   it("gets them whole at the next try", function()
      assert.same({ "x 2", "x 2" }, tried [[run = function(batch)
         exec { "x", #batch }
         while table.remove(batch) do end
         error "no"
      end]])
      assert.same({ "x in/a", "x in/b", "x in/a", "x in/b" }, tried [[each = function(change)
         exec { "x", change.path }
         change.path, change.op = nil, nil
         error "no"
      end]])
   end)
end)

describe("the delays of a retry", function()
   local function failing(retry)
      return load_script(('rule "r" { watch = "src", settle = 0, run = { "x" }, retry = { %s } }'):format(retry),
         { processes = { x = { code = 1 } } })
   end

   it("are spread by the jitter, and never longer than the cap", function()
      local world = failing "times = 4, delay = 1, factor = 2, cap = 4.5, jitter = 1" -- half of it, in a test
      world:save("src/a"):pass(100)
      assert.same({ 0, 1.5, 4.5, 7.9, 11.3 }, times(world))
   end)

   it("may be none, however often it is tried", function()
      local world = failing "times = 3000, delay = 0"
      world:save("src/a"):pass(1)
      assert.equal(3001, #world:runs())
   end)
end)

describe("service", function()
   it("is started at once and restarted on changes", function()
      local world = load_script('rule "s" { watch = "src", service = { "server" } }',
         { processes = { server = { seconds = 1e9 } } })
      world:pass(1)
      assert.same({ { "server" } }, world:running())
      world:save("src/a"):pass(1)
      assert.same({ "server", "server" }, ran(world))
      assert.same({ { "server" } }, world:running())
      assert.same({ "TERM" }, world.records[1].signals)
      assert.is_true(world:rule("s"):idle())
   end)

   it("is started again after a crash with growing delay, and anew after a good while", function()
      local lives = { 0, 0, 0, 0, 20, 0, 0 }
      local world = load_script('rule "s" { watch = "src", service = { "server" } }', { processes = {
         server = function() return { code = 1, seconds = table.remove(lives, 1) or 1e9 } end,
      } })
      world:pass(100)
      assert.same({ 0, 0.5, 1.5, 3.5, 7.5, 28, 29 }, { table.unpack(times(world), 1, 7) })
      assert.same({ { "server" } }, world:running())
   end)

   it("has all its tries again after a good while", function()
      local lives = { 0, 20, 0, 0, 0 }
      local world = load_script('rule "s" { watch = "src", service = { "server" }, retry = { times = 1 } }', { processes = {
         server = function() return { code = 1, seconds = table.remove(lives, 1) or 1e9 } end,
      } })
      world:pass(100)
      assert.same({ 0, 0.5, 21 }, times(world))
      assert.same({}, world:running())
   end)

   it("leaves one that ended well alone until the next change", function()
      local world = load_script 'rule "s" { watch = "src", service = { "server" } }'
      world:pass(100)
      assert.equal(1, #world:runs())
      world:save("src/a"):pass(1)
      assert.equal(2, #world:runs())
   end)

   it("can be told by a signal instead", function()
      local world = load_script('rule "s" { watch = "conf", service = { "server" }, busy = { signal = "HUP" } }',
         { processes = { server = { seconds = 1e9 } } })
      world:pass(1):save("conf/a"):pass(1)
      assert.same({ "HUP" }, world.records[1].signals)
      assert.equal(1, #world:runs())
   end)

   it("takes no slot from the others", function()
      local world = load_script([[
rule "s" { watch = "src", service = { "server" } }
rule "r" { watch = "src", run = { "make" } }
]], { jobs = 1, processes = { server = { seconds = 1e9 } } })
      world:save("src/a"):pass(1)
      assert.same({ "make" }, ran(world, "r"))
   end)
end)

describe("a made-up world", function()
   it("checks what a script runs as the real one does", function()
      local function refusal(body)
         local world = load_script(('rule "r" { watch = "in", run = function() %s end }'):format(body))
         world:save("in/a"):pass(1)
         return world:logged("error")[1]
      end
      assert.matches('script:2: exec: unknown key "timout" %(did you mean "timeout"%?%)', refusal 'exec { "x", timout = 1 }')
      assert.matches("script:2: exec: a list such as .- expected", refusal 'exec "x"')
      assert.matches("script:2: moonwatch.process: there is nothing real in a test", refusal 'moonwatch.process { "x" }')
   end)

   it("asks the filter, of folders on the way too, and logs its errors", function()
      local asked = {}
      local world = testing.load(function(script)
         script.rule "r" { watch = "in", each = { "x", "{rel}" }, filter = function(rel, isdir)
            asked[#asked + 1] = ("%s %s"):format(rel, isdir)
            if rel == "bad" then error "broken" end
            return rel ~= "no" and rel ~= "folder"
         end }
      end)
      world:save("in/no"):save("in/bad"):save("in/folder/deep/a"):save("in/d/a"):pass(1)
      assert.same({ "x bad", "x d/a" }, ran(world))
      assert.matches("^error r: filter: .-broken\nstack traceback", world:logged("error")[1])
      assert.same({ "no false", "bad false", "folder true" }, { asked[1], asked[4], asked[7] })
   end)

   it("refuses what it does not know", function()
      local function refusal(...)
         local ok, message = pcall(...)
         assert.is_false(ok)
         return message
      end
      assert.matches('unknown key "fils" %(did you mean "files"%?%)', refusal(testing.load, "\n", { fils = {} }))
      assert.matches("a path, a script or a function expected, not nil", refusal(testing.load))
      assert.matches("its table of keys is missing", refusal(testing.load, '\nrule "r"'))
      local world = load_script ""
      assert.matches('unknown key "secnds" %(did you mean "seconds"%?%)', refusal(world.process, world, "x", { secnds = 1 }))
   end)

   it("has paths as scripts give them where the folder of the start is named", function()
      local world = load_script('rule "r" { watch = "in", hold = "lock", run = { "x" } }', { base = "/home/user" })
      world:save("lock"):save("in/a"):pass(9)
      assert.same({}, ran(world))
      world:remove("lock")
      world:pass(1)
      assert.same({ "x" }, ran(world))
   end)

   it("tells no process of before of a signal", function()
      local world = load_script([[
rule "r" { watch = "in", busy = { signal = "HUP" }, run = function() exec { "first" } exec { "second" } end }
]], { processes = { first = { seconds = 1 }, second = { seconds = 5 } } })
      world:save("in/a"):pass(2):save("in/b"):pass(1)
      assert.same({ {}, { "HUP" } }, { world.records[1].signals, world.records[2].signals })
   end)
end)

describe("the rule value", function()
   local function world_of(keys)
      return load_script(('rule "r" { watch = "in", run = { "x", "{rels}" }, %s }'):format(keys or ""))
   end

   it("trigger runs now", function()
      local world = world_of()
      world:rule("r"):trigger()
      world:pass(0)
      assert.same({ "x" }, ran(world))
   end)

   it("trigger with each runs for nothing that is gone before its turn", function()
      local world = load_script([[
rule "r" { watch = "in", limit = 1, each = function(change) exec { "x", change.rel } end }
]], { files = { ["in/a"] = "", ["in/b"] = "" }, processes = { x = { seconds = 5 } } })
      world:rule("r"):trigger()
      world:pass(1):remove("in/b")
      world:pass(20)
      assert.same({ "x a" }, ran(world))
      assert.same({}, world:logged "error")
      assert.is_true(world:rule("r"):idle())
   end)

   it("pause collects, resume hands it over", function()
      local world = world_of()
      world:rule("r"):pause()
      world:save("in/a"):pass(5):save("in/b"):pass(5)
      assert.same({}, ran(world))
      world:rule("r"):resume()
      world:pass(1)
      assert.same({ "x a b" }, ran(world))
   end)

   it("pause with drop forgets", function()
      local world = world_of()
      world:save("in/a")
      world:rule("r"):pause "drop"
      world:save("in/b"):pass(5)
      world:rule("r"):resume()
      world:save("in/c"):pass(5)
      assert.same({ "x c" }, ran(world))
   end)

   it("idle says whether anything is left", function()
      local world = world_of()
      world:process("x", { seconds = 1 })
      local rule = world:rule "r"
      local seen = { (rule:idle()) }
      world:save "in/a"
      seen[2] = rule:idle() or "gathering"
      world:pass(0.5)
      seen[3] = rule:idle() or "running"
      world:pass(1)
      seen[4] = rule:idle()
      assert.same({ true, "gathering", "running", true }, seen)
   end)
end)

describe("scripts that misbehave", function()
   it("an error is told with its line and touches no other rule", function()
      local world = load_script [[
rule "bad" { watch = "in", run = function()
   error "boom"
end }
rule "good" { watch = "in", run = { "x" } }
]]
      world:save("in/a"):pass(1)
      assert.same({ "x" }, ran(world, "good"))
      assert.equal(1, #world:logged "error")
      assert.matches("^error bad: script:3: boom\nstack traceback:", world:logged("error")[1])
   end)

   it("errors that are no strings are told as well", function()
      local world = load_script [[
rule "a" { watch = "in", run = function() error {} end }
rule "b" { watch = "in", run = function() error(nil) end }
rule "c" { watch = "in", run = function() error(setmetatable({}, { __tostring = function() error "again" end })) end }
]]
      world:save("in/a"):pass(1)
      assert.equal(3, #world:logged "error")
   end)

   it("so many in a row pause the rule, and resume lets it try again", function()
      local world = load_script([[
rule "r" { watch = "in", run = function(batch)
   log.info("%s", table.concat(batch:paths(), " "))
   error "boom"
end }]], { max_errors = 3 })
      for i = 1, 5 do world:save("in/" .. i):pass(1) end
      local rule = world:rule "r"
      assert.same({ 3, "paused", "3 script errors in a row" }, { rule:status().runs, rule:status().state,
         rule:status().paused })
      rule:resume()
      world:pass(1)
      assert.equal("info in/4 in/5", world:logged("info")[#world:logged "info" - 1])
   end)

   it("an error in a function for the output is told with the rule's name, and ends nothing", function()
      local world = load_script [[
rule "r" { watch = "in", run = { "x" }, stdout = function(line) error("cannot read " .. line) end }]]
      world:process("x", { out = "one\ntwo\n" })
      world:save("in/a"):pass(1)
      assert.matches("^error r: stdout: [^\n]*:2: cannot read one\n", world:logged("error")[1])
      assert.equal(2, #world:logged "error")
      assert.is_true(world:rule("r"):status().last.ok)
   end)

   it("a log line that does not fit its format says where it is", function()
      local world = load_script 'rule "r" { watch = "in", run = function(batch)\nlog.info("%d files", batch) end }'
      world:save("in/a"):pass(1)
      assert.matches("^info %%d files %([^\n]*:3: bad argument #2", world:logged("info")[1])
   end)

   it("an error in on_failure or in retry.when is told", function()
      local world = load_script [[
rule "r" { watch = "in", run = function() return nil, "no" end, on_failure = function() error "worse" end,
   retry = { times = 3, when = function() error "when" end } }
]]
      world:save("in/a"):pass(10)
      local lines = world:logged "error"
      assert.equal(3, #lines)
      assert.matches("retry.when: script:3: when", lines[1])
      assert.matches("on_failure: script:2: worse", lines[3])
      assert.is_true(world:rule("r"):idle())
   end)
end)

describe("every and at", function()
   it("run functions as jobs that never overlap", function()
      local world = load_script([[
every(10, "slow", function(job) log.info("slow %s", job.reason) sleep(15) end)
at("13:30", function() log.info "at" end)
]], { clock = "13:00" })
      world:pass(35)
      assert.same({ "info slow timer", "info slow timer" }, world:logged "info")
      world:pass(3600)
      local count = 0
      for _, line in ipairs(world:logged "info") do
         if line == "info at" then count = count + 1 end
      end
      assert.equal(1, count)
   end)
end)

describe("a replay", function()
   it("feeds what was recorded, at the times of then", function()
      local world = load_script 'rule "r" { watch = "src", settle = 0.2, run = { "x", "{rels}" } }'
      world:replay {
         { op = "create", path = "src/a", time = 100 },
         { op = "close_write", path = "src/a", time = 100 },
         { op = "create", path = "src/t", time = 101 },
         { op = "close_write", path = "src/t", time = 101.1 },
         { op = "move", path = "src/b", from = "src/t", time = 101.2 },
         { op = "delete", path = "src/a", time = 103 },
      }
      world:pass(1)
      assert.same({ "x a", "x b", "x a" }, ran(world))
      assert.same({ 0.2, 1.4, 3.2 }, times(world))
   end)
end)

describe("explain", function()
   it("knows a path by whatever way it is written", function()
      for _, watch in ipairs { "src", "./src/", "src/.", "src//.", "lib/../src", "./lib/.././src//" } do
         local world = load_script(('rule "r" { watch = %q, run = { "x" } }'):format(watch), { base = "/home/user" })
         for _, path in ipairs { "src/a", "./src//a", "/home/user/src/a", "/home/../home/user/lib/../src/./a" } do
            assert.is_true((world:rule("r"):explain(path)), watch .. " " .. path)
         end
         assert.is_false((world:rule("r"):explain "srca"))
         assert.is_false((world:rule("r"):explain "src/../a"))
      end
   end)

   it("says whether a change would fire a rule, and which key decides", function()
      local world = load_script [[
rule "c" { watch = "src/**/*.c", ignore = "gen/", run = { "x" } }
rule "m" { watch = { "src", "lib" }, match = { "*.h", "!old.h" }, depth = 2, outputs = "own.h", run = { "x" } }
rule "w" { watch = "whole", complete = true, run = { "x" } }
rule "h" { watch = "held", hold = "lock", run = { "x" } }
every(10, function() end)
]]
      local function words(rule, path) return { world:rule(rule):explain(path) } end
      assert.same({ true, "it lies in src/**/*.c; fires on create, delete, modify, move" }, words("c", "src/sub/a.c"))
      assert.same({ false, "it does not fit src/**/*.c" }, words("c", "src/a.h"))
      assert.same({ false, "ignore has gen/" }, words("c", "src/gen/a.c"))
      assert.same({ false, "it does not lie in what is watched" }, words("c", "other/a.c"))
      assert.same({ true, "it lies in lib; fires on create, delete, modify, move" }, words("m", "lib/sub/a.h"))
      assert.same({ false, "it lies deeper than 2 below lib" }, words("m", "lib/sub/sub/a.h"))
      assert.same({ false, "nothing of match fits it" }, words("m", "lib/old.h"))
      assert.same({ true, "it lies in lib; but not while it runs: outputs has own.h; fires on create, delete, modify, "
         .. "move" }, words("m", "lib/own.h"))
      world:mkdir "whole/d"
      assert.same({ false, "it lies in whole, but it is no file, and complete is about files" }, words("w", "whole/d"))
      assert.same({ true, "it lies in whole; fires on create, modify, move" }, words("w", "whole/f"))
      world:save "lock"
      assert.same({ true, "it lies in held; but it waits while lock is there; fires on create, delete, modify, move" },
         words("h", "held/a"))
      assert.equal("idle", world:rule("h"):status().state)
      world:rule("m"):pause()
      assert.same({ false, "it lies in src, but the rule is paused" }, words("m", "src/a.h"))
      assert.same({ false, "it runs by the clock" }, words("every 10 s", "src/a.h"))
      assert.same({ "c", false, "it does not fit src/**/*.c" }, { world.set:explain("src/a.h")[1].rule,
         world.set:explain("src/a.h")[1].fires, world.set:explain("src/a.h")[1].why })
   end)
end)
