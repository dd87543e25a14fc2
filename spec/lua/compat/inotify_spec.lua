-- SPDX-License-Identifier: MIT
--
-- inotify_spec.lua - programs written for linotify. Where that is there (it ends with Lua 5.3), it is asked the same.

local helper = require "support.helper"

local SCRIPT = [[
local inotify = require(arg[1])
local folder = arg[2]

local function show(events)
   for _, event in ipairs(events) do print(event.wd, event.mask, event.cookie > 0, event.name) end
   print("--")
end
local function refused(_, _, code) print("refused", code) end
local function touch(name) io.open(folder .. "/" .. name, "w"):close() end

local handle = inotify.init { blocking = false }
local wd = handle:addwatch(folder, inotify.IN_CREATE, inotify.IN_MOVE)
print(wd, math.type(handle:getfd()), handle:getfd() == handle:fileno())
show(handle:read())
touch "a"
os.rename(folder .. "/a", folder .. "/b")
os.execute("mkdir " .. folder .. "/sub")
show(handle:read())

print(handle:addwatch(folder, inotify.IN_CLOSE_WRITE) == wd)                           -- replaces the mask
touch "c"
print(handle:addwatch(folder, inotify.IN_DELETE | inotify.IN_MASK_ADD) == wd)
touch "d"
os.remove(folder .. "/d")
show(handle:read())
os.execute("ln -s . " .. folder .. "/self")
print(handle:addwatch(folder .. "/self", inotify.IN_CREATE) == wd)                     -- by another path
touch "e"
show(handle:read())

local once = handle:addwatch(folder .. "/sub", inotify.IN_CREATE, inotify.IN_ONESHOT)
touch "sub/1"
touch "sub/2"
show(handle:read())
refused(handle:rmwatch(once))
print(handle:rmwatch(wd))
show(handle:read())
for event in handle:events() do print("not expected", event.mask) end
refused(handle:addwatch(folder .. "/none", inotify.IN_CREATE))
refused(handle:addwatch(folder))
print(handle:close() == nil, handle:close() == nil)
refused(handle:read())
refused(handle:addwatch(folder, inotify.IN_CREATE))
print(handle:getfd())

handle = inotify.init()
handle:addwatch(folder, inotify.IN_ALL_EVENTS)
local child = io.popen("sleep 0.1; echo text > " .. folder .. "/late")                 -- blocks until then
print(handle:read()[1].name)
child:close()
touch "last"
for event in handle:events() do
   if event.name == "last" and event.mask == inotify.IN_CLOSE_WRITE then break end
end
handle:close()
]]

local EXPECTED = [[
1	integer	true
--
1	256	false	a
1	64	true	a
1	128	true	b
1	1073742080	false	sub
--
true
true
1	8	false	c
1	8	false	d
1	512	false	d
--
true
1	256	false	e
--
2	256	false	1
2	32768	false	nil
--
refused	22
true
1	32768	false	nil
--
refused	2
refused	22
true	true
refused	9
refused	9
-1
late
]]

local function run(interpreter, module)
   local folder = helper.folder()
   local file = folder .. "/script.lua"
   helper.write(file, SCRIPT)
   local result = helper.run({ interpreter, file, module, helper.mkdir(folder .. "/watched") })
   return result
end

describe("moonwatch.compat.inotify", function()
   it("answers programs written for linotify as that does", function()
      assert.same({ status = 0, out = EXPECTED, err = "" }, run(helper.interpreter, "moonwatch.compat.inotify"))
   end)

   it("has an original that answers so", function()
      if helper.run({ "lua5.3", "-e", "require 'inotify'" }).status ~= 0 then
         return pending "needs linotify for Lua 5.3"
      end
      assert.same({ status = 0, out = EXPECTED, err = "" }, run("lua5.3", "inotify"))
   end)

   it("tells misuse at the user's line", function()
      local inotify = require "moonwatch.compat.inotify"
      local handle <close> = assert(inotify.init())
      local ok, message = pcall(function() handle:addwatch("inbox", "create") end)
      assert.is_false(ok)
      assert.matches("^spec/lua/compat/inotify_spec.lua:%d+: addwatch: a path and flags such as IN_CREATE", message)
   end)

   it("lets other tasks run while it blocks", function()
      local moonwatch = require "moonwatch"
      local inotify = require "moonwatch.compat.inotify"
      local folder = helper.folder()
      local handle <close> = assert(inotify.init())
      assert(handle:addwatch(folder, inotify.IN_CREATE))
      moonwatch.spawn(function() helper.write(folder .. "/made", "") end)
      assert.equal("made", handle:read()[1].name)
   end)
end)
