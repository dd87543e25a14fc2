-- SPDX-License-Identifier: MIT
--
-- tree.lua - the made-up tree: what is done to it becomes the events that a watcher would give.

local place = require "moonwatch.rule.place"

local World = {}

-- The key of a path in the tree, which has it as scripts give it: relative to the folder in which they were started.
function World:_key(path)
   path = place.normal(path)
   local prefix = (self.options.base or "") .. "/"
   return not self.tree[path] and path:sub(1, #prefix) == prefix and self.tree[path:sub(#prefix + 1)]
      and path:sub(#prefix + 1) or path
end

function World:_entry(path)
   return self.tree[self:_key(path)]
end

-- What is below a directory, parents first; with "flat" only what lies in it.
local function below(tree, directory, flat)
   local paths, prefix = {}, directory .. "/"
   for path in pairs(tree) do
      if path:sub(1, #prefix) == prefix and not (flat and path:find("/", #prefix + 1, true)) then
         paths[#paths + 1] = path
      end
   end
   table.sort(paths)
   return paths
end

-- The event as a rule with this place sees it; nil where it sees nothing.
local function event_at(seen, op, path, more)
   local root, rel, _, shown = seen:find(path, more.isdir)
   if not root then
      return nil
   end
   local event = { op = op, path = shown, rel = rel, root = root, name = path:match "[^/]+$", type = "file", isdir = false }
   for name, value in pairs(more) do
      event[name] = value
   end
   return event
end

-- A move across the border of what a rule sees is a create, or a delete.
local function move_at(seen, from, to, more)
   local came, went = event_at(seen, "move", to, more), event_at(seen, "delete", from, more)
   if came and went then
      came.from, came.from_root, came.from_rel = went.path, went.root, went.rel
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

local function fields_of(world, entry, more)
   local fields = { time = world.time, type = entry.type, isdir = entry.type == "directory" }
   for name, value in pairs(more or {}) do
      fields[name] = value
   end
   return fields
end

-- What a rule sees for the first time where a directory has brought it.
local function find_at(world, watched, path)
   local fields = fields_of(world, world.tree[path], { synthetic = true })
   for _, op in ipairs { "create", fields.type == "file" and "close_write" or nil } do
      local event = event_at(watched.place, op, path, fields)
      if event then
         watched.runtime:feed(event, world.time)
      end
   end
end

-- Tells one rule of a move: of the thing itself, where the rule sees that, or of all that is in it.
local function tell_move(world, watched, from, to, replaced)
   local event = move_at(watched.place, from, to, fields_of(world, world.tree[to], { replaced = replaced }))
   if event then
      watched.runtime:feed(event, world.time)
   end
   for _, path in ipairs(event and {} or below(world.tree, to, "flat")) do
      tell_move(world, watched, from .. path:sub(#to + 1), path)
   end
   for _, path in ipairs(event and event.op == "create" and below(world.tree, to) or {}) do
      find_at(world, watched, path)
   end
end

-- Puts a file into the tree and tells what a writer does to it.
local function write(world, path, text, is_open)
   local key = world:_key(path)
   local is_new = not world.tree[key]
   world.tree[key] = { type = "file", text = text or "", open = is_open or nil }
   if is_new then
      world:_tell("create", key)
   end
   world:_tell("modify", key)
end

-- Writes a file and closes it, as an editor that saves in place does.
function World:save(path, text)
   write(self, path, text)
   self:_tell("close_write", self:_key(path))
   return self
end

-- Begins to write a file and keeps it open, until world:close(path).
function World:write(path, text)
   write(self, path, text, true)
   return self
end

function World:close(path)
   self:_entry(path).open = nil
   self:_tell("close_write", self:_key(path))
   return self
end

function World:chmod(path)
   self:_tell("attrib", self:_key(path))
   return self
end

function World:mkdir(path)
   local key = self:_key(path)
   self.tree[key] = { type = "directory" }
   self:_tell("create", key, { type = "directory", isdir = true })
   return self
end

-- Removes a file, or a directory with all below it.
function World:remove(path)
   local key = self:_key(path)
   local entry = self.tree[key]
   if not entry then
      return nil, path .. ": No such file or directory", 2
   end
   local inner = below(self.tree, key)
   for i = #inner, 1, -1 do
      self:remove(inner[i])
   end
   self.tree[key] = nil
   self:_tell("delete", key, { type = entry.type, isdir = entry.type == "directory" })
   return self
end

-- Renames a file or a directory with all below it.
function World:move(from, to)
   local entry = self:_entry(from)
   if not entry then
      return nil, from .. ": No such file or directory", 2
   end
   from, to = self:_key(from), self:_key(to)
   if from == to then
      return self
   end
   local replaced = self.tree[to] and self.tree[to].type
   local inner = below(self.tree, from)
   self.tree[from], self.tree[to] = nil, entry
   for _, path in ipairs(inner) do
      self.tree[to .. path:sub(#from + 1)], self.tree[path] = self.tree[path], nil
   end
   for _, watched in ipairs(self.watched) do
      tell_move(self, watched, from, to, replaced)
   end
   self:_turn()
   return self
end

return World
