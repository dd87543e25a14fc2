-- SPDX-License-Identifier: MIT
--
-- No change is lost: three writers do as they like, and in the end a rule knows what is on the disk.

local helper = require "support.helper"
local log = require "moonwatch.rule.log"
local moonwatch = require "moonwatch"
local rules = require "moonwatch.rules"

local FILES, WRITERS, STEPS = 12, 3, 600

local function content(path)
   local file <close> = io.open(path, "rb")
   return file and file:read "a" or nil
end

-- What a handler makes of a change; now and then it takes its time.
local function apply(model, change)
   if math.random() < 0.3 then moonwatch.sleep(math.random() * 0.003) end
   if change.op == "move" and change.from_rel then model[change.from_rel] = nil end
   if change.op == "delete" then
      model[change.rel] = nil
   else
      model[change.rel] = content(change.path) or model[change.rel]
   end
end

local function write(dir, who)
   for step = 1, STEPS do
      local one, other = dir .. "/" .. math.random(FILES), dir .. "/" .. math.random(FILES)
      local dice = math.random(10)
      if dice <= 6 then
         helper.write(one, who .. "-" .. step)
      elseif dice <= 8 then
         os.remove(one)
      else
         os.rename(one, other)
      end
      if math.random() < 0.2 then moonwatch.sleep(math.random() * 0.004) end
   end
end

local function play(keys, seed)
   math.randomseed(seed)
   local dir, model, disk = helper.folder(), {}, {}
   keys.watch, keys.settle, keys.max_wait, keys.guard, keys.on = dir, 0.002, 0.05, false, "create modify delete move"
   if keys.each then
      keys.each = function(change) apply(model, change) end
   else
      keys.run = function(batch)
         for _, change in ipairs(batch) do apply(model, change) end
      end
   end
   local set = rules.new { log = log.new { level = "error" } }
   set:declare("r", keys)
   moonwatch.run(function()
      assert(set:start())
      local writers = {}
      for who = 1, WRITERS do writers[who] = moonwatch.spawn("writer", write, dir, who) end
      for _, writer in ipairs(writers) do assert(writer:join()) end
      assert.is_true(set:idle(30))
      set:stop(10)
   end)
   for i = 1, FILES do disk[tostring(i)] = content(dir .. "/" .. i) end
   return disk, model
end

describe("a rule under three writers knows in the end what is on the disk", function()
   helper.leaves_nothing()

   for seed = 1, 3 do
      it(("with run, queued (seed %d)"):format(seed), function()
         assert.same(play({}, seed))
      end)
      it(("with run, restarted (seed %d)"):format(seed), function()
         assert.same(play({ busy = "restart" }, seed))
      end)
      it(("with each, four at a time (seed %d)"):format(seed), function()
         assert.same(play({ each = true, limit = 4 }, seed))
      end)
   end
end)
