-- SPDX-License-Identifier: MIT
--
-- fields.lua - what a rule may say: every key once, with its kinds, default and one line of documentation.

local declare = require "moonwatch.rule.declare"
local process = require "moonwatch.process".fields

local OPS = require "moonwatch.rule.batch".ops
local LISTS = { "paths", "paths0", "rels", "rels0" }

local retry_fields = {
   times = { kinds = { "tries" }, default = 3, doc = "how many further tries" },
   delay = { kinds = { "seconds" }, default = 1, doc = "seconds before the first of them" },
   factor = { kinds = { "positive" }, default = 2, doc = "each delay is so many times the last" },
   cap = { kinds = { "seconds" }, default = 60, doc = "no delay is longer" },
   jitter = { kinds = { "number" }, default = 0, doc = "up to this part of a delay is added at random" },
   codes = { kinds = { "integers", "integer" }, doc = "only these exit codes are tried again" },
   when = { kinds = { "function" }, doc = "asked with the result: true tries again" },
}

local guard_fields = {
   runs = { kinds = { "count" }, default = 10, doc = "runs in a row that may feed themselves" },
   hold = { kinds = { "seconds" }, default = 2, doc = "seconds the next run is held to see who writes" },
}

local busy_fields = {
   signal = { kinds = { "text", "integer" }, check = process.stop_signal.check, doc = "the signal sent to the running process" },
}

-- "create, delete" or { "create", "delete" } as a list.
local function ops_of(value)
   if type(value) == "table" then
      return value
   end
   local list = {}
   for word in value:gmatch("[^%s,|]+") do
      list[#list + 1] = word
   end
   return list
end

local function check_ops(value)
   local list = ops_of(value)
   for _, op in ipairs(list) do
      if not OPS[op] then
         local near = declare.nearest(op, OPS)
         return ("has no %q%s"):format(op, near and (' (did you mean "%s"?)'):format(near)
            or ": create, modify, delete, move and attrib are known")
      end
   end
   return #list == 0 and "is empty" or nil
end

local function check_inner(inner)
   return function(value, subject)
      if type(value) == "table" then
         declare.check(inner, value, subject)
      end
   end
end

local function check_busy(value, subject)
   if type(value) == "table" then
      declare.check(busy_fields, value, subject)
      return not value.signal and "needs a signal" or nil
   end
end

-- Any text is good for standard input, but one letter off the name of a list is a slip.
local function check_stdin(value)
   if value == "pipe" then
      return "cannot be a pipe: nobody would write into it"
   end
   local near = declare.nearest(value, declare.set(LISTS), 1)
   if near and near ~= value then
      return ('has no %q (did you mean "%s"?)'):format(value, near)
   end
end

local fields = {
   -- what is watched
   watch = { kinds = { "path", "paths" }, doc = "path, pattern, or a list of them" },
   match = { kinds = { "pattern", "patterns" }, doc = "only what these patterns match" },
   ignore = { kinds = { "pattern", "patterns" }, doc = "neither read nor watched" },
   ignore_files = { kinds = { "path", "paths" }, doc = "ignore files, obeyed as git does" },
   filter = { kinds = { "function" }, doc = "asked once per new entry; false prunes" },
   follow = { kinds = { "boolean" }, doc = "go through symlinks to directories" },
   one_filesystem = { kinds = { "boolean" }, doc = "do not cross mounts" },
   recursive = { kinds = { "boolean" }, doc = "directories below too" },
   depth = { kinds = { "count" }, doc = "how deep" },
   missing = { choices = { "error", "wait" }, doc = "may the root come later" },
   backend = { choices = { "auto", "inotify", "poll" }, doc = "how changes are found" },
   interval = { kinds = { "positive" }, doc = "seconds between two looks where polled" },

   -- when it fires
   on = { kinds = { "text", "words" }, check = check_ops, doc = "net changes that fire it" },
   settle = { kinds = { "seconds" }, default = 0.1, doc = "quiet time" },
   max_wait = { kinds = { "seconds" }, doc = "its bound" },
   cooldown = { kinds = { "seconds" }, default = 0, doc = "seconds between two runs" },
   complete = { kinds = { "boolean", "positive" }, default = false, doc = "whole files only" },
   hold = { kinds = { "path", "paths" }, doc = "while one of these exists the batch waits" },
   outputs = { kinds = { "pattern", "patterns" }, doc = "what the rule itself writes" },
   start = { kinds = { "boolean" }, default = false, doc = "also run once at the start" },

   -- what it does
   run = { kinds = { "argv", "argvs", "function" }, doc = "once per batch" },
   each = { kinds = { "argv", "argvs", "function" }, doc = "once per changed path" },
   service = { kinds = { "argv" }, doc = "kept running, restarted on changes" },
   on_failure = { kinds = { "function" }, doc = "called when all tries have failed" },

   -- how runs meet
   limit = { kinds = { "count" }, doc = "runs at a time" },
   key = { choices = { "path", "dir", "name", "stem" }, kinds = { "function" }, doc = "what never overlaps" },
   busy = { choices = { "queue", "restart", "drop" }, kinds = { "table" }, check = check_busy,
      doc = "a batch is due while its key runs" },
   retry = { kinds = { "table" }, check = check_inner(retry_fields), doc = "after a failure" },
   guard = { kinds = { "table", "no" }, check = check_inner(guard_fields), default = {},
      doc = "against a rule that feeds itself" },

   -- the process
   timeout = { kinds = { "positive" }, doc = "seconds a run may take" },
   stop_signal = { kinds = { "text", "integer" }, check = process.stop_signal.check, default = "TERM", doc = "asks it to end" },
   grace = { kinds = { "seconds" }, default = 5, doc = "seconds before KILL" },
   descendants = { kinds = { "boolean" }, doc = "a stop also ends what has left the process group" },
   capture_limit = { kinds = { "natural" }, doc = "bytes of a capture that are kept: the last ones" },
   success = { kinds = { "integers", "integer" }, check = process.success.check, default = { 0 },
      doc = "exit codes that are no failure" },
   user = { kinds = { "name" }, doc = "runs as" },
   cwd = { kinds = { "path" }, doc = "runs in" },
   env = { kinds = { "table" }, check = process.env.check, doc = "added to the environment; false removes" },
   stdin = { kinds = { "bytes" }, check = check_stdin, default = "null", doc = "null, inherit, text, or a path list" },
   stdout = { choices = { "inherit", "null", "log", "capture" }, kinds = { "function" }, default = "inherit",
      doc = "where output goes" },
   stderr = { choices = { "inherit", "null", "log", "capture", "stdout" }, kinds = { "function" }, default = "inherit",
      doc = "where errors go" },
}

return {
   rule = fields,
   retry = retry_fields,
   guard = guard_fields,
   busy = busy_fields,
   ops_of = ops_of,
   lists = declare.set(LISTS),
}
