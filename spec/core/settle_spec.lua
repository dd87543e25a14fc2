-- SPDX-License-Identifier: MIT
--
-- settle_spec.lua - the algebra of net changes against a model of the tree before and after (doc/changes.md).

local core = require "moonwatch.core"
local netmodel = require "support.netmodel"

-- Feeds the events that `work` makes in a world with the tree `start`, and gives the batch.
local function net(start, work)
   local world = netmodel.world(start)
   local before = netmodel.copy(start)
   local settle <close> = core.settle { settle = 0 }
   work(world)
   for _, event in ipairs(world.events) do settle:feed(event, 0) end
   local batch = settle:take(1) or {}
   assert.equal(0, settle:pending())
   local target = netmodel.target(before)
   target:apply(batch)
   target:compare(world.root)
   return netmodel.show(batch), batch
end

local function file() return netmodel.file() end
local function dir(children) return netmodel.directory(children) end

describe("a window of changes to files", function()
   local function words(events, start)
      return (net(dir(start or {}), function(world)
         for _, event in ipairs(events) do world[event[1]](world, event[2], event[3]) end
      end))
   end

   it("says once that a file was modified, however often it was written", function()
      assert.equal("modify f", words({ { "modify", "f" }, { "modify", "f" }, { "attrib", "f" } }, { f = file() }))
   end)

   it("says nothing of what was created and deleted in it", function()
      assert.equal("", words { { "create", "f", "file" }, { "modify", "f" }, { "delete", "f" } })
   end)

   it("calls modified what was deleted and made again", function()
      assert.equal("modify f", words({ { "delete", "f" }, { "create", "f", "file" } }, { f = file() }))
   end)

   it("makes one move of many, and nothing of there and back", function()
      assert.equal("move a -> c", words({ { "move", "a", "b" }, { "move", "b", "c" } }, { a = file() }))
      assert.equal("", words({ { "move", "a", "b" }, { "move", "b", "a" } }, { a = file() }))
   end)

   it("calls created what was made under another name", function()
      assert.equal("create f", words { { "create", "t", "file" }, { "modify", "t" }, { "move", "t", "f" } })
   end)

   it("calls a save modified, by whatever way it was made", function()
      local saves = {
         { { "modify", "f" } },
         { { "create", "t", "file" }, { "modify", "t" }, { "move", "t", "f" } },
         { { "move", "f", "f~" }, { "create", "f", "file" }, { "modify", "f" }, { "delete", "f~" } },
         { { "create", "4913", "file" }, { "delete", "4913" }, { "move", "f", "f~" }, { "create", "f", "file" },
            { "attrib", "f" }, { "delete", "f~" } },
         { { "create", "sedX", "file" }, { "attrib", "sedX" }, { "move", "sedX", "f" } },
         { { "create", "t", "file" }, { "exchange", "f", "t" }, { "delete", "t" } },
         { { "delete", "f" }, { "create", "f", "file" } },
      }
      for _, save in ipairs(saves) do assert.equal("modify f", words(save, { f = file() })) end
   end)

   it("keeps a backup apart from the save", function()
      local save = { { "move", "f", "f~" }, { "create", "f", "file" } }
      assert.equal("create f~; modify f", words(save, { f = file() }))
      assert.equal("modify f; modify f~", words(save, { f = file(), ["f~"] = file() }))
   end)

   it("calls a swap two modifies, and tells the loser of an overwriting move as deleted", function()
      assert.equal("modify a; modify b", words({ { "exchange", "a", "b" } }, { a = file(), b = file() }))
      assert.equal("delete a; modify b", words({ { "move", "a", "b" } }, { a = file(), b = file() }))
   end)

   it("says of a move whether the content changed as well", function()
      local _, batch = net(dir { a = file() }, function(world)
         world:modify "a"
         world:move("a", "b")
      end)
      assert.same({ { op = "move", path = "r/b", rel = "b", name = "b", root = "r", from = "r/a", from_rel = "a",
         type = "file", count = 3, modified = true } }, batch)
   end)

   it("tells attributes where nothing else happened", function()
      assert.equal("attrib a", words({ { "attrib", "a" } }, { a = file() }))
      assert.equal("move a -> b", words({ { "attrib", "a" }, { "move", "a", "b" } }, { a = file() }))
   end)

   it("tells a change of type as a create that replaced something", function()
      assert.equal("create a (replaced file)", words({ { "delete", "a" }, { "create", "a", "directory" } }, { a = file() }))
      assert.equal("create a (replaced directory)", words({ { "delete", "a" }, { "create", "a", "file" } }, { a = dir() }))
      assert.equal("create a (replaced file)", words({ { "retype", "a", netmodel.file "link" } }, { a = file() }))
   end)
end)

describe("a window of changes to directories", function()
   it("moves a directory as one, and tells what changed in it under the new name", function()
      assert.equal("delete d/gone; move d -> e; create e/new; modify e/f", net(
         dir { d = dir { f = file(), gone = file(), other = file() } }, function(world)
            world:move("d", "e")
            world:modify "e/f"
            world:delete "e/gone"
            world:create("e/new", "file")
         end))
   end)

   it("creates parents first and deletes children first", function()
      assert.equal("create d; create d/e; create d/e/f", net(dir(), function(world)
         world:create("t", "directory")
         world:create("t/e", "directory")
         world:create("t/e/f", "file")
         world:move("t", "d")
      end))
      assert.equal("delete d/e/f; delete d/e; delete d", net(dir { d = dir { e = dir { f = file() } } }, function(world)
         world:delete "d/e/f"
         world:delete "d/e"
         world:delete "d"
      end))
   end)

   it("tells what was in a directory that was removed and made again", function()
      assert.equal("delete d/g; modify d/f; modify d", net(dir { d = dir { f = file(), g = file() } }, function(world)
         world:delete "d/f"
         world:delete "d/g"
         world:delete "d"
         world:create("d", "directory")
         world:create("d/f", "file")
      end))
   end)

   it("tells one delete of what was moved out with all below it, and starts anew after it", function()
      assert.equal("delete d whole", net(dir { d = dir { f = file() } }, function(world)
         world:modify "d/f"
         world:move_out "d"
      end))
      assert.equal("create d (replaced directory); create d/f", net(dir { d = dir { f = file() } }, function(world)
         world:move_out "d"
         world:create("d", "directory")
         world:create("d/f", "file")
      end))
   end)

   it("moves out what survives before it deletes the rest", function()
      assert.equal("move d/f -> f; delete d", net(dir { d = dir { f = file() } }, function(world)
         world:move("d/f", "f")
         world:delete "d"
      end))
   end)

   it("resolves a chain, a swap and a ring of renames", function()
      local function rotate(world, names)
         world:move(names[#names], "t")
         for i = #names, 2, -1 do world:move(names[i - 1], names[i]) end
         world:move("t", names[1])
      end
      assert.equal("move b -> c; move a -> b", net(dir { a = dir(), b = dir() }, function(world)
         world:move("b", "c")
         world:move("a", "b")
      end))
      assert.equal("move b -> a (replaced directory) exchange", net(dir { a = dir(), b = dir() }, function(world)
         rotate(world, { "a", "b" })
      end))
      local _, ring = net(dir { a = dir(), b = dir(), c = dir(), d = dir() }, function(world)
         rotate(world, { "a", "b", "c", "d" })
      end)
      assert.equal(3, #ring)
   end)

   it("steps aside to a temporary name where a directory changes places with one inside it", function()
      assert.equal("move d -> .moonwatch-1 temporary; move .moonwatch-1/e -> d; move .moonwatch-1 -> d/e", net(
         dir { d = dir { e = dir { f = file() }, g = file() } }, function(world)
            world:move("d/e", "t")
            world:move("d", "t/e")
            world:move("t", "d")
         end))
   end)

   it("empties everything when the root is gone, and fills it when it is back", function()
      assert.equal("delete  whole", net(dir { f = file() }, function(world) world:vanish() end))
      assert.equal("create  (replaced directory); create f", net(dir { f = file() }, function(world)
         world:modify "f"
         world:vanish()
         world:come_back(dir { f = file() })
      end))
   end)
end)

-- Every sequence of up to four operations -----------------------------------------------------------------------------

local PATHS = { "a", "b", "a/x", "b/x" }

local function add_single(world, path, found)
   local entry, head = world:find(path), path:match "^(.)/"
   if entry then
      local is_full = entry.children and next(entry.children)
      found[#found + 1] = entry.type == "file" and { "modify", path } or nil
      found[#found + 1] = entry.type == "file" and path:find "^a" and { "attrib", path } or nil
      found[#found + 1] = { is_full and "move_out" or "delete", path }
   elseif not head or (world:find(head) and world:find(head).children) then
      found[#found + 1] = { "create", path, "file" }
      found[#found + 1] = { "create", path, "directory" }
   end
end

local function possible(world)
   local found = {}
   for _, path in ipairs(PATHS) do
      add_single(world, path, found)
      for _, other in ipairs(PATHS) do
         if world:may_move(path, other) then found[#found + 1] = { "move", path, other } end
         if world:may_exchange(path, other) then found[#found + 1] = { "exchange", path, other } end
      end
   end
   return found
end

-- What a name may be at the start: nothing, a file, a link, a directory that is empty or holds something.
local KINDS = {
   function() return nil end,
   function() return netmodel.file() end,
   function() return netmodel.file "link" end,
   function() return dir() end,
   function() return dir { x = file() } end,
   function() return dir { x = dir() } end,
}

local function complain(message, before, world, batch)
   local entries = {}
   for rel, type in pairs(netmodel.flat(before)) do entries[#entries + 1] = rel .. ":" .. type end
   error(("%s\n   before: %s\n   events: %s\n   batch:  %s"):format(message, table.concat(entries, " "),
      netmodel.show(world.events), netmodel.show(batch)), 0)
end

describe("a file that is open for writing", function()
   local function event(op, name) return { op = op, path = "r/" .. name, rel = name, root = "r", type = "file" } end

   local function shown(settle, now)
      return netmodel.show(settle:take(now) or {})
   end

   for _, each in ipairs { false, true } do
      describe(each and "path by path" or "in a batch", function()
         it("is one change for one save, with no time to settle too", function()
            local settle <close> = core.settle { settle = 0, max_wait = 5, each = each }
            settle:feed(event("create", "f"), 10)
            assert.equal("", shown(settle, 10))
            settle:feed(event("modify", "f"), 10.01)
            assert.equal("", shown(settle, 10.05))
            settle:feed(event("close_write", "f"), 10.06)
            assert.equal(10.06, settle:deadline())
            assert.equal("create f", shown(settle, 10.06))
            assert.same({ 0, nil }, { settle:pending(), settle:deadline() })
         end)

         it("holds up nothing but itself", function()
            local settle <close> = core.settle { settle = 0, max_wait = 5, each = each }
            settle:feed(event("modify", "slow"), 10)
            settle:feed(event("modify", "f"), 10)
            settle:feed(event("close_write", "f"), 10)
            assert.equal("modify f", shown(settle, 10))
            settle:feed(event("delete", "slow"), 10.05)
            assert.equal("delete slow", shown(settle, 10.05))
         end)

         it("is told once it is quiet, though its writer goes on for ever", function()
            local settle <close> = core.settle { settle = 0, max_wait = 5, each = each }
            for round = 10, 12 do
               settle:feed(event("modify", "log"), round)
               assert.equal("", shown(settle, round))
               assert.is_true(math.abs(settle:deadline() - round - 0.1) < 1e-6)
               assert.equal("modify log", shown(settle, round + 0.101))
               assert.is_nil(settle:deadline())
            end
         end)

         it("is told at max_wait, though its writer never rests", function()
            local settle <close> = core.settle { settle = 0, max_wait = 1, each = each }
            local told = {}
            for step = 0, 50 do
               settle:feed(event("modify", "log"), 10 + step / 20)
               if shown(settle, 10 + step / 20) ~= "" then told[#told + 1] = 10 + step / 20 end
            end
            assert.same({ 11, 12.05 }, told)
         end)

         it("waits for as long as settle says, where that is more", function()
            local settle <close> = core.settle { settle = 0.3, max_wait = 5, each = each }
            settle:feed(event("modify", "f"), 10)
            assert.equal(10.3, settle:deadline())
            assert.equal("modify f", shown(settle, 10.3))
         end)
      end)
   end

   it("is handed over once where its writer has gone and the word of that is still to be read", function()
      local is_open = true
      local settle <close> = core.settle { settle = 0, complete = true, each = true, writer = function() return is_open end }
      settle:feed(event("create", "f"), 10)
      assert.equal("", shown(settle, 10))
      is_open = false
      assert.equal(12, settle:deadline())
      assert.equal("", shown(settle, 12))
      settle:feed(event("close_write", "f"), 12.05)
      assert.equal("create f", shown(settle, 12.05))
      assert.same({ 0, nil }, { settle:pending(), settle:deadline() })
   end)

   -- A directory takes the name that the file had, and is due while the file is written under the name it has now.
   it("is not handed over with what is told of the name it had", function()
      for _, each in ipairs { false, true } do
         for _, is_exchange in ipairs { false, true } do
            local world = netmodel.world(dir { a = is_exchange and dir() or nil, b = file() })
            local target = netmodel.target(world.root)
            local settle <close> = core.settle { settle = 1, complete = true, each = each, writer = function() return true end }
            local function feed(now)
               for _, one in ipairs(world.events) do settle:feed(one, now) end
               world.events = {}
            end
            local function take(now)
               local batch = settle:take(now)
               target:apply(batch)
               return netmodel.show(batch)
            end
            if is_exchange then
               world:exchange("a", "b")
            else
               world:move("b", "a")
               world:create("b", "directory")
            end
            feed(10)
            world:write "a"
            feed(each and 10.5 or 10)
            assert.equal(is_exchange and "move a -> b (replaced file)" or "create b (replaced file)", take(11))
            world:modify "a"
            feed(12)
            assert.equal("create a", take(13))
            target:compare(world.root)
         end
      end
   end)

   it("is still waited for by a successor where a directory has its old name", function()
      local world = netmodel.world(dir { a = file(), b = dir() })
      local options = { settle = 1, complete = true, writer = function() return true end }
      world:exchange("a", "b")
      world:write "b"
      local settle <close> = core.settle(options)
      for _, one in ipairs(world.events) do settle:feed(one, 10) end
      local successor <close> = core.settle(options)
      assert(successor:load(settle:dump()))
      assert.equal("move b -> a (replaced file)", shown(successor, 20))
      successor:feed(event("close_write", "b"), 21)
      assert.equal("create b", shown(successor, 22))
   end)

   it("needs no such word, and may be opened anew meanwhile", function()
      local is_open = false
      local settle <close> = core.settle { settle = 0, complete = true, each = true, writer = function() return is_open end }
      settle:feed(event("create", "link"), 10)
      assert.equal("", shown(settle, 10))
      is_open = true
      assert.equal("", shown(settle, 10.1))
      is_open = false
      assert.equal("", shown(settle, settle:deadline()))
      assert.equal("create link", shown(settle, settle:deadline()))
   end)
end)

describe("every sequence of operations on two names and what is in them", function()
   local settle, count

   local function judge(make_start, operations)
      local start = make_start()
      local before, world, batch = netmodel.copy(start), netmodel.world(start), {}
      for _, operation in ipairs(operations) do world[operation[1]](world, operation[2], operation[3]) end
      local ok, message = pcall(function()
         for _, event in ipairs(world.events) do settle:feed(event, 0) end
         batch = settle:take(1) or {}
         local target = netmodel.target(before)
         target:apply(batch)
         target:compare(world.root)
         netmodel.check_words(batch, before, world.root)
      end)
      if not ok then complain(message, before, world, batch) end
      count = count + 1
      return world
   end

   local function go(make_start, operations, depth)
      local world = judge(make_start, operations)
      if #operations == depth then return end
      for _, operation in ipairs(possible(world)) do
         operations[#operations + 1] = operation
         go(make_start, operations, depth)
         operations[#operations] = nil
      end
   end

   it("gives batches that lead from the tree before to the tree after, in the right words", function()
      settle, count = core.settle { settle = 0 }, 0
      for i = 1, #KINDS do
         for j = i, #KINDS do
            go(function() return dir { a = KINDS[i](), b = KINDS[j]() } end, {}, 4)
         end
      end
      assert.equal(0, settle:pending())
      assert.is_true(count > 95000)
      settle:close()
   end)
end)
