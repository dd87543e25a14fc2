-- SPDX-License-Identifier: MIT
local helper = require "support.helper"

local function make(target, destdir)
   return helper.run({ "make", "--no-print-directory", target, "DESTDIR=" .. destdir, "PREFIX=/opt/moonwatch",
      "BUILD=" .. (os.getenv "BUILD" or "build") }, { env = { MAKEFLAGS = "" }, timeout = 120 })
end

local function files(path)
   local found = {}
   for rel, kind in pairs(helper.tree(path)) do
      if kind == "file" then found[rel] = true end
   end
   return found
end

local function expected()
   local wanted = {
      ["opt/moonwatch/lib/lua/5.4/moonwatch/core.so"] = true,
      ["opt/moonwatch/lib/libmoonwatch.a"] = true,
      ["opt/moonwatch/lib/pkgconfig/moonwatch.pc"] = true,
      ["opt/moonwatch/include/moonwatch.h"] = true,
   }
   if helper.exists "src/host/main.c" then wanted["opt/moonwatch/bin/moonwatch"] = true end
   for rel in pairs(files "lua/moonwatch") do wanted["opt/moonwatch/share/lua/5.4/moonwatch/" .. rel] = true end
   for rel in pairs(files "types") do wanted["opt/moonwatch/share/moonwatch/types/" .. rel] = true end
   for rel in pairs(helper.exists "doc/man" and files "doc/man" or {}) do
      local section = rel:match "%.(%d)%w*$"
      if section then wanted[("opt/moonwatch/share/man/man%s/%s"):format(section, rel)] = true end
   end
   for _, at in ipairs(helper.exists "completion" and {
      { "completion/moonwatch.bash", "share/bash-completion/completions/moonwatch" },
      { "completion/_moonwatch", "share/zsh/site-functions/_moonwatch" },
      { "completion/moonwatch.fish", "share/fish/vendor_completions.d/moonwatch.fish" },
   } or {}) do
      if helper.exists(at[1]) then wanted["opt/moonwatch/" .. at[2]] = true end
   end
   for _, unit in ipairs { "moonwatch.service", "moonwatch@.service" } do
      wanted["opt/moonwatch/lib/systemd/system/" .. unit] = true
   end
   return wanted
end

describe("make install", function()
   it("puts every part where programs look for it, and uninstall takes all of it away", function()
      local destdir = helper.folder()
      local result = make("install", destdir)
      assert.equal(0, result.status, result.err)
      assert.same(expected(), files(destdir))
      result = make("uninstall", destdir)
      assert.equal(0, result.status, result.err)
      assert.same({}, files(destdir))
   end)

   it("tells C programs by pkg-config how to use the library", function()
      local destdir = helper.folder()
      assert.equal(0, make("install", destdir).status)
      local env = { PKG_CONFIG_PATH = destdir .. "/opt/moonwatch/lib/pkgconfig" }
      local flags = helper.run({ "pkg-config", "--cflags", "--libs", "moonwatch" }, { env = env })
      assert.equal(0, flags.status, flags.err)
      assert.truthy(flags.out:find("-I/opt/moonwatch/include", 1, true), flags.out)
      assert.truthy(flags.out:find("-L/opt/moonwatch/lib -lmoonwatch -lev", 1, true), flags.out)
      local version = helper.run({ "pkg-config", "--modversion", "moonwatch" }, { env = env }).out
      assert.equal(helper.read "src/moonwatch.h":match 'MOONWATCH_VERSION "(.-)"' .. "\n", version)
   end)
end)
