-- SPDX-License-Identifier: MIT
--
-- Random rules under random work in a made-up world, reloaded now and then: no change is lost, no two runs of one key or
-- more than the limit at a time, and in the end nothing is left to do.

local core = require "moonwatch.core"
if not (core.settle and core.pattern) then return end

local testing = require "moonwatch.testing"

local SEEDS = tonumber(os.getenv "SEEDS") or 400

local random = math.random

local function pick(list) return list[random(#list)] end

local function maybe(chance, value) return random() < chance and value or nil end

local KEYS = {
   path = function(rel) return rel end,
   dir = function(rel) return rel:match "^(.*)/" or "." end,
   name = function(rel) return rel:match "[^/]*$" end,
   stem = function(rel) return (rel:match "[^/]*$":gsub("%.[^.]*$", "")) end,
}

local RUNS = { each = 'each = { "x", "{rel}" }', run = 'run = { "x", "{rels}" }' }
local FUNCTIONS = {
   each = 'each = function(change) return exec { "x", change.rel } end',
   run = [[run = function(batch)
      local argv = { "x" }
      for _, change in ipairs(batch) do argv[#argv + 1] = change.rel end
      return exec(argv)
   end]],
}

-- A rule as text, and what must hold for it.
local function random_rule()
   local mode = pick { "run", "each", "each" }
   local rule = { mode = mode, limit = pick { 1, 2, 4 }, key = mode == "each" and pick { "path", "dir", "name", "stem" } }
   local keys = {
      "settle = " .. pick { 0, 0.05, 0.3 }, "limit = " .. rule.limit, ("busy = %q"):format(pick { "queue", "restart" }),
      rule.key and ("key = %q"):format(rule.key), maybe(0.5, "max_wait = " .. pick { 0.2, 1 }),
      maybe(0.5, ("retry = { times = %d, delay = 0.5, jitter = 0.5 }"):format(pick { 0, 1, 5 })),
      maybe(0.3, "cooldown = " .. pick { 0.2, 1 }), maybe(0.3, 'hold = "lock"'), maybe(0.3, "complete = true"),
      maybe(0.5, "guard = false"), maybe(0.4, 'on = "create modify delete move"'), maybe(0.3, "start = true"),
      maybe(0.2, "timeout = 0.5, grace = 0.2"), pick { RUNS, FUNCTIONS }[mode],
   }
   local given = {}
   for i = 1, 14 do given[#given + 1] = keys[i] or nil end
   rule.text = ('\nrule "r" { watch = "src", %s }'):format(table.concat(given, ", "))
   return rule
end

local function check_running(world, rule)
   local running, seen = world:running(), {}
   assert(#running <= rule.limit, "more than the limit at a time")
   for _, argv in ipairs(rule.key and running or {}) do
      local key = KEYS[rule.key](argv[2])
      assert(not seen[key], "two runs of one key")
      seen[key] = true
   end
end

-- One thing done in the tree. saved: path -> when its newest content was written.
local function work(world, paths, saved)
   local path, other, dice = pick(paths), pick(paths), random(10)
   if dice <= 5 then
      world:save(path)
      saved[path] = world.time
   elseif dice == 6 then
      world:write(path):pass(pick { 0, 0.4 }):close(path)
      saved[path] = world.time
   elseif dice == 7 then
      world:remove(path)
      saved[path] = nil
   elseif dice == 8 and world.tree[path] and path ~= other then
      world:move(path, other)
      saved[path], saved[other] = nil, saved[path]
   elseif dice == 9 and not world:remove "lock" then
      world:save "lock"
   elseif dice == 10 then
      world:rule("r"):pause():trigger():resume()
   end
end

-- Every path that is there was run for after its newest content was written.
local function check_handled(world, saved)
   for path, time in pairs(saved) do
      local last = -1
      for _, record in ipairs(world.records) do
         for i = 2, #record.argv do
            if "src/" .. record.argv[i] == path then last = record.at end
         end
      end
      assert(last >= time, ("%s was changed at %g, and last run for at %g"):format(path, time, last))
   end
end

local function play(seed, reloads)
   math.randomseed(seed)
   local rules = { random_rule(), random_rule() }
   local world = testing.load(rules[1].text, { processes = { x = function()
      return { code = pick { 0, 0, 0, 1 }, seconds = pick { 0, 0.05, 0.5, 2 }, stubborn = random() < 0.2 }
   end } })
   local paths, saved = {}, {}
   for i = 1, 6 do paths[i] = "src/" .. pick { "a/", "b/", "" } .. i .. pick { ".c", ".h", "" } end
   for _ = 1, random(50) do
      work(world, paths, saved)
      if reloads and random() < 0.1 then world:reload(pick(rules).text) end
      for _ = 1, 2 do
         world:pass(pick { 0, 0.01, 0.1, 0.5 })
         if not reloads then check_running(world, rules[1]) end
      end
   end
   world:remove "lock"
   local idle = world:pass_until_idle(1000)
   if world:rule("r"):status().paused then return end -- by its guard
   assert(idle, "not idle in the end")
   check_handled(world, saved)
   for _, line in ipairs(world:logged "error") do assert(not line:find "%.lua:", line) end
end

describe("random rules under random work", function()
   for what, reloads in pairs { ["keep their promises"] = false, ["lose nothing when they are reloaded"] = true } do
      it(what, function()
         for seed = 1, SEEDS do
            local ok, err = xpcall(play, debug.traceback, seed, reloads)
            assert(ok, ("seed %d: %s"):format(seed, err))
         end
      end)
   end
end)
