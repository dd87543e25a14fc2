-- SPDX-License-Identifier: MIT
--
-- events.lua - moonwatch events: prints what happens below the given paths.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local format = require "moonwatch.cli.format"
local json = require "moonwatch.cli.json"
local moonwatch = require "moonwatch"
local options = require "moonwatch.cli.options"
local summary = require "moonwatch.cli.summary"
local supervise = require "moonwatch.cli.supervise"

local events = {
   summary = "Prints what happens below the given files and directories.",
   usage = "moonwatch events [options] PATH...",
   epilog = format.help .. [[

Ends with 0 after --count, 1 where something cannot be watched, 2 on a wrong option,
3 where nothing happened for --timeout, 128 + n by signal n.]],
}

local OPS = { "create", "close_write", "attrib", "delete", "move", "modify", "open", "access", "close_nowrite" }
local ALWAYS = { "overflow", "gone", "back", "unwatched" } -- told whatever was asked for
local FAMILIES = { all = OPS, close = { "close_write", "close_nowrite" } }

local function op_words()
   local words = table.move(ALWAYS, 1, #ALWAYS, #OPS + 1, table.move(OPS, 1, #OPS, 1, {}))
   for family in pairs(FAMILIES) do words[#words + 1] = family end
   table.sort(words, function(a, b) return a < b end)
   return options.words(words)
end

-- Options -------------------------------------------------------------------------------------------------------------

local function define_output(parser)
   parser:flag("--json", "One JSON object a line; a name that is not UTF-8 also as NAME_base64.")
   parser:flag("-0 --null", "End each record with NUL, and leave names as they are.")
   parser:option("--format", "One line per event, as FORMAT says (codes: see below)."):argname "FORMAT"
   parser:option("--time-format", "What %T is, in strftime's codes, %N for microseconds."):argname "FORMAT"
   parser:flag("--summary", "No events, but at the end a table of counts per directory (--json: an object).")
end

local function define_choice(parser)
   parser:option("--match", "Only what PATTERN matches (gitignore's language and {a,b})."):argname("PATTERN")
      :convert(options.pattern):count "*"
   parser:option("--ignore", "Neither report nor watch what PATTERN matches."):argname("PATTERN")
      :convert(options.pattern):count "*"
   parser:flag("--gitignore", "Obey .gitignore files.")
   parser:flag("-r --recursive", "Directories below, too (the default).")
   parser:flag("-R --no-recursive", "The given directories alone.")
   parser:option("--depth", "At most so many levels below."):argname("N"):convert(options.count)
   parser:flag("--follow", "Go through symbolic links to directories.")
   parser:flag("--one-filesystem", "Do not cross mounts.")
   parser:flag("--initial", "First report what is there, as if it were new.")
   parser:flag("--wait-for-path", "A path may come later.")
   parser:option("--backend", "How changes are seen; auto polls what inotify cannot see."):choices {
      "auto", "inotify", "poll" }
end

local function define_ops(parser)
   parser:option("-e --events", "Only these, separated by commas: create, close_write, attrib, delete, move (the "
      .. "default), modify, open, access, close_nowrite, close, all. The ops overflow, gone, back and unwatched are "
      .. "always told."):argname("OPS"):convert(op_words()):count "*"
end

local function define_end(parser, count, timeout)
   parser:option("--count", count):argname("N"):convert(options.count)
   parser:option("--timeout", timeout):argname("S"):convert(options.seconds)
   parser:flag("-q --quiet", "Do not say when all is watched.")
end

function events.define(parser)
   parser:argument("path", "What to watch: directories, files, patterns."):args "*"
   options.define_from(parser)
   define_end(parser, "End after N events (with -e: of those that it names).",
      "End when nothing happened for S seconds (with --summary: after S).")
   define_output(parser)
   define_ops(parser)
   define_choice(parser)
end

--- The same where the ops and the output are given.
function events.define_record(parser)
   parser:argument("path", "What to watch: directories, files, patterns."):args "*"
   options.define_from(parser)
   define_end(parser, "End after N events.", "End when nothing happened for S seconds.")
   define_choice(parser)
end

-- The ops that -e names, as a set; nil without it.
local function named_ops(given)
   if #given == 0 then return nil end
   local named = {}
   for _, words in ipairs(given) do
      for _, word in ipairs(words) do
         for _, op in ipairs(FAMILIES[word] or { word }) do named[op] = true end
      end
   end
   return named
end

-- Of these a watcher has to be told: the others come in any case.
local function ops_of(named)
   local ops = {}
   for _, op in ipairs(OPS) do
      if named[op] then ops[#ops + 1] = op end
   end
   return ops
end

local function some(list)
   return list and #list > 0 and list or nil
end

local function watch_options(given)
   return {
      wait = false,
      events = given.named and ops_of(given.named),
      match = some(given.match), ignore = some(given.ignore),
      ignore_files = given.gitignore and { ".gitignore" } or nil,
      recursive = not given.no_recursive, depth = given.depth,
      follow = given.follow, one_filesystem = given.one_filesystem,
      initial = given.initial, missing = given.wait_for_path and "wait" or nil, backend = given.backend,
   }
end

local function check(given)
   if given.recursive and given.no_recursive then exit.usage("%s: -r and -R exclude each other", given.command_name) end
   if given.format and (given.json or given.summary) then
      exit.usage("%s: --format and --%s exclude each other", given.command_name, given.json and "json" or "summary")
   end
end

-- Printing ------------------------------------------------------------------------------------------------------------

local function write(text)
   local ok, message = io.stdout:write(text)
   if not ok then exit.refused("standard output: %s", message) end
end

local function flush()
   local ok, message = io.stdout:flush()
   if not ok then exit.refused("standard output: %s", message) end
end

-- Whoever reads the output has gone: this need not wait for the next event.
local function end_without_reader()
   exit.refused "standard output: Broken pipe"
end

-- What becomes of each event: print it, or count it.
local function sink(given)
   if given.summary then return summary.new(given.json) end
   local record = format.new {
      json = given.json, null = given.null, format = given.format, time_format = given.time_format,
      colour = core.system.isatty(1) and (os.getenv "NO_COLOR" or "") == "",
   }
   return { put = function(event) write(record(event)) end, finish = function() end }
end

local function tell_ready(given, watcher, paths)
   if given.quiet then
      return
   elseif given.json and not given.summary then
      local awaited = supervise.awaited { watcher }
      write(json.encode({ op = "ready", directories = supervise.watched { watcher }, roots = json.list(paths),
         awaited = #awaited > 0 and json.list(awaited) or nil }, { "op", "directories", "roots" })
         .. (given.null and "\0" or "\n"))
      flush()
   else
      exit.say("%s", supervise.watching { watcher })
   end
end

-- Reading -------------------------------------------------------------------------------------------------------------

-- What nobody has named is told, but it is not what was waited for.
local function put(reader, event)
   reader.sink.put(event)
   local counts = not reader.named or reader.named[event.op]
   if counts and reader.left then reader.left = reader.left - 1 end
end

-- Everything that is there now; true when `left` has come down to 0.
local function drain(reader)
   while reader.left ~= 0 do
      local event = reader.watcher:get(0)
      if not event then break end
      put(reader, event)
   end
   flush()
   return reader.left == 0
end

local function take(reader, event)
   put(reader, event)
   return drain(reader)
end

-- What comes before all is watched; true when that was enough.
local function read_until_ready(reader)
   local ready = moonwatch.spawn("ready", function() return reader.watcher:ready() end)
   while true do
      local source, event = moonwatch.select { reader.watcher, ready, reader.gone }
      if source == reader.gone and source then
         end_without_reader()
      elseif source == ready then
         exit.check(select(2, ready:join()))
         return drain(reader)
      elseif take(reader, event) then
         return true
      end
   end
end

-- The next event within so many seconds; what is there is taken without asking for more.
local function next_event(reader, seconds)
   local event = reader.watcher:get(0)
   if event then return event end
   if not reader.gone then return reader.watcher:get(seconds) end
   local source, value, message = moonwatch.select { reader.watcher, reader.gone, timeout = seconds }
   if source == reader.gone then end_without_reader() end
   return source and value, source and message or value
end

-- Until the count is reached (0) or the time is over (3).
local function read_on(reader, given)
   local finish = given.summary and given.timeout and moonwatch.now() + given.timeout
   while true do
      local event, message = next_event(reader, finish and math.max(0, finish - moonwatch.now()) or given.timeout)
      if event and take(reader, event) then
         return exit.DONE
      elseif not event and message == "timeout" then
         return finish and exit.DONE or exit.TIMEOUT
      elseif not event then
         exit.refused("%s", message)
      end
   end
end

local function follow(given, paths)
   local watcher <close> = exit.check(moonwatch.watch(paths, watch_options(given)))
   local gone <close> = core.hangup(1)
   local reader = { watcher = watcher, sink = sink(given), left = given.count, named = given.named, gone = gone }
   local _ <close> = setmetatable({}, { __close = function() reader.sink.finish() end })
   local progress = supervise.show_progress(function() return { watcher } end)
   local is_enough = read_until_ready(reader)
   if progress then progress:cancel() end
   tell_ready(given, watcher, paths)
   return is_enough and exit.DONE or read_on(reader, given)
end

function events.run(given)
   check(given)
   given.named = named_ops(given.events)
   local paths = options.paths(given.command_name, given.path, given.from, "a path is missing")
   sink(given)
   io.stdout:setvbuf "full"
   return supervise.run(function() return follow(given, paths) end)
end

return events
