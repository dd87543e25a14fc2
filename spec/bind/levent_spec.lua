-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch.core"
local misuse = helper.misuse

-- A record as the kernel writes it.
local function record(wd, mask, cookie, name)
   local padded = name and name .. ("\0"):rep(16 - #name % 16) or ""
   return string.pack("=i4I4I4I4", wd, mask, cookie, #padded) .. padded
end

local function event_of(...)
   return assert(moonwatch.parse(record(...)))[1]
end

local FLAGS = {
   "access", "modify", "attrib", "close_write", "close_nowrite", "open", "moved_from", "moved_to", "create", "delete",
   "delete_self", "move_self", "unmount", "q_overflow", "ignored",
}

describe("an event", function()
   helper.leaves_nothing()

   it("has the fields of its record", function()
      local event = event_of(7, 0x40000080, 4711, "sub")
      assert.equal("moved_to", event.op)
      assert.equal("sub", event.name)
      assert.equal(0x40000080, event.mask)
      assert.same({ "moved_to", "isdir" }, event.names)
      assert.equal(4711, event.cookie)
      assert.equal(7, event.wd)
      assert.is_true(event.isdir)
      assert.is_true(event.moved_to)
      assert.is_true(event.move)
      assert.is_false(event.moved_from)
      assert.is_false(event.close)
      assert.equal("directory", event.type)
      assert.is_false(event.synthetic)
      assert.is_false(event.exchange)
      for _, field in ipairs { "path", "watch", "rel", "root", "from", "from_rel", "from_root", "replaced", "seq",
         "reason", "nonsense" } do
         assert.is_nil(event[field], field)
      end
      assert.is_nil(event[1])
      assert.is_nil(event[true])
   end)

   it("has one boolean per flag name", function()
      for _, flag in ipairs(FLAGS) do
         local event = event_of(1, moonwatch.mask.parse(flag), 0)
         for _, other in ipairs(FLAGS) do assert.equal(other == flag, event[other], flag .. " " .. other) end
         assert.equal(flag, event.op)
         assert.is_false(event.isdir)
         assert.is_nil(event.name)
      end
   end)

   it("keeps names exact, whatever their bytes", function()
      for _, name in ipairs { "a\nb", "-rf", "%s%n", "\255\254", "a b\t'\"", ("x"):rep(255), "ä", "\1" } do
         assert.equal(name, event_of(1, 0x100, 0, name).name)
      end
   end)

   it("knows when it was read, on both clocks", function()
      local before, wall = moonwatch.now(), os.time()
      local event = event_of(1, 0x100, 0, "a")
      assert.is_true(event.time >= before and event.time <= moonwatch.now())
      assert.is_true(event.wall >= wall and event.wall <= os.time() + 1)
   end)

   it("says whether it has any of these bits", function()
      local event = event_of(1, 0x40000100, 0, "a")
      assert.is_true(event:has "create delete")
      assert.is_true(event:has { "isdir" })
      assert.is_true(event:has(0x100))
      assert.is_false(event:has "close move")
      assert.is_false(event:has(0))
      assert.equal("unknown event name 'creat' in a mask; did you mean 'create'?",
         misuse(function() return (event:has "creat") end))
   end)

   it("gives a plain copy", function()
      local event = event_of(3, 0x40000100, 0, "a")
      local copy = event:table()
      assert.is_number(copy.time)
      assert.is_number(copy.wall)
      copy.time, copy.wall = nil, nil
      assert.same({
         op = "create", name = "a", mask = 0x40000100, names = { "create", "isdir" }, cookie = 0, wd = 3, isdir = true,
         type = "directory", exchange = false, synthetic = false, create = true,
      }, copy)
   end)

   it("reads as one printable line", function()
      assert.equal("create a", tostring(event_of(1, 0x100, 0, "a")))
      assert.equal("create sub/", tostring(event_of(1, 0x40000100, 0, "sub")))
      assert.equal("q_overflow", tostring(event_of(-1, 0x4000, 0)))
      assert.equal([[create a\nb\t\\\x1b[0m\xff\xe2\x80\xae ä€]],
         tostring(event_of(1, 0x100, 0, "a\nb\t\\\27[0m\255\u{202e} ä€")))
      assert.equal([[create \xed\xa0\x80\xc0\x80\xf5\xc2\x85]],
         tostring(event_of(1, 0x100, 0, "\xed\xa0\x80\xc0\x80\xf5\u{85}")))
      assert.equal("event", tostring(event_of(1, 0, 0)))
   end)

   it("cannot be changed, nor its metatable be had", function()
      local event = event_of(1, 0x100, 0, "a")
      assert.equal("an event is not to be changed", misuse(function() event.name = "b" end))
      assert.equal("moonwatch.event", getmetatable(event))
      assert.is_false(pcall(setmetatable, event, {}))
   end)

   it("is no other thing, and no other thing is one", function()
      local event = event_of(1, 0x100, 0, "a")
      for _, other in ipairs { 1, "x", {}, io.stdout, coroutine.create(print) } do
         assert.equal("an event expected, got " .. type(other), misuse(function() return (event.has(other, 1)) end))
         assert.is_false(pcall(debug.getmetatable(event).__index, other, "path"))
      end
      assert.is_false(pcall(debug.getmetatable(event).__index))
      assert.equal("an event expected, got no value", misuse(function() return (event.table()) end))
   end)

   it("stays valid for ever", function()
      local events
      do
         local dir = helper.folder()
         local inotify = assert(moonwatch.inotify())
         inotify:add(dir, "create")
         for i = 1, 100 do helper.write(dir .. "/" .. i) end
         events = inotify:read()
         inotify:close()
         for i, event in ipairs(events) do events[i] = { event, dir .. "/" .. i } end
      end
      collectgarbage()
      collectgarbage()
      for _, pair in ipairs(events) do assert.equal(pair[2], pair[1].path) end
      assert.equal(100, #events)
   end)
end)

describe("a watcher's event", function()
   local OPS = [[
      local NONE, CREATE, MODIFY, CLOSE_WRITE, ATTRIB, DELETE, MOVE, OPEN, ACCESS, CLOSE_NOWRITE, OVERFLOW, GONE, BACK,
         UNWATCHED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
   ]]

   local function output(chunk, ...)
      local result = helper.run({ helper.build .. "/spec/bind/levent_driver", OPS .. chunk }, ...)
      assert.same({ "", 0 }, { result.err, result.status })
      return result.out
   end

   -- A byte was written behind the room in which paths are put together.
   it("has its path and the part below the root at every length", function()
      for length = 1022, 1026 do
         local path = helper.folder()
         while length - #path > 202 do path = path .. "/" .. ("x"):rep(200) end
         path = path .. "/" .. ("x"):rep(length - #path - 1)
         helper.mkdir(path)
         local watcher <close> = assert(require "moonwatch".watch(path))
         helper.write(path .. "/f", "")
         helper.remove(path)
         local seen = {}
         repeat
            local event = assert(watcher:get(10))
            seen[event.op] = { event.path, event.rel }
         until event.op == "gone"
         assert.same({ { path .. "/f", "f" }, { path, "" } }, { seen.create, seen.gone })
      end
   end)

   it("is called by its op", function()
      assert.equal("create modify close_write attrib delete move open access close_nowrite overflow gone back "
         .. "unwatched nil ", output [[
         for op = 1, 14 do io.write(tostring(event { op = op % 14 }.op), " ") end
      ]])
   end)

   it("has paths, whole and below its root", function()
      assert.equal(table.concat({
         "r/a/b", "a/b", "b", "r",
         "r", "", "nil", "r",
         "/b", "b", "b", "/",
         "r/new", "new", "o/old", "old", "r", "o", "",
      }, "\n"), output [[
         local function show(...) for _, value in ipairs { ... } do print(value) end end
         local a = event { op = CREATE, directory = "r/a", name = "b", root = "r", rel_at = 2 }
         show(a.path, a.rel, a.name, a.root)
         local self = event { op = ATTRIB, directory = "r", root = "r", rel_at = 2 }
         show(self.path, self.rel, tostring(self.name), self.root)
         local top = event { op = CREATE, directory = "/", name = "b", root = "/", rel_at = 1 }
         show(top.path, top.rel, top.name, top.root)
         local move = event { op = MOVE, directory = "r", name = "new", root = "r", rel_at = 2, from = "o",
            from_name = "old", from_root = "o", from_rel_at = 2 }
         show(move.path, move.rel, move.from, move.from_rel, move.root, move.from_root)
      ]])
   end)

   it("has paths of any length", function()
      assert.equal("3256\tx\n3257\t3255\n", output [[
         local e = event { op = CREATE, directory = ("d/"):rep(1500), name = ("x"):rep(256), rel_at = 3255 }
         print(#e.path, e.rel)
         local f = event { op = MOVE, directory = "d", name = "y", from = ("d"):rep(3000), from_name = ("x"):rep(256),
            from_rel_at = 2 }
         print(#f.from, #f.from_rel)
      ]])
   end)

   it("says what it replaced, how it was learned and why", function()
      assert.equal("file\ttrue\ttrue\t7\tPermission denied\nnil\tfalse\tfalse\t0\tnil\n", output [[
         local e = event { op = MOVE, replaced = 1, exchange = true, synthetic = true, seq = 7,
            reason = "Permission denied" }
         print(e.replaced, e.exchange, e.synthetic, e.seq, e.reason)
         e = event { op = CREATE }
         print(e.replaced, e.exchange, e.synthetic, e.seq, e.reason)
      ]])
   end)

   it("knows its type, or looks for it once, where there is something to look at", function()
      local dir = helper.folder()
      helper.write(dir .. "/file")
      helper.symlink("nowhere", dir .. "/link")
      helper.fifo(dir .. "/fifo")
      assert.equal("socket file link fifo nil directory nil nil file ", output([[
         local dir = os.getenv "FOLDER"
         local function kind(fields)
            fields.directory = dir
            io.write(tostring(event(fields).type), " ")
         end
         kind { op = CREATE, name = "file", type = 5 }
         kind { op = CREATE, name = "file" }
         kind { op = MOVE, name = "link" }
         kind { op = ATTRIB, name = "fifo" }
         kind { op = CREATE, name = "none" }
         kind { op = CREATE, name = "none", isdir = true }
         kind { op = DELETE, name = "file" }
         kind { op = CREATE }
         local e = event { op = CREATE, name = "file", directory = dir }
         local before = e.type
         os.remove(dir .. "/file")
         io.write(tostring(e.type), " ")
      ]], { env = { FOLDER = dir } }))
   end)

   it("reads as one line", function()
      assert.equal(table.concat({
         "create r/sub/", "move r/a\\n -> r/b (replaced file)", "move r/a -> r/b (exchange)",
         "close_write r/a (synthetic)", "unwatched r/d/: Permission denied", "overflow r", "gone r", "",
      }, "\n"), output [[
         print(event { op = CREATE, directory = "r", name = "sub", isdir = true })
         print(event { op = MOVE, directory = "r", name = "b", from = "r", from_name = "a\n", replaced = 1 })
         print(event { op = MOVE, directory = "r", name = "b", from = "r", from_name = "a", exchange = true })
         print(event { op = CLOSE_WRITE, directory = "r", name = "a", synthetic = true })
         print(event { op = UNWATCHED, directory = "r/d", isdir = true, reason = "Permission denied" })
         print(event { op = OVERFLOW, directory = "r" })
         print(event { op = GONE, directory = "r" })
      ]])
   end)

   it("gives a plain copy with all that it has", function()
      assert.equal("attrib=true cookie=0 exchange=false from=r/a from_rel=a isdir=false mask=4 name=b names=table op=move "
         .. "path=r/b rel=b root=r seq=3 synthetic=false type=file wd=0 ", output [[
         local copy = event { op = MOVE, directory = "r", name = "b", from = "r", from_name = "a", root = "r", rel_at = 2,
            from_rel_at = 2, seq = 3, type = 1, mask = 4 }:table()
         copy.time, copy.wall = nil, nil
         local keys = {}
         for key in pairs(copy) do keys[#keys + 1] = key end
         table.sort(keys)
         for _, key in ipairs(keys) do
            local value = copy[key]
            io.write(key, "=", type(value) == "table" and "table" or tostring(value), " ")
         end
      ]])
   end)
end)
