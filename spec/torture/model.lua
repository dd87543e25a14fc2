-- SPDX-License-Identifier: MIT
--
-- model.lua - the tree as a reader of the events believes it to be.
--
-- It starts as the disk at `ready` and changes by events alone. An event that cannot be applied (a create of what is
-- there, a delete or a move of what is not, a missing parent) is a fault of the watcher: `apply` says which.
--
-- Each node also keeps what the content oracle needs: what was told about it since the last quiet point, and what
-- the file held when the last of it was told.

local Model = {}
Model.__index = Model

-- Nanoseconds: what changed in the same tick as it was told may have changed since (exactness, doc/exactness.md).
local TICK <const> = 100000000

local function new_node(type)
   return { type = type, kids = type == "directory" and {} or nil }
end

local function split(rel)
   local parent, name = rel:match("^(.*)/([^/]*)$")
   return parent or "", name or rel
end

-- Every node with its relative path; parents before what is below them.
local function each_node(node, prefix, visit)
   for name, kid in pairs(node.kids) do
      local rel = prefix .. name
      visit(rel, kid)
      if kid.kids then each_node(kid, rel .. "/", visit) end
   end
end

--- A model of the tree in a snapshot (a table from relative path to `{ type = ... }`).
-- A sparse one is that of a filtered view: parents need not be part of it.
local function new(snapshot, sparse)
   local self = setmetatable({ root = new_node "directory", sparse = sparse, present = true }, Model)
   local paths = {}
   for rel in pairs(snapshot) do paths[#paths + 1] = rel end
   table.sort(paths)
   for _, rel in ipairs(paths) do
      local parent, name = split(rel)
      local node = new_node(snapshot[rel].type)
      node.sure = node.type ~= "unknown"
      node.writing = snapshot[rel].changed == nil -- what a watcher says it knows may have a writer
      self:folder(parent).kids[name] = node
   end
   return self
end

function Model:find(rel)
   local node = self.root
   for name in rel:gmatch("[^/]+") do
      node = node.kids and node.kids[name]
      if not node then return nil end
   end
   return node
end

-- The directory of that path; in a sparse model it is made where it is not part of the view.
function Model:folder(rel)
   if not self.sparse then
      local node = self:find(rel)
      return node and node.kids and node
   end
   local node = self.root
   for name in rel:gmatch("[^/]+") do
      if not node.kids then return nil end
      if not node.kids[name] then
         node.kids[name] = new_node "directory"
         node.kids[name].hidden = true
      end
      node = node.kids[name]
   end
   return node.kids and node
end

function Model:each(visit)
   each_node(self.root, "", function(rel, node)
      if not node.hidden then visit(rel, node) end
   end)
end

local function visible(node)
   return node and not node.hidden and node or nil
end

-- What a move or a change of type puts out of the way must be what the model has there.
local function check_replaced(event, old)
   if not old then
      return not event.replaced, "says it replaced a " .. tostring(event.replaced) .. ", but nothing was there"
   end
   if not event.replaced then return false, "the name exists (" .. tostring(old.type) .. "), and replaced is not set" end
   if (event.replaced == "directory") ~= (old.type == "directory") or old.sure and event.replaced ~= old.type then
      return false, ("replaced is %s, but a %s was there"):format(event.replaced, old.type)
   end
   return true
end

local function check_kind(event, node)
   if node.kids and not event.isdir then return false, "it is a directory, and isdir is false" end
   if not node.kids and event.isdir then return false, "it is no directory, and isdir is true" end
   return true
end

-- A type that was asked for late may be that of a later entry: believed only where it fits.
local function event_type(event)
   if event.isdir then return "directory" end
   return event.type ~= "directory" and event.type or "unknown"
end

local apply = {}

function apply:create(event)
   local parent, name = split(event.rel)
   local folder = self:folder(parent)
   if not folder then return false, "its folder is not known" end
   local old = folder.kids[name]
   local ok, why = check_replaced(event, visible(old))
   if not ok then return false, why end
   local node = new_node(event_type(event))
   if old and old.hidden and node.kids then node.kids = old.kids end
   node.sure = node.kids ~= nil or event.synthetic and node.type ~= "unknown"
   node.created = event.synthetic and "found" or event.moved_to and "moved in" or "told"
   folder.kids[name] = node
   return true
end

function apply:delete(event)
   local parent, name = split(event.rel)
   local folder = self:find(parent)
   local node = folder and folder.kids and visible(folder.kids[name])
   if not node then return false, "it is not known" end
   folder.kids[name] = nil
   return check_kind(event, node)
end

local function is_below(rel, top)
   return rel == top or rel:sub(1, #top + 1) == top .. "/"
end

function apply:move(event)
   if not event.from_rel then return false, "a move without from" end
   local from_parent, from_name = split(event.from_rel)
   local to_parent, to_name = split(event.rel)
   local from, to = self:find(from_parent), self:folder(to_parent)
   local node = from and from.kids and visible(from.kids[from_name])
   if not node then return false, "its old name is not known" end
   if not to then return false, "its new folder is not known" end
   if event.from_rel == event.rel then return false, "a move onto itself" end
   if is_below(event.rel, event.from_rel) then return false, "a move below itself" end
   local old = visible(to.kids[to_name])
   if event.exchange then
      if not old then return false, "an exchange with what is not known" end
      if is_below(event.from_rel, event.rel) then return false, "an exchange with its own parent" end
      from.kids[from_name], to.kids[to_name] = old, node
      return true
   end
   local ok, why = check_replaced(event, old)
   if not ok then return false, why end
   from.kids[from_name] = nil
   to.kids[to_name] = node
   if node.type == "unknown" then node.type = event_type(event) end
   return check_kind(event, node)
end

-- Events that change no name.
local function apply_known(self, event)
   if event.rel == "" then return true end
   local node = visible(self:find(event.rel))
   if not node then return false, "it is not known" end
   return check_kind(event, node)
end

for _, op in ipairs { "modify", "close_write", "attrib", "open", "access", "close_nowrite" } do
   apply[op] = apply_known
end

function apply:overflow()
   self.overflows = (self.overflows or 0) + 1
   return true
end

function apply.unwatched()
   return true
end

function apply:gone()
   if not self.present then return false, "it is gone already" end
   self.present = false
   self.root.kids = {}
   return true
end

function apply:back()
   if self.present then return false, "it was not gone" end
   self.present = true
   return true
end

-- What the user now knows about a file's content and attributes.
local function note(self, event)
   local node = event.rel and self:find(event.rel)
   if not node then return end
   if event.op == "close_write" then
      node.told, node.closed = true, true
      node.writing = node.writing and event.synthetic -- what was found by looking may have a writer
   elseif event.op == "modify" or event.op == "create" then
      node.told, node.writing = true, true
   elseif event.op == "attrib" then
      node.attrib = true
   else
      return
   end
   if self.read and node.told and not node.kids and event.op ~= "attrib" then
      node.seen, node.seen_inode = self.read(event.rel)
   end
end

--- Applies one event: true, or false and what is wrong with it.
function Model:apply(event)
   local fn = apply[event.op]
   if not fn then return false, "no such op" end
   if not self.present and event.op ~= "back" and event.op ~= "unwatched" and event.op ~= "overflow" then
      return false, "the root is gone"
   end
   if event.rel == "" and (event.op == "create" or event.op == "delete" or event.op == "move") then
      return false, "the root itself has no names"
   end
   local ok, why = fn(self, event)
   if not ok then return false, why end
   note(self, event)
   return true
end

--- At a quiet point: what the disk holds is what is known from now on.
function Model:settle(snapshot)
   self.overflows = 0
   local newest = 0
   for _, entry in pairs(snapshot) do newest = math.max(newest, entry.changed or 0) end
   self:each(function(rel, node)
      local entry = snapshot[rel]
      node.content, node.inode, node.mode = entry.content, entry.inode, entry.mode
      node.changed = not node.writing and entry.changed < newest - TICK and entry.changed
      node.created, node.told, node.closed, node.attrib = nil, nil, nil, nil
      node.seen, node.seen_inode = nil, nil
   end)
end

return { new = new }
