-- SPDX-License-Identifier: MIT
--
-- example.lua - reads the transcript at the head of a file of examples/ and plays it in a fresh folder.
--
--    -- Takes whole files as they arrive in a folder, and puts them away.        what it shows: the first line
--    --
--    --    $ mkdir inbox done                                                    before it is started
--    --    $ moonwatch examples/hot-folder.lua &                                 or lua5.4 examples/...
--    --    $ echo 1,2 > inbox/a.csv                                              once it says that it is ready
--    --    imported a.csv                                                        and what it is seen to say then
--
-- Both `make run` and the specs play it, so what stands there is what happens. A program says that it is ready by a line
-- with "watching" or "ready" on its output or its error, as the host does. "Needs rsync." or "Needs the Lua module luv."
-- in the first line names what not every machine has: `missing` tells.

local example = {}

-- { path =, title =, program = "moonwatch" or "lua5.4", arguments =, before = { commands },
--   steps = { { command =, shows = { lines } } } }
function example.read(path)
   local found = { path = path, before = {}, steps = {} }
   local lines = io.lines(path)
   for line in lines do
      if not line:find "^%-%-" and not line:find "^#!" then break end
      local text = line:match "^%-%-%s?(.*)$" or ""
      local command = text:match "^   %$ (.*)$"
      local shown = text:match "^   ([^%s$].*)$"
      if command and command:find(path, 1, true) then
         found.program = command:match "^%S+"
         found.arguments = command:match("%.lua(.-)%s*&?$")
      elseif command and not found.program then
         table.insert(found.before, command)
      elseif command then
         table.insert(found.steps, { command = command, shows = {} })
      elseif shown and #found.steps > 0 then
         table.insert(found.steps[#found.steps].shows, shown)
      elseif not found.title and text ~= "" and not line:find "^#!" and not text:find "^SPDX" then
         found.title = text
      end
   end
   return found
end

-- All programs of examples/; a *_spec.lua there is one for busted.
function example.list()
   local paths = {}
   for path in assert(io.popen "ls examples/*.lua 2>/dev/null"):lines() do
      if not path:find "_spec%.lua$" then paths[#paths + 1] = path end
   end
   return paths
end

local function quote(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- What the example needs and this machine has not, or nil.
function example.missing(found, interpreter)
   local module = found.title:match "Needs the Lua module (%w+)%."
   if module then
      local probe = ("echo 'require \"%s\"' | %s /dev/stdin 2>/dev/null"):format(module, quote(interpreter or "lua5.4"))
      return not os.execute(probe) and "the Lua module " .. module or nil
   end
   local program = found.title:match "Needs (%w+)%."
   return program and not os.execute("command -v " .. program .. " >/dev/null") and program or nil
end

local function seen_all(wanted, seen)
   for _, line in ipairs(wanted) do
      local there = false
      for _, said in ipairs(seen) do there = there or said:find(line, 1, true) ~= nil end
      if not there then return false end
   end
   return true
end

-- Plays it with the programs of `build` in `folder`. options: interpreter; say(line) is called with every command and
-- every line of output as it comes; seconds (20) is how long each step may take; keep: goes on until it ends by itself.
-- Returns true, or false and what did not come.
function example.play(found, build, folder, options)
   local top = assert(io.popen "pwd"):read "l"
   local say = options.say or function() end
   local function absolute(path) return path:sub(1, 1) == "/" and path or top .. "/" .. path end
   local function shell(command)
      say("$ " .. command)
      return os.execute(("cd %s && { %s\n}"):format(quote(folder), command))
   end
   for _, command in ipairs(found.before) do
      if not shell(command) then return false, command end
   end

   local argv = found.program == "moonwatch" and quote(absolute(build) .. "/bin/moonwatch")
      or quote(options.interpreter or "lua5.4")
   local environment = ("LUA_PATH=%s LUA_CPATH=%s"):format(
      quote(top .. "/lua/?.lua;" .. top .. "/lua/?/init.lua;;"), quote(absolute(build) .. "/lib/?.so;;"))
   say(("$ %s %s%s &"):format(found.program, found.path, found.arguments))
   -- Its own session would hide it from a Ctrl-C; killed by its number, which it tells first.
   local pipe = assert(io.popen(("cd %s && { echo $$; exec env %s timeout %d %s %s %s </dev/null 2>&1; }"):format(
      quote(folder), environment, options.keep and 86400 or 120, argv, quote(absolute(found.path)), found.arguments)))
   local pid = pipe:read "l"
   local seen = {}

   local function read_until(done)
      while not done() do
         local line = pipe:read "l"
         if not line then return false end
         say(line)
         seen[#seen + 1] = line
      end
      return true
   end

   -- A step that never shows its words must not block the reader: a timer of the shell ends the program.
   local function guarded(seconds, body)
      local guard = assert(io.popen(("(sleep %d; kill %s) >/dev/null 2>&1 & echo $!"):format(seconds, pid))):read "l"
      local ok = body()
      os.execute("kill " .. guard .. " 2>/dev/null")
      return ok
   end

   local seconds = options.seconds or 20
   local missed
   if not guarded(seconds, function()
      return read_until(function()
         local last = seen[#seen]
         return last ~= nil and (last:find "watching" or last:find "ready") ~= nil
      end)
   end) then missed = "ready" end
   for _, step in ipairs(missed and {} or found.steps) do
      seen = {}
      if not shell(step.command) then missed = step.command break end
      if not guarded(seconds, function()
         return read_until(function() return seen_all(step.shows, seen) end)
      end) then missed = table.concat(step.shows, "\n") break end
   end
   if options.keep and not missed then read_until(function() return false end) end
   os.execute("kill " .. pid .. " 2>/dev/null")
   pipe:close()
   return missed == nil, missed
end

return example
