-- SPDX-License-Identifier: MIT
--
-- check_spec.lua - moonwatch check and moonwatch limits, run as programs.

local dkjson = require "dkjson"
local helper = require "support.helper"

local function run(dir, ...)
   return helper.run({ helper.host, ... }, { cwd = dir, timeout = 30 })
end

local function folder(script)
   local dir = helper.folder()
   helper.mkdir(dir .. "/in/a/b")
   helper.write(dir .. "/rules.lua", script)
   return dir
end

describe("moonwatch check", function()
   it("says what each rule would watch and how many watches that needs, and runs nothing", function()
      local dir = folder [[
rule "build" { watch = "in", start = true, run = { "touch", "ran" } }
rule "copy" { watch = "in", each = function() end }
every(5, "tick", function() end)]]
      local result = run(dir, "check", "rules.lua")
      assert.equal(0, result.status)
      assert.equal("", result.err)
      assert.matches('^rule "build" %(rules%.lua:1%): watch in, run touch ran\n'
         .. '   on create, delete, modify, move; 3 directories\n'
         .. 'rule "copy" %(rules%.lua:2%): watch in, each function at rules%.lua:2\n   on create, modify, move; 3 directories\n'
         .. 'job "tick" %(rules%.lua:3%): every 5 s\n2 rules and 1 job, 3 directories: 3 watches needed; '
         .. 'max_user_watches is %d+, %d+ in use\n$',
         result.out)
      assert.is_false(helper.exists(dir .. "/ran"))
   end)

   it("counts each directory once, whoever watches it and by whatever name", function()
      local dir = folder [[
rule "all" { watch = { "in", "in/a" }, run = { "true" } }
rule "inner" { watch = "in/a", ignore = "b/", run = { "true" } }
rule "link" { watch = "link/a", run = { "true" } }
rule "few" { watch = "in", recursive = false, run = { "true" } }]]
      helper.symlink("in", dir .. "/link")
      local result = run(dir, "check", "rules.lua")
      assert.equal(0, result.status)
      local counts = {}
      for count in result.out:gmatch "; (%d+) director" do counts[#counts + 1] = count end
      assert.same({ "3", "1", "2", "1" }, counts)
      assert.matches("\n4 rules, 3 directories: 3 watches needed; ", result.out)
      local program = helper.start({ helper.host, "--no-socket", "rules.lua" }, { cwd = dir })
      program:wait_for "watching 3 directories for 4 rules\n"
   end)

   it("gives the scripts their arguments, and looks into folders", function()
      local dir = folder 'rule(arg[1]) { watch = ..., run = { "true" } }'
      helper.write(dir .. "/d/x.lua", 'rule "x" { watch = "in", run = { "true" } }')
      local result = run(dir, "check", "rules.lua", "d", "--", "in/a")
      assert.equal(0, result.status)
      assert.matches('^rule "in/a" .*; 2 directories\nrule "x" %(d/x%.lua:1%).*; 3 directories\n', result.out)
   end)

   it("is plain data with --json", function()
      local dir = folder 'rule "build" { watch = "in", run = { "true" } }'
      local data = dkjson.decode(run(dir, "check", "--json", "rules.lua").out)
      assert.is_true(data.max_user_watches > 0)
      data.max_user_watches = nil
      assert.same({ directories = 3, rules = { { name = "build", position = "rules.lua:1", watch = { "in" },
         on = { "create", "delete", "modify", "move" }, directories = 3 } } }, data)
   end)

   it("names file, line and the nearest key of a slip, with 2", function()
      local dir = folder '\nrule "x" { wacth = "in", run = { "true" } }'
      local result = run(dir, "check", "rules.lua")
      assert.equal(2, result.status)
      assert.equal("", result.out)
      assert.matches('^moonwatch: rules%.lua:2: rule "x": unknown key "wacth" %(did you mean "watch"%?%)\n', result.err)
   end)

   it("says with 1 what cannot be watched, and what cannot be read", function()
      local dir = folder 'rule "x" { watch = "none", run = { "true" } }'
      local result = run(dir, "check", "rules.lua")
      assert.equal(1, result.status)
      assert.matches("cannot be watched: none: No such file or directory\n", result.out)
      assert.same({ status = 1, out = "", err = "moonwatch: none.lua: No such file or directory\n" },
         run(dir, "check", "none.lua"))
   end)

   it("wants a script", function()
      local result = run(helper.folder(), "check")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: check: missing argument 'script'\n", result.err)
   end)
end)

describe("moonwatch limits", function()
   it("shows the limits, what is used, and by whom", function()
      local result = run(helper.folder(), "limits")
      assert.equal(0, result.status)
      assert.equal("", result.err)
      local limits = require("moonwatch").limits()
      assert.matches("\nmax_user_watches +" .. limits.max_user_watches .. " +%d+\n", result.out)
      assert.matches("\nmax_user_instances +" .. limits.max_user_instances .. " +%d+\n", result.out)
      assert.matches("\nmax_queued_events +" .. limits.max_queued_events .. "\n", result.out)
   end)

   it("names a process that holds watches", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in/a")
      local program = helper.start({ helper.host, "events", "in" }, { cwd = dir })
      program:wait_for "watching 2"
      local data = dkjson.decode(run(dir, "limits", "--json").out)
      local found
      for _, process in ipairs(data.processes) do found = process.pid == program.pid and process or found end
      assert.equal("moonwatch", found.name)
      assert.equal(1, found.instances)
      assert.is_true(found.watches >= 2)
   end)

   it("counts what paths would need, with 1 where one is not there", function()
      local dir = folder ""
      local result = run(dir, "limits", "in", "none")
      assert.equal(1, result.status)
      assert.matches("\n +3  in\n +%-  none: No such file or directory\n3 watches needed; ", result.out)
      assert.equal(0, run(dir, "limits", "in").status)
      assert.equal(3, dkjson.decode(run(dir, "limits", "--json", "in").out).needed)
   end)

   it("counts a directory once, however often it is given", function()
      local dir = folder ""
      helper.symlink("in", dir .. "/link")
      local result = run(dir, "limits", "in", "in/a", "link", "in")
      assert.equal(0, result.status)
      assert.matches("\n +3  in\n +2  in/a\n +3  link\n +3  in\n3 watches needed; ", result.out)
   end)

   it("says what to do where there are not watches enough", function()
      local limit = require("moonwatch").limits().max_user_watches
      local words, fits = require("moonwatch.cli.survey").verdict(limit + 1)
      assert.is_false(fits)
      assert.matches("^" .. limit + 1 .. " watches needed; max_user_watches is " .. limit .. ", %d+ in use: too few; "
         .. "try moonwatch limits %-%-set max_user_watches=%d+$", words)
   end)

   it("refuses a setting it does not understand with 2, naming the nearest", function()
      local function wrong(message, text)
         assert.same({ status = 2, out = "", err = "moonwatch: limits: --set: " .. message
            .. "\nTry 'moonwatch limits --help'.\n" },
            run(helper.folder(), "limits", "--set", text))
      end
      local names = "is not NAME=NUMBER with one of max_user_watches, max_user_instances, max_queued_events"
      wrong("'max_user_watch=7' " .. names .. " (did you mean 'max_user_watches'?)", "max_user_watch=7")
      wrong("'max_user_watches=many' " .. names, "max_user_watches=many")
      wrong("'max_user_watches=99999999999999999999' is more than a limit can be", "max_user_watches=99999999999999999999")
   end)

   it("sets a limit where the rights allow, and says so where they do not", function()
      local limits = require("moonwatch").limits()
      local text = "max_queued_events=" .. limits.max_queued_events
      local result = run(helper.folder(), "limits", "--set", text)
      if result.status == 0 then
         assert.equal(limits.max_queued_events, require("moonwatch").limits().max_queued_events)
      else
         assert.equal(1, result.status)
         assert.matches("^moonwatch: max_queued_events: ", result.err)
      end
   end)
end)
