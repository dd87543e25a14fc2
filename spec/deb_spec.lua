-- SPDX-License-Identifier: MIT
--
-- deb_spec.lua - make deb: what is in the package, and that it comes, works and goes, all below a folder of its own.

local helper = require "support.helper"

local function has(program)
   return os.execute(("command -v %s >/dev/null"):format(program))
end

local function run(argv, options)
   local result = helper.run(argv, options)
   assert.equal(0, result.status, table.concat(argv, " ") .. "\n" .. result.out .. result.err)
   return result.out
end

local function build()
   local dist = helper.folder()
   local out = run({ "make", "--no-print-directory", "deb", "BUILD=" .. (os.getenv "BUILD" or "build"),
      "DEB_DIR=" .. dist }, { env = { MAKEFLAGS = "" }, timeout = 120 })
   return assert(out:match "(%S+%.deb)\n$", out)
end

local function missing()
   if not (has "dpkg-deb" and has "dpkg-shlibdeps") then return "dpkg-dev is not installed" end
   if helper.build:find "sanitize" then return "the package is of the plain build" end
end

local function lib()
   return "usr/lib/" .. run { "dpkg-architecture", "-qDEB_HOST_MULTIARCH" }:match "%S+"
end

-- Nothing of ours may help it: neither the tree's Lua files nor its module.
local function elsewhere(root)
   return { LUA_PATH = root .. "/usr/share/lua/5.4/?.lua;" .. root .. "/usr/share/lua/5.4/?/init.lua;;",
      LUA_CPATH = root .. "/" .. lib() .. "/lua/5.4/?.so;;" }
end

local function works(root)
   local release = helper.read "src/moonwatch.h":match 'MOONWATCH_VERSION "(.-)"'
   local there = { env = elsewhere(root), cwd = root }
   assert.equal("moonwatch " .. release, run({ root .. "/usr/bin/moonwatch", "--version" }, there):match "^moonwatch %S+")
   assert.equal(release .. "\n", run({ "lua5.4", "-e", "print(require 'moonwatch'.version)" }, there))
   local dir = helper.folder()
   helper.mkdir(dir .. "/in")
   helper.write(dir .. "/rules.lua",
      'rule "r" { watch = "in", settle = 0.02, start = true, run = { "echo", "ran" } }')
   assert.equal("ran\n", run({ root .. "/usr/bin/moonwatch", "--once", "rules.lua" },
      { env = elsewhere(root), cwd = dir }))
end

describe("make deb", function()
   it("makes a package with every part where Debian looks for it", function()
      if missing() then return pending(missing()) end
      local package, root = build(), helper.folder()
      run { "dpkg-deb", "-x", package, root }
      local found = helper.tree(root)
      for _, path in ipairs {
         "usr/bin/moonwatch", lib() .. "/lua/5.4/moonwatch/core.so", "usr/share/lua/5.4/moonwatch/init.lua",
         "usr/include/moonwatch.h", lib() .. "/libmoonwatch.a", lib() .. "/pkgconfig/moonwatch.pc",
         "usr/share/man/man1/moonwatch.1.gz", "usr/share/man/man5/moonwatch-rules.5.gz",
         "usr/share/man/man3/moonwatch.3lua.gz", "usr/share/bash-completion/completions/moonwatch",
         "usr/share/zsh/vendor-completions/_moonwatch", "usr/share/fish/vendor_completions.d/moonwatch.fish",
         "usr/lib/systemd/system/moonwatch.service", "usr/lib/systemd/system/moonwatch@.service",
         "usr/share/doc/moonwatch/copyright", "usr/share/doc/moonwatch/changelog.gz",
         "usr/share/doc/moonwatch/examples/build.lua", "usr/share/moonwatch/types/rules.lua",
      } do
         assert.equal("file", found[path], path)
      end
      assert.equal("directory", found["etc/moonwatch/rules.d"])
      local depends = run { "dpkg-deb", "-f", package, "Depends" }
      for _, name in ipairs { "libc6", "libev4", "liblua5.4-0", "lua-argparse", "lua-dkjson" } do
         assert.truthy(depends:find(name, 1, true), depends)
      end
      works(root)
   end)

   it("makes the same bytes of the same tree", function()
      if missing() then return pending(missing()) end
      assert.is_true(helper.read(build()) == helper.read(build()))
   end)

   it("makes a package that is installed and purged without a trace but what the user wrote", function()
      if missing() then return pending(missing()) end
      if not helper.is_root() then return pending "only root installs packages" end
      local package, root = build(), helper.folder()
      local function dpkg(...)
         return run { "dpkg", "--root=" .. root, "--log=" .. root .. "/log", "--force-depends", "--force-script-chrootless",
            ... }
      end
      helper.mkdir(root .. "/var/lib/dpkg/info")
      helper.mkdir(root .. "/var/lib/dpkg/updates")
      helper.write(root .. "/var/lib/dpkg/status", "")
      dpkg("-i", package)
      assert.equal("install ok installed\n", run { "dpkg-query", "--admindir=" .. root .. "/var/lib/dpkg", "-W", "-f",
         "${Status}\n", "moonwatch" })
      works(root)
      if has "systemd-analyze" then
         for _, name in ipairs { "moonwatch.service", "moonwatch@x.service" } do
            local unit = helper.read(root .. "/usr/lib/systemd/system/" .. name:gsub("@x", "@"))
            local text = unit:gsub("/usr/bin/moonwatch", root .. "/usr/bin/moonwatch")
            helper.write(root .. "/check/" .. name, text)
            run { "systemd-analyze", "verify", "--man=no", root .. "/check/" .. name }
         end
         helper.remove(root .. "/check")
      end
      local link = root .. "/etc/systemd/system/multi-user.target.wants/moonwatch.service"
      assert.equal(has "deb-systemd-helper" ~= nil, helper.exists(link))
      helper.write(root .. "/etc/moonwatch/mine.lua", "")
      dpkg("--purge", "moonwatch")
      local left = {}
      for path, kind in pairs(helper.tree(root)) do
         if kind ~= "directory" and not path:find "^var/lib/dpkg/" and path ~= "log" then left[#left + 1] = path end
      end
      assert.same({ "etc/moonwatch/mine.lua" }, left)
      assert.is_false(helper.exists(root .. "/usr/share/moonwatch"))
   end)
end)
