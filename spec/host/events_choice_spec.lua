-- SPDX-License-Identifier: MIT
--
-- events_choice_spec.lua - moonwatch events: what is watched, what is told, what counts.

local dkjson = require "dkjson"
local helper = require "support.helper"

local function start(dir, ...)
   return helper.watching({ helper.host, "events", ... }, { cwd = dir })
end

local function run(dir, ...)
   return helper.run({ helper.host, "events", ... }, { cwd = dir, timeout = 20 })
end

describe("what moonwatch events counts", function()
   it("is what -e names; the other ops that are always told are told", function()
      local dir = helper.folder()
      local program = start(dir, "-e", "create", "--count", "1", "--wait-for-path", "sub")
      helper.mkdir(dir .. "/sub")
      program:wait_for "^back sub/\n"
      assert.is_true(program:running())
      helper.write(dir .. "/sub/a", "")
      assert.same({ status = 0, out = "back sub/\ncreate sub/a\n",
         err = "moonwatch: watching 0 directories; waiting for sub\n" }, program:wait())
   end)

   it("is all that is told without -e", function()
      local dir = helper.folder()
      local program = start(dir, "--count", "1", "--wait-for-path", "sub")
      helper.mkdir(dir .. "/sub")
      assert.equal("back sub/\n", program:wait().out)
   end)

   it("is an op that is always told where -e names it, and that alone", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/sub")
      local program = start(dir, "-e", "gone", "--count", "1", "sub")
      helper.write(dir .. "/sub/a", "")
      helper.remove(dir .. "/sub")
      assert.same({ status = 0, out = "gone sub/\n", err = "moonwatch: watching 1 directory\n" }, program:wait())
   end)

   it("is what --summary counts, too", function()
      local dir = helper.folder()
      local program = start(dir, "--summary", "--json", "-e", "create", "--count", "1", "--wait-for-path", "sub")
      helper.mkdir(dir .. "/sub")
      helper.eventually(function()
         helper.write(dir .. "/sub/a", "")
         helper.remove(dir .. "/sub/a")
         return not program:running()
      end)
      local result = program:wait()
      assert.equal(0, result.status)
      assert.equal(1, dkjson.decode(result.out).ops.create)
   end)
end)

describe("moonwatch events", function()
   it("ends with 0 after --timeout with --summary", function()
      assert.same({ status = 0, out = "no events\n", err = "" }, run(helper.folder(), "-q", "--summary", "--timeout", "0.1", "."))
   end)

   it("is recursive with -r as without", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/a/b")
      for options, count in pairs { ["-r"] = "3 directories", ["--recursive"] = "3 directories", ["-R"] = "1 directory",
         ["--no-recursive"] = "1 directory", ["--depth=2"] = "2 directories" } do
         assert.same({ status = 3, out = "", err = "moonwatch: watching " .. count .. "\n" },
            run(dir, options, "--timeout", "0.05", "."))
      end
   end)

   it("counts a directory once, by whatever names it is watched", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in/a")
      helper.symlink("in", dir .. "/link")
      assert.equal("moonwatch: watching 2 directories\n", run(dir, "--timeout", "0.05", "in", "in/a", "link").err)
      assert.equal('{"op":"ready","directories":2,"roots":["in","in/a","link"]}\n',
         run(dir, "--json", "--timeout", "0.05", "in", "in/a", "link").out)
   end)

   it("names its roots without loss in JSON", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      helper.mkdir(dir .. "/\xffz")
      local text = run(dir, "--json", "--timeout", "0.05", "in", "\xffz").out
      local ready = dkjson.decode(text)
      assert.same({ { "in", "\u{FFFD}z" }, { "aW4=", "/3o=" } }, { ready.roots, ready.roots_base64 })
      assert.same({ "in", "\xffz" }, require "moonwatch.cli.json".decode(text).roots)
   end)

   it("says what it waits for with --wait-for-path", function()
      local dir = helper.folder()
      helper.write(dir .. "/in/f", "")
      local words = { "--wait-for-path", "--timeout", "0.05", "in", "none/*.c", "in/f", "in/none", "a\nb", "c" }
      assert.equal("moonwatch: watching 1 directory; waiting for none, in/none, a\\nb and 1 more\n",
         run(dir, table.unpack(words)).err)
      local ready = dkjson.decode(run(dir, "--json", table.unpack(words)).out)
      assert.same({ "none", "in/none", "a\nb", "c" }, ready.awaited)
      local result = helper.run({ helper.host, "--once", "--no-socket", "-e",
         'rule "r" { watch = { "in", "none" }, missing = "wait", run = { "true" } }' }, { cwd = dir })
      assert.equal("moonwatch: watching 1 directory for 1 rule; waiting for none\n", result.err)
   end)

   it("goes through links with --follow, and not without", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in")
      helper.mkdir(dir .. "/out")
      helper.symlink("../out", dir .. "/in/link")
      assert.equal("moonwatch: watching 1 directory\n", run(dir, "--timeout", "0.05", "in").err)
      local program = start(dir, "--follow", "-e", "create", "--count", "1", "in")
      helper.write(dir .. "/out/a", "")
      assert.equal("create in/link/a\n", program:wait().out)
   end)

   it("does not cross mounts with --one-filesystem", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in/mounted")
      -- In a namespace of its own: a mount is the business of every watcher where it is made.
      local function mounted(...)
         return helper.run({ "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            'mount -t tmpfs none in/mounted && mkdir in/mounted/deep && exec "$@"', "sh", helper.host, "events", "--timeout",
            "0.05", "in", ... }, { cwd = dir })
      end
      local result = mounted()
      if result.err:find "unshare" or result.err:find "mount:" then return pending("no mounts here: " .. result.err) end
      assert.equal("moonwatch: watching 3 directories\n", result.err)
      assert.equal("moonwatch: watching 1 directory\n", mounted("--one-filesystem").err)
   end)

   it("polls with --backend poll, and holds no watch", function()
      local dir = helper.folder()
      local program = start(dir, "--backend", "poll", "-e", "create", "--count", "1", ".")
      assert.equal(0, helper.watches(program.pid))
      helper.write(dir .. "/a", "")
      assert.equal("create ./a (synthetic)\n", program:wait().out)
   end)

   it("takes patterns as paths, from where one stands, and a dash in front of a pattern", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/sub")
      local program = start(dir, "--count", "2", "-e", "create", "--ignore", "-*", "*.c", "sub/**/*.h")
      for _, name in ipairs { "a.h", "sub/a.c", "-a.c", "a.c", "sub/a.h" } do helper.write(dir .. "/" .. name, "") end
      assert.equal("create ./a.c\ncreate sub/a.h\n", program:wait().out)
   end)

   it("takes all behind -- as paths, the names of options too", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/-e")
      helper.mkdir(dir .. "/-x")
      local program = start(dir, "--count", "1", "--", "-e", "-x")
      helper.write(dir .. "/-x/f", "")
      assert.equal("create -x/f\n", program:wait().out)
   end)

   it("joins what is given several times", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/a")
      helper.mkdir(dir .. "/b")
      helper.write(dir .. "/one", "a\n")
      helper.write(dir .. "/two", "b\n")
      local program = start(dir, "--from", "one", "--from", "two", "-e", "create", "-e", "delete", "--match", "*.x",
         "--match", "*.y", "--count", "3")
      helper.write(dir .. "/a/1.x", "")
      helper.write(dir .. "/b/2.y", "")
      helper.write(dir .. "/b/3.z", "")
      helper.remove(dir .. "/a/1.x")
      assert.equal("create a/1.x\ncreate b/2.y\ndelete a/1.x\n", program:wait().out)
   end)

   it("refuses a list that cannot be read or names nothing, and a path of no letters", function()
      local dir = helper.folder()
      helper.write(dir .. "/empty", "\n\n")
      local function refused(message, ...)
         assert.same({ status = 1, out = "", err = "moonwatch: " .. message .. "\n" }, run(dir, ...))
      end
      refused("empty: names no path", "--from", "empty")
      refused("standard input: names no path", "--from", "-")
      refused(".: Is a directory", "--from", ".")
      refused("'': No such file or directory", "")
   end)

   it("refuses what may not be read, and tells of what lies below", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/in/closed")
      os.execute("chmod 700 " .. helper.quote(dir .. "/in/closed"))
      local before = helper.unprivileged()
      if not before then return pending "needs another user" end
      if #before == 0 then os.execute("chmod 000 " .. helper.quote(dir .. "/in/closed")) end
      helper.at_end(function() os.execute("chmod 700 " .. helper.quote(dir .. "/in/closed")) end)
      local function as_other(...)
         local words = table.move({ helper.host, "events", ... }, 1, select("#", ...) + 2, #before + 1, { table.unpack(before) })
         return helper.run(words, { cwd = dir })
      end
      assert.same({ status = 1, out = "", err = "moonwatch: in/closed: Permission denied\n" }, as_other "in/closed")
      assert.same({ status = 3, out = "unwatched in/closed/: Permission denied (synthetic)\n",
         err = "moonwatch: watching 1 directory\n" }, as_other("-e", "create", "--timeout", "0.1", "in"))
   end)
end)

describe("moonwatch record", function()
   it("has the options that choose paths or end it, and no others", function()
      local dir = helper.folder()
      local function record(...) return helper.run({ helper.host, "record", ... }, { cwd = dir }) end
      assert.same({ status = 3, out = "", err = "" }, record("-q", "--timeout", "0.1", "."))
      assert.same({ status = 2, out = "", err = "moonwatch: record: a path is missing\nTry 'moonwatch record --help'.\n" },
         record())
      assert.same({ status = 1, out = "", err = "moonwatch: none: No such file or directory\n" }, record "none")
      for _, option in ipairs { "--json", "--format", "--summary", "-e" } do
         local result = record(option)
         assert.equal(2, result.status)
         assert.matches("^moonwatch: record: unknown option '" .. option:gsub("%-", "%%-") .. "'", result.err)
      end
   end)
end)
