-- SPDX-License-Identifier: MIT
--
-- netmodel.lua - the judge of net changes: a model of a tree, the events that work on it makes, and a strict
-- application of a batch.
--
-- A tree is { type =, content =, children = { name = tree } }; `content` is a number that changes with every write.
-- A world has a tree `root` (of the path "r"), a list of `events` since it was made, and methods that do what a program
-- would do and tell what a watcher would.

local netmodel = {}

-- Trees ---------------------------------------------------------------------------------------------------------------

local next_content = 0

local function new_content()
   next_content = next_content + 1
   return next_content
end

function netmodel.file(type)
   return { type = type or "file", content = new_content() }
end

function netmodel.directory(children)
   return { type = "directory", children = children or {} }
end

function netmodel.copy(tree)
   if not tree then return nil end
   local copy = { type = tree.type, content = tree.content, told = tree.told, entry = tree.entry or tree }
   if tree.children then
      copy.children = {}
      for name, child in pairs(tree.children) do copy.children[name] = netmodel.copy(child) end
   end
   return copy
end

local function split(rel)
   local head, last = rel:match "^(.*)/([^/]*)$"
   return head or "", last or rel
end

function netmodel.find(tree, rel)
   if rel ~= "" then
      for name in rel:gmatch "[^/]+" do
         tree = tree and tree.children and tree.children[name]
      end
   end
   return tree
end

-- Of what is in a directory, in order.
function netmodel.names(directory)
   local sorted = {}
   for name in pairs(directory.children or {}) do sorted[#sorted + 1] = name end
   table.sort(sorted)
   return sorted
end

-- Calls fn(rel, entry) for what is in a tree, parents first and in the same order each time.
function netmodel.each(tree, fn, rel)
   for _, name in ipairs(netmodel.names(tree)) do
      local child, path = tree.children[name], rel and rel .. "/" .. name or name
      fn(path, child)
      netmodel.each(child, fn, path)
   end
end

-- As { rel = type }, and with contents { rel = content }.
function netmodel.flat(tree, contents, rel, found)
   found = found or {}
   if not tree then return found end
   if rel then found[rel] = contents and (tree.content or "directory") or tree.type end
   for name, child in pairs(tree.children or {}) do
      netmodel.flat(child, contents, rel and rel .. "/" .. name or name, found)
   end
   return found
end

-- Work and its events -------------------------------------------------------------------------------------------------

local World = {}
World.__index = World

function netmodel.world(tree)
   return setmetatable({ root = tree, events = {} }, World)
end

function World:find(rel) return netmodel.find(self.root, rel) end

function World:tell(op, rel, entry, fields)
   local event = fields or {}
   event.op, event.rel, event.root = op, rel, "r"
   event.path = rel == "" and "r" or "r/" .. rel
   event.type = event.type or (entry and entry.type)
   if event.from_rel then event.from, event.from_root = "r/" .. event.from_rel, "r" end
   self.events[#self.events + 1] = event
end

local function put(self, rel, entry)
   local head, last = split(rel)
   self:find(head).children[last] = entry
end

-- `unclosed`: the kernel tells of no close, or not yet.
function World:create(rel, type, unclosed)
   local entry = type == "directory" and netmodel.directory() or netmodel.file(type)
   put(self, rel, entry)
   self:tell("create", rel, entry)
   if type == "file" and not unclosed then self:tell("close_write", rel, entry) end
   return entry
end

function World:modify(rel)
   local entry = self:find(rel)
   entry.content = new_content()
   self:tell("modify", rel, entry)
   self:tell("close_write", rel, entry)
end

-- Without a close.
function World:write(rel)
   local entry = self:find(rel)
   entry.content = new_content()
   self:tell("modify", rel, entry)
end

-- After an overflow: new content that was found by looking.
function World:find_written(rel)
   local entry = self:find(rel)
   entry.content = new_content()
   self:tell("close_write", rel, entry, { synthetic = true })
end

function World:attrib(rel) self:tell("attrib", rel, self:find(rel)) end

-- A file, or an empty directory.
function World:delete(rel)
   self:tell("delete", rel, self:find(rel))
   put(self, rel, nil)
end

function World:move_out(rel)
   self:tell("delete", rel, self:find(rel), { moved_from = true })
   put(self, rel, nil)
end

local function tell_found(self, rel, entry)
   netmodel.each(entry, function(path, child) self:tell("create", path, child, { synthetic = true }) end, rel)
end

function World:move_in(rel, entry)
   put(self, rel, entry)
   self:tell("create", rel, entry, { moved_to = true })
   tell_found(self, rel, entry)
end

-- One thing put in the place of another of a different type, noticed by looking.
function World:retype(rel, entry)
   local old = self:find(rel)
   put(self, rel, entry)
   self:tell("create", rel, entry, { replaced = old.type, synthetic = true })
   tell_found(self, rel, entry)
end

function World:move(from, to)
   local entry, old = self:find(from), self:find(to)
   put(self, from, nil)
   put(self, to, entry)
   self:tell("move", to, entry, { from_rel = from, replaced = old and old.type })
end

function World:exchange(from, to)
   local entry, other = self:find(from), self:find(to)
   put(self, from, other)
   put(self, to, entry)
   self:tell("move", to, entry, { from_rel = from, replaced = other.type, exchange = true })
end

function World:vanish()
   self.root = nil
   self:tell("gone", "")
end

function World:come_back(entry)
   self.root = entry
   self:tell("back", "")
   tell_found(self, nil, entry)
end

-- May the entry at `from` be renamed to `to`?
function World:may_move(from, to)
   local entry, old = self:find(from), self:find(to)
   local head = self:find((split(to)))
   if from == to or not entry or not head or not head.children then return false end
   if (to .. "/"):sub(1, #from + 1) == from .. "/" or (from .. "/"):sub(1, #to + 1) == to .. "/" then return false end
   if not old then return true end
   if entry.children then return old.children ~= nil and next(old.children) == nil end
   return not old.children
end

function World:may_exchange(from, to)
   return from < to and self:find(from) and self:find(to)
      and to:sub(1, #from + 1) ~= from .. "/" and from:sub(1, #to + 1) ~= to .. "/"
end

-- Application ---------------------------------------------------------------------------------------------------------

local function check(condition, format, ...)
   if not condition then error(format:format(...), 0) end
end

local Target = {}
Target.__index = Target

-- What a batch is applied to: starts as the tree before, must end as the tree after. On a real disk (`live`) what is no
-- directory may be told with the type that it had later, or with none.
function netmodel.target(tree, live)
   return setmetatable({ live = live, top = { type = "directory", children = { r = netmodel.copy(tree) } } }, Target)
end

function Target:slot(path)
   local head, last = split(path)
   local directory = netmodel.find(self.top, head)
   check(directory and directory.children, "no directory above %s", path)
   return directory.children, last
end

function Target:is(entry, type)
   if not entry then return false end
   return entry.type == type or (self.live and entry.type ~= "directory" and type ~= "directory")
end

function Target:learn(entry, change)
   if self.live then entry.type = change.type or entry.type end
end

-- Whoever is told of a file reads it: once the batch is applied, and not before.
function Target:told(entry, change)
   self.unread[#self.unread + 1] = { entry = entry, rel = change.rel }
end

function Target:read(world)
   for _, one in ipairs(self.unread) do
      local there = world and world:find(one.rel)
      one.entry.told, one.entry.content = not world, there and there.content
   end
end

local function check_room(self, change, there)
   if change.replaced then
      check(self:is(there, change.replaced), "%s: replaced %s, there is %s", change.path, change.replaced,
         there and there.type or "nothing")
   else
      check(not there, "%s: is there already", change.path)
   end
end

local apply = {}

function apply.create(self, change)
   local slot, name = self:slot(change.path)
   check_room(self, change, slot[name])
   slot[name] = { type = change.type, children = change.type == "directory" and {} or nil }
   self:told(slot[name], change)
end

function apply.delete(self, change)
   local slot, name = self:slot(change.path)
   check(slot[name], "%s: deleted and not there", change.path)
   check(self:is(slot[name], change.type), "%s: deleted as %s", change.path, change.type)
   check(change.whole or not slot[name].children or next(slot[name].children) == nil,
      "%s: deleted before what is in it", change.path)
   slot[name] = nil
end

function apply.move(self, change)
   local from_slot, from_name = self:slot(change.from)
   local slot, name = self:slot(change.path)
   local entry = from_slot[from_name]
   check(self:is(entry, change.type), "%s: moved from %s as %s", change.path, change.from, change.type)
   local below = change.path .. "/"
   check(below:sub(1, #change.from + 1) ~= change.from .. "/", "%s: moved into itself", change.from)
   check((change.from .. "/"):sub(1, #below) ~= below, "%s: moved over its own parent", change.from)
   local there = slot[name]
   if change.exchange then
      check(self:is(there, change.replaced), "%s: no exchange with %s", change.path, change.from)
      from_slot[from_name] = there
   else
      check_room(self, change, there)
      from_slot[from_name] = nil
   end
   slot[name] = entry
   self:learn(entry, change)
   if change.modified then self:told(entry, change) end
end

function apply.modify(self, change)
   local slot, name = self:slot(change.path)
   check(self:is(slot[name], change.type), "%s: modified as %s, there is %s", change.path, tostring(change.type),
      slot[name] and slot[name].type or "nothing")
   self:learn(slot[name], change)
   self:told(slot[name], change)
end

function apply.attrib(self, change)
   local slot, name = self:slot(change.path)
   check(self:is(slot[name], change.type), "%s: attrib and not there", change.path)
   self:learn(slot[name], change)
end

-- With a world, what is told has from then on the content that it has there; without one, any.
function Target:apply(batch, world)
   self.unread = {}
   for _, change in ipairs(batch) do
      check(change.path == (change.rel == "" and "r" or "r/" .. change.rel) and change.root == "r",
         "%s: rel %s of %s", change.path, change.rel, tostring(change.root))
      apply[change.op](self, change)
   end
   self:read(world)
end

local function compare(target, truth, rel)
   check((target and target.type) == (truth and truth.type), "%s: is %s and should be %s", rel,
      target and target.type or "nothing", truth and truth.type or "nothing")
   if not truth then return end
   if truth.content then
      check(target.told or target.content == truth.content, "%s: its new content was not told", rel)
   end
   for name in pairs(target.children or {}) do
      check(truth.children[name], "%s/%s: is there and should not be", rel, name)
   end
   for name, child in pairs(truth.children or {}) do compare(target.children[name], child, rel .. "/" .. name) end
end

-- Raises where the target is not the tree: names, types, and whether each new content was told.
function Target:compare(tree)
   compare(self.top.children.r, tree, "r")
end

-- The words of a batch ------------------------------------------------------------------------------------------------

local function find_entry(tree, entry, rel)
   if (tree.entry or tree) == entry then return rel or "" end
   for name, child in pairs(tree.children or {}) do
      local found = find_entry(child, entry, rel and rel .. "/" .. name or name)
      if found then return found end
   end
   return nil
end

-- Is the entry now under a name that a thing of its type had before, in the same directory wherever that was,
-- or in one that was removed and made again?
local function lives_on_elsewhere(before, after, entry)
   local now = find_entry(after, entry)
   if not now then return true end
   local head, last = split(now)
   local function had(place)
      local directory = place and netmodel.find(before, place)
      local there = directory and directory.children and directory.children[last]
      return there ~= nil and there.type == entry.type
   end
   return had(find_entry(before, netmodel.find(after, head))) or had(head)
end

-- Are all directories that lead there the same, under the same names?
local function same_way(before, after, rel)
   for name in split(rel):gmatch "[^/]+" do
      before, after = before.children[name], after.children[name]
      if not before or not after or before.entry ~= after then return false end
   end
   return true
end

-- The rules of files, where no directory above was moved or made again: one change per path, and the right word.
-- `before` is a copy made by netmodel.copy of the tree that became `after`.
function netmodel.check_words(batch, before, after)
   local said, froms = {}, {}
   for _, change in ipairs(batch) do
      if not change.temporary then
         check(not said[change.rel] or not same_way(before, after, change.rel), "%s: two changes", change.rel)
         said[change.rel] = change
         if change.from then froms[change.from_rel] = change end
      end
   end
   local was, is = netmodel.flat(before, true), netmodel.flat(after, true)
   local types_before, types_after = netmodel.flat(before), netmodel.flat(after)
   for rel in pairs(was) do
      local old, new = types_before[rel], types_after[rel]
      local op = said[rel] and said[rel].op
      if old ~= "directory" and same_way(before, after, rel) then
         if old == new and was[rel] ~= is[rel] then check(op == "modify", "%s: %s, not modify", rel, tostring(op)) end
         if old == new and was[rel] == is[rel] then
            check(not op or op == "attrib", "%s: %s, and it is the same", rel, tostring(op))
         end
         if not new and not froms[rel] then
            check(op == "delete", "%s: %s, not delete", rel, tostring(op))
            check(lives_on_elsewhere(before, after, netmodel.find(before, rel).entry), "%s: deleted, and was moved", rel)
         end
      end
   end
   for rel in pairs(is) do
      if not types_before[rel] and types_after[rel] ~= "directory" and same_way(before, after, rel) then
         local op = said[rel] and said[rel].op
         check(op == "create" or op == "move", "%s: %s, not create or move", rel, tostring(op))
      end
   end
end

function netmodel.show(list)
   local words = {}
   for _, change in ipairs(list) do
      words[#words + 1] = ("%s %s%s%s%s%s%s"):format(change.op, change.from_rel and change.from_rel .. " -> " or "",
         change.rel, change.replaced and " (replaced " .. change.replaced .. ")" or "",
         change.exchange and " exchange" or "", change.temporary and " temporary" or "", change.whole and " whole" or "")
   end
   return table.concat(words, "; ")
end

return netmodel
