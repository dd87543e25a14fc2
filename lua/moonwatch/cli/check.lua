-- SPDX-License-Identifier: MIT
--
-- check.lua - moonwatch check: loads rule scripts, runs nothing, and says what each rule would watch.

local exit = require "moonwatch.cli.exit"
local options = require "moonwatch.cli.options"
local supervise = require "moonwatch.cli.supervise"
local survey = require "moonwatch.cli.survey"

local check = {
   summary = "Loads rule scripts, runs nothing, and says what each rule would watch.",
   usage = "moonwatch check [options] SCRIPT.lua... [-- ARG...]",
   epilog = "Ends with 0 where all is well, 1 where something cannot be watched or read, 2 on a script error.",
}

function check.define(parser)
   parser:argument("script", "A rule script, or a folder of them."):args "+"
   parser:flag("--json", "One JSON object.")
end

function check.parse(words)
   local own, rest = options.split(words)
   local given = options.parse("check", check, own)
   given.arg = rest or {}
   return given
end

local function load_set(given)
   local rules = require "moonwatch.rules"
   require("moonwatch.cli.trust").check(given.script)
   local quiet = require("moonwatch.cli.host").logger { level = "warn" }
   local set, message, errno = rules.load(given.script, { arg = given.arg, log = quiet })
   if not set then exit.with(errno and exit.REFUSED or exit.USAGE, "%s", exit.tidy(message)) end
   return set
end

-- What a rule would watch, as a plain table.
local function look_at(rule, spec, seen)
   local row = { name = spec.name, position = spec.position, words = tostring(rule) }
   if spec.next_time then return row end
   row.watch, row.on = spec.watch, {}
   for op in pairs(spec.ops) do row.on[#row.on + 1] = op end
   table.sort(row.on)
   row.directories, row.problem = survey.directories(spec.watch, spec.watch_options, seen)
   return row
end

local function print_rows(rows, count)
   local lines, jobs = {}, 0
   for _, row in ipairs(rows) do
      lines[#lines + 1] = row.words
      if not row.watch then jobs = jobs + 1 end
      if row.watch then
         lines[#lines + 1] = ("   on %s; %s"):format(table.concat(row.on, ", "), row.problem and "cannot be watched: "
            .. exit.escape(row.problem) or supervise.directories(row.directories))
      end
   end
   lines[#lines + 1] = ("%s, %s: %s"):format(supervise.rules(#rows - jobs, jobs), supervise.directories(count),
      survey.verdict(count))
   exit.print(table.concat(lines, "\n") .. "\n")
end

local function print_json(rows, count)
   local json = require "moonwatch.cli.json"
   for _, row in ipairs(rows) do row.words = nil end
   exit.print(json.encode({ rules = json.list(rows), directories = count,
      max_user_watches = require("moonwatch").limits().max_user_watches },
      { "rules", "name", "position", "watch", "on", "directories" }) .. "\n")
end

function check.run(given)
   local rule_set = require "moonwatch.rule.set"
   local set = load_set(given)
   local rows, seen, status = {}, {}, exit.DONE
   for i, rule in ipairs(set.rules) do
      rows[i] = look_at(rule, rule_set.spec_of(rule), seen)
      if rows[i].problem then status = exit.REFUSED end
   end
   (given.json and print_json or print_rows)(rows, survey.size(seen))
   return status
end

return check
