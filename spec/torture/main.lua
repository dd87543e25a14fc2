-- SPDX-License-Identifier: MIT
--
-- main.lua - `make torture SEEDS=1-20 OPS=5000 WRITERS=1,3 PROFILES=plain,hostile+frozen`: one line per run.
--
-- More flags (TORTURE_FLAGS="..."): --batch N operations between quiet points, --entries N size of the tree, --keep the
-- folder of a failure, --stop at the first failure, --module NAME what to test instead of moonwatch.

local build = os.getenv "BUILD" or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = ("%s/lib/?.so;%s/torture/?.so;%s"):format(build, build, package.cpath)

local torture = require "torture.run"

local function numbers(text)
   local list = {}
   for part in text:gmatch("[^,]+") do
      local first, last = part:match("^(%d+)%-(%d+)$")
      first = first or assert(part:match("^%d+$"), "not a number: " .. part)
      for number = tonumber(first), tonumber(last or first) do list[#list + 1] = number end
   end
   return list
end

local function words(text)
   local list = {}
   for word in text:gmatch("[^,]+") do
      local ok, unknown = torture.settings_of(word)
      if not ok then error("no profile " .. unknown, 0) end
      list[#list + 1] = word
   end
   return list
end

local readers = {
   seeds = numbers, writers = numbers, profiles = words, ops = tonumber, batch = tonumber, entries = tonumber,
   module = tostring, keep = true, stop = true, inside = true,
}

local function arguments(argv)
   local options = { seeds = { 1 }, writers = { 1 }, profiles = { "plain" }, module = "moonwatch" }
   local i = 1
   while argv[i] do
      local name = argv[i]:match("^%-%-(%a+)$")
      local reader = readers[name] or error("unknown flag " .. argv[i], 0)
      if reader == true then
         options[name] = true
      else
         i = i + 1
         options[name] = reader(argv[i] or error("no value for --" .. name, 0))
      end
      i = i + 1
   end
   return options
end

local function heading(config)
   return ("seed %d, %d writer%s, %s"):format(config.seed, config.writers, config.writers == 1 and "" or "s",
      config.profile)
end

local function indent(list)
   for _, line in ipairs(list) do print("      " .. line) end
end

local function repeat_line(config, options)
   local flags = {}
   for _, name in ipairs { "batch", "entries" } do
      if options[name] then flags[#flags + 1] = ("--%s %d"):format(name, options[name]) end
   end
   local line = ("make torture SEEDS=%d OPS=%d WRITERS=%d PROFILES=%s"):format(config.seed, config.ops, config.writers,
      config.profile)
   return #flags > 0 and ("%s TORTURE_FLAGS='%s'"):format(line, table.concat(flags, " ")) or line
end

local function report(result, options)
   local config, failure = result.config, result.failure
   local figures = ("%d ops, %d events, %d syncs, %d overflows, %.2f s"):format(config.ops, result.events, result.syncs,
      result.overflows, result.seconds)
   if not failure then
      print(("ok    %s: %s"):format(heading(config), figures))
      return
   end
   print(("FAIL  %s: %s"):format(heading(config), figures))
   print(("   %s: %s"):format(failure.oracle, failure.message))
   local view = failure.view or result.view and result.view.text
   if view then print("   view: " .. view) end
   if #failure.recent > 0 then print("   the last events:") end
   indent(failure.recent)
   if #failure.log > 0 then print("   the writers' log about it:") end
   indent(failure.log)
   if config.keep then print("   kept: " .. result.base) end
   print("   again: " .. repeat_line(config, options))
end

local function quote(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The limit of watches is set in a user namespace of its own: nobody else notices.
local function run_inside(config, options, limit)
   local command = {
      "unshare", "--user", "--map-root-user", "sh", "-c",
      ('echo %d > /proc/sys/user/max_inotify_watches && exec "$@"'):format(limit), "sh", arg[-1], arg[0], "--inside",
      "--seeds", tostring(config.seed), "--writers", tostring(config.writers), "--profiles", config.profile,
      "--module", options.module,
   }
   for _, name in ipairs { "ops", "batch", "entries" } do
      if options[name] then
         command[#command + 1] = "--" .. name
         command[#command + 1] = tostring(options[name])
      end
   end
   if options.keep then command[#command + 1] = "--keep" end
   for i, word in ipairs(command) do command[i] = quote(word) end
   io.stdout:flush()
   return os.execute(table.concat(command, " "))
end

local function perform(moonwatch, config, options)
   local limit = torture.settings_of(config.profile).user_watches
   if limit and not options.inside then return run_inside(config, options, limit) end
   local result = torture.run(moonwatch, config)
   report(result, options)
   return not result.failure
end

local function main()
   local options = arguments(arg)
   local moonwatch = require(options.module)
   local runs, failed = 0, 0
   io.stdout:setvbuf "line"
   for _, profile in ipairs(options.profiles) do
      for _, writers in ipairs(options.writers) do
         for _, seed in ipairs(options.seeds) do
            runs = runs + 1
            local config = {
               seed = seed, writers = writers, profile = profile, ops = options.ops or 5000, batch = options.batch,
               entries = options.entries, keep = options.keep,
            }
            if not perform(moonwatch, config, options) then
               failed = failed + 1
               if options.stop then break end
            end
         end
      end
   end
   if not options.inside then print(("%d runs, %d failed"):format(runs, failed)) end
   return failed == 0
end

os.exit(main(), true)
