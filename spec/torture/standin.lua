-- SPDX-License-Identifier: MIT
--
-- standin.lua - a watcher that only compares snapshots, in the place of the real one: it proves that the oracles are
-- content with the truth, and with `fault` that they are not with anything else.
--
-- `faults[name](events)` changes the list of events of one comparison.

local probe = require "torture_probe"
local view = require "torture.view"

local Watcher = {}
Watcher.__index = Watcher

local function parents_first(set)
   local paths = {}
   for rel in pairs(set) do paths[#paths + 1] = rel end
   table.sort(paths, function(a, b)
      local _, deep_a = a:gsub("/", "")
      local _, deep_b = b:gsub("/", "")
      if deep_a ~= deep_b then return deep_a < deep_b end
      return a < b
   end)
   return paths
end

local function same(a, b)
   return a and b and a.type == b.type
      and (a.type ~= "directory" or a.inode == b.inode)
      and not (a.type ~= "file" and a.inode ~= b.inode)
end

local function add(self, op, rel, entry, more)
   local event = {
      op = op, rel = rel, path = self.root .. "/" .. rel, name = rel:match("[^/]*$"), type = entry.type,
      isdir = entry.type == "directory", synthetic = true,
   }
   for key, value in pairs(more or {}) do event[key] = value end
   self.found[#self.found + 1] = event
end

local function is_gone_above(gone, rel)
   local parent = rel:match("^(.*)/")
   while parent do
      if gone[parent] then return true end
      parent = parent:match("^(.*)/")
   end
end

local function look(self)
   local snapshot = probe.snapshot(self.root)
   for rel, entry in pairs(snapshot) do
      if not self.view.sees(rel, entry.type == "directory") then snapshot[rel] = nil end
   end
   return snapshot
end

local function compare(self)
   local old, new = self.known, look(self)
   self.found = {}
   local gone = {}
   for _, rel in ipairs(parents_first(old)) do
      if is_gone_above(gone, rel) then
         gone[rel] = true
      elseif not same(old[rel], new[rel]) then
         gone[rel] = true
         add(self, "delete", rel, old[rel])
      end
   end
   for _, rel in ipairs(parents_first(new)) do
      local entry = new[rel]
      if not old[rel] or gone[rel] then
         add(self, "create", rel, entry)
         if entry.type == "file" then add(self, "close_write", rel, entry) end
      elseif entry.type == "file" and (entry.content ~= old[rel].content or entry.mode ~= old[rel].mode) then
         add(self, "close_write", rel, entry)
      end
   end
   self.known = new
   if self.fault then self.fault(self.found, self) end
   for _, event in ipairs(self.found) do
      self.seq = self.seq + 1
      event.seq = event.seq or self.seq
      self.queue[#self.queue + 1] = event
   end
end

function Watcher:sync()
   compare(self)
   return true
end

function Watcher:get(timeout)
   if #self.queue == 0 then
      probe.sleep(timeout)
      return nil, "timeout"
   end
   return table.remove(self.queue, 1)
end

function Watcher:entries()
   local rel
   return function()
      local entry
      rel, entry = next(self.known, rel)
      return rel, entry and entry.type
   end
end

function Watcher.close()
end

local function watch(fault)
   return function(root, options)
      local self = setmetatable({ root = root, queue = {}, seq = 0, fault = fault, view = view.of(options) }, Watcher)
      self.known = options.initial and {} or look(self)
      return self
   end
end

return {
   watch = watch(),
   --- A module whose watcher tells what `fault` makes of the events.
   with = function(fault) return { watch = watch(fault) } end,
}
