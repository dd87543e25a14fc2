---@meta moonwatch.compat.inotify

---linotify's names over inotify objects. The flags are there under their names in C: `inotify.IN_CREATE`, ...
---@class moonwatch.compat.inotify
---@field [string] integer
local inotify = {}

---A new handle; with `blocking = false` its `read` only looks.
---@param options? { blocking?: boolean }
---@return moonwatch.compat.handle? handle
---@return string? message
---@return integer? errno
function inotify.init(options) end

---@class moonwatch.compat.handle
local handle = {}

---Watches a path, or changes the mask of its watch.
---@param path string
---@param ... integer flags
---@return integer? wd
---@return string? message
---@return integer? errno
function handle:addwatch(path, ...) end

---Ends a watch.
---@param wd integer
---@return true? removed
---@return string? message
---@return integer? errno
function handle:rmwatch(wd) end

---All events that are there.
---@async
---@return { wd: integer, mask: integer, cookie: integer, name?: string }[]? events
---@return string? message
---@return integer? errno
function handle:read() end

---An iterator of events, one at a time; what goes wrong is raised.
---@return async fun(): { wd: integer, mask: integer, cookie: integer, name?: string }?
function handle:events() end

---The descriptor; -1 when closed.
---@return integer fd
function handle:getfd() end

---The same.
---@return integer fd
function handle:fileno() end

---Closes it; again: no matter.
function handle:close() end

return inotify
