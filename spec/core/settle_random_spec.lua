-- SPDX-License-Identifier: MIT
--
-- settle_random_spec.lua - net changes under long random work: taken at any time, per path, put back, handed over.
--
-- Whatever batches were taken and applied: each must fit the tree to which those before it have led, and when
-- everything is taken that tree must be the world's. A failure names its seed; SEEDS=n gives more of them.

local core = require "moonwatch.core"
local netmodel = require "support.netmodel"

local SEEDS = tonumber(os.getenv "SEEDS") or 150
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

local work = {}

function work.create(world, random, path)
   if has_room(world, path) and not world:find(path) then
      world:create(path, ({ "file", "directory", "file", "link" })[random(4)])
   end
end

function work.change(world, random, path)
   local entry = world:find(path)
   if not entry or entry.children then return end
   if world.open and world.open[entry] then
      world:write(path)
   elseif entry.type == "file" and random(3) > 1 then
      world:modify(path)
   else
      world:attrib(path)
   end
end

function work.delete(world, random, path)
   local entry = world:find(path)
   if not entry then return end
   if entry.children and next(entry.children) then
      if random(4) == 1 then
         world:move_out(path)
      else
         for name in pairs(entry.children) do work.delete(world, random, path .. "/" .. name) end
      end
   else
      world:delete(path)
   end
end

-- What was renamed onto its name is whole, until somebody writes again.
local function is_whole_now(world, ...)
   for _, path in ipairs { ... } do
      local entry = world:find(path)
      if world.open and entry then world.open[entry] = nil end
   end
end

function work.move(world, random, path)
   local other = random_path(random)
   if random(5) == 1 and world:may_exchange(path, other) then
      world:exchange(path, other)
      is_whole_now(world, path, other)
   elseif world:may_move(path, other) then
      world:move(path, other)
      is_whole_now(world, other)
   end
end

function work.replace(world, random, path)
   local entry = world:find(path)
   if entry and random(2) == 1 then
      world:retype(path, entry.children and netmodel.file() or random_tree(random, 2))
   elseif not entry and has_room(world, path) then
      world:move_in(path, random_tree(random, 2))
   end
end

function work.root(world, random)
   if random(6) > 1 then return end
   world:vanish()
   if random(2) == 1 then
      world:come_back(random_tree(random, 1))
   else
      world:come_back(netmodel.directory())
   end
end

-- Writers that keep a file open: `world.open` says which entries have one.
function work.open(world, _, path)
   local entry = world:find(path)
   if world.open and entry and entry.type == "file" then
      world:write(path)
      world.open[entry] = true
   end
end

function work.close(world, _, path)
   local entry = world:find(path)
   if world.open and entry and world.open[entry] then
      world.open[entry] = nil
      world:tell("close_write", path, entry)
   end
end

local KINDS = { "create", "create", "change", "delete", "move", "move", "move", "replace", "root", "open", "close" }

local function new_world(seed, options)
   math.randomseed(seed)
   local random = math.random
   local world = netmodel.world(random_tree(random, 1))
   world.open = (options.writers or options.pace) and {} or nil
   local target = netmodel.target(world.root)
   return world, target, random
end

local function feed(settle, world, now)
   for _, event in ipairs(world.events) do settle:feed(event, now) end
   world.events = {}
end

-- A part of the batch is handled, the rest put back; sometimes all of it.
local function handle(settle, target, batch, random)
   local kept = random(3) == 1 and random(0, #batch) or #batch
   target:apply(table.move(batch, 1, kept, 1, {}))
   if kept < #batch then settle:merge(table.move(batch, kept + 1, #batch, 1, {})) end
end

local function hand_over(settle, options)
   local successor = core.settle(options)
   assert(successor:load(settle:dump()))
   assert.equal(settle:pending(), successor:pending())
   settle:close()
   return successor
end

local function check_writers(world, batch)
   for _, change in ipairs(batch) do
      local entry = world.open and world:find(change.rel)
      assert(not (entry and world.open[entry] and (change.op == "create" or change.op == "modify")),
         change.rel .. " is handed over while it is written")
   end
end

local function run(seed, options, settings)
   local world, target, random = new_world(seed, settings)
   options.writer = settings.writers and function(path)
      local entry = path == "r" and world.root or world:find(path:sub(3))
      return entry ~= nil and world.open[entry] == true
   end
   local settle, now = core.settle(options), 0
   for _ = 1, STEPS do
      work[KINDS[random(#KINDS)]](world, random, random_path(random))
      feed(settle, world, now)
      now = now + random() * (settings.pace or 1)
      if settings.hand_over and random(20) == 1 then settle = hand_over(settle, options) end
      local batch = random(3) == 1 and settle:take(now)
      if batch then
         if settings.writers then check_writers(world, batch) end
         if settings.put_back then handle(settle, target, batch, random) else target:apply(batch) end
      end
   end
   for entry in pairs(world.open or {}) do world.open[entry] = nil end
   target:apply(settle:take(math.huge) or {})
   assert.equal(0, settle:pending())
   assert.is_nil(settle:deadline())
   target:compare(world.root)
   settle:close()
end

local function runs(title, options, settings)
   it(title, function()
      for seed = 1, SEEDS do
         local copy = {}
         for key, value in pairs(options) do copy[key] = value end
         local ok, message = pcall(run, seed, copy, settings)
         if not ok then error(("seed %d: %s"):format(seed, tostring(message)), 0) end
      end
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
   runs("held until writers have closed", { settle = 0.3, max_wait = 2, complete = true }, { writers = true })
   runs("path by path, held until writers have closed", { settle = 1, max_wait = 3, each = true, complete = true },
      { writers = true, put_back = true, hand_over = true })
   runs("with no time to settle", { settle = 0, max_wait = 0.5 }, { pace = 0.06, put_back = true })
   runs("path by path, with no time to settle", { settle = 0, max_wait = 0.2, each = true },
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
      for seed = 1, SEEDS do
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
