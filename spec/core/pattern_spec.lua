-- SPDX-License-Identifier: MIT
--
-- pattern_spec.lua - patterns and ignore files, without Lua in between: git is the judge of gitignore's language, models
-- a few lines long are of braces and of what may match below.

local helper = require "support.helper"

local driver = helper.build .. "/spec/core/pattern_driver"
local BRACES, LINE = 1, 2

local function run(command)
   return os.execute(command) == true
end

setup(function()
   assert(helper.exists(driver) or run("make -s " .. driver), "the driver does not build")
end)

-- The driver's answer to a list of commands.
local function ask(commands)
   local folder = helper.folder()
   helper.write(folder .. "/commands", table.concat(commands))
   local ended = run(("%s <%s/commands >%s/answers 2>%s/log"):format(driver, folder, folder, folder))
   assert(ended, helper.read(folder .. "/log"))
   return helper.read(folder .. "/answers")
end

local function list(patterns, flags)
   local commands = { "R\n" }
   for _, pattern in ipairs(patterns) do
      commands[#commands + 1] = ("L %d %d\n%s"):format(flags or BRACES, #pattern, pattern)
   end
   return commands
end

-- Of each path (a slash at its end: a directory) what the list says: on exactly it, with what is above, and below it.
local function verdicts(patterns, paths, flags)
   local commands = list(patterns, flags)
   for _, path in ipairs(paths) do
      local rel = path:gsub("/$", "")
      commands[#commands + 1] = ("M %d %d\n%s"):format(path ~= rel and 1 or 0, #rel, rel)
   end
   local found = {}
   for match, verdict, below in ask(commands):gmatch "(%-?%d) (%-?%d) (%-?%d)\n" do
      found[#found + 1] = { match = tonumber(match), verdict = tonumber(verdict), below = below == "1" }
   end
   assert.equal(#paths, #found)
   return found
end

local function words(text)
   local found = {}
   for word in text:gmatch "%S+" do found[#found + 1] = word end
   return found
end

-- The paths that the patterns select, as one string.
local function selected(patterns, paths, flags)
   local found = {}
   for index, answer in ipairs(verdicts(patterns, paths, flags)) do
      if answer.verdict > 0 then found[#found + 1] = paths[index] end
   end
   return table.concat(found, " ")
end

local function choose(items)
   return items[math.random(#items)]
end

local function compose(parts, most)
   local chosen = {}
   for index = 1, math.random(most) do chosen[index] = choose(parts) end
   return table.concat(chosen)
end

-- git as the judge ----------------------------------------------------------------------------------------------------

local NAMES = {
   "a", "b", "c", "ab", "abc", "foo", "foobar", "foo.c", "bar.c", "a b", "x ", " x", "x  ", "#h", "!n", "back\\slash",
   "back\\", "br[a]c", "[ab]", "*", "?", "**", "t\tb", "n\nl", "\xff\xfe", "\xc3\xbc", "\xc3", "A", "a-b", "-", "]", "^",
   "{a,b}", "~", ".hid", "cr\r", "0", "Z9", "a,b", ":x", "\127", "aaaa", "abab", "a\1",
}

local CLASSES = {
   "[a]", "[ab]", "[!a]", "[^a]", "[a-c]", "[]]", "[]a]", "[!]a]", "[a-]", "[-a]", "[\\]]", "[\\a-c]", "[a-\\c]", "[[]",
   "[[:alpha:]]", "[[:alnum:]]", "[![:alpha:]]", "[[:punct:]]", "[[:space:]x]", "[[:upper:][:digit:]]", "[[:nope:]]",
   "[[:]", "[[:a]", "[[::]]", "[[:alpha:", "[", "[a", "[!", "[a-", "[\\", "[/]", "[a/b]", "[!/]", "[.-0]", "[\xc3-\xff]",
   "[c-a]", "[a-c-e]", "[[:cntrl:]]", "[[:print:]]", "[[:graph:]]", "[[:blank:]]", "[[:lower:]]", "[[:xdigit:]-]", "[ ]",
   "[*]", "[?]", "[!*]", "[#]", "[[:digit:]-z]", "[a-[:digit:]]", "[^]a]", "[\1-\127]", "[[:alpha]", "[[:alpha:]a-c]",
}

local BITS = {
   "*", "*", "*", "**", "***", "?", "/", "/", "**/", "/**", "/**/", "\\", "\\*", "\\a", "\\/", "\\\\", "{a,b}", " ",
   "\\ ", "!", "#", ".", "-", "a", "b", "*a", "a*", "**\\/", "//", "\t", "\r", "\xff", "foo", ".c", "./", "../",
}

-- A name as it stands in a tree, with some bytes made into wildcards.
local function loosened(name)
   local result = {}
   for byte in name:gmatch "." do
      local dice = math.random(14)
      if dice == 1 then byte = "?"
      elseif dice == 2 then byte = "*"
      elseif dice == 3 then byte = "[" .. byte .. "]"
      elseif dice == 4 then byte = "[!" .. byte .. "]"
      elseif dice == 5 then byte = choose(CLASSES)
      elseif dice == 6 then byte = ""
      elseif dice <= 9 and byte:find "[%[%]*?\\ !#{}/]" then byte = "\\" .. byte
      end
      result[#result + 1] = byte
   end
   return table.concat(result)
end

local function random_pattern(paths)
   local dice, pattern = math.random(10), {}
   if dice <= 5 then
      for component in choose(paths):gmatch "[^/]+" do
         local how = math.random(8)
         if how == 1 then pattern[#pattern + 1] = "**"
         elseif how == 2 then pattern[#pattern + 1] = "*"
         elseif how == 3 then pattern[#pattern + 1] = loosened(component) .. choose { "**", "*" }
         elseif how > 4 then pattern[#pattern + 1] = loosened(component)
         end
      end
      pattern = { table.concat(pattern, choose { "/", "/", "/", "/**/" }) }
   elseif dice <= 8 then
      pattern[1] = loosened(choose(NAMES))
   else
      for index = 1, math.random(5) do
         pattern[index] = choose { choose(BITS), choose(BITS), choose(CLASSES), choose(NAMES) }
      end
   end
   local front = choose { "", "", "", "", "/", "!", "!", "!/", "**/", "\\", "#", "*" }
   local back = choose { "", "", "", "", "/", "/", " ", "  ", "\\ ", "/*", "/**", "\r", "*", "\t", "\\", "/ ", "\0x" }
   return (front .. table.concat(pattern) .. back):gsub("\n", "?")
end

local function random_file(paths)
   local lines = {}
   for index = 1, math.random(0, 6) do lines[index] = random_pattern(paths) end
   local newline = choose { "\n", "\n", "\n", "\r\n", "\n\n" }
   return choose { "", "", "", "\xef\xbb\xbf" } .. table.concat(lines, newline) .. choose { newline, "" }
end

-- A random tree on the disk: its directories ("" is the root) and all its paths, directories with a slash at the end.
local function make_tree(root)
   local directories, paths, known = { "" }, {}, {}
   for _ = 1, 45 do
      local parent = choose(directories)
      local rel = parent .. choose(NAMES)
      local _, depth = rel:gsub("/", "")
      if not known[rel] and depth < 5 then
         known[rel] = true
         if math.random(5) <= 2 then
            helper.mkdir(root .. "/" .. rel)
            directories[#directories + 1] = rel .. "/"
            paths[#paths + 1] = rel .. "/"
         else
            helper.write(root .. "/" .. rel, "")
            paths[#paths + 1] = rel
         end
      end
   end
   return directories, paths
end

local git = "env -u GIT_DIR -u GIT_WORK_TREE HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
   .. "git -c core.excludesFile=/dev/null -c core.ignoreCase=false "

local function have_git()
   return run("git --version >/dev/null 2>&1")
end

-- Ignore files on the disk, and the commands that tell the driver of them.
local function write_ignore_files(root, directories, paths)
   local commands = { "R\n" }
   for index, directory in ipairs(directories) do
      local path = root .. "/" .. directory .. ".gitignore"
      os.remove(path)
      if index == 1 or math.random(3) == 1 then
         local content = random_file(paths)
         helper.write(path, content)
         local rel = directory:gsub("/$", "")
         commands[#commands + 1] = ("I %d %d\n%s%s"):format(#rel, #content, rel, content)
      end
   end
   local content = random_file(paths)
   helper.write(root .. "/.git/info/exclude", content)
   commands[#commands + 1] = ("E %d\n%s"):format(#content, content)
   return commands
end

local function fields(bytes, per_row, count)
   local rows, field = {}, bytes:gmatch "([^%z]*)%z"
   for index = 1, count do
      local row = {}
      for column = 1, per_row do row[column] = field() end
      rows[index] = table.concat(row, " | ", 1, 3)
   end
   return rows
end

local function answers_of_git(root, paths)
   local folder = helper.folder()
   local names = "./" .. table.concat(paths, "\0./") .. "\0"
   helper.write(folder .. "/paths", (names:gsub("/%z", "\0")))
   run(("%s -C %s check-ignore --no-index -z -v -n --stdin <%s/paths >%s/git 2>%s/log"):format(git, root, folder, folder,
      folder))
   return fields(helper.read(folder .. "/git"), 4, #paths)
end

local function answers_of_driver(commands, paths)
   for _, path in ipairs(paths) do
      local rel = path:gsub("/$", "")
      commands[#commands + 1] = ("Q %d %d\n%s"):format(path ~= rel and 1 or 0, #rel, rel)
   end
   return fields(ask(commands), 3, #paths)
end

local function labelled(paths, rows)
   local result = {}
   for index, path in ipairs(paths) do result[index] = ("%q: %s"):format(path, rows[index]) end
   return result
end

-- Sixty directories with the same small tree in each, so that one question to git tries sixty patterns.
local function make_grid(root)
   local paths, names = {}, { "a", "b", "ab" }
   local function fill(rel, depth)
      helper.mkdir(root .. "/" .. rel)
      for _, name in ipairs(names) do
         local path = rel .. "/" .. name
         if depth < 3 and name ~= "ab" then
            paths[#paths + 1] = path .. "/"
            fill(path, depth + 1)
         else
            paths[#paths + 1] = path
            helper.write(root .. "/" .. path, "")
         end
      end
   end
   for index = 1, 60 do fill("d" .. index, 1) end
   return paths
end

local FEW = { "a", "a", "b", "b", "*", "*", "*", "/", "/", "?", "\\", "[", "]", "!", "^", "-", "**", "**/", "/**" }

local function write_grid(root)
   local commands = { "R\n" }
   for index = 1, 60 do
      local content, rel = compose(FEW, 8) .. "\n", "d" .. index
      helper.write(root .. "/" .. rel .. "/.gitignore", content)
      commands[#commands + 1] = ("I %d %d\n%s%s"):format(#rel, #content, rel, content)
   end
   return commands
end

local function new_repository()
   local root = helper.folder()
   assert(run(git .. "init -q --template= " .. root))
   helper.mkdir(root .. "/.git/info")
   return root
end

local function compare_with_git(root, commands, paths)
   local expected = answers_of_git(root, paths)
   assert.same(labelled(paths, expected), labelled(paths, answers_of_driver(commands, paths)))
end

describe("ignore files", function()
   local seeds = tonumber(os.getenv("PATTERN_SEEDS")) or 10

   for seed = 1, seeds do
      it("give the verdicts of git check-ignore, with the file, line and pattern that decides, seed " .. seed, function()
         if not have_git() then return pending("git is not there") end
         math.randomseed(seed)
         local root = new_repository()
         local directories, paths = make_tree(root)
         for _ = 1, 12 do
            compare_with_git(root, write_ignore_files(root, directories, paths), paths)
         end
      end)
   end

   it("give the verdicts of git check-ignore for patterns of few different bytes", function()
      if not have_git() then return pending("git is not there") end
      math.randomseed(4711)
      local root = new_repository()
      local paths = make_grid(root)
      for _ = 1, seeds do
         compare_with_git(root, write_grid(root), paths)
      end
   end)

   it("take braces as they are", function()
      local commands = { "R\n", "I 0 6\n{a,b}\n" }
      assert.same({ " |  | ", ".gitignore | 1 | {a,b}" }, answers_of_driver(commands, { "a", "{a,b}" }))
   end)
end)

-- lists ---------------------------------------------------------------------------------------------------------------

describe("a list of patterns", function()
   local paths = words "a.c a.h b.c src/ src/a.c src/x/ src/x/a.c src/x/y/ src/x/y/a.c lib/a.c !a #a a{b a,b c"

   for _, case in ipairs {
      { "*.c", "a.c b.c src/a.c src/x/a.c src/x/y/a.c lib/a.c" },
      { "/*.c", "a.c b.c" },
      { "src/*.c", "src/a.c" },
      { "/src/**/*.c", "src/a.c src/x/a.c src/x/y/a.c" },
      { "src/", "src/ src/a.c src/x/ src/x/a.c src/x/y/ src/x/y/a.c" },
      { "src/*/", "src/x/ src/x/a.c src/x/y/ src/x/y/a.c" },
      { "a.c/", "" },
      { "*.c !a.c", "b.c" },
      { "*.c !a.c src/x/*.c", "b.c src/x/a.c" },
      { "x !a.c", "src/x/ src/x/a.c src/x/y/ src/x/y/a.c" },
      { "!*.c", "" },
      { "\\!a \\#a", "!a #a" },
      { "*.{c,h} !{a,b}.c", "a.h" },
      { "{src,lib}/a.{c,h}", "src/a.c lib/a.c" },
      { "{c,src/x/}", "src/x/ src/x/a.c src/x/y/ src/x/y/a.c c" },
      { "a{b a,b", "a{b a,b" },
      { "a[{,]b", "a{b a,b" },
      { "a\\{b {a\\,b,z}", "a{b a,b" },
      { "{,x}c", "c" },
      { "", "" },
   } do
      it(("selects with %s: %s"):format(case[1], case[2]), function()
         assert.equal(case[2], selected(words(case[1]), paths))
      end)
   end

   it("is read as the lines of an ignore file where that is asked for", function()
      local names = { "a", "b ", "b", "#c", "d", "e\t", "e", " f", "g " }
      local lines = { "a  ", "#c", "", "  ", "b\\ ", "d\r", "e\t", " f", "g\\  " }
      assert.equal("a b  d e\t  f g ", selected(lines, names, LINE))
      assert.equal("b  #c e\t  f", selected(lines, names, 0))
   end)

   it("refuses a NUL and braces that stand for too much, and is as before", function()
      assert.equal("refused\nrefused\n1 1 1\n0 0 1\n0 0 1\n", ask { "R\n", "L 1 1\na", "L 1 3\nb\0b",
         "L 1 130\n" .. ("{a,b}"):rep(26), "M 0 1\na", "M 0 1\nb", "M 0 26\n" .. ("a"):rep(26) })
   end)

   it("matches nothing with a malformed pattern", function()
      assert.equal("", selected({ "[", "[a", "[!", "[[:nope:]]", "a\\", "/", "!", "//", "a//" },
         { "[", "[a", "a", "a\\", "[!", "n", "a/", "a/b" }))
   end)

   it("does not blow up", function()
      local name = ("a"):rep(4000)
      local deep = ("a/"):rep(1000) .. "c"
      assert.equal("", selected({ ("*a"):rep(200) .. "b", ("**/a*"):rep(50) .. "/b", ("a*/**/"):rep(50) .. "b",
         ("[[:a"):rep(5000), ("{"):rep(20000), ("{a,"):rep(6000), ("["):rep(20000) .. ",}", ("{a"):rep(5000) .. ("}"):rep(5000) },
         { name, deep, name .. "/" .. name }))
   end)
end)

-- Braces by recursion: the first group that is one, each of its alternatives with each of what follows.
local function alternatives_of(text, from)
   local depth, begin, found, at = 0, from + 1, {}, from
   while at <= #text do
      local byte = text:sub(at, at)
      if byte == "\\" then at = at + 1
      elseif byte == "{" then depth = depth + 1
      elseif byte == "}" then depth = depth - 1
      end
      if (byte == "," and depth == 1) or (byte == "}" and depth == 0) then
         found[#found + 1] = text:sub(begin, at - 1)
         begin = at + 1
      end
      if byte == "}" and depth == 0 then return #found > 1 and found, at end
      at = at + 1
   end
end

local function expand(text)
   local at = 1
   while at <= #text do
      local byte = text:sub(at, at)
      local alternatives, last
      if byte == "{" then alternatives, last = alternatives_of(text, at) end
      if alternatives then
         local found, tails = {}, expand(text:sub(last + 1))
         for _, alternative in ipairs(alternatives) do
            for _, inner in ipairs(expand(alternative)) do
               for _, tail in ipairs(tails) do found[#found + 1] = text:sub(1, at - 1) .. inner .. tail end
            end
         end
         return found
      end
      at = at + (byte == "\\" and 2 or 1)
   end
   return { text }
end

describe("braces", function()
   it("stand for what a recursive model makes of them", function()
      math.randomseed(42)
      local parts = { "{", "{", "}", "}", ",", ",", "a", "b", "\\", "*", "/", "?" }
      local paths = {}
      for index = 1, 60 do
         paths[index] = compose({ "a", "b", "{", "}", ",", "\\", "/" }, 6):gsub("//+", "/"):gsub("^/", "a/")
      end
      for _ = 1, 150 do
         local pattern = compose(parts, 14)
         local found, expected = verdicts({ pattern }, paths), verdicts(expand(pattern), paths, 0)
         assert.same({ pattern, expected }, { pattern, found })
      end
   end)
end)

-- below ---------------------------------------------------------------------------------------------------------------

-- All paths of the given names down to a depth, each as a directory.
local function universe(names, depth)
   local paths, before = {}, { "" }
   for _ = 1, depth do
      local now = {}
      for _, above in ipairs(before) do
         for _, name in ipairs(names) do
            now[#now + 1] = above .. name .. "/"
            paths[#paths + 1] = now[#now]
         end
      end
      before = now
   end
   return paths
end

-- Directory by directory, what is said to be possible below it and what is there.
local function compare_below(patterns, paths, deepest, exactly)
   local answers = verdicts(patterns, paths)
   for index, directory in ipairs(paths) do
      local _, depth = directory:gsub("/", "")
      local there = false
      for at, path in ipairs(paths) do
         there = there or (answers[at].verdict > 0 and #path > #directory and path:sub(1, #directory) == directory)
      end
      if depth <= deepest and (there or exactly) then
         assert.same({ patterns, directory, there }, { patterns, directory, answers[index].below })
      end
   end
end

describe("what may match below a directory", function()
   local paths = universe({ "a", "b", "ab" }, 4)

   it("is exact for one anchored pattern", function()
      math.randomseed(7)
      local parts = { "a", "b", "ab", "*", "?", "a*", "*b", "**", "[ab]", "{a,b}" }
      for _ = 1, 120 do
         local components = {}
         for index = 1, math.random(3) do components[index] = choose(parts) end
         compare_below({ "/" .. table.concat(components, "/") .. choose { "", "/" } }, paths, 2, true)
      end
   end)

   it("is never denied wrongly, whatever the patterns", function()
      math.randomseed(8)
      for _ = 1, 120 do
         local patterns = {}
         for index = 1, math.random(3) do patterns[index] = compose(FEW, 7) end
         compare_below(patterns, paths, 3, false)
      end
   end)

   it("keeps a watcher out of where nothing can be", function()
      local function below(pattern, directory)
         return verdicts({ pattern }, { directory })[1].below
      end
      assert.same({ true, false, true, false, true, true, false },
         { below("src/*.c", "src/"), below("src/*.c", "src/sub/"), below("src/**/*.c", "src/a/b/"),
            below("src/**/*.c", "lib/"), below("*.c", "any/where/"), below("src/", "src/a/"), below("src/*.c", "sr/") })
   end)
end)

-- heads ---------------------------------------------------------------------------------------------------------------

describe("the literal head of a watched path", function()
   for path, expected in pairs {
      ["src/**/*.c"] = { "1", "src", "/**/*.c" },
      ["src/**/*.{c,h}"] = { "1", "src", "/**/*.{c,h}" },
      ["*.c"] = { "1", ".", "/*.c" },
      ["/*.c"] = { "1", "/", "/*.c" },
      ["//*.c"] = { "1", "/", "/*.c" },
      ["a//b//*.c"] = { "1", "a//b", "/*.c" },
      ["/srv/in coming/*.csv"] = { "1", "/srv/in coming", "/*.csv" },
      ["a\\*b/c\\d/x?"] = { "1", "a*b/cd", "/x?" },
      ["../[ab]/"] = { "1", "..", "/[ab]/" },
      ["src/{a/b,c}/d"] = { "1", "src", "/{a/b,c}/d" },
      ["{a,b}"] = { "1", ".", "/{a,b}" },
      ["a/b"] = { "0", "", "" },
      ["a[b/c{d}"] = { "0", "", "" },
      ["a\\*b"] = { "0", "", "" },
      [""] = { "0", "", "" },
   } do
      it(("of %s is %s, and %s is the rest"):format(path, expected[2], expected[3]), function()
         local found = {}
         for field in ask({ ("H %d\n%s"):format(#path, path) }):gmatch "([^%z]*)%z" do found[#found + 1] = field end
         assert.same(expected, found)
      end)
   end
end)

-- anything ------------------------------------------------------------------------------------------------------------

describe("random bytes", function()
   it("are survived as patterns, as ignore files and as paths", function()
      math.randomseed(99)
      local parts = { "{", "}", ",", "[", "]", "[:", ":]", "[:alpha:]", "*", "**", "/", "\\", "!", "#", " ", "\r", "\n", "\0",
         "\255", "a", "?", "-", "^" }
      local function bytes(most)
         if math.random(2) == 1 then return compose(parts, most) end
         local chosen = {}
         for index = 1, math.random(most) do chosen[index] = string.char(math.random(0, 255)) end
         return table.concat(chosen)
      end
      local commands = {}
      local function put(format, ...) commands[#commands + 1] = format:format(...) end
      for _ = 1, 400 do
         put "R\n"
         for _ = 1, 3 do
            local pattern, content, single = bytes(20), bytes(40), bytes(40)
            put("L %d %d\n%s", math.random(0, 3), #pattern, pattern)
            put("I 0 %d\n%s", #content, content)
            put("E %d\n%s", #single, single)
            put("H %d\n%s", #pattern, pattern)
         end
         for _ = 1, 5 do
            local path = bytes(20)
            put("M %d %d\n%s", math.random(0, 1), #path, path)
            put("Q %d %d\n%s", math.random(0, 1), #path, path)
         end
      end
      assert.truthy(ask(commands))
   end)
end)
