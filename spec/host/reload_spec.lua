-- SPDX-License-Identifier: MIT
--
-- reload_spec.lua - many reloads under load: no change lost or handled twice, no running job disturbed, memory flat.
--
-- RELOADS=500 is the long form.

local core = require "moonwatch.core"
local dkjson = require "dkjson"
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local RELOADS = tonumber(os.getenv "RELOADS") or 60

-- `n` differs from load to load; each job takes a while, so that most reloads find one at work.
local GOOD = [[
local n = %d
rule "each" { watch = "in", settle = 0.01, limit = 3, each = { "sh", "-c", 'sleep 0.02; echo "$0" >>each', "{name}" } }
rule "batch" { watch = "in", settle = 0.01 + n %% 3 / 100, run = { "sh", "-c", 'sleep 0.02; cat >>batch' }, stdin = "rels" }
]]
local BAD = { 'rule "each" {', 'error "no"', 'rule "each" { wacth = "in" }', 'rule "each" { watch = "none", run = { "true" } }' }

local function resident(pid)
   return tonumber(helper.read(("/proc/%d/status"):format(pid)):match "VmRSS:%s*(%d+)")
end

local function ask(connection, request)
   assert(connection:write(dkjson.encode(request) .. "\n"))
   return assert(dkjson.decode((assert(connection:get(30)))))
end

-- The lines of a file, each with how often it is there.
local function tally(path)
   local counts, total = {}, 0
   for line in helper.read(path):gmatch "[^\n]+" do
      counts[line] = (counts[line] or 0) + 1
      total = total + 1
   end
   return counts, total
end

-- One reload, every third of them with an error in it.
local function reload(dir, connection, number)
   local is_bad = number % 3 == 0
   helper.write(dir .. "/rules.lua", is_bad and BAD[number // 3 % #BAD + 1] or GOOD:format(number))
   local answer = ask(connection, { verb = "reload" })
   assert.equal(not is_bad, answer.ok, answer.message)
end

describe("a host that loads its scripts anew all the time", function()
   it("loses no change and handles none twice", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      helper.write(dir .. "/rules.lua", GOOD:format(0))
      local program = helper.start({ helper.host, "run", "--log-level", "error", "--socket", dir .. "/here", "rules.lua" },
         { cwd = dir })
      program:wait_for "watching"
      local files, early = 0, nil
      moonwatch.run(function()
         local connection <close> = assert(core.connect(dir .. "/here"))
         for number = 1, RELOADS do
            for _ = 1, 3 do
               files = files + 1
               helper.put(("%s/in/f%d"):format(dir, files), "x")
            end
            reload(dir, connection, number)
            -- The writer is faster than the jobs: what waits would grow and grow.
            if number % 10 == 0 then ask(connection, { verb = "wait", timeout = 60 }) end
            if number == RELOADS // 3 then early = resident(program.pid) end
         end
         assert.same({ ok = true }, ask(connection, { verb = "wait", timeout = 120 }))
      end)
      local late = resident(program.pid)
      for _, name in ipairs { "each", "batch" } do
         local counts, total = tally(dir .. "/" .. name)
         assert.equal(files, total, name)
         for i = 1, files do assert.equal(1, counts["f" .. i], name .. " f" .. i) end
      end
      -- A sanitizer keeps what is freed.
      if not helper.build:find "sanitize" then
         assert.is_true(late < early + 2048, ("%d kB after a third, %d kB in the end"):format(early, late))
      end
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)
end)
