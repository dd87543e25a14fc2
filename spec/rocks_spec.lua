-- SPDX-License-Identifier: MIT
local helper = require "support.helper"

local function load_rockspec(path)
   local rockspec = {}
   assert(loadfile(path, "t", rockspec))()
   return rockspec
end

local function lua_files()
   local files = {}
   for rel, kind in pairs(helper.tree "lua/moonwatch") do
      if kind == "file" and rel:find "%.lua$" then
         local name = ("moonwatch." .. rel:gsub("%.lua$", ""):gsub("/", ".")):gsub("%.init$", "")
         files[name] = "lua/moonwatch/" .. rel
      end
   end
   return files
end

for rel in pairs(helper.tree "rocks") do
   if rel:find "%.rockspec$" then
      describe(rel, function()
         local rockspec = load_rockspec("rocks/" .. rel)

         it("is named after what it holds", function()
            assert.equal(rel, ("%s-%s.rockspec"):format(rockspec.package, rockspec.version))
         end)

         it("lists every Lua file of the tree (`make rocks` writes the list)", function()
            assert.same(lua_files(), rockspec.build.install.lua)
         end)

         it("installs a launcher and copies folders that are there", function()
            assert.is_true(helper.exists(rockspec.build.install.bin.moonwatch))
            for _, folder in ipairs(rockspec.build.copy_directories) do assert.is_true(helper.exists(folder)) end
         end)

         it("names the release of the tree", function()
            local release = helper.read "src/moonwatch.h":match 'MOONWATCH_VERSION "(.-)"'
            local version = rockspec.version:match "^(.*)%-%d+$"
            assert.is_true(version == "scm" or version == release)
         end)
      end)
   end
end

-- Uses what was installed under `tree` from outside of our tree: module, launcher, the README's example.
local function works(tree)
   local there = {
      LUA_PATH = tree .. "/share/lua/5.4/?.lua;" .. tree .. "/share/lua/5.4/?/init.lua;;",
      LUA_CPATH = tree .. "/lib/lua/5.4/?.so;;",
   }
   local used = helper.run({ "lua5.4", "-e", "print(require 'moonwatch'.version)" }, { env = there, cwd = tree })
   assert.same({ status = 0, out = helper.read "src/moonwatch.h":match 'MOONWATCH_VERSION "(.-)"' .. "\n", err = "" },
      used)
   local launched = helper.run({ tree .. "/bin/moonwatch", "--version" }, { env = there, cwd = tree })
   assert.equal(0, launched.status, launched.err)
   assert.matches("^moonwatch %d", launched.out)

   local example = helper.read "README.md":match "## The module.-```lua\n(.-)```"
   helper.write(tree .. "/example.lua", example)
   helper.mkdir(tree .. "/watched")
   local program = helper.start({ "lua5.4", "example.lua", "watched" }, { env = there, cwd = tree })
   program:wait_for "ready"
   helper.write(tree .. "/watched/file", "")
   program:wait_for "close_write file"
end

local function luarocks(tree, ...)
   local made = helper.run({ "luarocks", "--lua-version=5.4", "--tree=" .. tree, ... }, { timeout = 300 })
   assert.equal(0, made.status, made.out .. made.err)
end

describe("the rock", function()
   it("is made in the tree, and module and launcher work without that", function()
      local tree = helper.folder()
      luarocks(tree, "make", "--deps-mode=none", "rocks/moonwatch-scm-1.rockspec")
      works(tree)
   end)

   it("is installed from a packed source, without a network", function()
      local tree, packed = helper.folder(), helper.folder()
      local made = helper.run { "make", "--no-print-directory", "src-rock", "BUILD=" .. packed, "MAKEFLAGS=" }
      assert.equal(0, made.status, made.err)
      luarocks(tree, "install", "--deps-mode=none", made.out:match "(%S+%.src%.rock)")
      works(tree)
   end)
end)
