-- SPDX-License-Identifier: MIT
--
-- watcher_spec.lua - what `watch` and the methods of a watcher take, and what they say of what they do not.

local helper = require "support.helper"
local moonwatch = require "moonwatch"

local misuse = helper.misuse

describe("watch", function()
   helper.leaves_nothing()

   it("takes a path or a list of them, and nothing in such a list that would go unseen", function()
      for message, paths in pairs {
         ["a path or a list of paths expected, not 5"] = 5,
         ["a path or a list of paths expected, not an empty list"] = {},
         ['a path must be a string with something in it, not ""'] = { "a", "" },
         ["a path must be a string with something in it, not a table"] = { { "a" } },
         ["a list of paths with a hole"] = { nil, "a" },
         ['a list of paths has no key "match": options are a table of their own'] = { "a", match = "*.c" },
      } do
         assert.equal("watch: " .. message, misuse(function() moonwatch.watch(paths) end))
      end
      assert.equal("watch: a path or a list of paths expected, not nil", misuse(function() moonwatch.watch() end))
      assert.equal("a path must not contain a NUL byte", misuse(function() moonwatch.watch "a\0b" end))
   end)

   it("names what is wrong with its options", function()
      for message, options in pairs {
         ["a table of options expected, not 5"] = 5,
         ["a table of options expected, not a function"] = print,
         ['unknown key "ignor" (did you mean "ignore"?)'] = { ignor = "x" },
         ["depth must be a whole number of at least 1, not 0"] = { depth = 0 },
         ['backend must be "auto", "inotify" or "poll", not "pol" (did you mean "poll"?)'] = { backend = "pol" },
         ["match must be a pattern or a list of patterns, not a list with a hole"] = { match = { "a", nil, "b" } },
         ['events: no such op "creat" (did you mean "create"?)'] = { events = "creat" },
      } do
         assert.equal("watch: " .. message, misuse(function() moonwatch.watch("/", options) end))
      end
      local many = {}
      for i = 1, 65 do many[i] = "file" .. i end
      assert.equal("watch: more than 64 ignore_files", misuse(function() moonwatch.watch("/", { ignore_files = many }) end))
   end)
end)

describe("a watcher's methods", function()
   helper.leaves_nothing()

   it("name what is no timeout, at the user's line", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local wrong = "a timeout is nil or a number of seconds from 0 up, not "
      assert.equal(wrong .. "-1", misuse(function() watcher:get(-1) end))
      assert.equal(wrong .. "a table", misuse(function() watcher:sync {} end))
      assert.equal(wrong .. "a string", misuse(function() watcher:rescan(nil, "soon") end))
      assert.equal(wrong .. "a string", misuse(function() watcher:resume "soon" end))
   end)

   it("name what is no path, no op and no function", function()
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      assert.equal("add: a path expected, not nil", misuse(function() watcher:add() end))
      assert.equal("rescan: a path expected, not 5", misuse(function() watcher:rescan(5) end))
      assert.equal('on: no such op "creat" (did you mean "create"?)', misuse(function() watcher:on("creat", print) end))
      assert.equal("on: a function expected, not nil", misuse(function() watcher:on "create" end))
      assert.equal("on: a table of ops and functions expected", misuse(function() watcher:on { create = 5 } end))
   end)
end)
