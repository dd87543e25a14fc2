-- SPDX-License-Identifier: MIT
--
-- transcripts.lua - writes doc/transcripts.md: what `moonwatch events` prints while well-known programs do their work.
--
--    make && lua5.4 spec/support/transcripts.lua > doc/transcripts.md     (FILES: how many in the large package)
--
-- Each scene prepares a folder `tree`, starts `moonwatch events tree`, runs a script of sh beside it, and stops when a
-- file made after that has been reported.

local build = os.getenv "BUILD" or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = build .. "/lib/?.so;" .. package.cpath

local helper = require "support.helper"

local SENTINEL = "END_OF_SCENE"
local FILES = tonumber(os.getenv "FILES") or 20000

local scenes = {
   {
      title = "An editor that writes in place", prepare = "echo one > notes",
      script = "echo two > notes",
      note = "One `close_write`: the file is whole. With `-e modify` too, each `write` would be told.",
   },
   {
      title = "vim", needs = "vim", prepare = "echo one > notes",
      script = "vim -N -u NONE -es -c 's/one/two/' -c wq notes </dev/null",
      note = "Its swap file comes and goes; the file itself is written in place here (with `backup` set it is renamed "
         .. "away and made anew). As net changes (`exec`, rules, `changes`) this is one `modify` of `notes`.",
   },
   {
      title = "An editor that writes beside and renames", prepare = "echo one > notes",
      script = "echo two > .notes.tmp; mv .notes.tmp notes",
      note = "The move says by `replaced` (in JSON) that a file was there. Net: one `modify` of `notes`.",
   },
   {
      title = "An editor that keeps a backup, as emacs does", prepare = "echo one > notes",
      script = "mv notes notes~; echo two > notes",
      note = "Net: `modify` of `notes`, `create` of `notes~`.",
   },
   {
      title = "sed -i", prepare = "echo one > notes",
      script = "sed -i s/one/two/ notes",
   },
   {
      title = "mv, cp and rm of a folder", prepare = "mkdir -p a/b; echo one > a/b/file",
      script = "mv a c; cp -a c d; rm -r c",
      note = "The renamed folder is one event, whatever is below it. What is below a new folder may have been made before "
         .. "that could be watched: it is found by looking, and told just the same.",
   },
   {
      title = "git checkout between two branches", needs = "git",
      options = { "--ignore", ".git/" },
      prepare = [[
git init -q .; git config user.email a@b; git config user.name a
mkdir -p lib/old; echo 1 > main.c; echo 1 > lib/a.c; echo 1 > lib/old/gone.c; echo same > README
git add .; git commit -q -m one; git branch -q -M one
git checkout -q -b two
git rm -q -r lib/old; mkdir -p lib/new; echo 1 > lib/new/b.c; echo 2 > main.c; git add .; git commit -q -m two
git checkout -q one]],
      script = "git checkout -q two",
      note = "Files that differ are removed and written anew; `README` is the same in both and is not touched. Net: "
         .. "`main.c` a `modify`, `lib/new` a `create`, `lib/old` a `delete`.",
   },
   {
      title = "tar x", needs = "tar",
      prepare = [[
mkdir -p ../pkg/doc; echo 1 > ../pkg/Makefile; echo 1 > ../pkg/doc/index; ln -s doc/index ../pkg/README
touch -d 2001-02-03 ../pkg/Makefile; tar -C .. -cf ../pkg.tar pkg]],
      script = "tar -xf ../pkg.tar",
      note = "Links and folders have no `close_write`. The `attrib` are the times that tar sets back.",
   },
   {
      title = "tar x of a package with 20,000 files", needs = "tar", summary = true,
      prepare = [[
mkdir ../big; cd ../big
for d in $(seq 100); do mkdir d$d; (cd d$d; touch $(seq $((FILES / 100)))); done
cd ..; tar -cf big.tar big]],
      script = "tar -xf ../big.tar",
      note = "Counts of the lines: 20,000 files and 101 folders, each created once. A file found by looking has its "
         .. "`close_write` at once, and where its writer was still at work that one's follows.",
   },
   {
      title = "rsync --delete", needs = "rsync",
      prepare = [[
mkdir ../from; echo 1 > ../from/same; echo 1 > ../from/changed; echo 1 > gone
rsync -a ../from/ .; echo gone > gone; echo 222 > ../from/changed; mkdir ../from/new; echo 1 > ../from/new/file]],
      script = "rsync -a --delete ../from/ .",
      note = "rsync writes beside and renames, so that each file is whole whenever its name is there.",
   },
}

local function exists(program)
   return os.execute("command -v " .. program .. " >/dev/null 2>&1")
end

local function sh(folder, script)
   assert(os.execute(("cd %s && (%s\n) >/dev/null 2>&1"):format(helper.quote(folder), script)))
end

-- Names that are random differ from run to run.
local function steady(line)
   line = line:gsub("sed%w%w%w%w%w%w", "sedXXXXXX")
   return (line:gsub("%.%w%w%w%w%w%w$", ".XXXXXX"):gsub("%.%w%w%w%w%w%w (%->)", ".XXXXXX %1"))
end

local function print_lines(text)
   for line in text:gmatch "[^\n]+" do
      if line:find(SENTINEL, 1, true) then return end
      print(steady(line))
   end
end

local function count_lines(text)
   local counts = {}
   for line in text:gmatch "([^\n]+)\n" do
      if not line:find(SENTINEL, 1, true) then
         local op = line:match "^%S+" .. (line:gsub(" %(.*%)$", ""):find "/$" and " of a folder" or "")
         counts[op] = (counts[op] or 0) + 1
      end
   end
   return counts
end

-- What is found by looking may be told behind the sentinel.
local function print_counts(program)
   local counts
   helper.eventually(function()
      counts = count_lines(program:out())
      return counts.create == FILES and counts.close_write >= FILES
   end, 60)
   local ops = {}
   for op in pairs(counts) do ops[#ops + 1] = op end
   table.sort(ops)
   for _, op in ipairs(ops) do print(("%6d %s"):format(counts[op], op)) end
end

local function perform(scene)
   local base = helper.folder("/tmp")
   local tree = helper.mkdir(base .. "/tree")
   sh(tree, ("FILES=%d\n"):format(FILES) .. scene.prepare)
   local argv = { helper.host, "events" }
   for _, word in ipairs(scene.options or {}) do argv[#argv + 1] = word end
   argv[#argv + 1] = "tree"
   local program = helper.start(argv, { cwd = base })
   program:wait_for "watching"
   sh(tree, scene.script)
   sh(tree, ": > " .. SENTINEL)
   program:wait_for(SENTINEL, 60)
   print(("## %s\n"):format(scene.title))
   print "```console"
   for line in scene.script:gmatch "[^\n]+" do print("$ " .. line) end
   if scene.summary then print_counts(program) else print_lines(program:out()) end
   print "```"
   if scene.note then print("\n" .. scene.note) end
   print()
end

print [[
# Transcripts

What `moonwatch events tree` prints while well-known programs work in `tree` (written by `spec/support/transcripts.lua`).
Paths of folders end in a slash. Changes as a rule sees them are the *net changes* of [changes.md](changes.md).
]]

for _, scene in ipairs(scenes) do
   if not scene.needs or exists(scene.needs) then
      local ok, message = pcall(perform, scene)
      helper.clean()
      if not ok then error(message, 0) end
   end
end
