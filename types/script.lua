---@meta

-- The globals of a rule script, beside Lua's own. Leave this file out of a workspace that has no rule scripts.

---@type moonwatch
moonwatch = require "moonwatch"

rule = require "moonwatch.rules".rule
defaults = require "moonwatch.rules".defaults
every = require "moonwatch.rules".every
at = require "moonwatch.rules".at
log = require "moonwatch.rules".log
exec = require "moonwatch".exec
spawn = require "moonwatch".spawn
sleep = require "moonwatch".sleep

---What stands after the script on the command line; `arg[0]` is the script.
---@type string[]
arg = {}
