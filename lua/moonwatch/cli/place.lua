-- SPDX-License-Identifier: MIT
--
-- place.lua - where a host listens, and where it is looked for.
--
-- The folder is the user's own, $XDG_RUNTIME_DIR/moonwatch, or root's, /run/moonwatch; mode 0700. The name comes from
-- what is run and where, so that several hosts of one user live side by side, and the same one twice does not.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"

local place = {}

--- The folder of this user's sockets; nil where there is none.
function place.folder()
   local runtime = os.getenv "XDG_RUNTIME_DIR"
   if runtime and runtime:sub(1, 1) == "/" then return runtime .. "/moonwatch" end
   return core.system.uid() == 0 and "/run/moonwatch" or nil
end

-- 64 bits of FNV-1a over all words.
local function hash(words)
   local sum = -3750763034362895579
   for byte in (table.concat(words, "\0")):gmatch "." do sum = (sum ~ byte:byte()) * 1099511628211 end
   return ("%016x"):format(sum)
end

local function name_of(given)
   local words = { core.current() or "" }
   for _, list in ipairs { given.script, given.eval, given.arg } do
      table.move(list, 1, #list, #words + 1, words)
   end
   local name = (given.script[1] or "line"):match "([^/]+)/*$" or "line"
   return ("%s-%s.sock"):format(name:gsub("%.lua$", ""):gsub("[^%w_-]", "_"):sub(1, 32), hash(words))
end

local function make_folder(folder)
   local ok, message = core.system.mkdir(folder, 448) -- 0700
   local status = ok and core.system.stat(folder)
   if not status then return nil, message end
   if status.uid ~= core.system.uid() or status.mode & 63 ~= 0 then
      return nil, exit.escape(folder) .. ": is not a folder of this user alone (mode 0700)"
   end
   return true
end

-- Removes what killed hosts have left: whose lock can be had, that is nobody's. Before we hold a lock ourselves.
local function sweep(folder)
   for _, name in ipairs(core.names(folder) or {}) do
      local listener = name:find "%.sock$" and core.listen(folder .. "/" .. name)
      if listener then listener:close() end
   end
end

--- Where a host with these options is to listen, its folder made; nil and why not, and true where that is as it should be.
function place.of_host(given)
   if given.socket then return given.socket end
   local folder = place.folder()
   if not folder then return nil, "neither XDG_RUNTIME_DIR nor root's /run", true end
   local ok, message = make_folder(folder)
   if not ok then return nil, message end
   sweep(folder)
   return folder .. "/" .. name_of(given)
end

-- Connections to all hosts of this user that live.
local function living(folder)
   local found = {}
   local names = core.names(folder) or {}
   table.sort(names)
   for _, name in ipairs(names) do
      local path = folder .. "/" .. name
      local connection = name:find "%.sock$" and core.connect(path)
      if connection then found[#found + 1] = { path = path, connection = connection } end
   end
   return found
end

local function choose(found)
   if #found == 1 then return found[1].connection end
   local lines = {}
   for i, host in ipairs(found) do
      lines[i] = "\n   --socket " .. exit.escape(host.path)
      host.connection:close()
   end
   exit.usage("%d hosts are running; say which one:%s", #found, table.concat(lines))
end

--- A connection to the host that listens at `socket`, or, without that, to the only one of this user.
function place.connect(socket)
   if socket then
      local connection, message, errno = core.connect(socket)
      if connection then return connection end
      local is_gone = errno == core.errno.ENOENT or errno == core.errno.ECONNREFUSED
      exit.refused("%s%s", is_gone and "no host is running: " or "", message)
   end
   local folder = place.folder()
   if not folder then exit.refused "no host is found: neither XDG_RUNTIME_DIR nor --socket says where" end
   local found = living(folder)
   if #found == 0 then exit.refused("no host is running: nobody listens in %s", exit.escape(folder)) end
   return choose(found)
end

return place
