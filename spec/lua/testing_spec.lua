-- SPDX-License-Identifier: MIT
--
-- What the made-up world of moonwatch.testing has in common with the real one.

local core = require "moonwatch.core"
if not (core.settle and core.pattern) then return end

local testing = require "moonwatch.testing"

local EACH = 'limit = 1, each = { "x", "{op}", "{path}", "{rel}", "{from}", "{root}" }'

local function world_of(watch, keys, files)
   local tree = {}
   for _, path in ipairs(files or {}) do tree[path] = "" end
   return testing.load(('\nrule "r" { watch = "%s", settle = 0.1, %s }'):format(watch, keys or EACH), { files = tree })
end

local function ran(world)
   world:pass(5)
   local lines = {}
   for i, argv in ipairs(world:runs "r") do lines[i] = table.concat(argv, " ", 2) end
   return lines
end

local function infos(world) return world:logged "info" end

describe("a made-up tree", function()
   it("tells paths as a watcher of this root does", function()
      assert.same({ "create ./a.c a.c  ." }, ran(world_of("*.c"):save "a.c"))
      assert.same({ "create ./in/a in/a  ." }, ran(world_of("."):save "in/a"))
      assert.same({ "create ./in/a a  ./in" }, ran(world_of("./in"):save "in/a"))
      assert.same({ "create in/a a  in/" }, ran(world_of("in/"):save "./in/a"))
      assert.same({ "create /srv/a a  /srv" }, ran(world_of("/srv"):save "/srv/a"))
   end)

   it("knows a file under whatever path a rule is given for it", function()
      local world = world_of(".", 'each = function(c) assert(os.rename(c.path, "../done")) end')
      world:save("new"):pass(1)
      assert.same({ "../done", {} }, { (next(world.tree)), world:logged "error" })
   end)

   it("tells what a directory brings in, and of one that is taken out the directory alone", function()
      local world = world_of("in", EACH .. ', on = "create modify delete move"', { "d/x", "d/s/y" })
      world.tree["d"], world.tree["d/s"] = { type = "directory" }, { type = "directory" }
      world:move("d", "in/e")
      assert.same({ "create in/e e  in", "create in/e/s e/s  in", "create in/e/s/y e/s/y  in", "create in/e/x e/x  in" },
         ran(world))
      world:move("in/e", "d")
      assert.same("delete in/e e  in", ran(world)[5])
   end)

   it("tells the files of a directory that moves, where the rule does not see that itself", function()
      local world = world_of("in/**/*.c", EACH .. ', on = "create modify delete move"', { "in/d/x.c", "in/d/s/y.c", "in/d/z.h" })
      world.tree["in/d"], world.tree["in/d/s"] = { type = "directory" }, { type = "directory" }
      world:move("in/d", "in/e")
      assert.same({ "move in/e/s/y.c e/s/y.c in/d/s/y.c in", "move in/e/x.c e/x.c in/d/x.c in" }, ran(world))
      world:move("in/e", "out")
      assert.same({ "delete in/e/s/y.c e/s/y.c  in", "delete in/e/x.c e/x.c  in" }, { table.unpack(ran(world), 3) })
   end)

   it("moves what is in a directory with it where events are replayed, too", function()
      local world = world_of("in/**/*.c")
      world:replay {
         { op = "create", path = "in/d", type = "directory", isdir = true, time = 1 },
         { op = "create", path = "in/d/x.c", type = "file", time = 1 }, { op = "close_write", path = "in/d/x.c", time = 1 },
         { op = "move", from = "in/d", path = "in/e", type = "directory", isdir = true, time = 3 },
         { op = "move", from = "in/never", path = "in/seen.c", time = 5 },
      }
      assert.same({ "create in/d/x.c d/x.c  in", "move in/e/x.c e/x.c in/d/x.c in", "create in/seen.c seen.c  in" }, ran(world))
   end)

   it("loses a directory with all in it", function()
      local world = world_of("in", 'run = { "x", "{rels}" }, settle = 0.1', { "in/d/x", "in/d/y", "in/dz" })
      world.tree["in/d"] = { type = "directory" }
      world:remove "in/d"
      assert.same({ "d/y d/x d" }, ran(world))
      assert.same({ "in/dz" }, { (next(world.tree)) })
   end)
end)

describe("what scripts do in a made-up world", function()
   it("reads the texts of the tree, and puts there what is written", function()
      local world = testing.load([[
rule "import" {
   watch = "inbox/*.csv",
   each  = function(change)
      local count = 0
      for _ in io.lines(change.path) do count = count + 1 end
      local file <close> = assert(io.open("done/" .. change.name, "a"))
      file:write(count):write " lines\n"
   end,
}
rule "done" { watch = "done", each = function(change) log.info("%s: %s", change.op, io.open(change.path):read "a") end }
]], { files = { ["done/b.csv"] = "old\n" } })
      world:save("inbox/a.csv", "1\n2\n"):save("inbox/b.csv", "1\n"):pass(0.1)
      assert.same({ "info create: 2 lines\n", "info modify: old\n1 lines\n" }, (function()
         world:pass(1)
         local told = {}
         for _, line in ipairs(infos(world)) do told[#told + 1] = line:find "lines" and line or nil end
         return told
      end)())
      assert.equal("2 lines\n", world.tree["done/a.csv"].text)
      assert.equal(nil, io.open "done/a.csv")
      assert.same({ nil, "no/such: No such file or directory", 2 }, { world.environment.io.open("no/such", "r+") })
   end)

   it("waits for tasks, with a time limit, and cancels them", function()
      local world = world_of("in", [[run = function()
         local quick = spawn("quick", function(a) sleep(1) return a, nil end, 7)
         log.info("%s %s", quick.status, table.concat({ tostring(quick:join(0.5)), tostring(quick:join()) }, " "))
         log.info("%s %s", quick.status, select("#", quick:join()))
         local slow = spawn(function()
            local _ <close> = setmetatable({}, { __close = function() log.info "closed" end })
            sleep(9)
         end)
         sleep(1)
         slow:cancel "enough"
         log.info("%s %s %s %s", slow.status, slow:join())
         log.info("%s %s", spawn(function() error("no", 0) end):join())
         log.info("%s %s", moonwatch.timeout(1, function() sleep(2) end))
         log.info("%s %s", moonwatch.timeout(2, function() sleep(1) return 5, 6 end))
         log.info("%s %s", pcall(moonwatch.timeout, 2, function() error("bad", 0) end))
      end]])
      world:save("in/a"):pass(20)
      local lines = infos(world)
      lines[#lines] = nil
      assert.same({ "info waiting nil true", "info done 3", "info closed", "info cancelled false cancelled enough",
         "info false no", "info nil timeout", "info 5 6", "info false bad" }, lines)
      assert.same({}, world:logged "error")
   end)

   it("hands lines to functions that wait, and the run ends after the last", function()
      local world = testing.load([[
rule "r" { watch = "in", run = { "x" }, stdout = function(line) sleep(1) log.info("got %s", line) end }
]], { processes = { x = { out = "1\n2\n" } } })
      world:save("in/a"):pass(1.5)
      assert.same({ "info got 1" }, infos(world))
      world:pass(1)
      assert.same({ "info got 1", "info got 2", "info r: done in 2.00 s" }, infos(world))
   end)

   it("waits until a rule is idle", function()
      local world = testing.load([[
local build = rule "r" { watch = "in", run = { "x" } }
every(1, "look", function() log.info("%s %s", build:idle(0.5)) log.info("%s", build:idle(5)) end)
]], { processes = { x = { seconds = 2 } } })
      world:save("in/a"):pass(0.9)
      assert.same({ nil, "timeout", 110 }, { world:rule("r"):idle(5) })
      world:pass(1.3)
      assert.same({ "info nil timeout", "info r: done in 2.00 s", "info true" }, infos(world))
   end)
end)
