-- SPDX-License-Identifier: MIT
--
-- scene.lua - a watched folder R with a folder O outside of it, and the oracles of a scenario.
--
--    local scene = require "support.scene"
--    local s = scene.new()                       -- R and O, fresh; gone when the `it` has ended
--    helper.write(s.R .. "/old/f", "x")
--    s:watch { events = "create delete" }        -- options of moonwatch.watch; s.watcher
--    helper.write(s.R .. "/new/f", "x")
--    assert.same({ "create new/", "*create new/f", "*close_write new/f" }, s:events())
--    s:check()                                   -- replay, entries, watches
--
-- `events` waits for `sync`, takes all events, and applies each to a model of the tree (spec/torture/model.lua): one that
-- does not fit raises. It gives them as lines:
--
--    create d/                 a directory                  *create f      found by looking
--    create p (fifo)           another type than a file     move a -> b over file
--    move a <-> b              an exchange                  gone, back, overflow, unwatched d/

package.cpath = (os.getenv "BUILD" or "build") .. "/torture/?.so;" .. package.cpath

local helper = require "support.helper"
local probe = require "torture_probe"
local Model = require "torture.model"
local oracles = require "torture.oracles"

local SYNC_SECONDS = tonumber(os.getenv "SYNC_SECONDS") or 30

local Scene = {}
Scene.__index = Scene

local scene = { probe = probe }

-- One line, whatever the name holds.
local function shown(rel)
   return (rel:gsub("[%c\127-\255]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

local PLAIN = { file = true, directory = true, unknown = true }

function scene.describe(event)
   local name = shown(event.rel) .. (event.isdir and event.rel ~= "" and "/" or "")
   local words = { (event.synthetic and event.op ~= "unwatched" and "*" or "") .. event.op }
   if event.from_rel then words[#words + 1] = shown(event.from_rel) .. (event.exchange and " <->" or " ->") end
   if name ~= "" then words[#words + 1] = name end
   if event.op == "create" and event.type and not PLAIN[event.type] then words[#words + 1] = "(" .. event.type .. ")" end
   if event.replaced and not event.exchange then words[#words + 1] = "over " .. event.replaced end
   return table.concat(words, " ")
end

--- R and O, not watched yet. `fast`: in memory where there is room for that, for many files.
function scene.new(fast)
   local base = helper.folder(fast and probe.stat("/dev/shm") and "/dev/shm" or nil)
   return setmetatable({ base = base, R = helper.mkdir(base .. "/R"), O = helper.mkdir(base .. "/O") }, Scene)
end

--- Watches R, or options.paths, or the one given.
function Scene:watch(options, paths)
   local moonwatch = require "moonwatch"
   self.root = paths or self.R
   self.watcher = assert(moonwatch.watch(self.root, options))
   local there = type(self.root) == "string" and probe.stat(self.root .. "/.")
   self.model = Model.new(there and there.type == "directory" and probe.snapshot(self.root) or {})
   if not there then self.model.present = false end
   helper.at_end(function() self.watcher:close() end)
   return self.watcher
end

function Scene:take(event)
   local line = scene.describe(event)
   local ok, why = true, nil
   if not self.loose then ok, why = self.model:apply(event) end
   if not ok then error(line .. ": " .. why, 0) end
   return line
end

--- All that has happened, as lines.
function Scene:events()
   local lines = {}
   assert(self.watcher:sync(SYNC_SECONDS))
   for event in self.watcher:each(0) do
      lines[#lines + 1] = self:take(event)
   end
   return lines
end

--- The oracles, with the events taken: `rules` are those of oracles.leak.
function Scene:check(rules)
   self:events()
   local snapshot = probe.snapshot(self.root)
   local problem = oracles.replay(self.model, snapshot)
      or oracles.entries(self.watcher:entries(), snapshot)
      or oracles.leak(self.root, snapshot, rules or {})
   if problem then error(problem, 2) end
end

--- What a watcher that is no scene's has told by now, each event as `what` says or as a line.
function scene.lines(watcher, what)
   local lines = {}
   assert(watcher:sync(SYNC_SECONDS))
   for event in watcher:each(0) do lines[#lines + 1] = (what or scene.describe)(event) end
   return lines
end

--- How often each line is in a list.
function scene.counts(lines)
   local counts = {}
   for _, line in ipairs(lines) do counts[line] = (counts[line] or 0) + 1 end
   return counts
end

local PROLOGUE = [[
   local helper = require "support.helper"
   local moonwatch = require "moonwatch"
   local scene = require "support.scene"
   local watching = require "support.watching"
   local probe = scene.probe
   local function show(lines) print(table.concat(lines, ", ")) end
]]

--- Runs a chunk of Lua in another process, with the modules of the specs; `before` is a command line that is put in
-- front (unshare, ...). Gives what helper.run gives.
function scene.elsewhere(chunk, before)
   local argv = { table.unpack(before or {}) }
   argv[#argv + 1] = helper.interpreter
   argv[#argv + 1] = helper.program(PROLOGUE .. chunk .. "\nhelper.clean()")
   return helper.run(argv, { env = { BUILD = helper.build } })
end

--- The same where its mounts are nobody else's business: all that it has written, or nil and why it cannot be had. The
-- chunk ends with 77 where it cannot mount.
function scene.mounting(chunk)
   local result = scene.elsewhere(chunk, { "unshare", "--user", "--map-root-user", "--mount" })
   if result.status == 77 or result.err:find "unshare" then return nil, "no mounts here: " .. result.err end
   return result.out .. result.err
end

return scene
