-- SPDX-License-Identifier: MIT
--
-- manual_spec.lua - the manual pages know what the program knows, and the units what systemd wants.

local helper = require "support.helper"

local cli = require "moonwatch.cli"
local options = require "moonwatch.cli.options"

local function has(program)
   return os.execute(("command -v %s >/dev/null"):format(program)) == true
end

-- The long names of all options of a command, but for --help and --socket, which all have.
local function long_options(name)
   local parser = options.parser(name, require("moonwatch.cli." .. name))
   local names = {}
   for _, option in ipairs(parser._options) do
      for _, alias in ipairs(option._aliases) do names[#names + 1] = alias:match "^%-%-(.+)" end
   end
   return names
end

describe("moonwatch(1)", function()
   local page = helper.read "doc/man/moonwatch.1"

   it("names every command and every option", function()
      for _, command in ipairs(cli.commands) do
         assert.is_truthy(page:find("Cm " .. command[1], 1, true), command[1])
         for _, name in ipairs(long_options(command[1])) do
            assert.is_true(page:find("Fl -" .. name, 1, true) ~= nil, command[1] .. " --" .. name)
         end
      end
   end)

   it("names no option that is not there", function()
      local known = { version = true }
      for _, command in ipairs(cli.commands) do
         for _, name in ipairs(long_options(command[1])) do known[name] = true end
      end
      for name in page:gmatch "Fl %-([%a-]+)" do assert.is_true(known[name], name) end
   end)
end)

describe("moonwatch-rules(5)", function()
   it("names every key of a rule", function()
      local page = helper.read "doc/man/moonwatch-rules.5"
      local keys = {}
      for line in page:gmatch "\n%.It Va ([^\n]+)" do
         for key in line:gmatch "[%w_]+" do keys[key] = true end
      end
      for key in pairs(require("moonwatch.rule.fields").rule) do assert.is_true(keys[key], key) end
   end)
end)

describe("the manual pages", function()
   it("are accepted by a linter", function()
      if not has "mandoc" then return pending "mandoc is not installed" end
      for _, name in ipairs { "moonwatch.1", "moonwatch-rules.5", "moonwatch.3lua" } do
         local out = helper.run({ "mandoc", "-T", "lint", "-W", "warning", "doc/man/" .. name }).out
         assert.equal("", out)
      end
   end)
end)

describe("the systemd units", function()
   it("are accepted by systemd", function()
      if not has "systemd-analyze" then return pending "systemd is not installed" end
      local dir = helper.folder()
      for _, name in ipairs { "moonwatch.service", "moonwatch@.service" } do
         local text = helper.read("dist/" .. name):gsub("/usr/bin/moonwatch", helper.host)
         helper.write(dir .. "/" .. name, text)
         if name:find "@" then helper.write(dir .. "/moonwatch@x.service", text) end
         local result = helper.run { "systemd-analyze", "verify", "--man=no", dir .. "/" .. name:gsub("@", "@x") }
         assert.same({ status = 0, err = "" }, { status = result.status, err = result.err })
      end
   end)
end)
