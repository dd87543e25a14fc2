-- SPDX-License-Identifier: MIT
--
-- lsettle_spec.lua - core.settle: time, whole files, putting back, handing over, misuse.

local core = require "moonwatch.core"
local helper = require "support.helper"
local words = require "support.watching".changes

local function event(op, rel, fields)
   local told = fields or {}
   told.op, told.rel, told.path, told.root = op, rel, "/r/" .. rel, "/r"
   told.type = told.type or "file"
   if told.from_rel then told.from, told.from_root = "/r/" .. told.from_rel, "/r" end
   return told
end

describe("a settled change", function()
   it("is a plain table with all that is known", function()
      local settle <close> = core.settle { settle = 0 }
      settle:feed(event("create", "in/a.csv"), 1)
      settle:feed(event("close_write", "in/a.csv"), 1)
      settle:feed(event("move", "x", { from_rel = "y", replaced = "link" }), 1)
      assert.same({
         { op = "create", path = "/r/in/a.csv", rel = "in/a.csv", name = "a.csv", root = "/r", type = "file", count = 2 },
         { op = "move", path = "/r/x", rel = "x", name = "x", root = "/r", from = "/r/y", from_rel = "y", type = "file",
            count = 1, replaced = "link" },
      }, settle:take(1))
      assert.equal(0, settle:pending())
      assert.is_nil(settle:take(1))
   end)

   it("keeps every byte of a path, and the root as it was given", function()
      local settle <close> = core.settle { settle = 0 }
      local cases = { -- root, path, rel, name
         { "/", "/a", "a", "a" }, { "/", "/", "", "/" }, { ".", "./a/b", "a/b", "b" }, { "src/", "src/a", "a", "a" },
         { "a b", "a b/\255\n%", "\255\n%", "\255\n%" }, { "conf", "conf", "", "conf" }, { "", "x", "x", "x" },
         { "x//y", "x//y/z", "z", "z" }, { "/r", "/r/" .. ("n"):rep(255) .. "/" .. ("m"):rep(255),
            ("n"):rep(255) .. "/" .. ("m"):rep(255), ("m"):rep(255) },
      }
      for _, case in ipairs(cases) do
         local root, path, rel, name = table.unpack(case)
         settle:feed({ op = "close_write", path = path, rel = rel, root = root, type = "file" }, 1)
         assert.same({ { op = "modify", path = path, rel = rel, name = name, root = root ~= "" and root or nil,
            type = "file", count = 1 } }, settle:take(1))
      end
   end)

   it("tells both roots of a move between two", function()
      local settle <close> = core.settle { settle = 0 }
      settle:feed({ op = "move", path = "new/f", rel = "f", root = "new", from = "old/d/f", from_rel = "d/f",
         from_root = "old", type = "file" }, 1)
      assert.same({ { op = "move", path = "new/f", rel = "f", name = "f", root = "new", from = "old/d/f",
         from_rel = "d/f", from_root = "old", type = "file", count = 1 } }, settle:take(1))
   end)

   it("names the innermost of nested roots", function()
      local settle <close> = core.settle { settle = 0 }
      settle:feed({ op = "close_write", path = "a/b/f", rel = "f", root = "a/b", type = "file" }, 1)
      settle:feed({ op = "close_write", path = "a/g", rel = "g", root = "a", type = "file" }, 1)
      local batch = settle:take(1)
      assert.same({ "a/b", "f", "a", "g" }, { batch[1].root, batch[1].rel, batch[2].root, batch[2].rel })
   end)
end)

describe("the time of a batch", function()
   it("is `settle` after the last event, and `max_wait` after the first at the latest", function()
      local settle <close> = core.settle { settle = 1, max_wait = 3 }
      assert.is_nil(settle:deadline())
      settle:feed(event("modify", "a"), 10)
      assert.equal(11, settle:deadline())
      for now = 10.5, 13, 0.5 do settle:feed(event("modify", "a"), now) end
      assert.equal(13, settle:deadline())
      assert.is_nil(settle:take(12.9))
      assert.equal("modify a", words(settle:take(13)))
      settle:feed(event("modify", "b"), 13.1)
      assert.equal(14.1, settle:deadline())
   end)

   it("passes without a batch where nothing has changed on balance", function()
      local settle <close> = core.settle { settle = 1 }
      settle:feed(event("create", "t"), 1)
      settle:feed(event("delete", "t"), 1.1)
      assert.is_nil(settle:take(3))
      assert.is_nil(settle:deadline())
   end)

   it("counts per path with `each`", function()
      local settle <close> = core.settle { settle = 1, max_wait = 3, each = true }
      settle:feed(event("modify", "a"), 0)
      settle:feed(event("modify", "b"), 0.5)
      settle:feed(event("modify", "a"), 0.9)
      assert.equal(1.5, settle:deadline())
      assert.equal("modify b", words(settle:take(1.5)))
      for now = 1.5, 2.9, 0.2 do settle:feed(event("modify", "a"), now) end
      assert.equal(3, settle:deadline())
      assert.equal("modify a", words(settle:take(3)))
      assert.is_nil(settle:deadline())
   end)

   it("brings along with `each` what has to be told before", function()
      local settle <close> = core.settle { settle = 1, each = true }
      settle:feed(event("modify", "old/f"), 0)
      settle:feed(event("move", "new", { from_rel = "old", type = "directory" }), 0.5)
      settle:feed(event("create", "g"), 0.9)
      assert.equal("move old -> new, modify new/f", words(settle:take(1)))
      assert.equal("create g", words(settle:take(2)))
   end)

   it("tells a move with `each` when its new name is quiet", function()
      local settle <close> = core.settle { settle = 1, each = true }
      settle:feed(event("move", "b", { from_rel = "a" }), 0)
      settle:feed(event("modify", "b"), 0.5)
      assert.is_nil(settle:take(1))
      assert.equal(1.5, settle:deadline())
      assert.equal("move a -> b", words(settle:take(1.5)))
      assert.equal(0, settle:pending())
   end)

   it("does not begin with events that nobody wants", function()
      local settle <close> = core.settle { settle = 1, on = { "create", "delete" } }
      settle:feed(event("attrib", "a"), 0)
      settle:feed(event("open", "a"), 0)
      assert.is_nil(settle:deadline())
      settle:feed(event("modify", "a"), 0)
      settle:feed(event("create", "b"), 0)
      assert.equal("create b", words(settle:take(1)))
   end)
end)

describe("whole files", function()
   local writers

   local function complete(fields)
      local options = { settle = 1, complete = true, writer = function(path) return writers[path] end }
      for key, value in pairs(fields or {}) do options[key] = value end
      writers = {}
      return core.settle(options)
   end

   it("are handed over once, after their writer's close", function()
      local settle <close> = complete()
      writers["/r/up"] = true
      settle:feed(event("create", "up"), 0)
      settle:feed(event("modify", "up"), 0.1)
      settle:feed(event("create", "dir", { type = "directory" }), 0.2)
      assert.equal("create dir", words(settle:take(1.2)))
      for now = 1.5, 20 do
         settle:feed(event("modify", "up"), now)
         assert.is_nil(settle:take(now + 1))
      end
      settle:feed(event("close_write", "up"), 21)
      assert.equal(22, settle:deadline())
      assert.equal("create up", words(settle:take(22)))
      assert.is_nil(settle:take(100))
   end)

   it("are those that were moved in or renamed onto their name", function()
      local settle <close> = complete()
      writers = setmetatable({}, { __index = function() return true end })
      settle:feed(event("create", "in", { moved_to = true }), 0)
      settle:feed(event("create", "t"), 0)
      settle:feed(event("move", "f", { from_rel = "t" }), 0)
      assert.equal("create in, create f", words(settle:take(1)))
   end)

   it("are those without a writer where no close was told", function()
      local settle <close> = complete()
      writers["/r/found"] = true
      settle:feed(event("create", "hardlink"), 0)
      settle:feed(event("create", "found", { synthetic = true }), 0)
      settle:feed(event("close_write", "found", { synthetic = true }), 0)
      assert.is_nil(settle:take(1))
      assert.equal(1.1, settle:deadline(), "a close may have been told and not yet read")
      assert.equal("create hardlink", words(settle:take(1.1)))
      assert.equal(3, settle:deadline())
      assert.is_nil(settle:take(3))
      writers["/r/found"] = nil
      assert.equal("create found", words(settle:take(settle:deadline())))
   end)

   it("are not waited for longer than the number says", function()
      local settle <close> = complete { complete = 10 }
      writers["/r/log"] = true
      settle:feed(event("modify", "log"), 0)
      assert.is_nil(settle:take(1))
      local now = 1
      while now < 11 do
         now = settle:deadline()
         local batch = settle:take(now)
         if batch then assert.equal("modify log", words(batch)) end
      end
      assert.equal(11, now)
      assert.equal(0, settle:pending())
   end)

   it("count per path with `each`, and are forgotten when they are deleted", function()
      local settle <close> = complete { each = true }
      writers["/r/a"], writers["/r/b"] = true, true
      settle:feed(event("create", "a"), 0)
      settle:feed(event("create", "b"), 0)
      assert.is_nil(settle:take(1))
      settle:feed(event("delete", "a"), 2)
      settle:feed(event("close_write", "b"), 2)
      assert.equal("create b", words(settle:take(3)))
      assert.equal(0, settle:pending())
      assert.is_nil(settle:deadline())
   end)

   it("are told from the disk by a lease", function()
      local path = helper.folder() .. "/up"
      local file = assert(io.open(path, "wb"))
      local settle <close> = core.settle { settle = 1, complete = true }
      settle:feed({ op = "create", path = path, rel = "up", root = "r", type = "file" }, 0)
      assert.is_nil(settle:take(1))
      file:close()
      assert.is_nil(settle:take(3))
      assert.equal("create up", words(settle:take(settle:deadline())))
   end)

   it("survive an error in the function that is asked", function()
      local said
      core.on_error(function(message) said = message end)
      local settle <close> = core.settle { settle = 0, complete = true, writer = function() error "broken" end }
      settle:feed(event("modify", "a"), 0)
      assert.is_nil(settle:take(0))
      settle:feed(event("close_write", "a"), 1)
      assert.equal("modify a", words(settle:take(1)))
      core.on_error(nil)
      assert.truthy(tostring(said):find("broken", 1, true))
   end)
end)

describe("a batch put back", function()
   it("becomes one with what changed since, the older first", function()
      local settle <close> = core.settle { settle = 1 }
      settle:feed(event("create", "a"), 0)
      settle:feed(event("move", "m", { from_rel = "l" }), 0)
      settle:feed(event("delete", "d"), 0)
      local batch = settle:take(1)
      settle:feed(event("delete", "a"), 2)
      settle:feed(event("move", "n", { from_rel = "m" }), 2)
      settle:feed(event("create", "d"), 2)
      settle:merge(batch)
      assert.equal(3, settle:deadline())
      assert.equal("move l -> n, modify d", words(settle:take(3)))
   end)

   it("is due at once where nothing else happened", function()
      for _, each in ipairs { false, true } do
         local settle <close> = core.settle { settle = 1, each = each }
         settle:merge { { op = "modify", path = "/r/a", rel = "a", root = "/r", type = "file", count = 3 } }
         assert.is_true(settle:deadline() <= 0)
         local batch = settle:take(0)
         assert.same({ "modify", "a", 3 }, { batch[1].op, batch[1].rel, batch[1].count })
      end
   end)

   it("keeps what a move had besides", function()
      local settle <close> = core.settle { settle = 0 }
      local batch = { { op = "move", path = "/r/b", rel = "b", name = "b", root = "/r", from = "/r/a", from_rel = "a",
         type = "file", count = 2, modified = true } }
      settle:merge(batch)
      assert.same(batch, settle:take(1))
   end)
end)

describe("pending changes handed over", function()
   it("are the same in the successor, times included", function()
      local settle <close> = core.settle { settle = 1, max_wait = 5 }
      settle:feed(event("modify", "a"), 3)
      settle:feed(event("move", "e", { from_rel = "d", type = "directory" }), 3.5)
      local bytes = settle:dump()
      assert.equal(bytes, settle:dump())
      local successor <close> = core.settle { settle = 1, max_wait = 5 }
      assert.is_true(successor:load(bytes))
      assert.equal(4.5, successor:deadline())
      assert.equal(settle:pending(), successor:pending())
      assert.same(settle:take(5), successor:take(5))
   end)

   it("refuses bytes of another origin", function()
      local settle <close> = core.settle { settle = 1 }
      settle:feed(event("modify", "a"), 3)
      local bytes = settle:dump()
      for length = 0, #bytes - 1 do
         local ok, message = settle:load(bytes:sub(1, length))
         assert.same({ "nil", "these bytes do not come from dump()" }, { tostring(ok), message })
      end
      math.randomseed(7)
      for _ = 1, 2000 do
         local at = math.random(#bytes)
         local other <close> = core.settle { settle = 1 }
         other:load(bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1))
         other:take(math.huge)
      end
   end)
end)

describe("misuse of a settle object", function()
   local function misuse(pattern, fn, ...)
      local ok, message = pcall(fn, ...)
      assert.is_false(ok)
      assert.truthy(message:find(pattern, 1, true), message)
      assert.truthy(message:find "^[^:]*lsettle_spec.lua:%d+: ", message)
   end

   it("names the option that was meant", function()
      misuse("unknown option 'setle' (did you mean 'settle'?)", function() core.settle { setle = 1 } end)
      misuse("settle must be a number of seconds", function() core.settle { settle = "1" } end)
      misuse("max_wait must be a number of seconds from 0 on", function() core.settle { max_wait = -1 } end)
      misuse("on: close_write is no change", function() core.settle { on = { "close_write" } } end)
      misuse("a table of options expected, got nil", function() core.settle() end)
      misuse("writer must be a function", function() core.settle { writer = 1 } end)
   end)

   it("refuses what is no event and no change", function()
      local settle <close> = core.settle { settle = 1 }
      misuse("an event expected, got number", function() settle:feed(1) end)
      misuse("the field 'op' is no event's: created", function() settle:feed { op = "created" } end)
      misuse("the field 'path' is missing", function() settle:feed { op = "create" } end)
      misuse("'dir' is no type", function() settle:feed { op = "create", path = "a", type = "dir" } end)
      misuse("'close_write' is no net change", function() settle:merge { { op = "close_write", path = "a" } } end)
      misuse("a list of changes expected", function() settle:merge { 1 } end)
      assert.equal(0, settle:pending())
   end)

   it("says that it is closed", function()
      local settle = core.settle { settle = 1 }
      settle:close()
      settle:close()
      misuse("the settle object is closed", function() settle:pending() end)
   end)
end)

describe("memory", function()
   it("does not grow with what comes and goes", function()
      local settle <close> = core.settle { settle = 1e9, max_wait = 1e9 }
      for i = 1, 20000 do
         settle:feed(event("create", "d/t" .. i), 0)
         settle:feed(event("delete", "d/t" .. i), 0)
      end
      assert.equal(0, settle:pending())
   end)
end)
