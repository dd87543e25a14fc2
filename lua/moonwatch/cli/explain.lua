-- SPDX-License-Identifier: MIT
--
-- explain.lua - moonwatch explain: which rules a change at a path would fire, and why.

local client = require "moonwatch.cli.client"
local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"
local json = require "moonwatch.cli.json"

-- The host may work elsewhere.
local function absolute(path)
   if path:sub(1, 1) == "/" then return path end
   return (exit.check(core.current()) .. "/" .. path:gsub("^%./", "")):gsub("/%.$", "")
end

return client.command {
   summary = "Says which rules a change at a path would fire, and why or why not.",
   usage = "moonwatch explain [options] PATH",
   define = function(parser)
      parser:argument("path", "A file or a directory, there or not.")
      parser:flag("--json", "One JSON object.")
   end,
   request = function(given) return { verb = "explain", path = (absolute(given.path)) } end,
   show = function(answer, given)
      if given.json then return exit.print(json.encode({ rules = answer.rules }) .. "\n") end
      for _, row in ipairs(answer.rules) do
         exit.print(("%-16s %-3s  %s\n"):format(exit.escape(row.rule), row.fires and "yes" or "no", exit.escape(row.why or "")))
      end
   end,
}
