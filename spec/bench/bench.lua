-- SPDX-License-Identifier: MIT
--
-- bench.lua - runs the figures of this folder's README and prints them as ratios to raw C.
--
--    BUILD=build REPEAT=5 lua5.4 spec/bench/bench.lua [figure ...]
--
-- A figure is a table: its title, its unit, and its contestants, the first of which is the measure. All of them take
-- turns (REPEAT times), so that a slow minute of the machine meets each of them; what is printed is the median over all
-- turns. A contestant marked `limit` is there to compare with. With PEERS=1 other watchers take part too, those that
-- are installed.

local build = os.getenv "BUILD" or "build"
local lua = os.getenv "LUA" or "lua5.4"
local turns = tonumber(os.getenv "REPEAT") or 5
local with_peers = (os.getenv "PEERS" or "") ~= ""
local trial, raw = build .. "/bench/trial", build .. "/bench/raw"

local function quote(text)
   return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function command(words)
   local quoted = {}
   for index, word in ipairs(words) do quoted[index] = quote(word) end
   return table.concat(quoted, " ")
end

-- The consumers find the module of this tree.
local paths = ("LUA_PATH=%s LUA_CPATH=%s"):format(quote "lua/?.lua;lua/?/init.lua;spec/bench/consumers/?.lua;;",
   quote(build .. "/lib/?.so;;"))

-- Lines of numbers that a command printed, as lists; nil and its message where it failed.
local function run(words, environment)
   local errors = os.tmpname()
   local pipe = assert(io.popen(("%s %s timeout 300 %s 2>%s"):format(paths, environment or "", command(words), errors)))
   local rows = {}
   for line in pipe:lines() do
      local row = {}
      for number in line:gmatch "%S+" do row[#row + 1] = tonumber(number) end
      rows[#rows + 1] = row
   end
   local ok = pipe:close()
   local file = assert(io.open(errors))
   local message = file:read "a"
   file:close()
   os.remove(errors)
   if not ok then return nil, message end
   return rows
end

local function median(numbers)
   table.sort(numbers)
   local middle = #numbers // 2
   return #numbers % 2 == 1 and numbers[middle + 1] or (numbers[middle] + numbers[middle + 1]) / 2
end

local function percentile(numbers, share)
   table.sort(numbers)
   return numbers[math.max(1, math.ceil(#numbers * share))]
end

-- Places ---------------------------------------------------------------------------------------------------------------

local scratch

local function folder(name)
   local path = scratch .. "/" .. name
   assert(os.execute("rm -rf " .. quote(path) .. " && mkdir -p " .. quote(path)))
   return path
end

local trees = {}

-- A tree of so many directories and files with names of 16 bytes, made once.
local function tree(directories, files)
   local name = ("tree-%d-%d"):format(directories, files)
   if not trees[name] then
      trees[name] = folder(name)
      assert(run { trial, "tree", trees[name], directories, files })
   end
   return trees[name]
end

-- Contestants ----------------------------------------------------------------------------------------------------------

local function module(script, ...)
   return { lua, "spec/bench/consumers/" .. script .. ".lua", ... }
end

local function concat(first, second)
   local all = table.move(first, 1, #first, 1, {})
   return table.move(second, 1, #second, #all + 1, all)
end

-- CPU nanoseconds per kernel record of a burst; every round's count is verified.
local function burst(kind, files, spread, records, expected)
   return function(contestant, dir)
      local rows, message = run(concat({ trial, "burst", dir, kind, files, 6, spread, "--" }, contestant.argv(dir)),
         contestant.environment)
      if not rows then return nil, message end
      local result = {}
      for index = 2, #rows do -- the first warms up
         local ns, count = rows[index][1], rows[index][2]
         local wanted = contestant.expected == nil and expected or contestant.expected
         if wanted and count ~= wanted then return nil, ("counted %d events of %d"):format(count, wanted) end
         result[#result + 1] = ns / (contestant.records or records)
      end
      return result
   end
end

local function setup_cpu(contestant, dir)
   local rows, message = run(concat({ trial, "setup", 1, "--" }, contestant.argv(dir)), contestant.environment)
   if not rows then return nil, message end
   return { rows[1][1] / 1e6 }
end

-- Other watchers. `needs` is a command that succeeds where it is there; `expected` false: it tells too little to be
-- verified; `records` are those that it asks the kernel for, where not all.
local PYTHON = "/usr/bin/python3"
local modules_of_node = build .. "/bench/npm"

local function peer(name, needs, argv, more)
   local contestant = { name = name, needs = needs, argv = argv, peer = true }
   for key, value in pairs(more or {}) do contestant[key] = value end
   return contestant
end

local function script(interpreter, file, ...)
   local more = { ... }
   return function(dir) return concat({ interpreter, "spec/bench/peers/" .. file, dir }, more) end
end

local function node(file, package)
   return ("test -d %s/node_modules/%s"):format(modules_of_node, package), script("node", file),
      "NODE_MODULES=" .. modules_of_node
end

local needs_chokidar, run_chokidar, of_npm = node("chokidar.mjs", "chokidar")
local needs_parcel, run_parcel = node("parcel.mjs", "@parcel/watcher")

local function inotifywait(recursive)
   return function(dir)
      return { "sh", "-c", ("exec inotifywait %s -m -e create -e close_write -e delete -e move %s 2>&1"):format(
         recursive, quote(dir)) }
   end
end

local WAITS = { environment = 'LINES=1 READY="Watches established"' }
local LUA53 = "lua5.3 -e 'require %q'"

local PEERS_OF_A_FOLDER = {
   peer("linotify (Lua 5.3)", LUA53:format "inotify", script("lua5.3", "linotify.lua", 12000)),
   peer("luv fs_event", lua .. " -e 'require \"luv\"'", script(lua, "luv.lua", 8000), { expected = 8000, records = 8000 }),
   peer("cqueues notify", lua .. " -e 'require \"cqueues\"'", script(lua, "cqueues.lua"),
      { expected = false, environment = "RESTS=1" }),
   peer("inotifywait into a pipe", "command -v inotifywait", inotifywait "", WAITS),
   peer("pyinotify", PYTHON .. " -c 'import pyinotify'", script(PYTHON, "pyinotify_count.py")),
   peer("watchdog", PYTHON .. " -c 'import watchdog'", script(PYTHON, "watchdog_count.py"), { expected = false }),
   peer("chokidar", needs_chokidar, run_chokidar, { expected = false, environment = "RESTS=1 " .. of_npm }),
   peer("@parcel/watcher", needs_parcel, run_parcel, { expected = false, environment = "RESTS=1 " .. of_npm }),
}

local PEERS_OF_A_TREE = {
   peer("inotifywait -r", "command -v inotifywait", inotifywait "-r", WAITS),
   peer("pyinotify", PYTHON .. " -c 'import pyinotify'", script(PYTHON, "pyinotify_count.py")),
   peer("watchdog", PYTHON .. " -c 'import watchdog'", script(PYTHON, "watchdog_count.py")),
   peer("fswatch -r", "command -v fswatch", function(dir) return { "fswatch", "-r", dir } end, { environment = "READY=" }),
   peer("lsyncd", "command -v lsyncd", function(dir) return { "lsyncd", "-nodaemon", "-rsync", dir, scratch .. "/copy" } end,
      { environment = "READY=" }),
   peer("@parcel/watcher", needs_parcel, run_parcel, { environment = "SETTLES=1 " .. of_npm }),
   peer("chokidar", needs_chokidar, run_chokidar, { environment = of_npm }),
}

local function followed_by(contestants, peers)
   for _, other in ipairs(with_peers and peers or {}) do
      contestants[#contestants + 1] = os.execute(other.needs .. " >/dev/null 2>&1") and other or nil
   end
   return contestants
end

local figures = {}

local function figure(name, fields)
   fields.name = name
   followed_by(fields, fields.peers)
   figures[#figures + 1] = fields
end

local EACH = { name = "inotify object, each", argv = function(dir) return module("inotify_each", dir, 12000) end }
local HANDLER = { name = "inotify object, handler", argv = function(dir) return module("inotify_handler", dir, 12000) end }
local READ = { name = "inotify object, read", limit = true, argv = function(dir) return module("inotify_read", dir, 12000) end }

figure("burst", {
   title = "burst of 12,000 events into an inotify object",
   unit = "ns/event", target = 1.5,
   place = function() return folder "burst" end,
   measure = burst("files", 4000, 0, 12000, 12000),
   peers = PEERS_OF_A_FOLDER,
   { name = "raw C read loop", argv = function(dir) return { raw, "read", dir } end },
   EACH, HANDLER, READ,
})

figure("watcher", {
   title = "burst of 12,000 records into a watcher of 10,000 directories (create, close_write, move, delete)",
   unit = "ns/record", target = 2.5,
   place = function() return tree(10000, 0) end,
   measure = burst("moves", 2400, 10000, 12000, 4 * 2400),
   { name = "raw C read loop", expected = 12000, argv = function(dir) return { raw, "tree", dir } end },
   { name = "watcher, each", argv = function(dir) return module("watcher_each", dir, 4 * 2400) end },
   { name = "watcher, on", argv = function(dir) return module("watcher_on", dir, 4 * 2400) end },
})

figure("rule", {
   title = "burst of 6,000 new files into a rule with a Lua function, after settling",
   unit = "ns/path", target = 4,
   place = function() return folder "burst" end,
   measure = burst("new", 6000, 0, 6000, 6000),
   { name = "raw C read loop", expected = 12000, argv = function(dir) return { raw, "read", dir } end },
   { name = "rule, run", argv = function(dir) return module("rule", "run", dir) end },
   { name = "rule, each", limit = true, argv = function(dir) return module("rule", "each", dir) end },
})

figure("setup", {
   title = "set-up of 10,000 directories with 100,000 files, until ready",
   unit = "ms", target = 1.3,
   place = function() return tree(10000, 100000) end,
   measure = setup_cpu,
   peers = PEERS_OF_A_TREE,
   { name = "raw C walk and watch", argv = function(dir) return { raw, "tree", dir } end },
   { name = "raw C with a statx per file", limit = true, argv = function(dir) return { raw, "statx", dir } end },
   { name = "watcher", argv = function(dir) return module("watcher_each", dir, 0) end },
})

-- Anonymous memory with and without files, and of the bare module: three equations, two unknowns and a start.
figure("memory", {
   title = "user memory per entry of 100,000 directories with 1,000,000 files, names of 16 bytes",
   unit = "bytes", whole = true,
   run = function(report)
      local function anonymous(dir)
         local rows, message = run(concat({ trial, "setup", 1, "--" },
            dir and module("watcher_each", dir, 0) or module "start"))
         if not rows then return nil, message end
         return rows[1][3] * 1024
      end
      local start, message = anonymous(nil)
      local directories = start and anonymous(tree(100000, 0))
      local all = directories and anonymous(tree(100000, 1000000))
      if not all then return report("watcher", nil, message or "the watcher did not start") end
      report("per directory", (directories - start) / 100000, nil, 128)
      report("per file", (all - directories) / 1000000, nil, 48)
   end,
})

figure("idle", {
   title = "wake-ups in 5 s of quiet, a tree of 10,000 directories",
   unit = "wake-ups", whole = true,
   run = function(report)
      for _, contestant in ipairs {
         { "raw C read loop", { raw, "tree", tree(10000, 100000) } },
         { "watcher", module("watcher_each", tree(10000, 100000), 0) },
         { "inotify object", module("inotify_each", folder "idle", 0) },
      } do
         local rows, message = run(concat({ trial, "idle", 5, "--" }, contestant[2]))
         report(contestant[1], rows and rows[1][1], message, contestant[1] ~= "raw C read loop" and 0 or nil)
      end
   end,
})

figure("latency", {
   title = "from a write to the handler on an idle system, p50 / p99",
   unit = "us", whole = true,
   run = function(report)
      local limits = {}
      for _, contestant in ipairs {
         { "raw C with epoll", function(dir) return { raw, "epoll", dir } end },
         { "inotify object, handler", function(dir) return module("latency", "inotify", dir) end },
         { "watcher, on", function(dir) return module("latency", "watcher", dir) end },
      } do
         local rows, message = run(concat({ trial, "latency", folder "latency", 1000, 0.004, "--" },
            contestant[2](scratch .. "/latency")))
         local numbers = {}
         for index, row in ipairs(rows or {}) do numbers[index] = row[1] / 1000 end
         for _, share in ipairs { 0.5, 0.99 } do
            local value = rows and percentile(numbers, share)
            limits[share] = limits[share] or value
            report(("%s, p%d"):format(contestant[1], share * 100), value, message,
               contestant[1] ~= "raw C with epoll" and limits[share] and 1.25 * limits[share] or nil)
         end
      end
   end,
})

-- A rule script in the host, which says on its standard error when it is ready.
local function host(script_, ...)
   local words = { quote(build .. "/bin/moonwatch"), "spec/bench/consumers/" .. script_ .. ".lua" }
   for _, word in ipairs { ... } do words[#words + 1] = quote(word) end
   return { "sh", "-c", "exec " .. table.concat(words, " ") .. " 2>&1" }
end

local WATCHING = "READY=watching"

figure("exec", {
   title = "from a save to the command of a rule with settle = 0, p50 / p99",
   unit = "us", whole = true,
   run = function(report)
      local limits = {}
      for _, contestant in ipairs {
         { "entr", function(file) return { "sh", "-c", ("echo %s | exec entr -np %s/bench/stamp"):format(quote(file),
            quote(build)) } end },
         { "rule", function(file) return { "sh", "-c", ("exec %s/bin/moonwatch spec/bench/consumers/rule_exec.lua %s %s"
            .. "/bench/stamp 2>/dev/null"):format(quote(build), quote(file), quote(build)) } end },
      } do
         local dir = folder "exec"
         local rows, message = run(concat({ trial, "latency", dir, 60, 0.1, "--" },
            contestant[2](dir .. "/latency")), "READY=")
         local numbers = {}
         for index, row in ipairs(rows or {}) do numbers[index] = row[1] / 1000 end
         for _, share in ipairs { 0.5, 0.99 } do
            local value = rows and percentile(numbers, share)
            limits[share] = limits[share] or value
            report(("%s, p%d"):format(contestant[1], share * 100), value, message,
               contestant[1] == "rule" and limits[share] and 1.2 * limits[share] or nil)
         end
      end
   end,
})

-- The queue is filled three times over in one folder of a large tree; all is well again at `sync`.
figure("recover", {
   title = "recovery after an overflow, 100,000 entries",
   unit = "ms", target = 1.5,
   place = function() return tree(10000, 90000) end,
   measure = function(contestant, dir)
      if contestant.walk then
         local rows, message = run { trial, "setup", 1, "--", raw, "walk", dir }
         return rows and { rows[1][1] / 1e6 }, message
      end
      local rows, message = run(concat({ trial, "burst", dir, "files", 16000, 1, 0, "--" }, contestant.argv(dir)))
      return rows and { rows[1][1] / 1e6 }, message
   end,
   { name = "raw C walk with a statx per file", walk = true },
   { name = "watcher", argv = function(dir) return module("recover", dir) end },
})

local function renames(entries)
   local dir = folder("rename-" .. entries)
   assert(run { trial, "tree", dir .. "/moving-0", math.max(1, entries // 10), entries - math.max(1, entries // 10) })
   return dir
end

figure("rename", {
   title = "rename of a directory with 10 and with 100,000 entries below: cost of each",
   unit = "ns", whole = true,
   run = function(report)
      local first
      for _, entries in ipairs { 10, 100000 } do
         local dir = renames(entries)
         local rows, message = run(concat({ trial, "burst", dir, "renames", 2000, 5, 0, "--" },
            module("watcher_each", dir, 2000)))
         local numbers = {}
         for index = 2, #(rows or {}) do numbers[#numbers + 1] = rows[index][1] / 2000 end
         local value = rows and median(numbers)
         report(("%d entries below"):format(entries), value, message, first and 1.3 * first or nil)
         first = first or value
      end
   end,
})

figure("large", {
   title = "set-up of 100,000 directories with 1,000,000 files, until ready",
   unit = "ms", target = 1.3, turns = 3,
   place = function() return tree(100000, 1000000) end,
   measure = setup_cpu,
   { name = "raw C walk and watch", argv = function(dir) return { raw, "tree", dir } end },
   { name = "watcher", argv = function(dir) return module("watcher_each", dir, 0) end },
})

local function flat(report, steps, label, measure)
   local first
   for _, step in ipairs(steps) do
      local numbers, message = {}, nil
      for _ = 1, 3 do
         local result
         result, message = measure(step)
         for _, number in ipairs(result or {}) do numbers[#numbers + 1] = number end
      end
      local value = #numbers > 0 and median(numbers) or nil
      report(label:format(step), value, message, first and 1.3 * first or nil)
      first = first or value
   end
end

figure("flat-tree", {
   title = "cost per record as the tree grows",
   unit = "ns/record", whole = true,
   run = function(report)
      flat(report, { 100, 1000, 10000, 100000 }, "%d directories", function(directories)
         -- The work is done in a hundred of them: the caches of the processor are not what is asked for.
         return burst("moves", 2400, 100, 12000, 4 * 2400)(
            { argv = function(dir) return module("watcher_each", dir, 4 * 2400) end }, tree(directories, 0))
      end)
   end,
})

figure("flat-moves", {
   title = "cost per record of files that are moved out of the tree at once, as they become more",
   unit = "ns/record", whole = true,
   run = function(report)
      flat(report, { 1000, 4000, 12000 }, "%d files", function(files)
         return burst("out", files, 0, files, files)(
            { argv = function(dir) return module("watcher_each", dir, files) end }, folder "moves")
      end)
   end,
})

figure("flat-rules", {
   title = "cost per path as rules with disjoint roots are added",
   unit = "ns/path", whole = true,
   run = function(report)
      local dir = folder "rules"
      for index = 1, 1000 do assert(os.execute(("mkdir %s/r%d"):format(quote(dir), index))) end
      flat(report, { 1, 10, 100, 1000 }, "%d rules", function(rules)
         return burst("saves", 6000, 0, 6000, 6000)(
            { environment = WATCHING, argv = function() return host("rules_many", dir, 6000, rules) end }, dir .. "/r1")
      end)
   end,
})

figure("resident", {
   title = "resident memory of the host with a rule on an empty folder",
   unit = "KiB", whole = true,
   run = function(report)
      local rows, message = run(concat({ trial, "setup", 1, "--" },
         host("rule_run", folder "empty", 1)), WATCHING)
      report("host", rows and rows[1][4], message, 4096)
   end,
})

figure("idle-host", {
   title = "wake-ups in 5 s of quiet, ten rules on a tree of 100,000 directories",
   unit = "wake-ups", whole = true,
   run = function(report)
      local dir = folder "ten"
      assert(os.execute(("ln -s %s %s/r1; for i in 2 3 4 5 6 7 8 9 10; do mkdir %s/r$i; done"):format(
         quote(tree(100000, 0)), quote(dir), quote(dir))))
      local rows, message = run(concat({ trial, "idle", 5, "--" }, host("rules_many", dir, 1, 10)), WATCHING)
      report("host", rows and rows[1][1], message, 0)
   end,
})

-- Printing --------------------------------------------------------------------------------------------------------------

local page = {} -- the same lines for doc/performance.md

local function put(name, value, unit, ratio, target, verdict)
   local function number(n, format) return n and format:format(n) or "" end
   print(("   %-34s %10.1f %-10s %8s  %s"):format(name, value, unit, number(ratio, "%.2f x"),
      target and ("(at most %s: %s)"):format(target, verdict) or ""))
   page[#page + 1] = ("| %s | %.4g %s | %s | %s |"):format(name, value, unit, number(ratio, "%.2f"),
      target and target .. (verdict == "met" and "" or ", **missed**") or "")
end

local function print_title(figure_)
   print(("%s: %s"):format(figure_.name, figure_.title))
   page[#page + 1] = ("\n%s (`%s`)\n\n| | | × the first | at most |\n| --- | --- | --- | --- |"):format(
      figure_.title:gsub("^%l", string.upper), figure_.name)
end

local function print_row(name, value, unit, ratio, target, message)
   if not value then
      print(("   %-34s %s"):format(name, (message or "failed"):match "^[^\n]*"))
      return
   end
   put(name, value, unit, ratio, target and ("%.2f"):format(target), target and (ratio <= target and "met" or "MISSED"))
end

local function print_whole(figure_)
   figure_.run(function(name, value, message, target)
      if not value then return print_row(name, nil, nil, nil, nil, message) end
      put(name, value, figure_.unit, nil, target and ("%.4g"):format(target),
         target and (value <= target and "met" or "MISSED"))
   end)
end

-- Between the two marks of doc/performance.md.
local function write_page(path)
   local file = assert(io.open(path))
   local text = file:read "a"
   file:close()
   local head, tail = text:match "^(.-<!%-%- figures %-%->\n).-(<!%-%- end of figures %-%->.*)$"
   assert(head, path .. " has no marks for the figures")
   file = assert(io.open(path, "w"))
   file:write(head, table.concat(page, "\n"), "\n\n", tail)
   file:close()
end

local function compare(figure_)
   local numbers, messages = {}, {}
   local dir = figure_.place()
   for turn = 1, math.min(turns, figure_.turns or turns) do
      for index, contestant in ipairs(figure_) do
         if not messages[index] then
            if turn > 1 or index > 1 then dir = figure_.place() end
            local result, message = figure_.measure(contestant, dir)
            messages[index] = not result and (message or "failed") or nil
            numbers[index] = numbers[index] or {}
            for _, number in ipairs(result or {}) do table.insert(numbers[index], number) end
         end
      end
   end
   local limit = not messages[1] and median(numbers[1]) or 0 / 0
   for index, contestant in ipairs(figure_) do
      local value = not messages[index] and median(numbers[index])
      print_row(contestant.name, value, figure_.unit, value and value / limit,
         index > 1 and not (contestant.limit or contestant.peer) and figure_.target or nil, messages[index])
   end
end

local function wanted(name)
   for _, word in ipairs(arg) do
      if word == name then return true end
   end
   return #arg == 0
end

local pipe = assert(io.popen "mktemp -d")
scratch = pipe:read "l"
pipe:close()

local ok, message = xpcall(function()
   for _, figure_ in ipairs(figures) do
      if wanted(figure_.name) then
         print_title(figure_);
         (figure_.whole and print_whole or compare)(figure_)
         io.stdout:flush()
      end
   end
end, debug.traceback)
os.execute("rm -rf " .. quote(scratch))
if not ok then error(message, 0) end
if (os.getenv "WRITE" or "") ~= "" and #arg == 0 then write_page "doc/performance.md" end
