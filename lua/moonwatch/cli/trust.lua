-- SPDX-License-Identifier: MIT
--
-- trust.lua - as root a script is code that root runs: one that others may write is refused.

local core = require "moonwatch.core"
local exit = require "moonwatch.cli.exit"

local trust = {}

local OTHERS_WRITE, GROUP_WRITES, STICKY = 2, 16, 512

-- Why others could change this, in words; nil where they cannot.
local function weakness(status, user)
   if status.uid ~= 0 and status.uid ~= user then return "it belongs to another user" end
   if status.mode & OTHERS_WRITE ~= 0 then return "others may write to it" end
   if status.mode & GROUP_WRITES ~= 0 and status.gid ~= 0 then return "its group may write to it" end
end

local function check(path, user, is_folder)
   local status = core.system.stat(path)
   local why = status and weakness(status, user)
   if is_folder and status and status.mode & STICKY ~= 0 and status.uid == 0 then why = nil end
   if why then exit.refused("%s: refused, since we are root and %s", exit.escape(path), why) end
end

local function folder_of(path)
   return path:match "^(.*)/[^/]*$" or "."
end

local function check_script(path, user)
   if core.kind(path) == "directory" then
      check(path, user)
      for _, name in ipairs(core.names(path) or {}) do
         if name:find "%.lua$" then check(path .. "/" .. name, user) end
      end
   else
      check(path, user)
      local folder = folder_of(path)
      check(folder == "" and "/" or folder, user, true)
   end
end

-- Rights that are dropped later are no reason to trust more.
local began_as_root = core.system.uid() == 0

--- Ends the command where one of the scripts could be changed by others than root and, where the host is to become
-- another user (its id), that one.
function trust.check(paths, user)
   if not began_as_root then return end
   for _, path in ipairs(paths) do check_script((path:gsub("(.)/+$", "%1")), user) end
end

return trust
