-- SPDX-License-Identifier: MIT
--
-- moonwatch record and moonwatch replay: what happened, fed to a rule script again.

local helper = require "support.helper"

local function host(arguments, options)
   return helper.run({ helper.host, table.unpack(arguments) }, options)
end

describe("moonwatch replay", function()
   it("says what a script would have run about recorded events, and when", function()
      local dir = helper.folder()
      helper.write(dir .. "/r.lua", [[
rule "build" { watch = "src/**/*.c", settle = 0.2, run = { "make", "{paths}" } }
rule "import" { watch = "in", complete = true, each = function(change) return nil, "no " .. change.name end }
]])
      helper.write(dir .. "/log", [[
{"op":"ready","directories":1}
{"op":"create","path":"src/a.c","time":5}
{"op":"close_write","path":"src/a.c","time":5.1}
{"op":"move","from":"src/a.c","path":"src/b c.c","time":6}
{"op":"create","path":"in/x","time":7}
{"op":"close_write","path":"in/x","time":7}
]])
      assert.same({ status = 1, err = "", out = [[
       0.300 build: make src/a.c
       0.300 info build: done in 0.00 s
       1.200 build: make 'src/b c.c'
       1.200 info build: done in 0.00 s
       2.100 error import: in/x: no x
]] }, host({ "replay", dir .. "/r.lua", dir .. "/log" }))
   end)

   it("reads what record has written, hostile names too", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/src")
      local name = "$(touch x);\n'\"\255"
      local recorder = helper.start({ helper.host, "record", "src", "--count", "2" }, { cwd = dir })
      recorder:wait_for "ready"
      helper.write(dir .. "/src/" .. name, "x")
      helper.rename(dir .. "/src/" .. name, dir .. "/src/b")
      local recorded = recorder:wait()
      assert.equal(0, recorded.status)
      helper.write(dir .. "/r.lua", 'rule "r" { watch = "src", settle = 60, run = { "x", "{rels}" } }')
      local result = host({ "replay", "--json", dir .. "/r.lua" }, { stdin = recorded.out, cwd = dir })
      assert.equal(0, result.status)
      assert.matches('"argv":%["x","%$%(touch x%);', result.out)
   end)

   it("ends with 1 where script or log are not there", function()
      local dir = helper.folder()
      helper.write(dir .. "/good.lua", "")
      local function refused(...)
         assert.same({ status = 1, out = "", err = "moonwatch: none: No such file or directory\n" },
            host({ "replay", ... }, { cwd = dir }))
      end
      refused "none"
      refused("good.lua", "none")
   end)

   it("names what is wrong on its command line", function()
      local function wrong(message, ...)
         assert.same({ status = 2, out = "", err = "moonwatch: replay: " .. message .. "\nTry 'moonwatch replay --help'.\n" },
            host { "replay", ... })
      end
      wrong "missing argument 'script'"
      wrong("too many arguments", "a", "b", "c")
      wrong("--jobs: '0' is not a whole number above 0", "--jobs", "0", "a")
   end)

   it("ends with 2 where script or log are none", function()
      local dir = helper.folder()
      helper.write(dir .. "/good.lua", 'rule "r" { watch = "src", run = { "x" } }')
      helper.write(dir .. "/bad.lua", 'rule "r" { watch = "src", runn = { "x" } }')
      local bad = host({ "replay", dir .. "/bad.lua" })
      assert.equal(2, bad.status)
      assert.matches('bad.lua:1: rule "r": unknown key "runn" (did you mean "run"?)', bad.err, 1, true)
      local garbage = host({ "replay", dir .. "/good.lua" }, { stdin = "garbage\n" })
      assert.equal(2, garbage.status)
      assert.matches("standard input:1: no JSON object", garbage.err, 1, true)
   end)
end)
