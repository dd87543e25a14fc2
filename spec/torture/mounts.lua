-- SPDX-License-Identifier: MIT
--
-- mounts.lua - random work with mounts: directories are made, filled, renamed, removed, mounted over and unmounted, in
-- a root, above it and beside it, several times before the watcher may look. It is this process that does the work, so a
-- seed gives the same work and the same reads each time.
--
--    unshare --user --map-root-user --mount lua5.4 spec/torture/mounts.lua [--seeds 1-60] [--rounds 40] [--verbose]
--
-- A seed ends where a directory comes to hold itself. The judges are those of the torture (doc/torture.md). That each path
-- in an event has been true is known exactly: the tree is read after each operation.

local build = os.getenv "BUILD" or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = ("%s/lib/?.so;%s/torture/?.so;%s"):format(build, build, package.cpath)

local moonwatch = require "moonwatch"
local probe = require "torture_probe"
local Model = require "torture.model"
local oracles = require "torture.oracles"

local SYNC_TIMEOUT = tonumber(os.getenv "SYNC_SECONDS") or 30
local NAMES = { "a", "b", "c", "d" }
local ROOT = "up/R"

local function new_random(seed)
   local state = seed * 2654435761 + 12345
   return function(limit)
      state = state * 6364136223846793005 + 1442695040888963407
      return ((state >> 33) & 0x7fffffff) % limit + 1
   end
end

local Work = {}
Work.__index = Work

-- What is there now.

-- Without the folder that is another each time.
local function shown(self, text)
   return (text:gsub(self.base:gsub("%p", "%%%0") .. "/?", ""))
end

local function is_within(rel, top)
   return rel:sub(1, #top + 1) == top .. "/"
end

local function mount_points(base)
   local list = {}
   for line in io.lines "/proc/self/mountinfo" do
      local point = line:match "^%d+ %d+ %S+ %S+ (%S+)"
      if is_within(point, base) then list[#list + 1] = point end
   end
   return list
end

-- Below the root, by path from there; what lies behind a border is not seen.
local function part_of(self, snapshot)
   local seen, root = {}, snapshot[ROOT]
   if not root or root.type ~= "directory" then return nil end
   local function is_hidden(rel)
      for top in rel:gmatch "()/" do
         local entry = snapshot[ROOT .. "/" .. rel:sub(1, top - 1)]
         if entry.device ~= root.device then return true end
      end
      return false
   end
   for path, entry in pairs(snapshot) do
      local rel = is_within(path, ROOT) and path:sub(#ROOT + 2)
      if rel and not (self.options.one_filesystem and is_hidden(rel)) then seen[rel] = entry end
   end
   return seen, root
end

local function key_of(status)
   return ("%d:%d:%d"):format(status.inode, status.major, status.minor)
end

-- A directory that holds itself, by a mount: there a rename is several, of which one comes first.
local function is_looped(snapshot)
   for path, entry in pairs(snapshot) do
      for at in path:gmatch "()/" do
         if key_of(snapshot[path:sub(1, at - 1)]) == key_of(entry) then return true end
      end
   end
   return false
end

local function look(self)
   self.disk = probe.snapshot(self.base)
   self.looped = is_looped(self.disk)
   for rel, entry in pairs(part_of(self, self.disk) or {}) do
      self.existed[rel .. (entry.type == "directory" and "/" or "")] = true
   end
end

-- The operations; those that the system refuses are none.

local function any(self, list)
   return list[self.random(#list)]
end

local function places(self, type, top)
   local list = {}
   for rel, entry in pairs(self.disk) do
      if entry.type == type and (not top or is_within(rel, top)) then list[#list + 1] = rel end
   end
   table.sort(list)
   return list
end

local function some_dir(self)
   local all, below = places(self, "directory"), places(self, "directory", ROOT)
   return self.base .. "/" .. any(self, #below > 0 and self.random(4) > 1 and below or all)
end

local function some_name(self)
   return some_dir(self) .. "/" .. any(self, NAMES)
end

local operations = {}

function operations.make(self)
   local path = some_name(self)
   return "mkdir " .. path, probe.mkdir(path)
end

function operations.make_deep(self)
   local path = some_name(self)
   probe.mkdir(path)
   probe.mkdir(path .. "/a")
   local file = io.open(path .. "/a/f", "w")
   if file then file:close() end
   return "mkdir -p and write " .. path .. "/a/f", file
end

function operations.write(self)
   local path = some_dir(self) .. "/" .. any(self, { "f", "g" })
   local file = io.open(path, "a")
   if file then
      file:write "x"
      file:close()
   end
   return "write " .. path, file
end

local function some_entry(self)
   local dirs, files = places(self, "directory"), places(self, "file")
   return self.base .. "/" .. any(self, #files > 0 and self.random(4) == 1 and files or dirs)
end

function operations.rename(self)
   local from, to = some_entry(self), some_name(self)
   return "rename " .. from .. " " .. to, probe.rename(from, to)
end

function operations.rename_above(self)
   local top = self.base .. "/" .. any(self, { "up", ROOT })
   if probe.stat(top .. ".away") then return "rename " .. top .. ".away back", probe.rename(top .. ".away", top) end
   return "rename " .. top .. " away", probe.rename(top, top .. ".away")
end

function operations.swap(self)
   local a, b = some_entry(self), some_entry(self)
   return "exchange " .. a .. " " .. b, probe.exchange(a, b)
end

function operations.remove(self)
   local path = some_entry(self)
   return "remove " .. path, os.remove(path)
end

function operations.mount(self)
   local path = some_dir(self)
   return "mount tmpfs " .. path, probe.mount(path)
end

function operations.mount_filled(self)
   local path = some_dir(self)
   local ok = probe.mount(path)
   if ok then
      probe.mkdir(path .. "/a")
      io.open(path .. "/a/f", "w"):close()
   end
   return "mount and fill tmpfs " .. path, ok
end

-- Would the directory hold itself there?
local function is_above(from, to)
   local status = probe.stat(from)
   while #to > 0 do
      if not status or key_of(assert(probe.stat(to))) == key_of(status) then return true end
      to = to:match "^(.*)/"
   end
   return false
end

function operations.bind(self)
   local from, to = some_dir(self), some_dir(self)
   if is_above(from, to) then return "would hold itself" end
   return "bind " .. from .. " " .. to, probe.mount(to, from)
end

function operations.bind_file(self)
   local files = places(self, "file")
   if #files < 2 then return "no files" end
   local from, to = self.base .. "/" .. any(self, files), self.base .. "/" .. any(self, files)
   return "bind " .. from .. " " .. to, probe.mount(to, from)
end

function operations.move(self)
   local points = mount_points(self.base)
   if #points == 0 then return "no mount" end
   local from, to = any(self, points), some_dir(self)
   if is_above(from, to) then return "would hold itself" end
   return "move mount " .. from .. " " .. to, probe.mount(to, from, "move")
end

function operations.unmount(self)
   local points = mount_points(self.base)
   if #points == 0 then return "no mount" end
   local path, lazily = any(self, points), self.random(2) == 1
   return "unmount " .. (lazily and "-l " or "") .. path, probe.unmount(path, lazily)
end

local common = {
   "make", "make_deep", "write", "rename", "rename", "rename", "remove", "swap", "mount", "mount_filled", "bind",
   "bind_file", "move", "unmount", "unmount", "unmount",
}

local function operate(self)
   local name = self.random(12) == 1 and "rename_above" or any(self, common)
   if name == "rename_above" and not self.moves_root then name = "rename" end
   local text, done = operations[name](self)
   text = shown(self, text)
   if done then
      self.log[#self.log + 1] = text
      if self.verbose then print("   " .. text) end
      look(self)
   end
end

-- What the watcher says.

local function fail(self, oracle, message)
   error({ oracle = oracle, message = message, log = self.log }, 0)
end

local function take(self, event)
   local text = shown(self, tostring(event)) .. (event.synthetic and " *" or "")
   self.log[#self.log + 1] = "      " .. text
   if self.verbose then print("      " .. text) end
   local ok, why = self.model:apply(event)
   if not ok then fail(self, "replay", text .. ": " .. why) end
   local function check(rel)
      if rel and rel ~= "" and not self.existed[rel .. (event.isdir and "/" or "")] then
         fail(self, "lie", ("%q never existed: %s"):format(rel, text))
      end
   end
   check(event.rel)
   if not event.exchange then check(event.from_rel) end
end

local function drain(self)
   for event in self.watcher:each(0) do take(self, event) end
end

-- A directory may have several paths, and one watch.
local function leak(self, seen, root)
   local found, needed = oracles.watches(), { [key_of(root)] = "the root" }
   for rel, entry in pairs(seen) do
      local across = self.options.one_filesystem and entry.device ~= root.device
      if entry.type == "directory" and not across then needed[key_of(entry)] = rel end
   end
   for key, rel in pairs(needed) do
      if found[key] ~= 1 then return ("%q has %s watches"):format(rel, found[key] or "no") end
   end
   local path = ""
   needed[key_of(probe.stat "/")] = "/"
   for name in (self.base .. "/" .. ROOT):gmatch "[^/]+" do
      path = path .. "/" .. name
      needed[key_of(probe.stat(path))] = path
   end
   for key in pairs(found) do
      if not needed[key] then return "a watch on " .. key .. " too many" end
   end
end

local function verdict(self, oracle, message)
   if message then fail(self, oracle, message) end
end

local function quiet(self)
   local ok, message = self.watcher:sync(SYNC_TIMEOUT)
   if not ok then fail(self, "sync", "sync() gave " .. tostring(message)) end
   drain(self)
   local seen, root = part_of(self, self.disk)
   if (seen ~= nil) ~= self.model.present then fail(self, "replay", "the root is there: " .. tostring(seen ~= nil)) end
   if not seen then return end
   verdict(self, "replay", oracles.replay(self.model, seen))
   verdict(self, "entries", oracles.entries(self.watcher:entries(), seen))
   verdict(self, "leak", leak(self, seen, root))
   self.existed = {}
   look(self)
end

local function perform(self)
   for _, name in ipairs { "up", "up/R", "O", "O/a", "up/R/a", "up/R/a/b", "up/R/b" } do
      assert(probe.mkdir(self.base .. "/" .. name))
   end
   look(self)
   self.watcher = assert(moonwatch.watch(self.base .. "/" .. ROOT, self.options))
   self.model = Model.new((part_of(self, self.disk)))
   for _ = 1, self.rounds do
      for _ = 1, self.random(6) do
         operate(self)
         if self.looped then return end
         if self.random(8) == 1 then
            local event = self.watcher:get(0)
            if event then take(self, event) end
         end
      end
      quiet(self)
   end
end

local function clean_up(self)
   if self.watcher then self.watcher:close() end
   for _ = 1, 5 do
      local points = mount_points(self.base)
      for i = #points, 1, -1 do probe.unmount(points[i], true) end
   end
   probe.remove(self.base)
end

local function traced(problem)
   if type(problem) == "table" then return problem end
   return { oracle = "error", message = debug.traceback(tostring(problem), 2), log = {} }
end

--- nil, or what is wrong: `{ oracle, message, log }`.
local function run(seed, rounds, verbose)
   local self = setmetatable({
      base = assert(probe.temporary()), random = new_random(seed), rounds = rounds, verbose = verbose,
      existed = {}, log = {}, options = { latency = 0 },
   }, Work)
   self.options.one_filesystem = self.random(3) == 1 or nil
   self.moves_root = self.random(2) == 1
   local ok, problem = xpcall(perform, traced, self)
   clean_up(self)
   return not ok and problem or nil
end

local function main()
   local first, last, rounds, verbose = 1, 20, 40, false
   local i = 1
   while arg[i] do
      if arg[i] == "--seeds" then
         first, last = arg[i + 1]:match "^(%d+)%-?(%d*)$"
         first, last = tonumber(first), tonumber(last) or tonumber(first)
         i = i + 1
      elseif arg[i] == "--rounds" then
         rounds = tonumber(arg[i + 1])
         i = i + 1
      elseif arg[i] == "--verbose" then
         verbose = true
      else
         error("unknown flag " .. arg[i], 0)
      end
      i = i + 1
   end
   io.stdout:setvbuf "line"
   local failed = 0
   for seed = first, last do
      local problem = run(seed, rounds, verbose)
      if problem then
         failed = failed + 1
         print(("FAIL  seed %d, %s: %s"):format(seed, problem.oracle, problem.message))
         for at = math.max(1, #problem.log - 25), #problem.log do print("   " .. problem.log[at]) end
      end
   end
   print(("%d seeds, %d failed"):format(last - first + 1, failed))
   return failed == 0
end

os.exit(main(), true)
