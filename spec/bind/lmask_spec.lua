-- SPDX-License-Identifier: MIT
local helper = require "support.helper"
local mask = require "moonwatch.core".mask
local misuse = helper.misuse

local FLAGS = {
   ACCESS = 0x1, MODIFY = 0x2, ATTRIB = 0x4, CLOSE_WRITE = 0x8, CLOSE_NOWRITE = 0x10, OPEN = 0x20, MOVED_FROM = 0x40,
   MOVED_TO = 0x80, CREATE = 0x100, DELETE = 0x200, DELETE_SELF = 0x400, MOVE_SELF = 0x800, UNMOUNT = 0x2000,
   Q_OVERFLOW = 0x4000, IGNORED = 0x8000, ISDIR = 0x40000000, ONLYDIR = 0x1000000, DONT_FOLLOW = 0x2000000,
   EXCL_UNLINK = 0x4000000, MASK_CREATE = 0x10000000, MASK_ADD = 0x20000000, ONESHOT = 0x80000000,
   CLOSE = 0x18, MOVE = 0xc0, ALL_EVENTS = 0xfff,
}

describe("moonwatch.mask", function()
   it("holds every flag under the kernel's name, and the sets", function()
      local found = {}
      for name, value in pairs(mask) do
         if math.type(value) == "integer" then found[name] = value end
      end
      assert.same(FLAGS, found)
   end)

   it("raises for a wrong name and tells the nearest", function()
      assert.equal("unknown flag 'CLOSE_WRIET' of moonwatch.mask; did you mean 'CLOSE_WRITE'?",
         misuse(function() return mask.CLOSE_WRIET end))
      assert.equal("unknown flag 'create' of moonwatch.mask; did you mean 'CREATE'?",
         misuse(function() return mask.create end))
      assert.equal("unknown flag 'FOO' of moonwatch.mask", misuse(function() return mask.FOO end))
   end)

   it("cannot be changed", function()
      assert.equal("moonwatch.mask is not to be changed", misuse(function() mask.NEW = 1 end))
   end)

   describe("parse", function()
      it("takes an integer, a string of names, a list of names", function()
         assert.equal(0x108, mask.parse(0x108))
         assert.equal(0x108, mask.parse "create|close_write")
         assert.equal(0x108, mask.parse "CREATE,Close_Write")
         assert.equal(0x108, mask.parse "  create \t close_write ")
         assert.equal(0x108, mask.parse "create, | close_write")
         assert.equal(0x108, mask.parse { "create", "close_write" })
         assert.equal(0x108, mask.parse { "create", 8 })
         assert.equal(0xfff | 0x80000000, mask.parse "all_events oneshot")
         assert.equal(0x1000, mask.parse "0x1000")
         assert.equal(0, mask.parse "")
         assert.equal(0, mask.parse {})
         assert.equal(0xffffffff, mask.parse(0xffffffff))
         assert.equal(256, mask.parse(256.0))
      end)

      it("raises where the user wrote it, with the nearest name", function()
         assert.equal("unknown event name 'creat' in a mask; did you mean 'create'?", misuse(mask.parse, "creat"))
         assert.equal("unknown event name 'move_to' in a mask; did you mean 'moved_to'?",
            misuse(function() return (mask.parse { "create", "move_to" }) end))
         assert.equal("unknown event name 'a\\x1b' in a mask", misuse(mask.parse, "a\27"))
         assert.equal("a mask holds a zero byte", misuse(mask.parse, "create\0"))
         assert.equal("a mask is an integer of 32 bits, not -1", misuse(mask.parse, -1))
         assert.equal("a mask is an integer of 32 bits, not 1.5", misuse(mask.parse, 1.5))
         assert.equal("a mask is an integer of 32 bits, not 4294967296", misuse(mask.parse, 1 << 32))
         assert.equal("a mask is an integer, a string of event names or a list of them, not a boolean",
            misuse(mask.parse, true))
         assert.equal("a mask is an integer, a string of event names or a list of them, not a table",
            misuse(mask.parse, { { "create" } }))
         assert.equal("a mask given as a table is a list of event names", misuse(mask.parse, { create = true }))
         assert.equal("a mask is an integer, a string of event names or a list of them, not a no value",
            misuse(mask.parse))
      end)

      it("survives long and odd words", function()
         for _, word in ipairs { ("x"):rep(1000), ("\255"):rep(63), "0x", "0xg", "0x100000000", "create\27[0m" } do
            assert.matches("^unknown event name", misuse(mask.parse, word))
         end
      end)
   end)

   describe("names", function()
      it("gives lower-case names in the order of the bits", function()
         assert.same({ "close_write", "create" }, mask.names(0x108))
         assert.same({}, mask.names(0))
         assert.same({ "create", "isdir" }, mask.names(0x40000100))
         assert.same({ "close_write", "close_nowrite" }, mask.names "close")
      end)

      it("gives an unknown bit as a number", function()
         assert.same({ "create", "0x00001000", "0x08000000" }, mask.names(0x8001100))
      end)

      it("gives what parse takes, for every bit and all together", function()
         for bit = 0, 31 do
            assert.equal(1 << bit, mask.parse(mask.names(1 << bit)))
         end
         assert.equal(0xffffffff, mask.parse(table.concat(mask.names(0xffffffff), "|")))
      end)
   end)
end)
