-- SPDX-License-Identifier: MIT
--
-- lwatcher_ignore_files_spec.lua - ignore files, obeyed as git does and read again when they change.

local moonwatch = require "moonwatch"
local helper = require "support.helper"
local watching = require "support.watching"
local probe = require("support.scene").probe
local words, known = watching.words, watching.known

local function git(folder)
   return assert(moonwatch.watch(folder, { ignore_files = ".gitignore" }))
end

describe("ignore_files", function()
   helper.leaves_nothing()

   it("hides what they name, nested and negated, and watches no ignored directory", function()
      local folder = helper.folder()
      helper.write(folder .. "/.gitignore", "*.o\n/build/\n!keep.o\n")
      helper.write(folder .. "/sub/.gitignore", "!*.o\n/only\n")
      for _, rel in ipairs { "a.o", "keep.o", "a.c", "build/x/y", "sub/a.o", "sub/only", "sub/deep/only", ".git/HEAD" } do
         helper.write(folder .. "/" .. rel, "x")
      end
      local watcher <close> = git(folder)
      assert.same({ ".gitignore", "a.c", "keep.o", "sub/", "sub/.gitignore", "sub/a.o", "sub/deep/", "sub/deep/only" },
         known(watcher))
      assert.equal(3, watcher:stats().watches)
      helper.write(folder .. "/b.o", "x")
      helper.write(folder .. "/build/z", "x")
      helper.write(folder .. "/sub/b.o", "x")
      assert.same({ "create sub/b.o", "close_write sub/b.o" }, words(watcher))
   end)

   it("are read again when they change, with watches taken and given back", function()
      local folder = helper.folder()
      helper.write(folder .. "/build/f", "x")
      helper.write(folder .. "/a.o", "x")
      helper.write(folder .. "/.gitignore", "build/\n")
      local watcher <close> = git(folder)
      assert.equal(1, watcher:stats().watches)
      helper.write(folder .. "/.gitignore", "*.o\n")
      assert.same({ "close_write .gitignore", "delete a.o", "create build", "create build/f", "close_write build/f" },
         words(watcher, "sorted"))
      assert.equal(2, watcher:stats().watches)
      helper.write(folder .. "/.gitignore", "build/\n")
      words(watcher)
      assert.same({ ".gitignore", "a.o" }, known(watcher))
      assert.equal(1, watcher:stats().watches)
      helper.remove(folder .. "/.gitignore")
      words(watcher)
      assert.same({ "a.o", "build/", "build/f" }, known(watcher))
   end)

   it("count from their coming and going by rename as well", function()
      local folder = helper.folder()
      helper.write(folder .. "/sub/a.o", "x")
      helper.write(folder .. "/rules", "*.o\n")
      local watcher <close> = git(folder)
      helper.rename(folder .. "/rules", folder .. "/sub/.gitignore")
      assert.same({ "move rules -> sub/.gitignore", "delete* sub/a.o" }, words(watcher))
      helper.rename(folder .. "/sub/.gitignore", folder .. "/rules")
      assert.same({ "move sub/.gitignore -> rules", "create* sub/a.o", "close_write* sub/a.o" }, words(watcher))
   end)

   it("count no longer where a folder has changed places with one", function()
      local folder = helper.folder()
      helper.write(folder .. "/a.o", "x")
      helper.write(folder .. "/.gitignore", "*.o\n")
      helper.mkdir(folder .. "/dir")
      local watcher <close> = git(folder)
      assert(probe.exchange(folder .. "/dir", folder .. "/.gitignore"))
      assert.same({ "move dir -> .gitignore", "create* a.o", "close_write* a.o" }, words(watcher))
      assert(probe.exchange(folder .. "/dir", folder .. "/.gitignore"))
      assert.same({ "move dir -> .gitignore", "delete* a.o" }, words(watcher))
   end)

   it("move along with their directory", function()
      local folder = helper.folder()
      helper.write(folder .. "/a/.gitignore", "*.o\n")
      helper.write(folder .. "/a/x.o", "x")
      local watcher <close> = git(folder)
      helper.rename(folder .. "/a", folder .. "/b")
      assert(watcher:sync(10))
      helper.write(folder .. "/b/y.o", "x")
      assert.same({ "move a -> b" }, words(watcher))
      helper.rename(folder .. "/b/x.o", folder .. "/x.o")
      assert.same({ "create x.o", "close_write* x.o" }, words(watcher))
   end)

   it("with a slash are single files, obeyed at the root", function()
      local folder = helper.folder()
      helper.write(folder .. "/conf/ignore", "*.o\n/top\n")
      helper.write(folder .. "/sub/a.o", "x")
      helper.write(folder .. "/sub/top", "x")
      helper.write(folder .. "/top", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { ignore_files = { "conf/ignore" } }))
      assert.same({ "conf/", "conf/ignore", "sub/", "sub/top" }, known(watcher))
      helper.write(folder .. "/conf/ignore", "/top\n")
      assert.same({ "close_write conf/ignore", "create* sub/a.o", "close_write* sub/a.o" }, words(watcher))
   end)

   it("are not read where they are larger than git would read", function()
      local folder = helper.folder()
      helper.write(folder .. "/.gitignore", "a\n")
      helper.write(folder .. "/d/.gitignore", "a\n")
      helper.write(folder .. "/d/a", "")
      local file <close> = assert(io.open(folder .. "/.gitignore", "r+"))
      assert(file:seek("set", 101 << 20))
      assert(file:write "\n")
      file:close()
      helper.write(folder .. "/a", "")
      local watcher <close> = git(folder)
      assert.same({ ".gitignore", "a", "d/", "d/.gitignore" }, known(watcher))
   end)

   it("are read again where nothing else is watched", function()
      local folder = helper.folder()
      helper.write(folder .. "/.gitignore", "*.x\n")
      helper.write(folder .. "/a.o", "x")
      helper.write(folder .. "/b.x", "x")
      local watcher <close> = assert(moonwatch.watch(folder, { ignore_files = { ".gitignore", ".git/info/exclude" } }))
      helper.write(folder .. "/.git/info/exclude", "*.o\n")
      assert.same({ "delete* a.o" }, words(watcher))
      helper.write(folder .. "/.git/info/exclude", "#\n")
      assert.same({ "create* a.o", "close_write* a.o" }, words(watcher))
      helper.write(folder .. "/.git/info/new", "*.o\n")
      helper.rename(folder .. "/.git/info/new", folder .. "/.git/info/exclude")
      assert.same({ "delete* a.o" }, words(watcher))
      helper.remove(folder .. "/.git")
      assert.same({ "create* a.o", "close_write* a.o" }, words(watcher))
      assert.same({ ".gitignore", "a.o" }, known(watcher))
   end)

   it("say the same as git on what is there", function()
      local folder = helper.folder()
      if not os.execute "git --version >/dev/null 2>&1" then return pending "no git" end
      assert(os.execute("git init -q " .. helper.quote(folder)))
      helper.write(folder .. "/.gitignore", "*.log\n!important.log\n/a/**/t?p\nx/\n[ab].txt\n\\#c\n")
      helper.write(folder .. "/a/.gitignore", "important.log\n!b.txt\n")
      for _, rel in ipairs { "1.log", "important.log", "a/important.log", "a/b/c/tmp", "a/tap", "tap", "x/y", "a/x/y",
         "a.txt", "a/b.txt", "a/a.txt", "#c", "a/b/a.log" } do
         helper.write(folder .. "/" .. rel, "x")
      end
      local watcher <close> = git(folder)
      local ours = {}
      for _, rel in ipairs(known(watcher)) do if rel:sub(-1) ~= "/" then ours[#ours + 1] = rel end end
      local pipe = assert(io.popen("cd " .. helper.quote(folder)
         .. " && git -c core.excludesFile=/dev/null ls-files -co --exclude-standard"))
      local theirs = {}
      for line in pipe:lines() do theirs[#theirs + 1] = line end
      pipe:close()
      table.sort(theirs)
      assert.same(theirs, ours)
   end)
end)
