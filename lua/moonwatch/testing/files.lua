-- SPDX-License-Identifier: MIT
--
-- files.lua - io.open and io.lines of scripts in a made-up world: what is read is the text of the tree, what is written is
-- saved there when it is closed. A nameless file stands in for each, so that it has all that files can do. What the
-- tree has no text of is read from the disk.

local files = {}

local function filled(text)
   local file = assert(io.tmpfile())
   file:write(text)
   file:seek "set"
   return file
end

local Written = {}
Written.__index = Written

for _, name in ipairs { "read", "lines", "seek", "setvbuf" } do
   Written[name] = function(self, ...) return self.file[name](self.file, ...) end
end

for _, name in ipairs { "write", "flush" } do
   Written[name] = function(self, ...)
      local ok, message, errno = self.file[name](self.file, ...)
      return ok and self, message, errno
   end
end

function Written:close()
   self.file:seek "set"
   local text = self.file:read "a"
   self.file:close()
   self.world:save(self.path, text)
   return true
end

function Written:__close()
   if io.type(self.file) == "file" then
      self:close()
   end
end

-- What scripts see as `io`.
function files.io(world)
   local fake = setmetatable({}, { __index = io })

   function fake.open(path, mode)
      local entry, kind = world:_entry(path), (mode or "r"):gsub("b", "")
      if kind == "r" then
         return entry and entry.text and filled(entry.text) or io.open(path, mode)
      elseif kind == "r+" and not entry then
         return nil, path .. ": No such file or directory", 2
      end
      local file = filled(kind:sub(1, 1) ~= "w" and entry and entry.text or "")
      file:seek(kind:sub(1, 1) == "a" and "end" or "set")
      return setmetatable({ file = file, path = path, world = world }, Written)
   end

   function fake.lines(path, ...)
      local entry = path and world:_entry(path)
      return entry and entry.text and filled(entry.text):lines(...) or io.lines(path, ...)
   end

   return fake
end

return files
