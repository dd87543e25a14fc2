-- SPDX-License-Identifier: MIT
--
-- view.lua - random filters, with a verdict of their own: small enough to be seen to be right, and knowing nothing of
-- the patterns under test. Patterns are without a slash (but at the end), so that only names decide.

local view = {}

local plain_names = { "a", "b", "ab", "A", "tmp", "main.c", ".hidden", "x.txt", "build", "lib", "o.o" }
local globs = { "*.c", "*~", "a?", "[a-c]1*", "*7", "*.o", "*5?", "tm*" }

local function lua_pattern(glob)
   local text = glob:gsub("[%^%$%(%)%%%.%+%-]", function(char)
      return char == "-" and "-" or "%" .. char
   end)
   return "^" .. text:gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

local function new_list(random, limit)
   local list = {}
   for i = 1, random(limit) do
      local from = random(2) == 1 and plain_names or globs
      list[i] = from[random(#from)]
      if random(4) == 1 then list[i] = list[i] .. "/" end
   end
   return list
end

local function compile(list)
   local compiled = {}
   for i, text in ipairs(list) do
      local negated = text:sub(1, 1) == "!"
      local body = text:gsub("^!", "")
      local dirs = body:sub(-1) == "/"
      compiled[i] = { pattern = lua_pattern((body:gsub("/$", ""))), dirs = dirs, negated = negated }
   end
   return compiled
end

-- The last that matches wins; what holds for a directory holds for all below it.
local function decides(compiled, rel, isdir)
   local names = {}
   for name in rel:gmatch("[^/]+") do names[#names + 1] = name end
   for level, name in ipairs(names) do
      local verdict = false
      for _, item in ipairs(compiled) do
         if (not item.dirs or isdir or level < #names) and name:find(item.pattern) then verdict = not item.negated end
      end
      if verdict then return true end
   end
   return false
end

local function level_of(rel)
   local _, slashes = rel:gsub("/", "")
   return slashes + 1
end

local function shown(options)
   local words = {}
   for _, key in ipairs { "match", "ignore" } do
      if options[key] then words[#words + 1] = key .. " = { " .. table.concat(options[key], ", ") .. " }" end
   end
   if options.depth then words[#words + 1] = "depth = " .. options.depth end
   if options.filter then words[#words + 1] = "filter (names without 3)" end
   return table.concat(words, ", ")
end

-- What a root of its own pattern selects: at which level a name must fit (0: at any), and what does; a directory that
-- fits brings all below it.
local function selects(root, rel)
   if not root then return true end
   local level = 0
   for name in rel:gmatch("[^/]+") do
      level = level + 1
      if (root.level == 0 or root.level == level) and name:find(root.pattern) then return true end
   end
   return false, root.level == 0 or level < root.level
end

--- The view of these options: `options`, `text`, `sees(rel, isdir)`, and `pruned(rel)` for a directory. `root`: what the
-- root was given as, beyond its path.
function view.of(options, root)
   local ignore, match = compile(options.ignore or {}), options.match and compile(options.match)
   local function refused(rel)
      return options.filter and rel:find("3", 1, true) ~= nil
   end
   return {
      options = options,
      path = root and root.text or "",
      text = (root and "root " .. root.text .. " " or "") .. shown(options),
      sees = function(rel, isdir)
         return not decides(ignore, rel, isdir) and not refused(rel)
            and (not match or decides(match, rel, isdir)) and level_of(rel) <= (options.depth or math.huge)
            and selects(root, rel)
      end,
      pruned = function(rel)
         local selected, may_below = selects(root, rel)
         return decides(ignore, rel, true) or refused(rel) or level_of(rel) >= (options.depth or math.huge)
            or not (selected or may_below)
      end,
   }
end

--- A filter of its own for a seed, as `view.of` gives it.
function view.random(random)
   local options = {}
   if random(2) == 1 then options.ignore = new_list(random, 3) end
   if options.ignore and random(3) == 1 then table.insert(options.ignore, "!" .. plain_names[random(#plain_names)]) end
   if random(2) == 1 then options.match = new_list(random, 4) end
   if random(4) == 1 then options.depth = 1 + random(4) end
   if random(4) == 1 or not next(options) then
      options.filter = function(rel) return not rel:match("[^/]*$"):find("3", 1, true) end
   end
   return view.of(options)
end

--- What several views may all ignore, or nothing: else somebody looks into nearly every directory.
function view.common(random)
   return random(3) > 1 and new_list(random, 4) or {}
end

--- One of several that can have a tree together; nil: all is shown. `common`: what all of them ignore.
function view.shared(random, common)
   local options, root = {}, nil
   if #common == 0 and random(5) == 1 then return nil end
   if random(2) == 1 then
      local level = random(3) - 1
      local glob = globs[random(#globs)]
      root = { level = level, pattern = lua_pattern(glob), text = ({ [0] = "/**/", "/", "/*/" })[level] .. glob }
   end
   options.ignore = table.move(random(3) == 1 and new_list(random, 3) or {}, 1, 3, #common + 1, { table.unpack(common) })
   if random(3) == 1 then options.match = new_list(random, 4) end
   if random(4) == 1 then options.depth = 1 + random(4) end
   return view.of(options, root)
end

-- A link or a file has no slash at the end in an ignore file's eyes either; the file itself is always there.
local RULES = ".gitignore"

--- Rules in an ignore file that change while the watcher looks: `text` goes into it.
function view.changing(random)
   local self = { options = { ignore_files = RULES }, file = RULES }
   function self.change()
      local list = new_list(random, 4)
      if random(3) == 1 then table.insert(list, "!" .. plain_names[random(#plain_names)]) end
      local fresh = view.of { ignore = list }
      self.content = table.concat(list, "\n") .. "\n"
      self.text = RULES .. ": " .. table.concat(list, ", ")
      self.sees, self.pruned = fresh.sees, fresh.pruned
   end
   self.change()
   return self
end

return view
