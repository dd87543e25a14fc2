-- SPDX-License-Identifier: MIT
--
-- place.lua - does a rule see a path, under which root, and which of its keys decides. By names alone: no disk is read but
-- to tell whether `watch` names an entry or is a pattern.

local place = {}
place.__index = place

local function as_list(value)
   return type(value) == "table" and value or { value }
end

-- A path without ".", "..", and slashes that say nothing, and relative to nothing where the base is known.
function place.normal(path, base)
   if base and path:sub(1, 1) ~= "/" then
      path = base .. "/" .. path
   end
   local parts, front = {}, path:match "^/" or ""
   for part in path:gmatch "[^/]+" do
      local is_up = part == ".."
      if is_up and #parts > 0 and parts[#parts] ~= ".." then
         parts[#parts] = nil
      elseif part ~= "." and not (is_up and front == "/") then
         parts[#parts + 1] = part
      end
   end
   path = front .. table.concat(parts, "/")
   return path == "" and "." or path
end

local normal = place.normal

-- "src/**/*.c" is the root "src" with the anchored pattern "/**/*.c"; what names an entry is a root as it stands.
local function root_of(self, path, kind)
   local literal, wild = path:match "^([^*?%[{]*)(.*)$"
   if wild == "" or kind(path) then
      return { given = path, text = path:gsub("(.)/+$", "%1"), path = normal(path, self.base) }
   end
   local folder = literal:match "^(.*)/[^/]*$"
   local rest = path:sub(folder and #folder + 2 or 1)
   local text = folder == "" and "/" or folder or "."
   return { given = path, text = text, path = normal(text, self.base), only = self.pattern { "/" .. rest } }
end

-- spec: a rule's; pattern: core.pattern; kind(path): what is there, or nil.
function place.new(spec, pattern, kind)
   local options = spec.watch_options
   local self = setmetatable({
      base = spec.base, pattern = pattern, roots = {}, depth = options.recursive == false and 1 or options.depth,
      match = options.match and pattern(as_list(options.match)),
      ignore = options.ignore and pattern(as_list(options.ignore)),
   }, place)
   for i, path in ipairs(spec.watch) do
      self.roots[i] = root_of(self, path, kind)
   end
   return self
end

-- The path relative to a root, or nil where it lies elsewhere.
local function relative(root, path)
   if path == root.path then
      return path:match "[^/]+$" or "", true
   elseif root.path == "." then
      return not path:find "^%.?%.?/" and path ~= ".." and path or nil
   end
   local prefix = root.path == "/" and "/" or root.path .. "/"
   return path:sub(1, #prefix) == prefix and path:sub(#prefix + 1) or nil
end

-- Why a root does not show what lies in it, or nil.
local function objection(self, root, rel, isdir)
   if root.only and not root.only:match(rel, isdir) then
      return ("it does not fit %s"):format(root.given)
   elseif self.depth and select(2, rel:gsub("/", "")) >= self.depth then
      return ("it lies deeper than %d below %s"):format(self.depth, root.text)
   elseif self.ignore and self.ignore:match(rel, isdir) then
      return ("ignore has %s"):format(self.ignore:explain(rel, isdir) or "it")
   elseif self.match and not self.match:match(rel, isdir) then
      return "nothing of match fits it"
   end
end

-- The root as a watcher tells it, the path relative to it, words, and the path as a watcher tells it; or nil, nil, and
-- words that say why not.
function place:find(path, isdir)
   path = normal(path, self.base)
   local why
   for _, root in ipairs(self.roots) do
      local rel = relative(root, path)
      local against = rel and objection(self, root, rel, isdir)
      if rel and not against then
         local shown = path == root.path and root.text or root.text:gsub("/?$", "/", 1) .. rel
         return root.only and root.text or root.given, rel, ("it lies in %s"):format(root.given), shown
      end
      why = why or against
   end
   return nil, nil, why or "it does not lie in what is watched"
end

return place
