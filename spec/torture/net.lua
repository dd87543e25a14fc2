-- SPDX-License-Identifier: MIT
--
-- net.lua - the tree as a reader of net changes believes it to be (doc/changes.md).
--
-- It starts as the disk at `ready`, and each batch is applied to it in its order. A change that cannot be applied is a
-- fault of the watcher, and so is a difference at the quiet point: names, types, and files whose content changed though
-- none of a create, a modify, or a move with `modified` has named them.

local Net = {}
Net.__index = Net

--- From a snapshot (a table from relative path to `{ type =, content = }`).
local function new(snapshot)
   local self = setmetatable({ present = true }, Net)
   self:settle(snapshot)
   return self
end

--- At a quiet point: what the disk holds is what is known from now on.
function Net:settle(snapshot)
   self.entries = {}
   for rel, entry in pairs(snapshot) do
      self.entries[rel] = { type = entry.type, content = entry.content, inode = entry.inode }
   end
end

local function above(rel)
   return rel:match "^(.*)/[^/]*$"
end

function Net:has_room(rel)
   local parent = above(rel)
   return parent == nil or (self.entries[parent] ~= nil and self.entries[parent].type == "directory")
end

-- Takes out an entry with all below it: a table from what its path goes on with to what is there.
function Net:take(rel)
   local taken, prefix = { [""] = self.entries[rel] }, rel .. "/"
   for other, entry in pairs(self.entries) do
      if other:sub(1, #prefix) == prefix then taken[other:sub(#rel + 1)] = entry end
   end
   for rest in pairs(taken) do self.entries[rel .. rest] = nil end
   return taken
end

function Net:put(rel, taken)
   for rest, entry in pairs(taken) do self.entries[rel .. rest] = entry end
end

function Net:is_empty(rel)
   local prefix = rel .. "/"
   for other in pairs(self.entries) do
      if other:sub(1, #prefix) == prefix then return false end
   end
   return true
end

-- What stands at a path that is taken by another.
function Net:give_way(change)
   if not self:has_room(change.rel) then return false, "its folder is not known" end
   if (self.entries[change.rel] ~= nil) ~= (change.replaced ~= nil) then
      return false, change.replaced and "it replaced nothing" or "the name exists, and replaced is not set"
   end
   self:take(change.rel)
   return true
end

local apply = {}

function apply:create(change)
   local ok, why = self:give_way(change)
   self.entries[change.rel] = { type = change.type, told = true }
   return ok, why
end

function apply:delete(change)
   if not self.entries[change.rel] then return false, "it is not known" end
   if not change.whole and not self:is_empty(change.rel) then return false, "it is not empty" end
   self:take(change.rel)
   return true
end

function apply:move(change, from)
   local entry = self.entries[from]
   if not entry then return false, "its old name is not known" end
   local ok, why = true, nil
   if change.exchange then
      if not self.entries[change.rel] then return false, "an exchange with what is not known" end
      local one, other = self:take(from), self:take(change.rel)
      self:put(change.rel, one)
      self:put(from, other)
   else
      local taken = self:take(from)
      ok, why = self:give_way(change)
      self:put(change.rel, taken)
   end
   entry.type = change.type or entry.type
   entry.told = entry.told or change.modified
   return ok, why
end

-- Another file may have taken the name: its type is the one that is told.
function apply:modify(change)
   local entry = self.entries[change.rel]
   if not entry then return false, "it is not known" end
   entry.type, entry.told = change.type, true
   return true
end

function apply:attrib(change)
   return self.entries[change.rel] ~= nil, "it is not known"
end

-- The root itself has gone, or is back.
function Net:apply_to_root(change)
   self.entries = {}
   self.present = change.op == "create"
   return change.op == "create" or (change.op == "delete" and change.whole == true), "it is the root"
end

--- Applies one change, whose `from` is `from_rel` below the root: true, or false and what is wrong with it.
function Net:apply(change, from_rel)
   local fn = change.rel == "" and self.apply_to_root or apply[change.op]
   if not fn then return false, "no such op" end
   local ok, why = fn(self, change, from_rel)
   return ok, not ok and why or nil
end

--- What differs from the disk, in words and as a path; nil where nothing does.
-- `other_names(inode)`: whether it was written under a name that nobody tells of
function Net:compare(snapshot, other_names)
   for rel, there in pairs(snapshot) do
      local entry = self.entries[rel]
      if not entry then return ("%q is there, and was not told"):format(rel), rel end
      if entry.type and entry.type ~= there.type then
         return ("%q is said to be a %s, and is a %s"):format(rel, entry.type, there.type), rel
      end
      local changed = there.type == "file" and not entry.told and entry.content ~= there.content
      if changed and not other_names(there.inode) then
         return ("%q: its content changed, and nothing was told"):format(rel), rel
      end
   end
   for rel in pairs(self.entries) do
      if not snapshot[rel] then return ("%q is said to be there, and is not"):format(rel), rel end
   end
end

return { new = new }
