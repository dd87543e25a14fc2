-- SPDX-License-Identifier: MIT
--
-- A reload: the rules of the same name take over what was gathered, what waits and what runs.

local core = require "moonwatch.core"
if not (core.settle and core.pattern) then return end

local testing = require "moonwatch.testing"

local function ran(world, name)
   local lines = {}
   for i, argv in ipairs(world:runs(name)) do lines[i] = table.concat(argv, " ") end
   return lines
end

local function script(keys, name)
   return ('\nrule "%s" { watch = "src", settle = 0.2, %s }'):format(name or "r", keys)
end

describe("a reload", function()
   it("keeps what was gathered", function()
      local world = testing.load(script 'run = { "old", "{rels}" }')
      world:save("src/a"):pass(0.1):reload(script 'run = { "new", "{rels}" }'):pass(5)
      assert.same({ "new a" }, ran(world))
   end)

   it("keeps it under other settings too", function()
      local world = testing.load(script 'run = { "old", "{rels}" }')
      world:save("src/a"):pass(0.1):reload(script 'max_wait = 3, run = { "new", "{rels}" }'):pass(5)
      assert.same({ "new a" }, ran(world))
   end)

   it("leaves a running job alone, and its key locked", function()
      local world = testing.load(script 'run = { "x", "{rels}" }', { processes = { x = { seconds = 2 } } })
      world:save("src/a"):pass(1)
      world:reload(script 'run = { "x", "{rels}" }'):save("src/b"):pass(0.9)
      assert.same({ "x a" }, ran(world))
      assert.same({}, world.records[1].signals)
      world:pass(5)
      assert.same({ "x a", "x b" }, ran(world))
      assert.is_true(world:rule("r"):idle())
   end)

   it("restarts a job of before by the policy of now", function()
      local world = testing.load(script 'run = { "x", "{rels}" }', { processes = { x = { seconds = 9 } } })
      world:save("src/a"):pass(1):reload(script 'busy = "restart", run = { "y", "{rels}" }')
      world:save("src/b"):pass(5)
      assert.same({ "x a", "y a b" }, ran(world))
   end)

   it("keeps what waits for its turn and what is to be tried again", function()
      local world = testing.load(script 'limit = 1, retry = { delay = 5 }, each = { "x", "{rel}" }',
         { processes = { x = { seconds = 1, code = 1 } } })
      world:save("src/a"):save("src/b"):pass(1.5)
      world:reload(script 'limit = 1, retry = { delay = 5 }, each = { "y", "{rel}" }'):pass(20)
      assert.same({ "x a", "x b", "y a", "y b" }, ran(world))
   end)

   it("keeps a trigger that waits for its turn", function()
      local world = testing.load(script 'run = { "x" }')
      world:rule("r"):pause()
      world:rule("r"):trigger()
      world:reload(script 'run = { "y" }')
      world:rule("r"):resume()
      world:pass(1)
      assert.same({ "y" }, ran(world))
   end)

   it("leaves the time of a job as it is, however often it comes", function()
      local text = '\nevery(1, "hourly", function() log.info "%s" end) at("12:02", "nightly", function() log.info "at" end)'
      local world = testing.load(text:format "first")
      for _ = 1, 5 do world:pass(0.6):reload(text:format "later") end
      assert.same({ "info later", "info later", "info later" }, world:logged "info")
      world:pass(150):reload(text:format "again"):pass(300)
      local count = 0
      for _, line in ipairs(world:logged "info") do count = count + (line == "info at" and 1 or 0) end
      assert.equal(1, count)
   end)

   it("gives a job its new time where that is another one", function()
      local world = testing.load '\nevery(100, "job", function() log.info "old" end)'
      world:pass(1):reload '\nevery(2, "job", function() log.info "new" end)'
      world:pass(1.5)
      assert.same({}, world:logged "info")
      world:pass(1)
      assert.same({ "info new" }, world:logged "info")
   end)

   it("lets a job that runs go on, and it does not overlap itself", function()
      local text = '\nevery(1, "job", function() log.info "begin" sleep(2.5) log.info "end" end)'
      local world = testing.load(text)
      world:pass(1.5):reload(text):pass(1):reload(text):pass(1.9)
      assert.same({ "info begin", "info end", "info begin" }, world:logged "info")
   end)

   it("makes a job of a rule, and a rule of a job", function()
      local job = '\nevery(1, "r", function() log.info "tick" end)'
      local world = testing.load(script 'run = { "x", "{rels}" }')
      world:save("src/a"):reload(job):pass(1)
      assert.same({ {}, { "info tick" } }, { ran(world), world:logged "info" })
      world:reload(script 'run = { "x", "{rels}" }'):save("src/b"):pass(5)
      assert.same({ "x b" }, ran(world))
   end)

   it("keeps a service running that is the same, and restarts another", function()
      local world = testing.load(script 'service = { "server" }', { processes = { server = { seconds = 1e9 } } })
      world:pass(1):reload(script 'service = { "server" }'):pass(1)
      assert.same({ "server" }, ran(world))
      world:reload(script 'service = { "server", "-v" }'):pass(1)
      assert.same({ "server", "server -v" }, ran(world))
      assert.same({ { "server", "-v" } }, world:running())
      world:reload(script('run = { "x" }', "other")):pass(1)
      assert.same({}, world:running())
   end)

   it("starts what is new and forgets what is gone", function()
      local world = testing.load(script 'run = { "old" }')
      world:reload(script('start = true, run = { "new" }', "n")):save("src/a"):pass(5)
      assert.same({ "new", "new" }, ran(world))
   end)

   it("does not start again what was at work", function()
      local world = testing.load(script 'start = true, run = { "x" }')
      world:reload(script 'start = true, run = { "x" }'):pass(5)
      assert.same({ "x" }, ran(world))
   end)

   it("keeps a rule paused that somebody paused", function()
      local world = testing.load(script 'run = { "x" }')
      world:rule("r"):pause()
      world:save("src/a"):reload(script 'run = { "x" }'):pass(5)
      assert.same({}, ran(world))
      world:rule("r"):resume()
      world:pass(1)
      assert.same({ "x" }, ran(world))
   end)

   it("loses nothing in five hundred of them, at any moment", function()
      local text = script 'settle = 0.01, limit = 2, each = { "x", "{rel}" }'
      text = text:gsub("settle = 0.2, ", "")
      local world = testing.load(text, { processes = { x = { seconds = 0.05 } } })
      for i = 1, 500 do
         world:save("src/" .. i):pass(0.001 * (i % 37)):reload(text)
      end
      world:pass(60)
      local seen, twice = {}, 0
      for _, argv in ipairs(world:runs()) do
         twice = twice + (seen[argv[2]] and 1 or 0)
         seen[argv[2]] = true
      end
      local count = 0
      for _ in pairs(seen) do count = count + 1 end
      assert.same({ 500, 0, true }, { count, twice, world:rule("r"):idle() })
   end)

   it("keeps the time limit of a running function, whatever the new rule says of one", function()
      local function text(keys) return script(keys .. ' run = function() exec { "x" } end') end
      local world = testing.load(text "timeout = 2,", { processes = { x = { seconds = 60 } } })
      world:save("src/a"):pass(1):reload(text ""):pass(5)
      assert.same({ "error r: timed out after 2 s" }, world:logged "error")
      assert.same({}, world:running())
   end)

   it("keeps what waits where a batch becomes a run for each path, and the other way round", function()
      local each, run = script 'limit = 1, each = { "x", "{rel}" }', script 'run = { "x", "{rels}" }'
      local world = testing.load(each, { processes = { x = { seconds = 2 } } })
      world:save("src/a"):save("src/b"):save("src/c"):pass(1):reload(run):pass(5)
      assert.same({ "x a", "x b c" }, ran(world))
      world = testing.load(run, { processes = { x = { seconds = 2 } } })
      world:save("src/a"):pass(1):save("src/b"):save("src/c"):pass(0.5):reload(each):pass(9)
      assert.same({ "x a", "x b", "x c" }, ran(world))
   end)

   it("keeps the distance between runs", function()
      local text = script 'cooldown = 10, run = { "x", "{rels}" }'
      local world = testing.load(text)
      world:save("src/a"):pass(1):reload(text):save("src/b"):pass(9)
      assert.same({ "x a" }, ran(world))
      world:pass(1)
      assert.same({ "x a", "x b" }, ran(world))
   end)

   it("does what a script asks of its rules while it is read once they have taken over", function()
      local text = '\nlocal r = rule "r" { watch = "src", settle = 0.2, run = { "x", "{rels}" } } %s'
      local world = testing.load(text:format "r:trigger()")
      assert.same({ "x" }, ran(world))
      world:reload(text:format "r:trigger()"):reload(text:format "r:trigger()"):pass(1)
      assert.same({ "x", "x", "x" }, ran(world))
      world:save("src/a"):pass(1)
      assert.same({ "x", "x", "x", "x a" }, ran(world))
      world:reload(text:format "r:pause()"):save("src/b"):pass(1):reload(text:format "r:resume()"):pass(1)
      assert.same({ "x", "x", "x", "x a", "x b" }, ran(world))
   end)

   it("starts nothing of a script that is refused in the end", function()
      local world = testing.load(script 'run = { "old" }')
      assert.has_error(function()
         world:reload '\nrule "r" { watch = "src", start = true, run = { "new" } }:trigger() error "no"'
      end, "no")
      world:save("src/a"):pass(1)
      assert.same({ "old" }, ran(world))
   end)

   it("cannot wait for rules that are not at work yet", function()
      assert.has_error(function() testing.load '\nrule "r" { watch = "src", run = { "x" } }:idle()' end,
         'rule "r" is not at work before its script has been read')
   end)

   it("lets an old rule value reach the rule that has its name now", function()
      local world = testing.load(script 'run = { "old" }')
      local rule = world:rule "r"
      world:reload(script 'run = { "new" }')
      rule:trigger()
      world:pass(1)
      assert.same({ "new" }, ran(world))
      world:reload(script('run = { "x" }', "other"))
      assert.has_error(function() rule:trigger() end)
   end)
end)
