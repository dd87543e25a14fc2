-- SPDX-License-Identifier: MIT
--
-- settle_random_spec.lua - net changes under long random work: taken at any time, per path, put back, handed over.
--
-- Whatever batches were taken and applied: each must fit the tree to which those before it have led, and when
-- everything is taken that tree must be the world's, and each file's content the one it had when it was told last.
-- A failure names its seed; SEEDS=n gives more of them, SEEDS=m-n others.

local core = require "moonwatch.core"
local netmodel = require "support.netmodel"

local first_seed, last_seed = (os.getenv "SEEDS" or "150"):match "^(%d-)%-?(%d+)$"
first_seed, last_seed = tonumber(first_seed) or 1, tonumber(last_seed)
local STEPS = 120

local function random_tree(random, depth)
   local children = {}
   for _, name in ipairs { "a", "b", "c" } do
      local dice = random(6)
      if dice <= 2 then
         children[name] = netmodel.file(dice == 1 and random(4) == 1 and "link" or "file")
      elseif dice <= 4 and depth < 3 then
         children[name] = random_tree(random, depth + 1)
      end
   end
   return netmodel.directory(children)
end

local function random_path(random)
   local names = {}
   for i = 1, random(4) do names[i] = ("abc"):sub(random(3)):sub(1, 1) end
   return table.concat(names, "/")
end

local function has_room(world, path)
   local head = world:find(path:match "^(.*)/" or "")
   return head ~= nil and head.children ~= nil
end

-- Work ----------------------------------------------------------------------------------------------------------------

-- `world.writers` says which files somebody has open for writing: true, or false where the file is whole all the same,
-- because it was renamed after the last write.
local function is_open(world, entry) return world.writers[entry] ~= nil end

local function write(world, path)
   world:write(path)
   world.writers[world:find(path)] = true
end

local function is_renamed(world, ...)
   for _, path in ipairs { ... } do
      local entry = world:find(path)
      if entry and is_open(world, entry) then world.writers[entry] = false end
   end
end

-- Of what is found by looking some is still being written.
local function are_found(world, random, tree)
   netmodel.each(tree, function(_, entry)
      if entry.type == "file" and random(6) == 1 then world.writers[entry] = true end
   end)
   return tree
end

local work = {}

function work.create(world, random, path)
   if not has_room(world, path) or world:find(path) then return end
   local type = ({ "file", "directory", "file", "file", "link" })[random(5)]
   local is_unclosed = type == "file" and random(3) == 1
   local entry = world:create(path, type, is_unclosed)
   if is_unclosed and random(3) > 1 then world.writers[entry] = true end -- the others are hard links
end

function work.change(world, random, path)
   local entry = world:find(path)
   if not entry or entry.children then return end
   local dice = entry.type == "file" and random(6) or 6
   if dice == 6 then
      world:attrib(path)
   elseif dice == 5 then
      world:find_written(path)
   elseif dice == 4 then
      world:write(path) -- truncate(2)
   elseif is_open(world, entry) then
      write(world, path)
   else
      world:modify(path)
   end
end

function work.delete(world, random, path)
   local entry = world:find(path)
   if not entry then return end
   if entry.children and next(entry.children) then
      if random(4) == 1 then
         world:move_out(path)
      else
         for _, name in ipairs(netmodel.names(entry)) do work.delete(world, random, path .. "/" .. name) end
      end
   else
      world:delete(path)
   end
end

function work.move(world, random, path)
   local other = random_path(random)
   if world:may_move(path, other) then
      world:move(path, other)
      is_renamed(world, other)
   end
end

function work.replace(world, random, path)
   local entry = world:find(path)
   if entry and random(2) == 1 then
      local new = entry.children and netmodel.file() or are_found(world, random, random_tree(random, 2))
      world:retype(path, new)
   elseif not entry and has_room(world, path) then
      world:move_in(path, are_found(world, random, random_tree(random, 2)))
   end
end

function work.root(world, random)
   if random(6) > 1 then return end
   world:vanish()
   world:come_back(random(2) == 1 and are_found(world, random, random_tree(random, 1)) or netmodel.directory())
end

function work.open(world, _, path)
   local entry = world:find(path)
   if entry and entry.type == "file" then write(world, path) end
end

function work.close(world, _, path)
   local entry = world:find(path)
   if entry and is_open(world, entry) then
      world.writers[entry] = nil
      world:tell("close_write", path, entry)
   end
end

function work.exchange(world, random, path)
   local other = random_path(random)
   if world:may_exchange(path, other) then
      world:exchange(path, other)
      is_renamed(world, path, other)
   end
end

local KINDS = {
   "create", "create", "change", "delete", "move", "move", "move", "exchange", "replace", "root", "open", "open", "close",
}

-- Each seed leaves some of it out, and so has more of the rest.
local function some_kinds(random)
   local kinds = { "create" }
   for _, kind in ipairs(KINDS) do
      if random(3) > 1 then kinds[#kinds + 1] = kind end
   end
   return kinds
end

-- Judging -------------------------------------------------------------------------------------------------------------

local function feed(settle, world)
   for _, event in ipairs(world.events) do settle:feed(event, world.now) end
   world.events = {}
end

local function check_writer(world, path)
   local entry = world:find(path)
   assert(not (entry and world.writers[entry]), path .. " is handed over while it is written")
end

local function check_writers(world, batch)
   for _, change in ipairs(batch) do
      if change.op ~= "delete" then check_writer(world, change.rel) end
      if change.exchange then check_writer(world, change.from_rel) end
   end
end

local function take(settle, world, options)
   local batch = settle:take(world.now) or {}
   if options.complete == true then check_writers(world, batch) end
   local deadline = settle:deadline()
   assert(not deadline or deadline > world.now, "nothing more is due, and yet it is")
   return batch
end

-- A part of the batch is handled, the rest put back; sometimes all of it.
local function handle(settle, target, batch, world, random)
   local kept = random(3) == 1 and random(0, #batch) or #batch
   target:apply(table.move(batch, 1, kept, 1, {}), world)
   if kept < #batch then settle:merge(table.move(batch, kept + 1, #batch, 1, {})) end
end

local function hand_over(settle, options)
   local successor = core.settle(options)
   assert(successor:load(settle:dump()))
   assert.equal(settle:pending(), successor:pending())
   settle:close()
   return successor
end

local function close_all(world, random)
   netmodel.each(world.root, function(path) work.close(world, random, path) end)
end

-- Whoever asks at the deadlines, and at no other time, is told of all.
local function wait_for_all(settle, target, world, options)
   for _ = 1, 1000 do
      local deadline = settle:deadline()
      if not deadline then return end
      world.now = math.max(world.now, deadline)
      target:apply(take(settle, world, options), world)
   end
   error "comes to no end"
end

local function new_world(random)
   local world = netmodel.world(random_tree(random, 1))
   world.writers, world.now = {}, 0
   return world
end

local function run(seed, options, settings)
   math.randomseed(seed)
   local random = math.random
   local world = new_world(random)
   local target = netmodel.target(world.root)
   function options.writer(path)
      local entry = world:find(path:sub(3))
      return entry ~= nil and is_open(world, entry)
   end
   local settle = core.settle(options)
   local kinds = some_kinds(random)
   for _ = 1, STEPS do
      work[kinds[random(#kinds)]](world, random, random_path(random))
      feed(settle, world)
      world.now = world.now + random() * (settings.pace or 1)
      if settings.hand_over and random(20) == 1 then settle = hand_over(settle, options) end
      if random(3) == 1 then
         local batch = take(settle, world, options)
         if settings.put_back then
            handle(settle, target, batch, world, random)
         else
            target:apply(batch, world)
         end
      end
   end
   if options.complete == true then close_all(world, random) end
   feed(settle, world)
   wait_for_all(settle, target, world, options)
   assert.equal(0, settle:pending())
   target:compare(world.root)
   settle:close()
end

local function runs(title, options, settings)
   it(title, function()
      local failures = {}
      for seed = first_seed, last_seed do
         local copy = {}
         for key, value in pairs(options) do copy[key] = value end
         local ok, message = pcall(run, seed, copy, settings)
         if not ok then failures[#failures + 1] = ("seed %d: %s"):format(seed, tostring(message)) end
      end
      assert(#failures == 0, table.concat(failures, "\n"))
   end)
end

describe("net changes of random work lead to the tree as it is", function()
   runs("in one batch", { settle = 1e9, max_wait = 1e9 }, {})
   runs("in many batches", { settle = 0.3, max_wait = 2 }, {})
   runs("path by path", { settle = 1, max_wait = 5, each = true }, {})
   runs("with batches put back", { settle = 0.3, max_wait = 2 }, { put_back = true })
   runs("path by path, with some put back", { settle = 1, max_wait = 5, each = true }, { put_back = true })
   runs("handed over to a successor", { settle = 0.5, max_wait = 2 }, { hand_over = true, put_back = true })
   runs("path by path, handed over", { settle = 1, max_wait = 5, each = true }, { hand_over = true })
   runs("held until writers have closed", { settle = 0.3, max_wait = 2, complete = true }, {})
   runs("held until writers have closed, put back and handed over", { settle = 0.3, max_wait = 2, complete = true },
      { put_back = true, hand_over = true })
   runs("path by path, held until writers have closed", { settle = 1, max_wait = 3, each = true, complete = true },
      { put_back = true, hand_over = true })
   runs("held until writers have closed, but not for ever", { settle = 0.3, max_wait = 2, complete = 6 }, {})
   runs("path by path, held, but not for ever", { settle = 1, max_wait = 3, each = true, complete = 4 }, { put_back = true })
   runs("with no time to settle", { settle = 0, max_wait = 0.5 }, { pace = 0.06, put_back = true })
   runs("path by path, with no time to settle", { settle = 0, max_wait = 0.2, each = true },
      { pace = 0.06, put_back = true, hand_over = true })
   runs("path by path, held, with no time to settle", { settle = 0, max_wait = 0.2, each = true, complete = true },
      { pace = 0.06, put_back = true, hand_over = true })
end)

describe("a stream of events that makes no sense", function()
   local OPS = { "create", "modify", "close_write", "attrib", "delete", "move", "move", "gone", "back" }
   local TYPES = { "file", "directory", "link" }

   local function random_event(random)
      local event = { op = OPS[random(#OPS)], rel = random_path(random), root = "r", type = TYPES[random(4)] }
      if event.op == "gone" or event.op == "back" then event.rel = "" end
      event.path = event.rel == "" and "r" or "r/" .. event.rel
      event.synthetic, event.whole, event.moved_to = random(3) == 1, random(2) == 1, random(5) == 1
      event.replaced = random(3) == 1 and TYPES[random(3)] or nil
      if event.op == "move" then
         event.from_rel, event.exchange = random_path(random), random(3) == 1
         event.from = "r/" .. event.from_rel
      end
      return event
   end

   it("does no harm", function()
      for seed = first_seed, last_seed do
         math.randomseed(seed)
         local settle <close> = core.settle { settle = 1, max_wait = 5, each = seed % 2 == 0, complete = seed % 3 == 0 }
         local batch = {}
         for now = 1, STEPS do
            settle:feed(random_event(math.random), now)
            if math.random(5) == 1 then batch = settle:take(now) or batch end
            if math.random(15) == 1 then settle:merge(batch) end
            if math.random(15) == 1 then settle:load(settle:dump()) end
         end
         settle:take(math.huge)
         assert.equal(0, settle:pending())
      end
   end)
end)
