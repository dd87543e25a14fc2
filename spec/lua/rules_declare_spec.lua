-- SPDX-License-Identifier: MIT
--
-- What a rule's table may hold, and what is said where it holds something else.

local declare = require "moonwatch.rule.declare"
local set = require "moonwatch.rule.set"

-- Declares a rule from a chunk of its own, so that the message names that chunk's line.
local function declared(text, name)
   local rules = set.new()
   local environment = rules:environment({}, {})
   local chunk = assert(load(text, "=" .. (name or "script.lua"), "t", environment))
   local ok, result = pcall(chunk)
   return ok, result, rules
end

local function refusal(text)
   local ok, message = declared(text)
   assert.is_false(ok)
   return message
end

local function frozen_refusal(fn)
   local ok, message = pcall(fn)
   assert.is_false(ok)
   return (message:gsub("^.-:%d+: ", ""))
end

describe("a rule's declaration", function()
   it("names file, line and the nearest key for an unknown one", function()
      assert.equal('script.lua:2: rule "build": unknown key "setle" (did you mean "settle"?)',
         refusal '\nrule "build" { watch = "src", setle = 0.2, run = { "make" } }')
   end)

   it("names an unknown key alone where none is near", function()
      assert.equal('script.lua:1: rule "build": unknown key "colour"',
         refusal 'rule "build" { watch = "src", colour = 1, run = { "make" } }')
   end)

   it("says what a key must be and what it was given", function()
      local cases = {
         { 'settle = "0.2"', 'settle must be a number of seconds, not "0.2"' },
         { "settle = -1", "settle must be a number of seconds, not -1" },
         { "limit = 0", "limit must be a whole number of at least 1, not 0" },
         { "start = 1", "start must be true or false, not 1" },
         { "watch = {}", "watch must be a path or a list of paths, not an empty table" },
         { 'watch = "a\\0b"', 'watch must be a path or a list of paths, not "a\\0b"' },
         { 'busy = "restat"', 'busy must be a table, "queue", "restart" or "drop", not "restat" '
            .. '(did you mean "restart"?)' },
         { "busy = {}", "busy needs a signal" },
         { 'busy = { signl = "HUP" }', 'busy: unknown key "signl" (did you mean "signal"?)', true },
         { 'on = "creat"', 'on has no "creat" (did you mean "create"?)' },
         { 'busy = { sig = "HUP" }', 'busy: unknown key "sig" (did you mean "signal"?)' },
         { 'on = "changed"', 'on has no "changed": create, modify, delete, move and attrib are known' },
         { "each = {}", "each must be a list of words, a list of such lists or a function, not an empty table" },
         { 'each = { "make", true }', "each must be a list of words, a list of such lists or a function, "
            .. "not a list with true" },
         { '"src"', 'a value without a key: "src"' },
         { 'key = "dir"', "key belongs to each: run is called once for all" },
         { "on = {}", "on is empty" },
         { "retry = { time = 3 }", 'retry: unknown key "time" (did you mean "times"?)', true },
         { "retry = { delay = true }", "retry: delay must be a number of seconds, not true", true },
         { 'key = "paht"', 'key must be a function, "path", "dir", "name" or "stem", not "paht" '
            .. '(did you mean "path"?)' },
         { "env = { [1] = 'x' }", "env has a name that cannot be one: 1" },
         { "env = { A = true }", "env needs a string, a number or false for A" },
         { 'stop_signal = "STOPP"', 'stop_signal names no signal: "STOPP"' },
         { 'stdin = "path0"', 'stdin has no "path0" (did you mean "paths"?)' },
         { "guard = true", "guard must be a table or false, not true" },
         { "match = { 1 }", "match must be a pattern or a list of patterns, not a list with 1" },
         { "depth = 0", "depth must be a whole number of at least 1, not 0" },
         { 'user = ""', 'user must be a name, not ""' },
         { 'stdin = "pipe"', "stdin cannot be a pipe: nobody would write into it" },
         { 'success = { "0" }', 'success must be a list of whole numbers or a whole number, not a list with "0"' },
         { "retry = { times = -1 }", "retry: times must be a whole number of at least 0 or math.huge, not -1" },
      }
      for _, case in ipairs(cases) do
         local given = case[1]:find "^watch" and "" or 'watch = "src", '
         assert.equal('script.lua:1: rule "r": ' .. case[2],
            refusal(('rule "r" { %srun = { "make" }, %s }'):format(given, case[1])))
      end
   end)

   it("wants a watch and exactly one of run, each and service", function()
      assert.equal('script.lua:1: rule "r": watch is required', refusal 'rule "r" { run = { "make" } }')
      assert.equal('script.lua:1: rule "r": one of run, each or service is required',
         refusal 'rule "r" { watch = "src" }')
      assert.equal('script.lua:1: rule "r": run and each exclude each other',
         refusal 'rule "r" { watch = "src", run = { "make" }, each = { "x" } }')
   end)

   it("never takes a string for a command", function()
      assert.equal('script.lua:1: rule "r": run must be a list of words, a list of such lists or a function, '
         .. 'not "make all"', refusal 'rule "r" { watch = "src", run = "make all" }')
   end)

   it("says what is wrong with a list that is no command", function()
      local cases = {
         { '{ "a", nil, "b" }', "a list with a hole" },
         { '{ "" }', "a list that begins with an empty word" },
         { '{ "a", { "b" } }', "a list of words and lists" },
         { "{ {} }", "a list with an empty table" },
         { '{ { "make", timeout = 5 } }', 'a list with a table with the key "timeout"' },
         { '{ { "a" }, { "" } }', "a list with a list that begins with an empty word" },
      }
      for _, case in ipairs(cases) do
         assert.equal('script.lua:1: rule "r": run must be a list of words, a list of such lists or a function, not '
            .. case[2], refusal(('rule "r" { watch = "src", run = %s }'):format(case[1])))
      end
      assert.equal('script.lua:1: rule "r": service must be a list of words, not a list of lists',
         refusal 'rule "r" { watch = "src", service = { { "a" } } }')
   end)

   it("keeps its message on one line whatever the rule is called", function()
      assert.equal('script.lua:1: rule "a\\nb": watch is required', refusal 'rule "a\\nb" { run = { "x" } }')
   end)

   it("takes signals by number too, and tries without an end or none at all", function()
      for _, keys in ipairs { "stop_signal = 15", "busy = { signal = 1 }", "retry = { times = math.huge }",
         "retry = { times = 0 }" } do
         local ok, message = declared(('rule "r" { watch = "a", run = { "x" }, %s }')
            :format(keys))
         assert.is_true(ok, message)
      end
   end)

   it("says where an option belongs that stands in the command", function()
      assert.equal('script.lua:1: rule "r": run is a list of words; timeout is a key of the rule, beside it',
         refusal 'rule "r" { watch = "src", run = { "make", timeout = 5 } }')
   end)

   it("takes numbers as words", function()
      local ok, message, rules = declared 'rule "r" { watch = "src", run = { "server", "--port", 8080 } }'
      assert.is_true(ok, message)
      assert.equal('rule "r" (script.lua:1): watch src, run server --port 8080', tostring(rules:find "r"))
   end)

   it("refuses a limit of time for a service, but not where it comes from the defaults", function()
      assert.equal('script.lua:1: rule "r": a service has no timeout',
         refusal 'rule "r" { watch = "src", service = { "x" }, timeout = 5 }')
      assert.is_true((declared 'defaults { timeout = 5 } rule "r" { watch = "src", service = { "x" } }'))
   end)

   it("refuses a name that is taken and says where it is", function()
      assert.equal('script.lua:2: rule "r" is already declared at script.lua:1',
         refusal 'rule "r" { watch = "a", run = { "x" } }\nrule "r" { watch = "b", run = { "x" } }')
   end)

   it("refuses placeholders where they cannot mean anything", function()
      assert.equal('script.lua:1: rule "r": run: {path} belongs to one path, and run is once per batch: '
         .. 'use each, or "{paths}"', refusal 'rule "r" { watch = "a", run = { "x", "-f{path}" } }')
      assert.equal('script.lua:1: rule "r": service: {path} belongs to one path, and a service is about all of them',
         refusal 'rule "r" { watch = "a", service = { "x", "{path}" } }')
      assert.equal('script.lua:1: rule "r": run: {paths} must be a word of its own, not part of "-f{paths}"',
         refusal 'rule "r" { watch = "a", run = { "x", "-f{paths}" } }')
      assert.equal('script.lua:1: rule "r": each: {rels} stands for many paths; each has one: {rel}',
         refusal 'rule "r" { watch = "a", each = { "x", "{rels}" } }')
   end)

   it("takes a placeholder that is a letter off for a slip, and leaves other braces alone", function()
      assert.equal('script.lua:1: rule "r": each: unknown placeholder {paht} (did you mean {path}?)',
         refusal 'rule "r" { watch = "a", each = { "x", "-f{paht}" } }')
      assert.equal('script.lua:1: rule "r": run: unknown placeholder {pahts} (did you mean {paths}?)',
         refusal 'rule "r" { watch = "a", run = { "x", "{pahts}" } }')
      assert.is_true((declared 'rule "r" { watch = "a", each = { "awk", "{print} {file} {rev}", "{path}" } }'))
   end)

   it("gives a value that can be read and printed, and not changed", function()
      local ok, result, rules = declared 'made = rule "build" { watch = "src", run = { "make", "-j2" } }'
      assert.is_true(ok, result)
      local rule = rules:find "build"
      assert.equal('rule "build" (script.lua:1): watch src, run make -j2', tostring(rule))
      assert.same({ "build", "src", 0.1, 5, "make", "-j2" },
         { rule.name, rule.watch, rule.settle, rule.max_wait, table.unpack(rule.run) })
      assert.equal('rule "build" is frozen: settle cannot be set', frozen_refusal(function() rule.settle = 1 end))
      assert.equal("this value cannot be changed", frozen_refusal(function() rule.run[1] = "rm" end))
   end)

   it("does not follow later changes of the user's own table", function()
      local rules = set.new()
      local argv = { "make" }
      local rule = rules:declare("r", { watch = "a", run = argv })
      argv[1] = "rm"
      assert.equal("make", rule.run[1])
   end)
end)

describe("defaults", function()
   it("give keys to the rules after them, and a rule's own key wins", function()
      local _, _, rules = declared [[
rule "before" { watch = "a", run = { "x" } }
defaults { settle = 1, retry = { times = 7 }, env = { A = "1" } }
rule "after" { watch = "a", run = { "x" } }
rule "own" { watch = "a", run = { "x" }, settle = 2, retry = { delay = 3 } }
]]
      local before, after, own = rules:find "before", rules:find "after", rules:find "own"
      assert.same({ 0.1, 1, 2 }, { before.settle, after.settle, own.settle })
      assert.same({ 7, nil }, { after.retry.times, own.retry.times })
      assert.is_nil(before.retry)
   end)

   it("are checked like a rule's keys", function()
      assert.equal('script.lua:1: defaults: unknown key "setle" (did you mean "settle"?)',
         refusal "defaults { setle = 1 }")
   end)
end)

describe("every and at", function()
   it("refuse what is no time", function()
      assert.equal('script.lua:1: at: a time of day such as "03:30" expected, not "25:00"',
         refusal 'at("25:00", function() end)')
      assert.equal("script.lua:1: every: a number of seconds above 0 expected, not 0",
         refusal "every(0, function() end)")
      assert.equal("script.lua:1: every: a function expected, not 5", refusal 'every(1, "name", 5)')
   end)
end)

describe("the nearest key", function()
   it("is found over letters changed, lost, added and swapped", function()
      local names = { settle = true, max_wait = true, cooldown = true, limit = true }
      local found = {}
      for _, word in ipairs { "setttle", "sttle", "settel", "maxwait", "MAX_WAIT", "lmiit", "nothing_like_it" } do
         found[#found + 1] = declare.nearest(word, names) or "none"
      end
      assert.same({ "settle", "settle", "settle", "max_wait", "max_wait", "limit", "none" }, found)
   end)
end)
