-- SPDX-License-Identifier: MIT
--
-- Placeholders: what they stand for, that they stay one argument, and how a long list is split.

local template = require "moonwatch.rule.template"

local function expand(argv, change)
   return template.expand(template.compile(argv, "each", "rule"), change, { change }, 1, 1)
end

describe("placeholders", function()
   local change = { op = "move", path = "in/sub/a.tar.gz", rel = "sub/a.tar.gz", name = "a.tar.gz", root = "in",
      from = "in/old" }

   it("stand for the parts of the change", function()
      assert.same({ "x", "in/sub/a.tar.gz", "sub/a.tar.gz", "a.tar.gz", "in/sub", "sub", "a.tar", "gz", "in/old",
         "move", "in" }, expand({ "x", "{path}", "{rel}", "{name}", "{dir}", "{reldir}", "{stem}", "{ext}", "{from}",
         "{op}", "{root}" }, change))
   end)

   it("are put in as parts of one argument", function()
      assert.same({ "x", "--in=in/sub/a.tar.gz:a.tar.o", "{nothing}", "{", "a.tar.gza.tar.gz" },
         expand({ "x", "--in={path}:{stem}.o", "{nothing}", "{", "{name}{name}" }, change))
   end)

   it("keep hostile names as they are", function()
      local name = "$(touch x);\n'\"{op} %d -rf"
      assert.same({ "x", "-f=" .. name }, expand({ "x", "-f={name}" }, { path = name, rel = name, name = name,
         root = ".", op = "create" }))
   end)

   it("know the borders: no folder, the root folder, no extension, a dot file", function()
      local function parts(path)
         local c = { path = path, rel = path, name = path:match "[^/]+$", root = "/", op = "create" }
         return table.concat(expand({ "{dir}", "{stem}", "{ext}", "{from}" }, c), "|")
      end
      assert.same({ ".|a||", "/|a||", "d|.profile||", "d.e|a||", "d|a|b|", "d|a.||" }, { parts "a", parts "/a",
         parts "d/.profile", parts "d.e/a", parts "d/a.b", parts "d/a.." })
   end)
end)

describe("{paths}", function()
   local changes = {}
   for i = 1, 10 do
      changes[i] = { path = "p/" .. i, rel = tostring(i) }
   end

   it("is an argument per path", function()
      local words = template.compile({ "x", "{rels}", "--", "{paths}" }, "run", "rule")
      assert.same({ "x", "1", "2", "--", "p/1", "p/2" }, template.expand(words, changes[1], changes, 1, 2))
   end)

   it("is split where the room ends, with at least one path at a time", function()
      local words = template.compile({ "x", "{paths}" }, "run", "rule")
      assert.same({ 10, 1, 3, 6 }, { template.chunk(words, changes, 1, 1000), template.chunk(words, changes, 1, 0),
         template.chunk(words, changes, 1, 10 + 3 * 12), template.chunk(words, changes, 6, 0) })
   end)

   it("is written as text for standard input", function()
      local two = { { path = "a b", rel = "b" }, { path = "c\nd", rel = "d" } }
      assert.same({ "a b\nc\nd\n", "a b\0c\nd\0", "b\nd\n", "b\0d\0" }, { template.list("paths", two),
         template.list("paths0", two), template.list("rels", two), template.list("rels0", two) })
   end)
end)
