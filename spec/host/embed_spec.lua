-- SPDX-License-Identifier: MIT
--
-- embed_spec.lua - moonwatch inside a C program, and which names the libraries show to others.

local helper = require "support.helper"

local function run(command, env)
   local result = helper.run({ "sh", "-c", command }, { env = env, timeout = 120 })
   assert.equal(0, result.status, command .. "\n" .. result.out .. result.err)
   return result.out
end

-- Sanitized objects can only be linked into sanitized programs.
local is_plain = not (os.getenv "BUILD" or ""):find "sanitize"

local prefix

local function install()
   prefix = helper.folder()
   run(("make --no-print-directory install PREFIX=%s BUILD=%s MAKEFLAGS="):format(prefix, helper.build))
   return { PKG_CONFIG_PATH = prefix .. "/lib/pkgconfig" }
end

describe("examples/embed.c", function()
   it("is built by pkg-config alone, and lives in the program's own loop", function()
      if not is_plain then return pending "needs a library without sanitizers" end
      local env = install()
      run(("${CC:-cc} -Wall -Wextra -Werror -o %s/embed examples/embed.c $(pkg-config --cflags --libs moonwatch)")
         :format(prefix), env)
      local folder = helper.folder()
      helper.mkdir(folder .. "/inbox")
      local program = helper.start({ prefix .. "/embed", "inbox" },
         { cwd = folder, env = { LUA_PATH = "/nowhere/?.lua", LUA_CPATH = "/nowhere/?.so" } })
      program:wait_for "ready"
      helper.write(folder .. "/inbox/letter", "text\n")
      program:wait_for "C was told of inbox/letter: text"
      program:signal "TERM"
      assert.same({ status = 0, out = "ready\nC was told of inbox/letter: text\n", err = "" }, program:wait())
   end)

   it("tells what cannot be watched", function()
      if not is_plain then return pending "needs a library without sanitizers" end
      local env = install()
      run(("${CC:-cc} -o %s/embed examples/embed.c $(pkg-config --cflags --libs moonwatch)"):format(prefix), env)
      local result = helper.run { prefix .. "/embed", "/no/such" }
      assert.not_equal(0, result.status)
      assert.truthy(result.err:find("/no/such: No such file or directory", 1, true), result.err)
   end)
end)

describe("the exported names", function()
   local function names(command)
      local found = {}
      for name in run(command):gmatch "[^\n]+" do found[#found + 1] = name end
      table.sort(found)
      return found
   end

   it("of the module are luaopen_* and what moonwatch.h names", function()
      if not is_plain then return pending "the sanitizers export names of their own" end
      assert.same({ "luaopen_moonwatch_core", "moonwatch_set_loop" },
         names(("nm -D --defined-only %s/lib/moonwatch/core.so | awk '{ print $3 }'"):format(helper.build)))
   end)

   -- Global names of an archive are hidden or not; only those that are not reach beyond the program's own link.
   it("of the library are the same, all others are hidden", function()
      if not is_plain then return pending "the sanitizers export names of their own" end
      local list = names(("readelf -sW %s/lib/libmoonwatch.a | "
         .. "awk '$5 == \"GLOBAL\" && $6 == \"DEFAULT\" && $7 != \"UND\" { print $8 }'"):format(helper.build))
      assert.same({ "luaopen_moonwatch", "luaopen_moonwatch_core", "moonwatch_set_loop" }, list)
   end)

   it("are declared in moonwatch.h, but for those that `require` looks up by itself", function()
      local header = helper.read "src/moonwatch.h"
      for _, name in ipairs { "luaopen_moonwatch", "moonwatch_set_loop" } do
         assert.truthy(header:find("int " .. name .. "(", 1, true), name)
      end
   end)
end)
