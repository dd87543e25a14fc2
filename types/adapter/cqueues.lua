---@meta moonwatch.adapter.cqueues

---@type moonwatch.adapter
local adapter

return adapter
