-- SPDX-License-Identifier: MIT
--
-- summary.lua - counts of events per directory and op, printed when all is over.

local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"

local summary = {}

local function directory_of(event)
   local path = event.path or "?"
   if not event.name then return path end
   return path:match "^(.*)/[^/]*$" or "."
end

local function count(counts, event)
   local directory = directory_of(event)
   local row = counts.rows[directory] or { total = 0 }
   counts.rows[directory] = row
   row.total, row[event.op] = row.total + 1, (row[event.op] or 0) + 1
   counts.ops[event.op] = (counts.ops[event.op] or 0) + 1
   counts.total = counts.total + 1
end

local function sorted_keys(of, by)
   local keys = {}
   for key in pairs(of) do keys[#keys + 1] = key end
   table.sort(keys, function(a, b)
      if by(a) ~= by(b) then return by(a) > by(b) end
      return a < b
   end)
   return keys
end

-- The busiest first.
local function order(counts)
   return sorted_keys(counts.rows, function(directory) return counts.rows[directory].total end),
      sorted_keys(counts.ops, function(op) return counts.ops[op] end)
end

local function as_table(counts)
   local directories, ops = order(counts)
   local widths, lines = {}, { ("%8s"):format "total" }
   for i, op in ipairs(ops) do
      widths[i] = math.max(#op, 6)
      lines[1] = lines[1] .. "  " .. (" "):rep(widths[i] - #op) .. op
   end
   lines[1] = lines[1] .. "  directory"
   for _, directory in ipairs(directories) do
      local row = counts.rows[directory]
      local cells = { ("%8d"):format(row.total) }
      for i, op in ipairs(ops) do cells[#cells + 1] = ("%" .. widths[i] .. "d"):format(row[op] or 0) end
      lines[#lines + 1] = table.concat(cells, "  ") .. "  " .. exit.escape(directory)
   end
   if counts.total == 0 then lines = { "no events" } end
   return table.concat(lines, "\n") .. "\n"
end

local function as_json(counts)
   local directories = {}
   for i, directory in ipairs((order(counts))) do
      local row = counts.rows[directory]
      local ops = {}
      for op, times in pairs(row) do ops[op] = op ~= "total" and times or nil end
      directories[i] = { path = directory, total = row.total, ops = ops }
   end
   return json.encode({ total = counts.total, ops = counts.ops, directories = json.list(directories) },
      { "total", "ops", "directories", "path" }) .. "\n"
end

--- Counts what is put in, and prints the table at the end.
function summary.new(is_json)
   local counts = { total = 0, ops = {}, rows = {} }
   return {
      put = function(event) count(counts, event) end,
      finish = function() exit.print((is_json and as_json or as_table)(counts)) end,
   }
end

return summary
