-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local moonwatch = require "moonwatch.core"

-- A record as the kernel writes it.
local function record(wd, mask, cookie, name)
   local padded = name and name .. ("\0"):rep(16 - #name % 16) or ""
   return string.pack("=i4I4I4I4", wd, mask, cookie, #padded) .. padded
end

local function event_of(...)
   return assert(moonwatch.parse(record(...)))[1]
end

local function misuse(fn, ...)
   local line = debug.getinfo(2, "l").currentline
   if debug.getinfo(fn, "S").what == "C" then line = debug.getinfo(1, "l").currentline + 1 end
   local ok, message = pcall(fn, ...)
   assert.is_false(ok)
   local file, at, text = message:match "^(.-):(%d+): (.*)$"
   assert.equal("levent_spec.lua", file and file:match "[^/]+$", message)
   assert.equal(line, tonumber(at))
   return text
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
