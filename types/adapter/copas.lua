---@meta moonwatch.adapter.copas

---@type moonwatch.adapter
local adapter

return adapter
