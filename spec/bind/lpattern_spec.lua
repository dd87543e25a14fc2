-- SPDX-License-Identifier: MIT
--
-- lpattern_spec.lua - moonwatch.pattern. The language itself is held against git in spec/core/pattern_spec.lua.

local moonwatch = require "moonwatch.core"

local function misuse(...)
   local ok, message = pcall(moonwatch.pattern, ...)
   assert.is_false(ok)
   return message
end

describe("a pattern object", function()
   it("selects what its last matching pattern says", function()
      local pattern = moonwatch.pattern { "*.{c,h}", "!config.h", "/doc/*.md" }
      assert.same({ true, true, false, true, false, false }, {
         pattern:match "a.c", pattern:match "src/a.h", pattern:match "src/config.h", pattern:match "doc/x.md",
         pattern:match "doc/x/y.md", pattern:match "Makefile",
      })
   end)

   it("lets a directory hold for all below it, whatever re-includes", function()
      local pattern = moonwatch.pattern { "build/", "!keep" }
      assert.same({ true, true, true, false, false }, {
         pattern:match("build", true), pattern:match "build/x/y", pattern:match "src/build/keep",
         pattern:match("build", false), pattern:match "keep",
      })
   end)

   it("takes a path with a slash at its end as a directory, unless told otherwise", function()
      local pattern = moonwatch.pattern "build/"
      assert.same({ true, false, false, false }, {
         pattern:match "build/", pattern:match "build", pattern:match("build/", false), pattern:match "",
      })
   end)

   it("is made of one string too, and of another pattern object", function()
      local pattern = moonwatch.pattern "*.c"
      assert.is_true(pattern:match "a.c")
      assert.equal(pattern, moonwatch.pattern(pattern))
   end)

   it("selects nothing when its list is empty", function()
      assert.is_false(moonwatch.pattern {}:match "a")
   end)

   it("reads its strings as the lines of an ignore file", function()
      local pattern = moonwatch.pattern { "# comment", "", "a  ", "\\#b", "c\\ " }
      assert.same({ true, true, true, false, false }, {
         pattern:match "a", pattern:match "#b", pattern:match "c ", pattern:match "# comment", pattern:match "c",
      })
   end)

   it("compares bytes", function()
      local pattern = moonwatch.pattern { "\xff?", "A" }
      assert.same({ true, false, false }, { pattern:match "\xff\xfe", pattern:match "\xff\xc3\xbc", pattern:match "a" })
   end)

   it("explains with the deciding pattern, its place and what it matched", function()
      local pattern = moonwatch.pattern { "*.{c,h}", "", "!x.c", "build/" }
      assert.same({ "*.{c,h}", 1, "src/a.h" }, { pattern:explain "src/a.h" })
      assert.same({ "!x.c", 3, "x.c" }, { pattern:explain "x.c" })
      assert.same({ "build/", 4, "src/build" }, { pattern:explain "src/build/x.c" })
      assert.same({ n = 1 }, table.pack(pattern:explain "y"))
   end)

   it("takes malformed patterns as git does: they match nothing", function()
      local pattern = moonwatch.pattern { "[a", "a\\", "[[:nope:]]" }
      assert.same({ false, false, false }, { pattern:match "[a", pattern:match "a\\", pattern:match "n" })
   end)
end)

describe("misuse of moonwatch.pattern", function()
   for name, case in pairs {
      ["nothing"] = { {}, "bad argument #1" },
      ["a number"] = { { 12 }, "must be a pattern or a list of patterns, not number" },
      ["a list with a number"] = { { { "a", 3 } }, "pattern 2 is a number, not a string" },
      ["an unknown key"] = { { { "a", match = "b" } }, "a list of patterns has no key 'match'" },
      ["a zero byte"] = { { { "a\0b" } }, "a pattern holds a zero byte" },
      ["braces without measure"] = { { ("{a,b}"):rep(40) }, "stand for more than 4096 patterns" },
   } do
      it("is " .. name, function()
         assert.matches(case[2], misuse(table.unpack(case[1])), 1, true)
      end)
   end

   it("is a path that is none, and a call on something else", function()
      local pattern = moonwatch.pattern "a"
      assert.is_false(pcall(pattern.match, pattern))
      assert.is_false(pcall(pattern.match, pattern, "a\0b"))
      assert.is_false(pcall(pattern.match, io.stdout, "a"))
      assert.is_false(pcall(pattern.match, "a", "a"))
   end)
end)
