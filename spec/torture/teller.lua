-- SPDX-License-Identifier: MIT
--
-- teller.lua - another stand-in: it reads the log of a single writer and tells each of its operations, as a perfect
-- watcher would: with moves, exchanges and what they replace. The oracles must be content with it.

local probe = require "torture_probe"

local Teller = {}
Teller.__index = Teller

local type_names = { f = "file", d = "directory", l = "link", p = "fifo", s = "socket" }

local function place(self, path)
   local node, last = self.top, nil
   for name in path:gmatch("[^/]+") do
      if last then node = node.kids[last] end
      last = name
   end
   return node, last
end

local function rel_of(path)
   return path:match("^R/(.*)$")
end

local function tell(self, op, path, node, more)
   local rel = rel_of(path)
   if not rel or self.silent then return end
   self.seq = self.seq + 1
   local event = {
      op = op, rel = rel, path = self.root .. "/" .. rel, name = rel:match("[^/]*$"), type = node.type,
      isdir = node.kids ~= nil, synthetic = false, seq = self.seq,
   }
   for key, value in pairs(more or {}) do event[key] = value end
   self.queue[#self.queue + 1] = event
end

local function tell_new(self, path, node, more)
   tell(self, "create", path, node, more)
   if node.type == "file" then tell(self, "close_write", path, node) end
   for name, kid in pairs(node.kids or {}) do tell_new(self, path .. "/" .. name, kid) end
end

local actions = {}

function actions:c(path, letter)
   local folder, name = place(self, path)
   local old, type = folder.kids[name], type_names[letter]
   if old and old.type == type then return end
   local node = { type = type, kids = letter == "d" and {} or nil }
   folder.kids[name] = node
   tell_new(self, path, node, { replaced = old and old.type })
end

function actions:r(path)
   local folder, name = place(self, path)
   local node = folder.kids[name]
   folder.kids[name] = nil
   tell(self, "delete", path, node)
end

local function arrive(self, from, to, node, replaced)
   if rel_of(from) and rel_of(to) then
      tell(self, "move", to, node, { from_rel = rel_of(from), from = self.root .. "/" .. rel_of(from), replaced = replaced })
      return
   end
   tell(self, "delete", from, node)
   tell_new(self, to, node, { replaced = replaced })
end

function actions:m(from, to)
   local old_folder, old_name = place(self, from)
   local new_folder, new_name = place(self, to)
   local node, old = old_folder.kids[old_name], new_folder.kids[new_name]
   if node == old then return end
   old_folder.kids[old_name] = nil
   new_folder.kids[new_name] = node
   arrive(self, from, to, node, old and old.type)
end

function actions:x(a, b)
   local folder_a, name_a = place(self, a)
   local folder_b, name_b = place(self, b)
   local node_a, node_b = folder_a.kids[name_a], folder_b.kids[name_b]
   folder_a.kids[name_a], folder_b.kids[name_b] = node_b, node_a
   if rel_of(a) and rel_of(b) then
      tell(self, "move", b, node_a, { from_rel = rel_of(a), from = self.root .. "/" .. rel_of(a), exchange = true })
      return
   end
   tell(self, "delete", a, node_a)
   tell(self, "delete", b, node_b)
   tell_new(self, a, node_b)
   tell_new(self, b, node_a)
end

function actions.a()
end

function actions.i()
end

local function follow(self)
   if not self.log then return end
   self.log:seek("cur", 0)
   for op, a, b in self.log:read("a"):gmatch("([^\0]*)\0([^\0]*)\0([^\0]*)\0") do actions[op](self, a, b) end
end

local function tell_content(self)
   for rel, entry in pairs(probe.snapshot(self.root)) do
      if entry.type == "file" and self.changed[entry.inode] ~= entry.changed then
         tell(self, "close_write", "R/" .. rel, entry)
         self.changed[entry.inode] = entry.changed
      end
   end
end

function Teller:sync()
   follow(self)
   tell_content(self)
   return true
end

function Teller:get(timeout)
   if #self.queue == 0 then
      probe.sleep(timeout)
      return nil, "timeout"
   end
   return table.remove(self.queue, 1)
end

function Teller:entries()
   local list = {}
   local function add(node, prefix)
      for name, kid in pairs(node.kids) do
         list[#list + 1] = { prefix .. name, kid.type }
         if kid.kids then add(kid, prefix .. name .. "/") end
      end
   end
   add(self.top.kids.R, "")
   local at = 0
   return function()
      at = at + 1
      if list[at] then return list[at][1], list[at][2] end
   end
end

function Teller:close()
   if self.log then self.log:close() end
end

local function watch(root)
   local log = root:match("/R$") and assert(io.open(root:sub(1, -2) .. "log.0", "rb"))
   local self = setmetatable({ root = root, log = log, queue = {}, changed = {}, seq = 0, silent = true }, Teller)
   self.top = { kids = {} }
   for _, name in ipairs { "R", "O", "E" } do self.top.kids[name] = { type = "directory", kids = {} } end
   follow(self)
   tell_content(self)
   self.silent = false
   return self
end

return { watch = watch }
