-- SPDX-License-Identifier: MIT
--
-- events_spec.lua - moonwatch events, run as a program.

local helper = require "support.helper"

local HOSTILE = { "$(touch x)", "-rf", "a b", 'q"u\'o', "new\nline", "tab\there", "per%cent", "back\\slash", "\xff\xfe", "é",
   "\27[31m", ("x"):rep(255) }

local function start(dir, ...)
   return helper.watching({ helper.host, "events", ... }, { cwd = dir })
end

local function run(...)
   return helper.run({ helper.host, "events", ... }, { timeout = 20 })
end

-- A program that has been told to end after `count` events, and has.
local function seen(program)
   local result = program:wait()
   return result.out, result.status
end

local function make_hostile(dir)
   for _, name in ipairs(HOSTILE) do helper.write(dir .. "/" .. name, "") end
end

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function unbase64(text)
   local bits = text:gsub("=", ""):gsub(".", function(letter)
      local n = LETTERS:find(letter, 1, true) - 1
      return ("%d%d%d%d%d%d"):format(n >> 5 & 1, n >> 4 & 1, n >> 3 & 1, n >> 2 & 1, n >> 1 & 1, n & 1)
   end)
   return (bits:gsub("%d+", function(all)
      return (all:sub(1, #all // 8 * 8):gsub("%d%d%d%d%d%d%d%d", function(byte) return string.char(tonumber(byte, 2)) end))
   end))
end

-- The long form has 100000.
local MANY = tonumber(os.getenv "NAMES") or 2000

local function rng(seed)
   return function(most)
      seed = seed * 6364136223846793005 + 1442695040888963407
      return (seed >> 33) % most + 1
   end
end

-- Bytes without NUL and slash.
local function random_name(random)
   local bytes = {}
   for i = 1, random(40) do
      local byte = random(254)
      bytes[i] = byte >= 47 and byte + 1 or byte
   end
   return string.char(table.unpack(bytes))
end

describe("moonwatch events", function()
   it("says on standard error how many directories it watches", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/a/b")
      local program = start(dir, "--timeout", "0.1", ".")
      assert.same({ status = 3, out = "", err = "moonwatch: watching 3 directories\n" }, program:wait())
   end)

   it("prints a readable line per event", function()
      local dir = helper.folder()
      local program = start(dir, "--count", "4", ".")
      helper.write(dir .. "/a", "text")
      helper.mkdir(dir .. "/sub")
      program:wait_for "create ./sub/"
      helper.rename(dir .. "/a", dir .. "/sub/b")
      assert.equal("create ./a\nclose_write ./a\ncreate ./sub/\nmove ./a -> ./sub/b\n", (seen(program)))
   end)

   it("ends with 3 when nothing happened in time, and says nothing with --quiet", function()
      assert.same({ status = 3, out = "", err = "" }, run("-q", "--timeout", "0.1", helper.folder()))
   end)

   it("refuses what is not there, all of it named", function()
      local dir = helper.folder()
      assert.same({ status = 1, out = "", err = ("moonwatch: %s/x: No such file or directory; "
         .. "%s/y: No such file or directory\n"):format(dir, dir) }, run(dir, dir .. "/x", dir .. "/y"))
   end)

   it("names what is wrong on its command line", function()
      local function wrong(message, ...)
         assert.same({ status = 2, out = "", err = "moonwatch: events: " .. message .. "\n" }, run(...))
      end
      local try = "\nTry 'moonwatch events --help'."
      wrong("a path is missing" .. try)
      wrong("--count: '0' is not a whole number above 0" .. try, "--count", "0", ".")
      wrong("--timeout: 'soon' is not a number of seconds" .. try, "--timeout", "soon", ".")
      wrong("--timeout: '-1' is not a number of seconds" .. try, "--timeout", "-1", ".")
      wrong("--depth: 'deep' is not a whole number above 0" .. try, "--depth", "deep", ".")
      wrong("--match: '' is no pattern" .. try, "--match", "", ".")
      wrong("--ignore: '' is no pattern" .. try, "--ignore", "", ".")
      wrong("argument for option '--backend' must be one of 'auto', 'inotify', 'poll'" .. try, "--backend", "magic", ".")
      wrong("option '--from' requires an argument" .. try, "--from")
      wrong("--time-format '%Q' is not one of strftime's", "--format", "%T", "--time-format", "%Q", ".")
      wrong("--time-format '*t' is not one of strftime's", "--format", "%T", "--time-format", "*t", ".")
      wrong("--format and --summary exclude each other", "--summary", "--format", "%e", ".")
      wrong("--format has no code '%q'", "--format", "%e %q", ".")
      wrong("--format ends in a single '%'", "--format", "%e %", ".")
      wrong("--format and --json exclude each other", "--json", "--format", "%e", ".")
      wrong("-r and -R exclude each other", "-r", "-R", ".")
      wrong("unknown option '--cuont'\nDid you mean '--count'?" .. try, "--cuont", "1", ".")
      local result = run("-e", "crate", ".")
      assert.equal(2, result.status)
      assert.matches("'crate' is not one of .*%(did you mean 'create'%?%)", result.err)
   end)

   it("ends with 128 + n by a signal", function()
      for name, status in pairs { INT = 130, TERM = 143 } do
         local program = start(helper.folder(), ".")
         program:signal(name)
         assert.equal(status, program:wait().status)
      end
   end)

   it("gives each event one line, whatever the names hold", function()
      local dir = helper.folder()
      local program = start(dir, "-e", "create", "--count", tostring(#HOSTILE), ".")
      make_hostile(dir)
      local out = seen(program)
      assert.equal(#HOSTILE, select(2, out:gsub("create %./[^\n]+\n", "")))
      assert.is_nil(out:find "[%z\1-\9\11-\31\127]")
   end)

   it("fills a format, escaped and one to a line", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/top")
      local program = start(dir, "-e", "create,move", "--count", "3", "--format", "%e|%p|%r|%f|%w|%o|%t%d|%%%s", "top")
      helper.mkdir(dir .. "/top/new\nline")
      program:wait_for "create"
      helper.write(dir .. "/top/a", "")
      program:wait_for "|a|"
      helper.rename(dir .. "/top/a", dir .. "/top/b")
      assert.equal(table.concat({
         "create|top/new\\nline|new\\nline|new\\nline|top||directory/|%1",
         "create|top/a|a|a|top||file|%2",
         "move|top/b|b|b|top|top/a|file|%3\n",
      }, "\n"), (seen(program)))
   end)

   it("tells the time as it is asked to", function()
      local dir = helper.folder()
      local program = start(dir, "-e", "create", "--count", "1", "--format", "%T", "--time-format", "%Y.%N", ".")
      helper.write(dir .. "/a", "")
      assert.matches("^20%d%d%.%d%d%d%d%d%d\n$", (seen(program)))
   end)

   it("ends each record with NUL, names as they are, with -0", function()
      local dir = helper.folder()
      local program = start(dir, "-e", "create", "--count", tostring(#HOSTILE), "-0", "--format", "%r", ".")
      make_hostile(dir)
      local names = {}
      for name in seen(program):gmatch "[^%z]+" do names[#names + 1] = name end
      assert.same(HOSTILE, names)
   end)

   it("is lossless in JSON", function()
      local dir = helper.folder()
      local program = helper.start({ helper.host, "events", "--json", "-e", "create", "--count", tostring(#HOSTILE), "." },
         { cwd = dir })
      program:wait_for '"op":"ready"'
      make_hostile(dir)
      local dkjson = require "dkjson"
      local names = {}
      for line in seen(program):gmatch "[^\n]+" do
         local event = assert(dkjson.decode(line))
         if event.op == "create" then
            local path = event.path_base64 and unbase64(event.path_base64) or event.path
            names[#names + 1] = path:sub(3)
            assert.equal(event.path_base64 ~= nil, not utf8.len(path))
         else
            assert.same({ op = "ready", directories = 1, roots = { "." } }, event)
         end
      end
      assert.same(HOSTILE, names)
   end)

   it("is lossless in JSON for " .. MANY .. " names of random bytes", function()
      local dir = helper.folder()
      local random, wanted = rng(7), {}
      for i = 1, MANY do
         local path = ("%d/%d%s"):format(i % 100, i, random_name(random))
         if i <= 100 then helper.mkdir(dir .. "/" .. i % 100) end
         local file = assert(io.open(dir .. "/" .. path, "w"))
         file:close()
         wanted[path] = true
      end
      local program = helper.start({ helper.host, "events", "--json", "--initial", "-e", "create", "--count",
         tostring(MANY + 100), "." }, { cwd = dir })
      assert.equal(0, program:wait(120).status)
      local dkjson = require "dkjson"
      for line in io.lines(program.dir .. "/out") do
         local event = assert(dkjson.decode(line))
         local path = event.path_base64 and unbase64(event.path_base64) or event.path
         if event.type == "file" then
            assert.is_true(wanted[path:sub(3)], line)
            wanted[path:sub(3)] = nil
         end
      end
      assert.is_nil(next(wanted))
   end)

   it("reports what is there at the start with --initial, before it is ready", function()
      local dir = helper.folder()
      helper.write(dir .. "/sub/a", "")
      local result = helper.run({ helper.host, "events", "--initial", "--json", "-e", "create", "--timeout", "0.2", "." },
         { cwd = dir })
      assert.equal(3, result.status)
      assert.matches('^{"op":"create","path":"./sub"[^\n]*"synthetic":true[^\n]*\n{"op":"create","path":"./sub/a"[^\n]*\n'
         .. '{"op":"ready","directories":2[^\n]*\n$', result.out)
   end)

   it("chooses by op, match, ignore, depth, .gitignore and recursion", function()
      local function chosen(expected, ...)
         local dir = helper.folder()
         helper.mkdir(dir .. "/sub/deep")
         helper.write(dir .. "/.gitignore", "*.o\n")
         local program = start(dir, "--count", "1", "-e", "create", "--format", "%r", ...)
         helper.write(dir .. "/sub/deep/a.c", "")
         helper.write(dir .. "/sub/b.o", "")
         helper.write(dir .. "/sub/c.h", "")
         helper.write(dir .. "/d.txt", "")
         assert.equal(expected .. "\n", (seen(program)))
      end
      chosen("sub/c.h", "--match", "*.h", ".")
      chosen("sub/b.o", "--ignore", "deep/", ".")
      chosen("sub/b.o", "--depth", "2", ".")
      chosen("sub/c.h", "--depth", "2", "--gitignore", ".")
      chosen("d.txt", "-R", ".")
   end)

   it("reads further paths from a file or from standard input", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/one two")
      helper.mkdir(dir .. "/b")
      for _, separator in ipairs { "\n", "\0" } do
         local list = "one two" .. separator .. "b" .. separator
         helper.write(dir .. "/list", list)
         for _, from in ipairs { "list", "-" } do
            local result = helper.run({ helper.host, "events", "--timeout", "0.1", "--from", from }, { cwd = dir, stdin = list })
            assert.same({ status = 3, out = "", err = "moonwatch: watching 2 directories\n" }, result)
         end
      end
      assert.same({ status = 1, out = "", err = "moonwatch: no-list: No such file or directory\n" },
         run("--from", "no-list"))
   end)

   it("counts per directory with --summary", function()
      local dir = helper.folder()
      helper.mkdir(dir .. "/sub")
      local program = start(dir, "--summary", "--count", "5", ".")
      helper.write(dir .. "/sub/a", "x")
      helper.write(dir .. "/sub/b", "x")
      helper.write(dir .. "/c", "")
      local out, status = seen(program)
      assert.equal(0, status)
      assert.equal("   total  create  close_write  directory\n       4       2            2  ./sub\n"
         .. "       1       1            0  .\n", out)
   end)

   it("gives the summary as one JSON object, at a signal too", function()
      local dir = helper.folder()
      local program = start(dir, "--summary", "--json", "-e", "create", ".")
      helper.write(dir .. "/a", "x")
      program:signal "INT"
      local out, status = seen(program)
      assert.equal(130, status)
      assert.equal(1, select(2, out:gsub("\n", "\n")))
      local object = require("dkjson").decode(out)
      assert.is_true(object.total <= 1)
   end)

   it("has colour on a terminal only, and never with NO_COLOR", function()
      local function output(no_color)
         local dir = helper.folder()
         local line = ("exec %s events -e create --count 1 ."):format(helper.quote(helper.host))
         local program = helper.start({ "script", "-qefc", line, "/dev/null" }, { cwd = dir, env = { NO_COLOR = no_color } })
         program:wait_for "watching 1 directory"
         helper.write(dir .. "/x", "")
         return program:wait().out:gsub("^moonwatch: watching 1 directory\r\n", "")
      end
      assert.equal("\27[32mcreate\27[0m ./x\r\n", (output ""))
      assert.equal("create ./x\r\n", (output "1"))
   end)

   it("says so when its output cannot be written", function()
      local dir = helper.folder()
      local program = helper.start({ "sh", "-c", 'exec "$0" events --count 1 . >/dev/full', helper.host }, { cwd = dir })
      program:wait_for "watching"
      helper.write(dir .. "/a", "x")
      assert.same({ status = 1, out = "",
         err = "moonwatch: watching 1 directory\nmoonwatch: standard output: No space left on device\n" }, program:wait())
   end)

   it("ends when whoever reads its output has gone, without waiting for an event", function()
      local script = [[{ "$0" events %s . ; echo "status $?" >&2; } | { read line; exec 0<&-; echo "read $line"; }]]
      for _, options in ipairs { "", "--timeout 60" } do
         local dir = helper.folder()
         local program = helper.start({ "sh", "-c", script:format(options), helper.host }, { cwd = dir })
         program:wait_for "watching"
         helper.write(dir .. "/a", "")
         local result = program:wait()
         assert.equal("read create ./a\n", result.out)
         assert.matches("moonwatch: standard output: Broken pipe\nstatus 1\n$", result.err)
      end
      local result = helper.run({ "sh", "-c", [[{ "$0" events --summary . ; echo "status $?" >&2; } | true]], helper.host },
         { cwd = helper.folder() })
      assert.matches("moonwatch: standard output: Broken pipe\nstatus 1\n$", result.err)
   end)

   it("says so when its output is closed", function()
      local dir = helper.folder()
      local program = helper.start({ "sh", "-c", 'exec "$0" events --count 1 . >&-', helper.host }, { cwd = dir })
      program:wait_for "watching"
      helper.write(dir .. "/a", "x")
      local result = program:wait()
      assert.equal(1, result.status)
      assert.matches("standard output: Bad file descriptor\n$", result.err)
   end)
end)
