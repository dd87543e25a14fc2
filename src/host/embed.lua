-- SPDX-License-Identifier: MIT
--
-- embed.lua - prints a C file that holds the given Lua sources: the table that src/host/preload.c reads.
--
--    lua5.4 src/host/embed.lua lua/moonwatch/init.lua ... > embedded.c
--
-- The sources stay sources, so that tracebacks name lines; they are read from the top folder, whose `lua/` is cut off.

local function module_name(path)
   local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", ".")
   return (name:gsub("%.init$", ""))
end

local function bytes(text)
   local lines = {}
   for at = 1, #text, 24 do
      lines[#lines + 1] = "\t" .. table.concat({ text:byte(at, at + 23) }, ",") .. ","
   end
   return table.concat(lines, "\n")
end

local function read(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read("a")
   file:close()
   return text
end

print('#include "host/preload.h"\n')
local entries = {}
for index, path in ipairs(arg) do
   local text = read(path)
   print(("static const unsigned char text_%d[] = {\n%s\n\t0};\n"):format(index, bytes(text)))
   entries[index] = ('\t{"%s", "@%s", text_%d, %d},'):format(module_name(path), path, index, #text)
end
print("const EmbeddedFile embedded_files[] = {\n" .. table.concat(entries, "\n") .. "\n\t{0}};")
