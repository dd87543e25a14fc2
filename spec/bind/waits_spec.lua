-- SPDX-License-Identifier: MIT
--
-- waits_spec.lua - tasks that wait, cancel and close at random: no value is lost or given twice, and nobody hangs.

local helper = require "support.helper"
local moonwatch = require "moonwatch"

local co = moonwatch.coroutine

-- One world: channels, and a crowd of tasks that do one random thing after the other.
local function world(seed)
   math.randomseed(seed)
   local channels, tasks = {}, {}
   local put, got, closed, opened = {}, {}, 0, 0
   for i = 1, 4 do channels[i] = moonwatch.channel(i < 4 and i or nil) end

   local function any(list) return list[math.random(#list)] end

   local function note(value)
      if value == nil then return end
      got[value] = (got[value] or 0) + 1
   end

   -- A value counts as put only if `put` said so; cancel may come in between, so what was tried is kept apart.
   local function give(n)
      local value = seed .. ":" .. n
      put[value] = "tried"
      if any(channels):put(value, math.random() < 0.5 and 0 or math.random() / 1000) then put[value] = "put" end
   end

   local count = 0
   local acts = {
      function() count = count + 1 give(count) end,
      function() count = count + 1 give(count) end,
      function() note((any(channels):get(math.random() / 1000))) end,
      function()
         local source, value = moonwatch.select { any(channels), any(channels), timeout = math.random() / 1000 }
         if source then note(value) end
      end,
      function() moonwatch.sleep(math.random() / 2000) end,
      function() moonwatch.timeout(math.random() / 2000, function() note((any(channels):get())) end) end,
      function()
         for value in co.wrap(function() co.yield((any(channels):get(math.random() / 1000)) or false) end) do
            note(value or nil)
         end
      end,
      function()
         pcall(moonwatch.scope, function(scope)
            scope:spawn(function() note((any(channels):get(0.0005))) end)
            scope:spawn(function() if math.random() < 0.3 then error "at random" end end)
         end)
      end,
      function() any(tasks):join(math.random() / 2000) end,
      function() if math.random() < 0.2 then any(tasks):cancel() end end,
   }

   local function live(steps)
      opened = opened + 1
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      for _ = 1, steps do
         local ok, err = pcall(any(acts))
         if not ok and not tostring(err):find "a task cannot join itself" then error(err, 0) end
      end
   end

   moonwatch.run(function()
      for i = 1, 40 do tasks[i] = moonwatch.spawn("task " .. i, live, 30) end
      for _, task in ipairs(tasks) do
         local ok, err = task:join(30)
         if not ok and err ~= "cancelled" then error(err or "hangs", 0) end
      end
   end)
   for _, channel in ipairs(channels) do
      channel:close()
      for value in channel:each() do note(value) end
   end
   return put, got, opened, closed
end

describe("tasks that wait, cancel and close at random", function()
   helper.leaves_nothing()

   it("lose no value, get none twice, and close what they opened", function()
      for seed = 1, 25 do
         local put, got, opened, closed = world(seed)
         assert.equal(opened, closed, "seed " .. seed)
         for value, times in pairs(got) do
            assert.equal(1, times, value)
            assert.truthy(put[value], value)
         end
         for value, how in pairs(put) do assert.is_true(how == "tried" or got[value] == 1, value) end
      end
   end)
end)
