-- SPDX-License-Identifier: MIT
--
-- template.lua - placeholders in an argv: {path} {rel} {name} {dir} {reldir} {stem} {ext} {from} {op} {root}.
--
-- A word is cut once, at declaration, into literal parts and names. Expanding it joins them again: what a name stands
-- for becomes part of that one argument, whatever bytes it holds, and is never looked at again. "{paths}" and "{rels}"
-- must be a whole word and become one argument per path.

local declare = require "moonwatch.rule.declare"

local template = {}

local function dir_of(path)
   local dir = path:match("^(.*)/[^/]*$")
   if not dir then
      return "."
   end
   return dir == "" and "/" or dir
end
template.dir_of = dir_of

local function name_of(path)
   return path:match("[^/]+/*$") or path
end

-- "archive.tar.gz" has the stem "archive.tar" and the extension "gz"; ".profile" has none.
local function split_name(name)
   local stem, ext = name:match("^(.+)%.([^.]*)$")
   if not stem then
      return name, ""
   end
   return stem, ext
end

-- What each name stands for, given a change.
local values = {
   path = function(change) return change.path end,
   rel = function(change) return change.rel end,
   name = function(change) return change.name or name_of(change.path) end,
   dir = function(change) return dir_of(change.path) end,
   reldir = function(change) return dir_of(change.rel) end,
   stem = function(change) return (split_name(change.name or name_of(change.path))) end,
   ext = function(change) return (select(2, split_name(change.name or name_of(change.path)))) end,
   from = function(change) return change.from or "" end,
   op = function(change) return change.op end,
   root = function(change) return change.root end,
}
template.names = { "path", "rel", "name", "dir", "reldir", "stem", "ext", "from", "op", "root" }

function template.value(name, change)
   return values[name](change)
end

-- Names that are long enough for a slip to be told from another program's own braces.
local LONG_NAMES = { path = true, name = true, reldir = true, stem = true, from = true, root = true, paths = true,
   rels = true }

-- One word: a string without placeholders, { list = "path" | "rel" }, or a list of parts { text } / { name = }.
local function compile_word(word)
   if word == "{paths}" or word == "{rels}" then
      return { list = word == "{paths}" and "path" or "rel" }
   end
   local parts, at = {}, 1
   for from, name, to in word:gmatch("(){(%l+)}()") do
      if name == "paths" or name == "rels" then
         return nil, ("{%s} must be a word of its own, not part of %q"):format(name, word)
      elseif values[name] then
         parts[#parts + 1] = word:sub(at, from - 1)
         parts[#parts + 1] = { name = name }
         at = to
      else
         local near = declare.nearest(name, LONG_NAMES, 1)
         if near then
            return nil, ("unknown placeholder {%s} (did you mean {%s}?)"):format(name, near)
         end
      end
   end
   if #parts == 0 then
      return word
   end
   parts[#parts + 1] = word:sub(at)
   return parts
end

local function check_word(word, mode)
   if type(word) ~= "table" then
      return nil
   elseif word.list then
      return mode == "each" and ("{%ss} stands for many paths; each has one: {%s}"):format(word.list, word.list)
         or nil
   end
   for _, part in ipairs(word) do
      if mode == "service" and part.name and part.name ~= "root" then
         return ("{%s} belongs to one path, and a service is about all of them"):format(part.name)
      elseif mode ~= "each" and part.name and part.name ~= "root" then
         return ("{%s} belongs to one path, and run is once per batch: use each, or \"{paths}\""):format(part.name)
      end
   end
end

-- Compiles an argv; `mode` is "run", "each" or "service". Misuse is raised with `subject` in front.
function template.compile(argv, mode, subject)
   local words = { lists = false }
   for i, word in ipairs(argv) do
      local compiled, problem = compile_word(tostring(word))
      problem = problem or check_word(compiled, mode)
      if problem then
         declare.misuse("%s: %s", subject, problem)
      end
      words[i] = compiled
      words.lists = words.lists or (type(compiled) == "table" and compiled.list ~= nil)
   end
   if type(words[1]) == "table" and words[1].list then
      declare.misuse("%s: a list of paths cannot be the command", subject)
   end
   return words
end

local function expand_word(word, change)
   if type(word) == "string" then
      return word
   end
   local parts = {}
   for i, part in ipairs(word) do
      parts[i] = type(part) == "string" and part or values[part.name](change)
   end
   return table.concat(parts)
end

-- The argv for one change (`each`), or for the paths changes[from..to] of a batch.
function template.expand(words, change, changes, from, to)
   local argv = {}
   for _, word in ipairs(words) do
      if type(word) == "table" and word.list then
         for i = from, to do
            argv[#argv + 1] = changes[i][word.list]
         end
      else
         argv[#argv + 1] = expand_word(word, change)
      end
   end
   return argv
end

-- How many bytes the system counts for an argument: the text, its end, and a pointer to it.
local function cost(text)
   return #text + 1 + 8
end

-- Where a run over the paths from `from` on must end so that its arguments stay below `room` bytes; at least one path.
function template.chunk(words, changes, from, room)
   local used, lists = 0, {}
   for _, word in ipairs(words) do
      if type(word) == "table" and word.list then
         lists[#lists + 1] = word.list
      elseif type(word) == "string" then
         used = used + cost(word)
      else
         used = used + 4096
      end
   end
   for i = from, #changes do
      for _, list in ipairs(lists) do
         used = used + cost(changes[i][list])
      end
      if used > room and i > from then
         return i - 1
      end
   end
   return #changes
end

-- The paths of a batch as text for standard input: a line each, or each ended by a NUL.
function template.list(kind, changes)
   local field = kind:sub(1, 4) == "path" and "path" or "rel"
   local ending = kind:sub(-1) == "0" and "\0" or "\n"
   local parts = {}
   for i, change in ipairs(changes) do
      parts[i] = change[field]
   end
   parts[#parts + 1] = ""
   return table.concat(parts, ending)
end

return template
