-- SPDX-License-Identifier: MIT
--
-- helper.lua - what specs need of files, processes and the kernel. Nothing here waits for luck.
--
--    local helper = require "support.helper"
--
--    describe("the inotify object", function()
--       helper.leaves_nothing()                 -- each `it`: no descriptor, watch or child more than before
--
--       it("tells a new file", function()
--          local dir = helper.folder()          -- fresh, empty, removed after the `it`
--          helper.write(dir .. "/sub/a", "x")   -- makes the folders above
--          helper.eventually(function() return #seen == 1 end)   -- the loop goes on until true, or fails after 30 s
--       end)
--    end)
--
-- Files:     folder, read, write, append, put, mkdir, rename, remove, link, symlink, fifo, exists, tree
-- Kernel:    descriptors, watches, masks, children
-- Time:      now, step, eventually
-- Tasks:     closer
-- Programs:  program, run (to its end), start (in the background: handle.pid, :out(), :err(), :wait_for(), :signal(),
--            :wait()), watching (start, and it watches), is_root, unprivileged
-- Places:    helper.top, helper.build, helper.interpreter, helper.host

local lfs = require "lfs"
local has_busted, busted = pcall(require, "busted")

local helper = {}

local function absolute(path)
   return path:sub(1, 1) == "/" and path or lfs.currentdir() .. "/" .. path
end

helper.top = lfs.currentdir()
helper.build = absolute(os.getenv "BUILD" or "build")
helper.interpreter = os.getenv "LUA" or "lua5.4"
if helper.interpreter:find "/" then helper.interpreter = absolute(helper.interpreter) end
helper.host = helper.build .. "/bin/moonwatch"

-- Runs when the present `it` has ended, the last one first.
local cleanups = {}

function helper.at_end(fn)
   cleanups[#cleanups + 1] = fn
end

-- Undoes what the helper made: done after each `it` by itself, and callable in specs that loop over seeds.
function helper.clean()
   while #cleanups > 0 do table.remove(cleanups)() end
end

if has_busted and busted.after_each then busted.after_each(helper.clean) end

-- Files ---------------------------------------------------------------------------------------------------------------

local function check(ok, message)
   if not ok then error(message, 3) end
   return ok
end

function helper.read(path)
   local file = check(io.open(path, "rb"))
   local text = file:read "a"
   file:close()
   return text
end

function helper.exists(path)
   return lfs.symlinkattributes(path, "mode") ~= nil
end

function helper.mkdir(path)
   if lfs.attributes(path, "mode") == "directory" then return path end
   local above = path:match "^(.+)/[^/]+/*$"
   if above and not helper.exists(above) then helper.mkdir(above) end
   check(lfs.mkdir(path))
   return path
end

local function put(path, text, how)
   local above = path:match "^(.+)/[^/]+$"
   if above and not helper.exists(above) then helper.mkdir(above) end
   local file = check(io.open(path, how))
   if text and text ~= "" then check(file:write(text)) end
   file:close()
   return path
end

function helper.write(path, text) return put(path, text, "wb") end
function helper.append(path, text) return put(path, text, "ab") end
function helper.rename(from, to) check(os.rename(from, to)) end
function helper.link(target, path) check(lfs.link(target, path)) end
function helper.symlink(target, path) check(lfs.link(target, path, true)) end

function helper.fifo(path)
   check(os.execute("mkfifo " .. helper.quote(path)))
end

-- Removes whatever is there, links without following them; fine where nothing is there.
function helper.remove(path)
   if lfs.symlinkattributes(path, "mode") == "directory" then
      for name in lfs.dir(path) do
         if name ~= "." and name ~= ".." then helper.remove(path .. "/" .. name) end
      end
      check(lfs.rmdir(path))
   else
      os.remove(path)
   end
end

-- A fresh folder in /tmp, or in another place.
function helper.folder(place)
   local path = os.tmpname()
   os.remove(path)
   if place then path = path:gsub("^.*/", place .. "/") end
   check(lfs.mkdir(path))
   helper.at_end(function()
      if not pcall(helper.remove, path) then os.execute("rm -rf " .. helper.quote(path)) end
   end)
   return path
end

-- A new file in one step: one that is made and written, with a pause in between, may be two changes.
function helper.put(path, text)
   helper.rename(helper.write(helper.folder() .. "/new", text), path)
   return path
end

local TYPES = {
   file = "file", directory = "directory", link = "link", socket = "socket",
   ["named pipe"] = "fifo", ["char device"] = "char", ["block device"] = "block",
}

-- What is below a folder, as { rel = type }: the disk's side of the replay oracle.
function helper.tree(path, rel, found)
   found = found or {}
   for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then
         local full = path .. "/" .. name
         local here = rel and rel .. "/" .. name or name
         found[here] = TYPES[lfs.symlinkattributes(full, "mode")] or "unknown"
         if found[here] == "directory" then helper.tree(full, here, found) end
      end
   end
   return found
end

-- Kernel --------------------------------------------------------------------------------------------------------------

-- The open descriptors of this process, or of another: a list of { fd =, target = }, in order.
function helper.descriptors(pid)
   local folder = "/proc/" .. (pid or "self") .. "/fd"
   local numbers = {}
   for name in lfs.dir(folder) do numbers[#numbers + 1] = tonumber(name) end
   table.sort(numbers)
   local found = {}
   for _, fd in ipairs(numbers) do
      -- The descriptor that listed them is closed by now and has no target.
      local target = lfs.symlinkattributes(folder .. "/" .. fd, "target")
      if target then found[#found + 1] = { fd = fd, target = target } end
   end
   return found
end

-- How many inotify watches the kernel holds for this process, or for another.
function helper.watches(pid)
   local count = 0
   for _, descriptor in ipairs(helper.descriptors(pid)) do
      if descriptor.target:find "inotify" then
         local info = io.open(("/proc/%s/fdinfo/%d"):format(pid or "self", descriptor.fd))
         for line in info and info:lines() or function() end do
            if line:find "^inotify wd:" then count = count + 1 end
         end
         if info then info:close() end
      end
   end
   return count
end

-- What the kernel is asked to tell about each watch of an inotify object: { [wd] = mask }.
function helper.masks(inotify)
   local masks = {}
   for line in io.lines("/proc/self/fdinfo/" .. inotify:fileno()) do
      local wd, mask = line:match "^inotify wd:(%x+).- mask:(%x+)"
      if wd then masks[tonumber(wd, 16)] = tonumber(mask, 16) & 0xfff end
   end
   return masks
end

-- The process ids of our children, zombies included.
function helper.children()
   local found = {}
   local file = io.open "/proc/thread-self/children"
   for pid in (file and file:read "a" or ""):gmatch "%d+" do found[#found + 1] = tonumber(pid) end
   if file then file:close() end
   return found
end

local function core()
   local there, module = pcall(require, "moonwatch.core")
   return there and module or {}
end

-- Time ----------------------------------------------------------------------------------------------------------------

function helper.now()
   return core().now and core().now() or os.time()
end

-- One turn of the loop, of at most so many seconds.
function helper.step(seconds)
   if core().step then return core().step(seconds) end
   os.execute("exec sleep " .. seconds)
end

-- Asks fn again and again, in a task or outside of all, until it gives something true, and returns that; the loop goes
-- on meanwhile. Fails after `seconds` (30).
function helper.eventually(fn, seconds, what)
   local pause = select(2, coroutine.running()) and helper.step or core().sleep
   local deadline = helper.now() + (seconds or 30)
   while true do
      local result = fn()
      if result then return result end
      if helper.now() > deadline then
         error((what or "what was waited for") .. " did not come within " .. (seconds or 30) .. " s", 2)
      end
      pause(0.005)
   end
end

-- Descriptors that belong to the loop: opened at its first use and kept as long as the Lua state.
local function warm_up()
   if core().step then core().step(0) end
   collectgarbage()
   collectgarbage()
end

local function holdings()
   local targets = {}
   for _, descriptor in ipairs(helper.descriptors()) do
      targets[#targets + 1] = descriptor.target:gsub("%[%d+%]", "[]")
   end
   table.sort(targets)
   return { descriptors = targets, watches = helper.watches(), children = #helper.children() }
end

local function no_more_than(now, before)
   return #now.descriptors <= #before.descriptors and now.watches <= before.watches
      and now.children <= before.children
end

-- To be called in a `describe`: each `it` in it must leave no descriptor, watch or child behind once garbage has been
-- collected and the loop has turned a few times.
function helper.leaves_nothing()
   local before
   busted.before_each(function()
      warm_up()
      before = holdings()
   end)
   busted.after_each(function()
      helper.clean()
      local deadline = helper.now() + 10
      warm_up()
      local now = holdings()
      while not no_more_than(now, before) and helper.now() < deadline do
         helper.step(0.01)
         warm_up()
         now = holdings()
      end
      if not no_more_than(now, before) then require "luassert".same(before, now) end
   end)
end

-- Tasks ---------------------------------------------------------------------------------------------------------------

-- A <close> variable that adds its word to a list.
function helper.closer(list, word)
   return setmetatable({}, { __close = function() list[#list + 1] = word end })
end

-- Errors --------------------------------------------------------------------------------------------------------------

-- The message of the error of fn(...), which must name its caller's place: of a function written on the line of this
-- call that line, of one of C our own.
function helper.misuse(fn, ...)
   local assert, is_c = require "luassert", debug.getinfo(fn, "S").what == "C"
   local place = debug.getinfo(is_c and 1 or 2, "Sl")
   local line = is_c and place.currentline + 2 or place.currentline
   local ok, message = pcall(fn, ...)
   assert.is_false(ok)
   local file, at, text = message:match "^(.-):(%d+): (.*)$"
   assert.equal(place.short_src:match "[^/]+$", file and file:match "[^/]+$", message)
   assert.equal(line, tonumber(at))
   return text
end

-- Programs ------------------------------------------------------------------------------------------------------------

function helper.quote(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- A command line of sh: argv is a list; options: env = { NAME = value }, cwd.
local function command_line(argv, options)
   local words = { "LUA_PATH=" .. helper.quote(("%s/lua/?.lua;%s/lua/?/init.lua;%s/spec/?.lua;;"):format(helper.top,
      helper.top, helper.top)), "LUA_CPATH=" .. helper.quote(helper.build .. "/lib/?.so;;") }
   for name, value in pairs(options.env or {}) do words[#words + 1] = name .. "=" .. helper.quote(value) end
   for _, word in ipairs(argv) do words[#words + 1] = helper.quote(word) end
   local line = "exec env " .. table.concat(words, " ")
   return options.cwd and ("cd %s && %s"):format(helper.quote(options.cwd), line) or line
end

function helper.is_root()
   return helper.read("/proc/self/status"):match "\nUid:%s+%d+%s+(%d+)" == "0"
end

-- Words that stand before a command so that it runs without rights: none where we have none ourselves, nil where there
-- is no way, or where the program we test may not be run by others.
function helper.unprivileged()
   if not helper.is_root() then return {} end
   local words = { "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups" }
   local probe = { table.unpack(words) }
   table.move({ helper.host, "--version" }, 1, 2, #probe + 1, probe)
   return helper.run(probe).status == 0 and words or nil
end

-- A Lua program in a file of its own: its path.
function helper.program(text)
   return helper.write(helper.folder() .. "/program.lua", text)
end

-- Runs a program to its end, at most options.timeout (120) seconds: { status =, out =, err = }; a signal n is 128 + n,
-- as the shell tells it, and 124 is the timeout. options: stdin (a string), env, cwd, timeout.
function helper.run(argv, options)
   options = options or {}
   local process = helper.start(argv, options)
   return process:wait(options.timeout or 120)
end

local Program = {}
Program.__index = Program

-- Starts a program in the background; whatever happens it is gone when the `it` has ended. options as for run.
function helper.start(argv, options)
   options = options or {}
   local dir = helper.folder()
   helper.write(dir .. "/in", options.stdin or "")
   helper.write(dir .. "/out", "")
   helper.write(dir .. "/err", "")
   local script = ("cd %s; (cd %s; %s) <in >out 2>err & echo $!; exec >&- 2>/dev/null\n"
      .. "wait $!; echo $? >status.new; mv status.new status")
      :format(helper.quote(dir), helper.quote(helper.top), command_line(argv, options))
   local shell = assert(io.popen(script))
   local pid = math.tointeger(shell:read "n")
   local program = setmetatable({ pid = pid, dir = dir, shell = shell }, Program)
   helper.at_end(function() program:kill() end)
   return program
end

-- The same, and it is a host or a command of one that has said what it watches.
function helper.watching(argv, options)
   local program = helper.start(argv, options)
   program:wait_for "watching %d+ director"
   return program
end

function Program:out() return helper.read(self.dir .. "/out") end
function Program:err() return helper.read(self.dir .. "/err") end

function Program:running()
   return self.shell ~= nil and not helper.exists(self.dir .. "/status")
end

-- Waits until the pattern stands in what it wrote to its output or its error; returns the captures. Fails where it ends
-- without, or after `seconds` (20).
function Program:wait_for(pattern, seconds)
   local function look()
      local out, err = self:out(), self:err()
      return out:find(pattern) and { out:match(pattern) } or err:find(pattern) and { err:match(pattern) }
   end
   local found = helper.eventually(function()
      local running = self:running()
      return look() or (not running and {})
   end, seconds or 20, ("%q in the output"):format(pattern))
   if #found == 0 then error(("ended without %q:\n%s%s"):format(pattern, self:out(), self:err()), 2) end
   return table.unpack(found)
end

function Program:signal(name)
   os.execute(("kill -s %s %d 2>/dev/null"):format(name, self.pid))
end

-- A command that tells its number, and that it was told to end, and does not.
helper.STUBBORN = "trap 'echo told' TERM; echo $$; while :; do sleep 0.05; done"

-- A host that runs it: a second signal ends both at once.
function Program:end_by_second_signal()
   local command = self:wait_for "(%d+)\n"
   self:signal "TERM"
   self:wait_for "told" -- else both signals may come at once
   helper.eventually(function()
      self:signal "INT"
      return not self:running()
   end)
   require "luassert".equal(130, self:wait().status)
   helper.eventually(function() return not helper.exists("/proc/" .. command .. "/cwd") end)
end

-- Its result as `run` gives it. After `seconds` (20) it is killed and the status is 124.
function Program:wait(seconds)
   local ended = pcall(helper.eventually, function() return not self:running() end, seconds or 20)
   if not ended then self:kill() end
   if self.shell then
      self.shell:close()
      self.shell = nil
      self.status = ended and tonumber(helper.read(self.dir .. "/status")) or 124
   end
   return { status = self.status, out = self:out(), err = self:err() }
end

function Program:kill()
   if not self.shell then return end
   self:signal "KILL"
   self.shell:close()
   self.shell = nil
   self.status = 128 + 9
end

return helper
