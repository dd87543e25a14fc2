---@meta

-- What the adapters have in common; `require "moonwatch.adapter.luv"` and its kind.

---moonwatch inside the loop of another library.
---@class moonwatch.adapter
local adapter = {}

---In a coroutine of that loop: runs `fn(...)` as a task of moonwatch and waits for it; an error is raised as it was.
---
---    local result = adapter.await(moonwatch.exec, { "make" })
---@async
---@param fn async fun(...): ...
---@param ... any handed to `fn`
---@return any ... what `fn` returns
function adapter.await(fn, ...) end

---From now on that loop drives moonwatch's: tasks, handlers and rules run whenever it runs.
---@param queue? table the controller, for cqueues
---@return moonwatch.driver driver
function adapter.start(queue) end

---@class moonwatch.driver
local driver = {}

---Ends the driving; again: no matter.
function driver:stop() end

---The same.
function driver:close() end

return adapter
