-- SPDX-License-Identifier: MIT
--
-- oracles.lua - the judges. Each takes what the watcher said and what is so, and returns nil, or what is wrong.
--
--   replay     the events, applied in order, give the disk        (here: the model is the disk)
--   entries    what the watcher says it knows is the disk
--   lie        no event carries a path that never existed
--   content    every file whose content changed was told
--   unchanged  no file to which nothing happened was told to have changed
--   leak       the kernel watches are exactly those that should be

local probe = require "torture_probe"

local oracles = {}

local function shown(list, limit)
   table.sort(list)
   local text = table.concat(list, ", ", 1, math.min(#list, limit))
   return #list > limit and ("%s and %d more"):format(text, #list - limit) or text
end

-- Two tables from relative path to type; `a` is what is said, `b` what is so.
local function compare(said, so)
   local wrong = {}
   for rel, type in pairs(said) do
      if not so[rel] then
         wrong[#wrong + 1] = ("%q is said to be a %s, and does not exist"):format(rel, type)
      elseif so[rel] ~= type and not (type == "unknown" and so[rel] ~= "directory") then
         wrong[#wrong + 1] = ("%q is said to be a %s, and is a %s"):format(rel, type, so[rel])
      end
   end
   for rel, type in pairs(so) do
      if not said[rel] then wrong[#wrong + 1] = ("%q (%s) is not known"):format(rel, type) end
   end
   if #wrong > 0 then return shown(wrong, 6), wrong end
end

local function types_of(snapshot)
   local types = {}
   for rel, entry in pairs(snapshot) do types[rel] = entry.type end
   return types
end

--- The model that the events gave is the disk.
function oracles.replay(model, snapshot)
   local said = {}
   model:each(function(rel, node) said[rel] = node.type end)
   return compare(said, types_of(snapshot))
end

--- `watcher:entries()` is the disk.
function oracles.entries(entries, snapshot)
   local said = {}
   for rel, type in entries do
      if said[rel] then return ("%q is listed twice"):format(rel) end
      said[rel] = type
   end
   return compare(said, types_of(snapshot))
end

--- No event carried a path that never existed under that name. `folded`: but the paths of net moves, and of directories
-- that are deleted after them, hold at their place among the others, and a ring of names needs one of its own.
function oracles.lie(events, history, folded)
   for _, event in ipairs(events) do
      local net = folded and event.synthetic and (event.op == "move" or event.op == "delete" and event.isdir)
      local own = net and (event.op == "delete" or event.rel:find "%.moonwatch%-%d+")
      if event.rel ~= "" and not own and not history:existed(event.rel, event.isdir) then
         return ("%q never existed%s: %s"):format(event.rel, event.isdir and " as a directory" or "", event.text), event.rel
      end
      if event.from_rel and not net and not history:existed(event.from_rel, event.isdir) then
         return ("from = %q never existed: %s"):format(event.from_rel, event.text), event.from_rel
      end
   end
end

-- Why that file's content was not told, or nil.
local function untold(node, entry, rules)
   if node.created == "found" and not node.closed then return "it was found by looking, and no close_write followed" end
   if rules.other_names(entry.inode) then return nil end
   if not node.created and not node.told and node.content and node.content ~= entry.content then
      return "its content changed, and nothing was told"
   end
   if node.seen and node.seen_inode == entry.inode and node.seen ~= entry.content then
      return "its content changed after the last that was told"
   end
   if node.created == "told" and not node.closed and not rules.borders then
      return "it was written and closed, and no close_write was told"
   end
   if rules.attributes and not node.created and node.inode == entry.inode and node.mode ~= entry.mode
      and not node.attrib and not node.told then
      return "its mode changed, and nothing was told"
   end
end

--- Every file whose content changed since the last quiet point was told, and so that reading it then gives the last
-- of it. `rules.attributes`: so were modes. `rules.borders`: files come into the view by renames.
-- `rules.other_names(inode)`: written under another name, which is not told.
function oracles.content(model, snapshot, rules)
   local wrong
   model:each(function(rel, node)
      local entry = snapshot[rel]
      if not wrong and entry and entry.type == "file" then
         local why = untold(node, entry, rules)
         if why then wrong = { ("%q: %s"):format(rel, why), rel } end
      end
   end)
   if wrong then return wrong[1], wrong[2] end
end

--- No file to which nothing happened since the last quiet point was told to have changed; but for those of which that may
-- be so without a trace (model.lua).
function oracles.unchanged(model, snapshot)
   local wrong
   model:each(function(rel, node)
      local entry = snapshot[rel]
      local same = entry and entry.type == "file" and node.inode == entry.inode and node.changed == entry.changed
      if not wrong and same and node.told and not node.created then
         wrong = { ("%q: nothing happened to it, and its content was told"):format(rel), rel }
      end
   end)
   if wrong then return wrong[1], wrong[2] end
end

-- Watches, as the kernel counts them.

local function inode_key(inode, major, minor)
   return ("%d:%d:%d"):format(inode, major, minor)
end

local function status_key(status)
   return inode_key(status.inode, status.major, status.minor)
end

--- The watches of all inotify descriptors of this process: a table from inode key to how many, and the number.
function oracles.watches()
   local found, count = {}, 0
   for fd, target in pairs(probe.descriptors()) do
      if target:find("inotify", 1, true) then
         for line in io.lines("/proc/self/fdinfo/" .. fd) do
            local inode, device = line:match("^inotify wd:%x+ ino:(%x+) sdev:(%x+)")
            if inode then
               device = tonumber(device, 16)
               local key = inode_key(tonumber(inode, 16), device >> 20, device & 0xfffff)
               found[key] = (found[key] or 0) + 1
               count = count + 1
            end
         end
      end
   end
   return found, count
end

-- The way that leads to the root may be watched too.
local function way_to(root)
   local way = { [status_key(assert(probe.stat("/")))] = "/" }
   local path = ""
   for name in root:gmatch("[^/]+") do
      path = path .. "/" .. name
      way[status_key(assert(probe.stat(path)))] = path
   end
   return way
end

--- The watches are exactly one per directory of the tree, and none elsewhere but on the way to the root.
-- `rules.some`: not all directories need one. `rules.none`: no directory may have one.
-- `rules.pruned(rel)`: that directory is outside of the view.
function oracles.leak(root, snapshot, rules)
   local found, way, wrong = oracles.watches(), way_to(root), {}
   local function expect(key, rel)
      local count = found[key] or 0
      found[key] = nil
      if rules.none and count > 0 and rel ~= "" then
         wrong[#wrong + 1] = ("%q has a watch"):format(rel)
      elseif count > 1 then
         wrong[#wrong + 1] = ("%q has %d watches"):format(rel, count)
      elseif count == 0 and not rules.some and not rules.none then
         wrong[#wrong + 1] = ("%q has no watch"):format(rel)
      end
   end
   expect(status_key(assert(probe.stat(root))), "")
   for rel, entry in pairs(snapshot) do
      if entry.type == "directory" and not (rules.pruned and rules.pruned(rel)) then expect(status_key(entry), rel) end
   end
   for key in pairs(found) do
      if not way[key] then wrong[#wrong + 1] = "a watch on " .. key .. " too many" end
   end
   if #wrong > 0 then return shown(wrong, 6) end
end

return oracles
