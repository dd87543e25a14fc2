-- SPDX-License-Identifier: MIT
--
-- history.lua - every path that ever existed, from the logs of the writers.
--
-- Of one writer the log is the truth in its order, and the set is exact. Of several the order is not known, and the
-- set is the smallest that surely holds every true path: names in classes of directories, where a rename makes the old
-- place and the new one the same class (and so, name by name, all below). With many fresh names the classes stay
-- small.

local History = {}
History.__index = History

local function new(exact)
   local self = setmetatable({ exact = exact, ever = {}, inodes = {}, lines = {} }, History)
   self.top = { kids = {} }
   if exact then
      for _, name in ipairs { "R", "O", "E" } do self.top.kids[name] = { kids = {}, type = "d" } end
   end
   return self
end

-- One writer: an exact replay.

local DIRECTORY, OTHER = 1, 2

local function mark(self, path, node)
   local bit = node.kids and DIRECTORY or OTHER
   self.ever[path] = (self.ever[path] or 0) | bit
   for name, kid in pairs(node.kids or {}) do mark(self, path .. "/" .. name, kid) end
end

local function place(self, path)
   local node, last = self.top, nil
   for name in path:gmatch("[^/]+") do
      if last then node = node.kids[last] end
      if not node or not node.kids then error("the log does not fit: " .. path) end
      last = name
   end
   return node, last
end

local replay = {}

function replay:c(path, type)
   local folder, name = place(self, path)
   local old = folder.kids[name]
   if old and old.type == type then return end
   local node = { type = type, kids = type == "d" and {} or nil }
   folder.kids[name] = node
   mark(self, path, node)
end

function replay:r(path)
   local folder, name = place(self, path)
   folder.kids[name] = nil
end

function replay:m(from, to)
   local old_folder, old_name = place(self, from)
   local new_folder, new_name = place(self, to)
   local node = old_folder.kids[old_name]
   if new_folder.kids[new_name] == node then return end
   old_folder.kids[old_name] = nil
   new_folder.kids[new_name] = node
   mark(self, to, node)
end

function replay:x(a, b)
   local folder_a, name_a = place(self, a)
   local folder_b, name_b = place(self, b)
   local node_a, node_b = folder_a.kids[name_a], folder_b.kids[name_b]
   folder_a.kids[name_a], folder_b.kids[name_b] = node_b, node_a
   mark(self, a, node_b)
   mark(self, b, node_a)
end

function replay.a()
end

function replay:i(inode)
   self.inodes[tonumber(inode)] = true
end

-- Several writers: classes.

local function class_of(node)
   while node.into do
      if node.into.into then node.into = node.into.into end
      node = node.into
   end
   return node
end

local function walk(self, path, make)
   local node = self.top
   for name in path:gmatch("[^/]+") do
      node = class_of(node)
      if not node.kids[name] then
         if not make then return nil end
         node.kids[name] = { kids = {} }
      end
      node = node.kids[name]
   end
   return class_of(node)
end

local function unite(a, b)
   local work = { { a, b } }
   while #work > 0 do
      local pair = table.remove(work)
      local one, two = class_of(pair[1]), class_of(pair[2])
      if one ~= two then
         two.into = one
         for name, kid in pairs(two.kids) do
            if one.kids[name] then
               work[#work + 1] = { one.kids[name], kid }
            else
               one.kids[name] = kid
            end
         end
         two.kids = nil
      end
   end
end

local gather = {}

function gather:c(path)
   walk(self, path, true)
end

function gather.r()
end

function gather:m(from, to)
   unite(walk(self, from, true), walk(self, to, true))
end

gather.x, gather.a, gather.i = gather.m, gather.m, replay.i

--- Takes what a writer has logged since the last time.
function History:feed(bytes)
   local actions = self.exact and replay or gather
   for op, a, b in bytes:gmatch("([^\0]*)\0([^\0]*)\0([^\0]*)\0") do
      actions[op](self, a, b)
      if #self.lines > 20000 then self.lines = table.move(self.lines, 10001, #self.lines, 1, {}) end
      self.lines[#self.lines + 1] = { op, a, b }
   end
end

--- Did that path ever exist (as a directory, as something else)?
function History:existed(rel, isdir)
   local path = "R/" .. rel
   if not self.exact then return walk(self, path, false) ~= nil end
   return (self.ever[path] or 0) & (isdir and DIRECTORY or OTHER) ~= 0
end

local type_names = { f = "file", d = "directory", l = "link", p = "fifo", s = "socket" }

-- Of one writer: what the log says is there now, as a table from relative path to type.
local function present(self)
   local types = {}
   local function visit(node, prefix)
      for name, kid in pairs(node.kids) do
         types[prefix .. name] = type_names[kid.type]
         if kid.kids then visit(kid, prefix .. name .. "/") end
      end
   end
   visit(self.top.kids.R, "")
   return types
end

--- The history holds what is there, or it is no judge: nil, or the first path with which it does not fit the disk.
function History:misfit(snapshot)
   local types = self.exact and present(self)
   for rel, entry in pairs(snapshot) do
      if types and types[rel] ~= entry.type or not self:existed(rel, entry.type == "directory") then return rel end
   end
   for rel in pairs(types or {}) do
      if not snapshot[rel] then return rel end
   end
end

--- Was that inode ever under two names, or under none: then writes through the other one are not told.
function History:has_other_names(inode)
   return self.inodes[inode] or false
end

--- The last operations on that path.
function History:about(rel, limit)
   local path, found = "R/" .. rel, {}
   local name = rel:match("[^/]*$")
   for i = #self.lines, 1, -1 do
      local line = self.lines[i]
      if line[2] == path or line[3] == path or line[2]:sub(-#name - 1) == "/" .. name
         or line[3]:sub(-#name - 1) == "/" .. name then
         table.insert(found, 1, ("#%d %s %q %q"):format(i, table.unpack(line)))
         if #found >= limit then break end
      end
   end
   return found
end

return { new = new }
