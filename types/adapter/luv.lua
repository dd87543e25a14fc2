---@meta moonwatch.adapter.luv

---@type moonwatch.adapter
local adapter

return adapter
