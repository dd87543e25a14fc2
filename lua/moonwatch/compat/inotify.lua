-- SPDX-License-Identifier: MIT
--
-- inotify.lua - linotify's names over inotify objects, for programs that were written for it:
--
--    local inotify = require "moonwatch.compat.inotify"     -- was: require "inotify"
--    local handle = assert(inotify.init())
--    local wd = assert(handle:addwatch("inbox", inotify.IN_CREATE, inotify.IN_MOVE))
--    for event in handle:events() do print(event.wd, event.mask, event.cookie, event.name) end
--
-- As in linotify (and in the kernel) an inode has one watch: a second addwatch changes its mask. New is only that in a
-- task `read` and `events` let other tasks run, and that messages begin with the path.

require "moonwatch" -- misuse is told at the user's line only then
local core = require "moonwatch.core"

local inotify = {}

local FLAGS = {
   "ACCESS", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "CREATE", "DELETE", "DELETE_SELF", "MODIFY", "MOVE_SELF",
   "MOVED_FROM", "MOVED_TO", "OPEN", "ALL_EVENTS", "MOVE", "CLOSE", "DONT_FOLLOW", "EXCL_UNLINK", "MASK_ADD",
   "MASK_CREATE", "ONESHOT", "ONLYDIR", "IGNORED", "ISDIR", "Q_OVERFLOW", "UNMOUNT",
}
for _, name in ipairs(FLAGS) do inotify["IN_" .. name] = core.mask[name] end

local MASK_ADD, MASK_CREATE, IGNORED = core.mask.MASK_ADD, core.mask.MASK_CREATE, core.mask.IGNORED
local EBADF, EEXIST, EINVAL = core.errno.EBADF, core.errno.EEXIST, core.errno.EINVAL

local Handle = {}
Handle.__index = Handle
Handle.__name = "INOTIFY_HANDLE"

local function bad_descriptor()
   return nil, "Bad file descriptor", EBADF
end

--- A new handle. options: blocking (true).
-- @return a handle, or nil, message, errno
function inotify.init(options)
   local object, message, code = core.inotify()
   if not object then return nil, message, code end
   local blocking = not (type(options) == "table" and options.blocking == false)
   return setmetatable({ _object = object, _timeout = not blocking and 0 or nil, _replaced = {} }, Handle)
end

-- The inode has a watch under another path: the new one takes its place, and its end is not to be told.
local function replace(self, path, mask)
   local watch, message, code = self._object:add(path, mask)
   if not watch then return nil, message, code end
   for other in self._object:watches() do
      if other.wd == watch.wd and other ~= watch then
         if mask & MASK_ADD ~= 0 then watch:update(watch.mask | other.mask) end
         self._replaced[other] = true
         other:remove()
      end
   end
   return watch
end

local function change(self, path, mask)
   local watch = self._object:find(path)
   if watch then
      local wanted = mask & MASK_ADD ~= 0 and watch.mask | mask & ~MASK_ADD or mask
      if watch:update(wanted) then return watch end
   end
   return replace(self, path, mask)
end

local function union(path, ...)
   local mask, valid = 0, type(path) == "string"
   for _, flags in ipairs { ... } do
      valid = valid and math.tointeger(flags) ~= nil
      mask = valid and mask | flags
   end
   if not valid then core.misuse "addwatch: a path and flags such as IN_CREATE are needed" end
   return mask
end

--- Watches a path, or changes the mask of its watch.
-- @return a watch descriptor, or nil, message, errno
function Handle:addwatch(path, ...)
   local mask = union(path, ...)
   if not self._object then return bad_descriptor() end
   if mask == 0 then return nil, path .. ": Invalid argument", EINVAL end
   local watch, message, code = self._object:add(path, mask & ~MASK_ADD | MASK_CREATE)
   if code == EEXIST and mask & MASK_CREATE == 0 then watch, message, code = change(self, path, mask) end
   if not watch then return nil, message, code end
   return watch.wd
end

--- Ends a watch.
-- @return true, or nil, message, errno
function Handle:rmwatch(wd)
   if not self._object then return bad_descriptor() end
   if not self._object:remove(wd) then return nil, "Invalid argument", EINVAL end
   return true
end

local function plain(event)
   return { wd = event.wd, mask = event.mask, cookie = event.cookie, name = event.name }
end

local function is_end_of_replaced(self, event)
   if event.mask & IGNORED == 0 or not self._replaced[event.watch] then return false end
   self._replaced[event.watch] = nil
   return true
end

--- All events that are there; waits for the first, unless the handle was made with blocking = false.
-- @return a list, or nil, message, errno
function Handle:read()
   if not self._object then return bad_descriptor() end
   local found = {}
   repeat
      local events, message, code = self._object:read(self._timeout)
      for _, event in ipairs(events or {}) do
         if not is_end_of_replaced(self, event) then found[#found + 1] = plain(event) end
      end
      if message and code ~= core.errno.ETIMEDOUT then return nil, message, code end
   until #found > 0 or self._timeout
   return found
end

--- An iterator of events, one at a time; what goes wrong is raised.
function Handle:events()
   return function()
      if not self._object then error("Bad file descriptor", 2) end
      while true do
         local event, message, code = self._object:get(self._timeout)
         if not event then
            if code == core.errno.ETIMEDOUT then return nil end
            error(message, 2)
         elseif not is_end_of_replaced(self, event) then
            return plain(event)
         end
      end
   end
end

--- The descriptor; -1 when closed.
function Handle:getfd()
   return self._object and self._object:fileno() or -1
end
Handle.fileno = Handle.getfd

--- Closes the handle; again: no matter.
function Handle:close()
   if self._object then self._object:close() end
   self._object = nil
end
Handle.__close = Handle.close

return inotify
