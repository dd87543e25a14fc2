-- SPDX-License-Identifier: MIT
--
-- tree.lua - the made-up tree: what is done to it becomes the events that a watcher would give.

local World = {}

-- The event as a rule with this place sees it; nil where it sees nothing.
local function event_at(seen, op, path, more)
   local root, rel = seen:find(path, more.isdir)
   if not root then
      return nil
   end
   local event = { op = op, path = path, rel = rel, root = root, name = path:match "[^/]+$", type = "file", isdir = false }
   for name, value in pairs(more) do
      event[name] = value
   end
   return event
end

-- A move across the border of what a rule sees is a create, or a delete.
local function move_at(seen, from, to, more)
   local came, went = event_at(seen, "move", to, more), event_at(seen, "delete", from, more)
   if came and went then
      came.from, came.from_root, came.from_rel = from, went.root, went.rel
   elseif came then
      came.op, came.moved_to = "create", true
   end
   return came or went
end

-- Tells every rule that watches the path; `more` are further fields of the event.
function World:_tell(op, path, more)
   more = more or {}
   more.time = self.time
   local from = more.from
   more.from = nil
   for _, watched in ipairs(self.watched) do
      local event = from and move_at(watched.place, from, path, more) or not from and event_at(watched.place, op, path, more)
      if event then
         watched.runtime:feed(event, self.time)
      end
   end
   self:_turn()
end

-- Writes a file and closes it, as an editor that saves in place does.
function World:save(path, text)
   local is_new = not self.tree[path]
   self.tree[path] = { type = "file", text = text or "" }
   if is_new then
      self:_tell("create", path)
   end
   self:_tell("modify", path)
   self:_tell("close_write", path)
   return self
end

-- Begins to write a file and keeps it open, until world:close(path).
function World:write(path, text)
   local is_new = not self.tree[path]
   self.tree[path] = { type = "file", text = text or "", open = true }
   if is_new then
      self:_tell("create", path)
   end
   self:_tell("modify", path)
   return self
end

function World:close(path)
   self.tree[path].open = nil
   self:_tell("close_write", path)
   return self
end

function World:chmod(path)
   self:_tell("attrib", path)
   return self
end

function World:mkdir(path)
   self.tree[path] = { type = "directory" }
   self:_tell("create", path, { type = "directory", isdir = true })
   return self
end

function World:remove(path)
   local entry = self.tree[path]
   if not entry then
      return nil, path .. ": No such file or directory", 2
   end
   self.tree[path] = nil
   self:_tell("delete", path, { type = entry.type, isdir = entry.type == "directory" })
   return self
end

-- Renames a file or a directory with all below it.
function World:move(from, to)
   local entry = self.tree[from]
   if not entry then
      return nil, from .. ": No such file or directory", 2
   end
   local replaced = self.tree[to] and self.tree[to].type
   local moved = {}
   for path, inner in pairs(self.tree) do
      if path == from or path:sub(1, #from + 1) == from .. "/" then
         moved[path] = inner
      end
   end
   for path, inner in pairs(moved) do
      self.tree[path] = nil
      self.tree[to .. path:sub(#from + 1)] = inner
   end
   self:_tell("move", to, { from = from, type = entry.type, isdir = entry.type == "directory", replaced = replaced })
   return self
end

return World
