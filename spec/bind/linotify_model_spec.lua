-- SPDX-License-Identifier: MIT
--
-- Random work on watches that share inodes, against a model of what each of them is to be told: its own bits, under its
-- own path, from its own time on, until its own end.

local helper = require "support.helper"
local moonwatch = require "moonwatch.core"

local BITS = { "create", "delete", "moved_from", "moved_to" }
local mask = moonwatch.mask

-- The folders "d1", "d2", and "l1", which is d1 by a link.
local INODE = { d1 = "d1", l1 = "d1", d2 = "d2" }
local PATHS = { "d1", "l1", "d2" }

local function new_world(seed)
   local dir = helper.folder()
   helper.mkdir(dir .. "/d1")
   helper.mkdir(dir .. "/d2")
   helper.symlink("d1", dir .. "/l1")
   math.randomseed(seed)
   return { dir = dir, inotify = assert(moonwatch.inotify()), files = { d1 = {}, d2 = {} }, watches = {}, expected = {},
      number = 0 }
end

local function expect(world, watch, op, name)
   table.insert(world.expected, ("%d %s %s/%s"):format(watch.number, op, watch.path, name or ""))
end

local function end_of(world, watch)
   for i, other in ipairs(world.watches) do
      if other == watch then table.remove(world.watches, i) end
   end
   expect(world, watch, "ignored")
end

local function tell(world, inode, op, name)
   for _, watch in ipairs { table.unpack(world.watches) } do
      if INODE[watch.path] == inode and watch.mask & mask[op:upper()] ~= 0 then
         expect(world, watch, op, name)
         if watch.mask & mask.ONESHOT ~= 0 then end_of(world, watch) end
      end
   end
end

local function random_mask()
   local bits = mask[BITS[math.random(#BITS)]:upper()] | mask[BITS[math.random(#BITS)]:upper()]
   if math.random(4) == 1 then bits = bits | mask.ONESHOT end
   return bits
end

local function of_path(world, path)
   local list = {}
   for _, watch in ipairs(world.watches) do
      if watch.path == path then list[#list + 1] = watch end
   end
   return list
end

local work = {}

-- No name comes twice: the kernel merges equal neighbours.
local function new_name(world)
   world.names = (world.names or 0) + 1
   return tostring(world.names)
end

local function random_inode()
   return math.random(2) == 1 and "d1" or "d2"
end

local function put(world, inode, name)
   io.open(("%s/%s/%s"):format(world.dir, inode, name), "w"):close()
   table.insert(world.files[inode], name)
end

function work.make(world)
   local inode, name = random_inode(), new_name(world)
   put(world, inode, name)
   tell(world, inode, "create", name)
end

function work.remove_file(world)
   local inode = random_inode()
   local name = table.remove(world.files[inode])
   if not name then return end
   os.remove(("%s/%s/%s"):format(world.dir, inode, name))
   tell(world, inode, "delete", name)
end

function work.rename(world)
   local from, to = random_inode(), random_inode()
   local name, other = table.remove(world.files[from]), new_name(world)
   if not name then return end
   assert(os.rename(("%s/%s/%s"):format(world.dir, from, name), ("%s/%s/%s"):format(world.dir, to, other)))
   table.insert(world.files[to], other)
   tell(world, from, "moved_from", name)
   tell(world, to, "moved_to", other)
end

function work.add(world)
   if #world.watches > 6 then return end
   local path, bits = PATHS[math.random(3)], random_mask()
   local extends = math.random(3) == 1
   local watch = assert(world.inotify:add(world.dir .. "/" .. path, bits | (extends and mask.MASK_ADD or 0)))
   local old = extends and of_path(world, path)[1]
   if old then
      assert(watch == old.watch)
      old.mask = old.mask | bits
   else
      world.number = world.number + 1
      local new = { number = world.number, path = path, mask = bits, watch = watch }
      world.watches[#world.watches + 1] = new
      world[watch] = new
   end
end

function work.update(world)
   local watch = world.watches[math.random(math.max(#world.watches, 1))]
   if not watch then return end
   watch.mask = random_mask()
   assert(watch.watch:update(watch.mask))
end

function work.remove_watch(world)
   local watch = world.watches[math.random(math.max(#world.watches, 1))]
   if not watch then return end
   assert(world.inotify:remove(watch.watch))
   end_of(world, watch)
end

function work.remove_path(world)
   local path = PATHS[math.random(3)]
   local list = of_path(world, path)
   assert(world.inotify:remove(world.dir .. "/" .. path) == (#list > 0))
   for _, watch in ipairs(list) do end_of(world, watch) end
end

function work.remove_wd(world)
   local watch = world.watches[math.random(math.max(#world.watches, 1))]
   if not watch then return end
   assert(world.inotify:remove(watch.watch.wd))
   for _, other in ipairs { table.unpack(world.watches) } do
      if INODE[other.path] == INODE[watch.path] then end_of(world, other) end
   end
end

local function wanted_masks(world)
   local masks = {}
   for _, watch in ipairs(world.watches) do
      local wd = watch.watch.wd
      masks[wd] = (masks[wd] or 0) | watch.mask & 0xfff
   end
   return masks
end

local function take(world, events)
   for _, event in ipairs(events) do
      local rel = event.path:sub(#world.dir + 2) .. (event.name and "" or "/")
      table.insert(world.seen, ("%d %s %s"):format(world[event.watch].number, event.op, rel))
   end
end

-- The order of all is kept, but for IGNORED, which is the last of its watch: of two ONESHOTs on one inode the second is
-- ended by the kernel, a little later.
local function told_in_order(list)
   local events, each = {}, {}
   for _, text in ipairs(list) do
      local number = text:match "^%d+"
      each[number] = each[number] or {}
      table.insert(each[number], text)
      if not text:find "^%d+ ignored" then events[#events + 1] = text end
   end
   return { events = events, each = each }
end

local KINDS = { "make", "make", "make", "remove_file", "remove_file", "rename", "rename", "add", "add", "update",
   "remove_watch", "remove_path", "remove_wd" }

local function play(seed, steps)
   local world = new_world(seed)
   world.seen = {}
   for _ = 1, steps do
      work[KINDS[math.random(#KINDS)]](world)
      local kind = math.random(12)
      if kind == 1 then
         take(world, (world.inotify:read(0)))
      elseif kind == 2 then
         take(world, { (world.inotify:get(0)) })
      end
   end
   repeat
      local events = world.inotify:read(0)
      take(world, events)
   until #events == 0
   assert.same(told_in_order(world.expected), told_in_order(world.seen))
   assert.equal(#world.watches, #world.inotify)
   for _, watch in ipairs(world.watches) do
      assert.is_true(watch.watch.active)
      assert.equal(watch.mask, watch.watch.mask)
   end
   assert.same(wanted_masks(world), helper.masks(world.inotify))
   world.inotify:close()
   helper.clean()
end

describe("watches that share inodes", function()
   helper.leaves_nothing()

   for seed = 1, 20 do
      it("are told what the model says, seed " .. seed, function() play(seed, 400) end)
   end
end)
