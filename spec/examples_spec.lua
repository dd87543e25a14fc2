-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local example = require "support.example"

describe("examples", function()
   for _, path in ipairs(example.list()) do
      it(path .. " does what its transcript says", function()
         local found = example.read(path)
         assert.is_string(found.title, "the first line says what it shows")
         assert.is_string(found.program, "a transcript with `$ moonwatch " .. path .. " &` or lua5.4")
         assert.is_true(#found.steps > 0)
         local missing = example.missing(found, helper.interpreter)
         if missing then return pending("needs " .. missing) end
         local said = {}
         local ok, missed = example.play(found, helper.build, helper.folder(), {
            interpreter = helper.interpreter,
            say = function(line) said[#said + 1] = line end,
         })
         assert(ok, ("%s: did not come: %s\n%s"):format(path, missed, table.concat(said, "\n")))
      end)
   end
end)

describe("examples with hostile file names", function()
   local NAME = "$(touch x);\\n'\"`touch x`\n %s -rf"

   -- Starts a program of examples/ in a fresh folder, and does things there with a file of that name.
   local function start(path, ...)
      local folder = helper.folder()
      local found = example.read(path)
      local missing = example.missing(found, helper.interpreter)
      if missing then return nil, missing end
      for _, made in ipairs { "inbox", "done", "failed", "logs", "sent", "photos", "src", "project" } do
         helper.mkdir(folder .. "/" .. made)
      end
      helper.write(folder .. "/Makefile", "all:\n\t@echo built\n")
      local command = found.program == "moonwatch" and { helper.host } or { helper.interpreter }
      command[2] = helper.top .. "/" .. path
      for _, argument in ipairs { ... } do command[#command + 1] = argument end
      local program = helper.start(command, { cwd = folder })
      return folder, program
   end

   local function named(path)
      return (path:gsub("NAME", function() return NAME end))
   end

   local function is_harmless(folder)
      for rel in pairs(helper.tree(folder)) do assert.not_equal("x", rel:match "[^/]+$") end
   end

   -- path, what is saved, what is to be there afterwards
   local function passes(path, saved, text, there)
      it(path .. " takes them as they are", function()
         local folder, program = start(path)
         if not folder then return pending("needs " .. program) end
         program:wait_for "watching"
         helper.write(folder .. "/" .. named(saved), text)
         helper.eventually(function() return there(folder, program) end)
         program:signal "TERM"
         assert.equal(0, program:wait().status)
         is_harmless(folder)
      end)
   end

   local function holds(place, text)
      return function(folder)
         local path = folder .. "/" .. named(place)
         return helper.exists(path) and helper.read(path) == text
      end
   end

   local function says(words)
      return function(_, program) return (program:out() .. program:err()):find(words, 1, true) end
   end

   passes("examples/hot-folder.lua", "inbox/NAME.csv", "1\n", holds("done/NAME.csv", "1\n"))
   passes("examples/dead-letter.lua", "inbox/NAME.json", "ok", holds("done/NAME.json", "ok"))
   passes("examples/dead-letter.lua", "inbox/NAME.json", "no", function(folder, program)
      return holds("failed/NAME.json", "no")(folder) and says "failed: " (folder, program)
         and helper.exists(folder .. "/failed/" .. NAME .. ".json.reason")
   end)
   passes("examples/mirror.lua", "photos/NAME/NAME", "moon", holds("copy/NAME/NAME", "moon"))
   passes("examples/ship-logs.lua", "logs/NAME.log", "line\nhalf", holds("sent/NAME.log", "5\n"))
   passes("examples/build.lua", "src/NAME.c", "", says "built")

   local function shows(path, argument, ready, saved, words)
      it(path .. " shows them as they are", function()
         local folder, program = start(path, argument)
         program:wait_for(ready)
         helper.write(folder .. "/" .. saved, "text\n")
         helper.eventually(function() return program:out():find(words, 1, true) end)
         is_harmless(folder)
      end)
   end

   shows("examples/follow.lua", NAME, "watching", NAME, "text\n")
   shows("examples/tree.lua", "project", "ready", "project/" .. NAME .. "/" .. NAME,
      "close_write " .. NAME .. "/" .. NAME .. "\n")
   shows("examples/inotify.lua", "inbox", "ready", "inbox/" .. NAME, "close_write inbox/" .. NAME .. "\n")
   shows("examples/tasks.lua", "inbox", "ready", "inbox/" .. NAME, "create " .. NAME .. "\n")
end)

describe("the examples' spec of a rule script", function()
   it("passes under busted", function()
      local result = helper.run { helper.interpreter, "spec/support/busted.lua", "examples/build_spec.lua" }
      assert.equal(0, result.status, result.out .. result.err)
   end)
end)

describe("the README", function()
   it("shows only code that stands in examples/", function()
      local programs = {}
      for rel in pairs(helper.tree "examples") do programs[#programs + 1] = helper.read("examples/" .. rel) end
      for block in (helper.exists "README.md" and helper.read "README.md" or ""):gmatch "```lua\n(.-)```" do
         local there = false
         for _, program in ipairs(programs) do there = there or program:find(block, 1, true) ~= nil end
         assert.is_true(there, "not in any file of examples/:\n" .. block)
      end
   end)
end)

describe("the index of pages", function()
   it("names every page of doc/, and the README every example", function()
      local index, readme = helper.read "doc/README.md", helper.read "README.md"
      for rel, kind in pairs(helper.tree "doc") do
         if kind == "file" and rel:find "%.md$" and rel ~= "README.md" then
            assert.truthy(index:find("(" .. rel .. ")", 1, true), "doc/README.md does not name " .. rel)
         end
      end
      for rel in pairs(helper.tree "examples") do
         assert.truthy(readme:find("`examples/" .. rel .. "`", 1, true), "README.md does not name examples/" .. rel)
      end
   end)
end)
