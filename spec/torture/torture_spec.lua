-- SPDX-License-Identifier: MIT
--
-- First the judges are judged: each oracle must be content with the truth and must see each kind of fault. Then a short
-- run of the real work (`make torture` runs the long one).

package.cpath = (os.getenv "BUILD" or "build") .. "/torture/?.so;" .. package.cpath

local helper = require "support.helper"
local probe = require "torture_probe"
local Model = require "torture.model"
local Net = require "torture.net"
local History = require "torture.history"
local oracles = require "torture.oracles"
local standin = require "torture.standin"
local teller = require "torture.teller"
local torture = require "torture.run"
local view = require "torture.view"

local function event(op, rel, more)
   local result = { op = op, rel = rel, isdir = false, type = "file" }
   for key, value in pairs(more or {}) do result[key] = value end
   return result
end

local DIRECTORY = { isdir = true, type = "directory" }

local function snapshot(types)
   local result = {}
   for rel, type in pairs(types) do result[rel] = { type = type, inode = 1, mode = 420, content = 1 } end
   return result
end

local function model()
   local result = Model.new(snapshot { d = "directory", ["d/f"] = "file", ["d/e"] = "directory", f = "file", l = "link" })
   result:settle(snapshot { d = "directory", ["d/f"] = "file", ["d/e"] = "directory", f = "file", l = "link" })
   return result
end

local function types_of(subject)
   local types = {}
   subject:each(function(rel, node) types[rel] = node.type end)
   return types
end

describe("the model of a reader", function()
   helper.leaves_nothing()

   it("follows creates, deletes, moves and exchanges", function()
      local subject = model()
      for _, step in ipairs {
         event("create", "n", DIRECTORY), event("create", "n/x", { type = "fifo" }),
         event("move", "n/y", { from_rel = "d", isdir = true }), event("delete", "n/y/e", { isdir = true }),
         event("move", "f", { from_rel = "n", isdir = true, exchange = true }),
         event("move", "l", { from_rel = "f/x", replaced = "link" }),
         event("create", "n", { isdir = true, type = "directory", replaced = "file" }),
         event("close_write", "f/y/f"), event("attrib", "f", { isdir = true }), event("overflow"),
      } do
         assert.same({ true }, { subject:apply(step) })
      end
      assert.same({ n = "directory", f = "directory", ["f/y"] = "directory", ["f/y/f"] = "file", l = "fifo" },
         types_of(subject))
   end)

   it("is empty when the root is gone, and takes nothing until it is back", function()
      local subject = model()
      assert.is_true(subject:apply(event("gone", "")))
      assert.same({}, types_of(subject))
      assert.is_false(subject:apply(event("create", "x")))
      assert.is_false((subject:apply(event("gone", ""))))
      assert.is_true(subject:apply(event("back", "")))
      assert.is_true(subject:apply(event("create", "x")))
      assert.is_false((subject:apply(event("back", ""))))
   end)

   it("believes any type of what replaces an entry whose own was not known any more", function()
      local subject = model()
      for _, step in ipairs {
         event("create", "n", { synthetic = true, type = "unknown" }), event("move", "n", { from_rel = "f", replaced = "file" }),
      } do
         assert.same({ true }, { subject:apply(step) })
      end
   end)

   for why, wrong in pairs {
      ["a second create"] = event("create", "f"),
      ["a create in no folder"] = event("create", "no/f"),
      ["a create below a file"] = event("create", "f/x"),
      ["a change of type from another type"] = event("create", "f", { replaced = "directory" }),
      ["a change of type of nothing"] = event("create", "new", { replaced = "file" }),
      ["a delete of nothing"] = event("delete", "no"),
      ["a delete of a directory as a file"] = event("delete", "d"),
      ["a delete of a file as a directory"] = event("delete", "f", { isdir = true }),
      ["a move from nowhere"] = event("move", "x", { from_rel = "no" }),
      ["a move without from"] = event("move", "x"),
      ["a move into no folder"] = event("move", "no/x", { from_rel = "f" }),
      ["a move onto what is not said to be replaced"] = event("move", "l", { from_rel = "f" }),
      ["a move onto what is not of that type"] = event("move", "l", { from_rel = "f", replaced = "file" }),
      ["a move that replaces nothing"] = event("move", "x", { from_rel = "f", replaced = "file" }),
      ["a move below itself"] = event("move", "d/e/d", { from_rel = "d", isdir = true }),
      ["a move onto itself"] = event("move", "f", { from_rel = "f", replaced = "file" }),
      ["a move of a directory as a file"] = event("move", "x", { from_rel = "d" }),
      ["an exchange with nothing"] = event("move", "x", { from_rel = "f", exchange = true }),
      ["an exchange with the own parent"] = event("move", "d", { from_rel = "d/e", isdir = true, exchange = true }),
      ["a write to nothing"] = event("close_write", "no"),
      ["attributes of nothing"] = event("attrib", "d/no"),
      ["a name for the root"] = event("create", "", DIRECTORY),
      ["an op that is none"] = event("touch", "f"),
   } do
      it("refuses " .. why, function()
         assert.is_false((model():apply(wrong)))
      end)
   end

   it("of a filtered view needs no parents, and shows none", function()
      local subject = Model.new({}, true)
      assert.is_true(subject:apply(event("create", "a/b/c")))
      assert.same({ ["a/b/c"] = "file" }, types_of(subject))
      assert.is_false((subject:apply(event("delete", "a", { isdir = true }))))
      assert.is_true(subject:apply(event("create", "a", DIRECTORY)))
      assert.same({ a = "directory", ["a/b/c"] = "file" }, types_of(subject))
   end)
end)

describe("the oracles of replay and entries", function()
   helper.leaves_nothing()
   local so = snapshot { d = "directory", ["d/f"] = "file", ["d/e"] = "directory", f = "file", l = "link" }

   local function entries(list)
      return function()
         local item = table.remove(list, 1)
         if item then return item[1], item[2] end
      end
   end

   it("are content with the disk", function()
      assert.is_nil(oracles.replay(model(), so))
      assert.is_nil(oracles.entries(entries {
         { "d", "directory" }, { "d/f", "file" }, { "d/e", "directory" }, { "f", "file" }, { "l", "link" },
      }, so))
   end)

   it("name what is too much, what is missing, and what is of another type", function()
      local subject = model()
      subject:apply(event("create", "x"))
      subject:apply(event("delete", "f"))
      subject:apply(event("create", "d/e/g", DIRECTORY))
      subject:apply(event("move", "d/f", { from_rel = "l", replaced = "file" }))
      assert.equal('"d/e/g" is said to be a directory, and does not exist, "d/f" is said to be a link, and is a file, '
         .. '"f" (file) is not known, "l" (link) is not known, "x" is said to be a file, and does not exist',
         (oracles.replay(subject, so)))
      assert.equal('"d" is listed twice', oracles.entries(entries { { "d", "directory" }, { "d", "directory" } }, so))
      assert.equal('"f" is not known', (oracles.entries(entries { { "f", "file" } }, snapshot { f = "file", g = "file" })
         :gsub('"g" %(file%)', '"f"')))
   end)
end)

describe("the history of paths", function()
   helper.leaves_nothing()

   local function fed(exact, ...)
      local history = History.new(exact)
      history:feed(table.concat({ ... }, "\0") .. "\0")
      return history
   end

   local log = {
      "c", "R/a", "d", "c", "R/a/b", "d", "c", "R/a/b/f", "f", "m", "R/a", "R/z", "c", "R/z/b/new\nline", "f",
      "c", "O/t", "d", "c", "O/t/in", "f", "m", "O/t", "R/t", "c", "R/q", "f", "x", "R/q", "R/z", "r", "R/z", "", "i", "77", "",
   }

   it("of one writer is exact, with what was a directory", function()
      local history = fed(true, table.unpack(log))
      for _, rel in ipairs { "a/b/f", "z/b/f", "z/b/new\nline", "t/in", "q/b/f", "z" } do
         assert.is_true(history:existed(rel, false), rel)
      end
      assert.is_true(history:existed("q/b", true))
      for _, rel in ipairs { "a/b/new\nline", "t/b", "in", "" } do assert.is_false(history:existed(rel, false), rel) end
      assert.is_false(history:existed("a/b/f", true))
      assert.is_true(history:has_other_names(77))
      assert.is_false(history:has_other_names(78))
   end)

   it("says where it does not fit the disk", function()
      local so = { t = "directory", ["t/in"] = "file", q = "directory", ["q/b"] = "directory", ["q/b/f"] = "file",
         ["q/b/new\nline"] = "file" }
      local history = fed(true, table.unpack(log))
      assert.is_nil(history:misfit(snapshot(so)))
      for rel, kind in pairs { z = "file", t = "file", ["q/b/f"] = false } do
         local disk = snapshot(so)
         disk[rel] = kind and { type = kind } or nil
         assert.equal(rel, history:misfit(disk))
      end
      assert.is_nil(fed(false, table.unpack(log)):misfit(snapshot { a = "file" }))
      assert.equal("no", fed(false, table.unpack(log)):misfit(snapshot { no = "file" }))
   end)

   it("of several writers holds all true paths, in whatever order the logs are read", function()
      local records = {}
      for i = 1, #log, 3 do table.insert(records, 1, { log[i], log[i + 1], log[i + 2] }) end
      local history = History.new(false)
      for _, record in ipairs(records) do history:feed(table.concat(record, "\0") .. "\0") end
      for _, rel in ipairs { "a/b/f", "z/b/f", "z/b/new\nline", "t/in", "q/b/f" } do
         assert.is_true(history:existed(rel), rel)
      end
      for _, rel in ipairs { "t/b", "in", "a/in", "f" } do assert.is_false(history:existed(rel), rel) end
   end)

   it("convicts an event with a path that never was, and a directory's that was none", function()
      local history = fed(true, table.unpack(log))
      assert.is_nil(oracles.lie({ event("create", "z/b/f"), event("move", "z", { from_rel = "a", isdir = true }) }, history))
      assert.is_truthy(oracles.lie({ event("create", "b/f", { text = "" }) }, history))
      assert.is_truthy(oracles.lie({ event("create", "z/b/f", { isdir = true, text = "" }) }, history))
      assert.is_truthy(oracles.lie({ event("move", "z", { from_rel = "no", isdir = true, text = "" }) }, history))
   end)
end)

describe("the oracle of content", function()
   helper.leaves_nothing()

   local function rules(others)
      return { attributes = true, other_names = function() return others end }
   end

   -- One file `f`, known with content 1 (or new), the events, then this content on the disk.
   local function judge(known, events, content, more)
      local files = snapshot(known and { f = "file" } or {})
      local subject = Model.new(files)
      subject:settle(files)
      local reads = { 1 }
      subject.read = function() return reads[1], 1 end
      for _, step in ipairs(events) do
         reads[1] = step.reads or content
         assert(subject:apply(step))
      end
      local now = snapshot { f = "file" }
      now.f.content, now.f.mode = content, more and more.mode or 420
      return (oracles.content(subject, now, rules(more and more.others)))
   end

   it("is content where every change was told", function()
      assert.is_nil(judge(true, {}, 1))
      assert.is_nil(judge(true, { event("close_write", "f") }, 2))
      assert.is_nil(judge(true, { event("modify", "f") }, 2))
      assert.is_nil(judge(true, { event("close_write", "f"), event("move", "g", { from_rel = "f" }),
         event("move", "f", { from_rel = "g" }) }, 2))
      assert.is_nil(judge(false, { event("create", "f"), event("close_write", "f") }, 2))
      assert.is_nil(judge(false, { event("create", "f", { moved_to = true }) }, 2))
      assert.is_nil(judge(false, { event("create", "f") }, 2, { others = true }))
      assert.is_nil(judge(true, {}, 2, { others = true }))
      assert.is_nil(judge(true, { event("attrib", "f") }, 1, { mode = 0 }))
   end)

   it("convicts where one was not", function()
      assert.equal('"f": its content changed, and nothing was told', judge(true, {}, 2))
      assert.equal('"f": its content changed, and nothing was told', judge(true, { event("attrib", "f") }, 2))
      assert.equal('"f": its content changed after the last that was told',
         judge(true, { event("close_write", "f", { reads = 3 }) }, 2))
      assert.equal('"f": it was written and closed, and no close_write was told', judge(false, { event("create", "f") }, 2))
      assert.equal('"f": it was found by looking, and no close_write followed',
         judge(false, { event("create", "f", { synthetic = true }) }, 2, { others = true }))
      assert.equal('"f": its mode changed, and nothing was told', judge(true, {}, 1, { mode = 0 }))
   end)
end)

describe("the oracle of what did not change", function()
   helper.leaves_nothing()

   local OLD <const>, NEW <const> = 1, 1000000000 -- nanoseconds

   -- One file `f` that was closed, or not, before the last quiet point; the events since; when it was changed, then and
   -- now. Something else was changed at NEW.
   local function judge(closed, events, before, now)
      local files = snapshot { f = "file", other = "file" }
      files.f.changed, files.other.changed = before, NEW
      local subject = Model.new(closed and files or { other = files.other })
      if not closed then assert(subject:apply(event("create", "f"))) end
      subject:settle(files)
      for _, step in ipairs(events) do assert(subject:apply(step)) end
      files.f.changed = now
      return (oracles.unchanged(subject, files))
   end

   it("is content where something happened, or may have", function()
      assert.is_nil(judge(true, {}, OLD, OLD))
      assert.is_nil(judge(true, { event("close_write", "f") }, OLD, NEW))
      assert.is_nil(judge(true, { event("close_write", "f") }, NEW, NEW))
      assert.is_nil(judge(false, { event("close_write", "f", { synthetic = true }) }, OLD, OLD))
      assert.is_nil(judge(true, { event("attrib", "f") }, OLD, OLD))
   end)

   it("convicts where nothing did", function()
      for _, op in ipairs { "close_write", "modify" } do
         assert.equal('"f": nothing happened to it, and its content was told', judge(true, { event(op, "f") }, OLD, OLD))
      end
   end)
end)

describe("the model of net changes", function()
   helper.leaves_nothing()

   local before = { d = "directory", ["d/f"] = "file", ["d/e"] = "directory", f = "file", l = "link" }

   local function change(op, rel, more)
      return event(op, rel, more), more and more.from
   end

   local function never() return false end

   it("follows a batch, and is content with the disk that it leads to", function()
      local subject = Net.new(snapshot(before))
      for _, step in ipairs {
         { "delete", "l" }, { "create", "n", DIRECTORY }, { "move", "n/y", { from = "d", type = "directory" } },
         { "move", "f", { from = "n/y/e", type = "directory", replaced = "file" } },
         { "move", "f", { from = "n", exchange = true, replaced = "directory", type = "directory" } },
         { "create", "s", { type = "socket" } }, { "modify", "f/y/f" }, { "attrib", "n", DIRECTORY },
      } do
         assert.is_true(subject:apply(change(table.unpack(step))))
      end
      local after = snapshot { f = "directory", ["f/y"] = "directory", ["f/y/f"] = "file", n = "directory", s = "socket" }
      after["f/y/f"].content = 2
      assert.is_nil((subject:compare(after, never)))
      subject:settle(after)
      assert.is_nil((subject:compare(after, never)))
      assert.is_true(subject:apply(change("delete", "", { whole = true, type = "directory" })))
      assert.is_nil((subject:compare({}, never)))
   end)

   it("refuses what cannot be", function()
      for _, step in ipairs {
         { "create", "f" }, { "create", "x/y" }, { "create", "f/y" }, { "create", "x", { replaced = "file" } },
         { "delete", "x" }, { "delete", "d", DIRECTORY }, { "move", "x", { from = "y" } }, { "move", "f", { from = "l" } },
         { "move", "x/y", { from = "f" } }, { "move", "x", { from = "f", exchange = true } },
         { "move", "x", { from = "f", replaced = "file" } }, { "modify", "x" }, { "attrib", "x" }, { "rename", "f" },
         { "modify", "" },
      } do
         local ok, why = Net.new(snapshot(before)):apply(change(table.unpack(step)))
         assert.is_false(ok, step[1] .. " " .. step[2])
         assert.is_string(why)
      end
   end)

   it("convicts where the disk is another", function()
      local subject = Net.new(snapshot(before))
      local function judge(edit)
         local disk = snapshot(before)
         edit(disk)
         return (subject:compare(disk, never))
      end
      assert.equal('"x" is there, and was not told', judge(function(disk) disk.x = { type = "file" } end))
      assert.equal('"l" is said to be there, and is not', judge(function(disk) disk.l = nil end))
      assert.equal('"l" is said to be a link, and is a fifo', judge(function(disk) disk.l.type = "fifo" end))
      assert.equal('"f": its content changed, and nothing was told', judge(function(disk) disk.f.content = 2 end))
   end)
end)

describe("the oracle of leaks", function()
   helper.leaves_nothing()

   it("counts one watch for each directory, and none elsewhere but on the way to the root", function()
      local root = helper.folder()
      helper.write(root .. "/a/b/f", "")
      helper.write(root .. "/c/f", "")
      local disk = probe.snapshot(root)

      local function judge(rules, ...)
         local fd = probe.watch(...)
         local wrong = oracles.leak(root, disk, rules)
         probe.close(fd)
         return wrong
      end

      assert.is_nil(judge({}, root, root .. "/a", root .. "/a/b", root .. "/c"))
      assert.is_nil(judge({}, root, root .. "/a", root .. "/a/b", root .. "/c", "/", root:match "^/[^/]+"))
      assert.is_nil(judge({ some = true }, root, root .. "/a"))
      assert.is_nil(judge({ none = true }, "/"))
      assert.equal('"a/b" has no watch', judge({}, root, root .. "/a", root .. "/c"))
      assert.equal('"c" has a watch', judge({ none = true }, root .. "/c"))
      assert.matches("^a watch on [%d:]+ too many$", judge({}, root, root .. "/a", root .. "/a/b", root .. "/c", root .. "/c/f"))
      assert.matches("^a watch on [%d:]+ too many$", judge({ pruned = function(rel) return rel == "c" end },
         root, root .. "/a", root .. "/a/b", root .. "/c"))
      local second = probe.watch(root .. "/c")
      assert.equal('"c" has 2 watches', judge({}, root, root .. "/a", root .. "/a/b", root .. "/c"))
      probe.close(second)
   end)
end)

describe("a random filter", function()
   helper.leaves_nothing()

   it("gives git's verdicts", function()
      local root = helper.folder()
      local names = { "a", "a/main.c", "a/lib", "lib", "lib/x.txt", "lib/a1", "tmp", "tmp/b", "tmp/b/o.o", "x7", "c1q" }
      assert.equal(0, helper.run({ "git", "init", "-q", root }).status)
      for _, rel in ipairs(names) do
         if rel == "a" or rel == "lib" or rel == "tmp" or rel == "tmp/b" then
            assert(probe.mkdir(root .. "/" .. rel))
         else
            helper.write(root .. "/" .. rel, "")
         end
      end
      local state, tried = 1, 0
      local function random(limit)
         state = (state * 1103515245 + 12345) & 0x7fffffff
         return (state >> 8) % limit + 1
      end
      while tried < 40 do
         local one = view.random(random)
         if one.options.ignore and not one.options.match and not one.options.depth and not one.options.filter then
            tried = tried + 1
            local list = table.concat(one.options.ignore, "\n")
            helper.write(root .. "/.git/info/exclude", list .. "\n")
            local said = helper.run({ "git", "-C", root, "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--",
               table.unpack(names) }).out
            local ignored = {}
            for _, rel in ipairs(names) do
               local kind = probe.stat(root .. "/" .. rel).type
               if not one.sees(rel, kind == "directory") then ignored[#ignored + 1] = rel .. "\n" end
            end
            assert.equal(said, table.concat(ignored), list)
         end
      end
   end)
end)

describe("a torture run", function()
   helper.leaves_nothing()

   local function run(module, more)
      local config = { seed = 1, ops = 400, batch = 100, profile = "poll", reading = "lazy" }
      for key, value in pairs(more or {}) do config[key] = value end
      return torture.run(module, config)
   end

   local function explain(failure)
      return failure and ("%s: %s\n%s"):format(failure.oracle, failure.message, table.concat(failure.recent, "\n"))
   end

   it("is content with a watcher that compares snapshots", function()
      for _, more in ipairs {
         {}, { writers = 3 }, { profile = "poll+hostile" }, { profile = "poll+initial", writers = 3 },
         { profile = "poll+filtered" }, { profile = "poll+frozen", freeze = 50 },
      } do
         assert.is_nil(explain(run(standin, more).failure))
      end
   end)

   it("has the log of a single writer be the disk, where names of one file are renamed onto each other", function()
      for _, seed in ipairs { 28, 35 } do
         local more = { seed = seed, ops = 700, entries = 60, profile = "poll+renames" }
         assert.is_nil(explain(run(standin, more).failure))
      end
   end)

   it("is content with a watcher that tells what the writer did", function()
      for _, profile in ipairs { "poll+hostile", "poll+renames", "poll+trees" } do
         assert.is_nil(explain(run(teller, { profile = profile, ops = 1000, batch = 200 }).failure))
      end
   end)

   -- What a faulty watcher makes of its events, and who must notice.
   local faults = {
      ["one create is missing"] = { "replay", function(events)
         for i, item in ipairs(events) do
            if item.op == "create" and item.isdir then return table.remove(events, i) end
         end
      end },
      ["one delete is missing"] = { "replay", function(events)
         for i, item in ipairs(events) do
            if item.op == "delete" then return table.remove(events, i) end
         end
      end },
      ["an event comes twice"] = { "replay", function(events)
         local copy = {}
         for key, value in pairs(events[1]) do copy[key] = value end
         table.insert(events, 2, copy)
      end },
      ["children come before their parents"] = { "replay", function(events)
         table.sort(events, function(a, b) return #a.rel > #b.rel end)
      end },
      ["a type is wrong"] = { "replay", function(events)
         for _, item in ipairs(events) do
            if item.type == "link" or item.type == "fifo" then item.type = "socket" end
         end
      end },
      ["a path is told that never was"] = { "lie", function(events, self)
         for at, op in ipairs { "create", "delete" } do
            table.insert(events, at, { op = op, rel = "never", path = self.root .. "/never", name = "never", isdir = false,
               type = "file", synthetic = false })
         end
      end },
      ["writes are not told"] = { "content", function(events)
         for i = #events, 1, -1 do
            if events[i].op == "close_write" then table.remove(events, i) end
         end
      end },
      ["the numbers have a gap"] = { "shape", function(events, self)
         self.seq = self.seq + 1
         events.seq = true
      end },
      ["a path does not fit"] = { "shape", function(events)
         events[1].path = "/elsewhere"
      end },
   }

   for name, fault in pairs(faults) do
      it("convicts a watcher when " .. name, function()
         local times = 0
         local result = run(standin.with(function(events, self)
            times = times + 1
            if times > 1 and #events > 1 then fault[2](events, self) end
         end))
         assert.equal(fault[1], result.failure and result.failure.oracle, explain(result.failure))
      end)
   end

   it("convicts a watcher without watches", function()
      assert.equal("leak", run(standin, { profile = "plain" }).failure.oracle)
   end)

   it("convicts a watcher that speaks after the end", function()
      local late = standin.with(function(events, self)
         local plain = getmetatable(self).get
         self.get = function(watcher, timeout)
            if timeout == 0.05 then return { op = "attrib", rel = "", path = self.root, seq = self.seq + 1 } end
            return plain(watcher, timeout)
         end
      end)
      assert.equal("quiet", run(late).failure.oracle)
   end)

   it("is the same work for the same seed", function()
      local one, two = run(standin), run(standin)
      assert.equal(one.syncs, two.syncs)
      assert.is_nil(one.failure or two.failure)
   end)
end)

-- The real one.
local moonwatch = require "moonwatch"
if pcall(function() return moonwatch.watch end) then
   describe("the watcher under random work", function()
      helper.leaves_nothing()

      for _, case in ipairs {
         { profile = "plain" }, { profile = "plain", writers = 3 }, { profile = "hostile", writers = 3 },
         { profile = "poll" }, { profile = "frozen", ops = 1000, batch = 500 }, { profile = "budget" },
         { profile = "initial", writers = 3 }, { profile = "plain", writers = 8 }, { profile = "shared", ops = 600 },
         { profile = "shared+comes", writers = 3, ops = 600 }, { profile = "changes", writers = 3, ops = 600 },
      } do
         local config = { seed = 7, ops = case.ops or 1500, batch = case.batch or 300, writers = case.writers or 1,
            profile = case.profile }
         it(("is exact: %s, %d writers"):format(config.profile, config.writers), function()
            local result = torture.run(moonwatch, config)
            local failure = result.failure
            assert.is_nil(failure and ("%s: %s\n%s"):format(failure.oracle, failure.message,
               table.concat(failure.recent, "\n")))
         end)
      end

      it("is exact with mounts that come and go", function()
         local result = helper.run({ "unshare", "--user", "--map-root-user", "--mount", helper.interpreter,
            "spec/torture/mounts.lua", "--seeds", "1-20" }, { env = { BUILD = helper.build } })
         if result.err:find "unshare" then return pending("no mounts here: " .. result.err) end
         assert.equal("20 seeds, 0 failed\n", result.out .. result.err)
      end)
   end)
end
