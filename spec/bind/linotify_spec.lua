-- SPDX-License-Identifier: MIT
local lfs = require "lfs"
local helper = require "support.helper"
local moonwatch = require "moonwatch.core"
local misuse = helper.misuse

local ETIMEDOUT, EPIPE, ENOENT, EEXIST, ENOTDIR, EINVAL, EMFILE = 110, 32, 2, 17, 20, 22, 24
local ENOSPC, ENAMETOOLONG, ELOOP, ESTALE = 28, 36, 40, 116

local dir

-- "op name" of each, a directory's with a slash.
local function told(events)
   local list = {}
   for i, event in ipairs(events) do
      list[i] = event.op .. (event.name and " " .. event.name or "") .. (event.isdir and "/" or "")
   end
   return list
end

local function all(inotify)
   return told((inotify:read(0)))
end

local function refused(errno, start, result, message, code)
   assert.is_nil(result)
   assert.equal(start, message:sub(1, #start))
   assert.equal(errno, code)
   return message
end

local function run(fn)
   return moonwatch.run(fn)
end

describe("an inotify object", function()
   helper.leaves_nothing()

   before_each(function() dir = helper.folder() end)

   local function open(options)
      local inotify = assert(moonwatch.inotify(options))
      finally(function() inotify:close() end)
      return inotify
   end

   it("tells all that happens to a file and a directory, in order", function()
      local inotify = open()
      local watch = assert(inotify:add(dir, "all_events"))
      helper.write(dir .. "/a", "x")
      helper.read(dir .. "/a")
      helper.rename(dir .. "/a", dir .. "/b")
      os.execute("chmod 600 " .. dir .. "/b")
      helper.link(dir .. "/b", dir .. "/c")
      helper.remove(dir .. "/b")
      helper.symlink("nowhere", dir .. "/l")
      lfs.mkdir(dir .. "/d")
      lfs.rmdir(dir .. "/d")
      local events = inotify:read(0)
      assert.same({
         "create a", "open a", "modify a", "close_write a", "open a", "access a", "close_nowrite a",
         "moved_from a", "moved_to b", "attrib b", "create c", "delete b", "create l", "create d/", "delete d/",
      }, (function()
         -- A read may be told more than once.
         local list, last = {}, nil
         for _, text in ipairs(told(events)) do
            if text ~= last then list[#list + 1] = text end
            last = text
         end
         return list
      end)())
      for _, event in ipairs(events) do
         assert.equal(watch, event.watch)
         assert.equal(watch.wd, event.wd)
         assert.equal(dir .. "/" .. event.name, event.path)
      end
      local from, to
      for _, event in ipairs(events) do
         if event.moved_from then from = event elseif event.moved_to then to = event end
      end
      assert.is_true(from.cookie ~= 0 and from.cookie == to.cookie)
   end)

   it("follows a watched file through rename and deletion, and the watch is dead then", function()
      local inotify = open()
      local watch = assert(inotify:add(helper.write(dir .. "/a"), "move_self delete_self"))
      helper.rename(dir .. "/a", dir .. "/b")
      helper.remove(dir .. "/b")
      assert.is_true(watch.active)
      local events = inotify:read(0)
      assert.same({ "move_self", "delete_self", "ignored" }, told(events))
      for _, event in ipairs(events) do
         assert.equal(watch, event.watch)
         assert.equal(dir .. "/a", event.path)
         assert.is_nil(event.name)
      end
      assert.is_false(watch.active)
      assert.equal(dir .. "/a", watch.path)
      assert.equal(inotify, watch.inotify)
      assert.equal(0x800 | 0x400, watch.mask)
      assert.equal(events[1].wd, watch.wd)
      assert.equal(0, #inotify)
      assert.is_nil(inotify:find(dir .. "/a"))
   end)

   it("knows a directory's own events for a directory's", function()
      local inotify = open()
      assert(inotify:add(helper.mkdir(dir .. "/d"), "all_events"))
      helper.rename(dir .. "/d", dir .. "/e")
      helper.remove(dir .. "/e")
      for _, event in ipairs((inotify:read(0))) do
         assert.is_true(event.isdir)
         assert.equal("directory", event.type)
         if event.delete_self then assert.equal(0x400, event.mask) end
      end
   end)

   describe("with two paths to one inode", function()
      it("gives each watch its own bits and its path, and one goes on without the other", function()
         local inotify = open()
         helper.write(dir .. "/a")
         helper.link(dir .. "/a", dir .. "/hard")
         helper.symlink("a", dir .. "/soft")
         local one = assert(inotify:add(dir .. "/a", "modify"))
         local two = assert(inotify:add(dir .. "/hard", "close_write"))
         local three = assert(inotify:add(dir .. "/soft", "modify close_write"))
         assert.equal(one.wd, two.wd)
         assert.equal(one.wd, three.wd)
         assert.is_true(one ~= two and two ~= three)
         assert.equal(3, #inotify)
         assert.same({ [one.wd] = 0xa }, helper.masks(inotify))
         assert.same({ 0x2, 0x8, 0xa }, { one.mask, two.mask, three.mask })
         helper.append(dir .. "/a", "x")
         local seen = {}
         for i, event in ipairs((inotify:read(0))) do seen[i] = event.op .. " " .. event.path:sub(#dir + 2) end
         assert.same({ "modify a", "modify soft", "close_write hard", "close_write soft" }, seen)

         assert.is_true(two:remove())
         assert.is_false(two.active)
         assert.is_true(one.active and three.active)
         helper.append(dir .. "/a", "x")
         assert.is_true(three:remove())
         local events = inotify:read(0)
         assert.same({ "ignored", "modify", "modify", "close_write", "ignored" }, told(events))
         assert.same({ two, one, three, three, three }, { events[1].watch, events[2].watch, events[3].watch,
            events[4].watch, events[5].watch })
         assert.same({ [one.wd] = 0x2 }, helper.masks(inotify))
         assert.is_true(one:remove())
         assert.same({ "ignored" }, all(inotify))
         assert.same({}, helper.masks(inotify))
      end)

      it("tells each that it is gone", function()
         local inotify = open()
         helper.write(dir .. "/a")
         helper.symlink("a", dir .. "/soft")
         local one, two = inotify:add(dir .. "/a", "delete_self"), inotify:add(dir .. "/soft", "attrib")
         helper.remove(dir .. "/a")
         local events = inotify:read(0)
         assert.same({ "attrib", "delete_self", "ignored", "ignored" }, told(events))
         assert.same({ two, one, one, two }, { events[1].watch, events[2].watch, events[3].watch, events[4].watch })
         assert.is_false(one.active or two.active)
         assert.equal(0, #inotify)
      end)
   end)

   describe("with two watches of one directory", function()
      it("keeps each mask true, and gives each its own bits", function()
         local inotify = open()
         local one = assert(inotify:add(dir, "create"))
         local two = assert(inotify:add(dir, "delete"))
         assert.is_true(one ~= two)
         helper.write(dir .. "/a")
         helper.remove(dir .. "/a")
         local events = inotify:read(0)
         assert.same({ "create a", "delete a" }, told(events))
         assert.equal(one, events[1].watch)
         assert.equal(two, events[2].watch)

         assert.is_true(two:update "moved_from")
         assert.same({ 0x100, 0x40 }, { one.mask, two.mask })
         assert.same({ [one.wd] = 0x140 }, helper.masks(inotify))
         assert.equal(two, inotify:add(dir .. "/.", "delete mask_add") and two)
         assert.equal(one, assert(inotify:add(dir, "delete mask_add")))
         assert.same({ 0x300, 0x40 }, { one.mask, two.mask })
         assert.equal(3, #inotify)
         assert.is_true(two:update "mask_add attrib")
         assert.equal(0x44, two.mask)

         refused(EEXIST, dir .. ": ", inotify:add(dir, "attrib mask_create"))
         assert.equal(3, #inotify)
      end)

      it("gives a watch nothing from before its time", function()
         local inotify = open()
         local one = assert(inotify:add(dir, "create delete"))
         helper.write(dir .. "/a")
         local two = assert(inotify:add(dir, "create"))
         helper.remove(dir .. "/a")
         helper.write(dir .. "/b")
         local seen = {}
         for i, event in ipairs((inotify:read(0))) do
            seen[i] = tostring(event):gsub("[^ ]*/", "") .. (event.watch == one and " 1" or " 2")
         end
         assert.same({ "create a 1", "delete a 1", "create b 1", "create b 2" }, seen)
         assert.is_true(two.active)
      end)

      it("loses no event that the kernel would merge into one from before", function()
         local inotify = open()
         helper.write(dir .. "/a")
         assert(inotify:add(dir, "attrib"))
         os.execute("chmod 600 " .. dir .. "/a")
         local two = assert(inotify:add(dir, "attrib"))
         os.execute("chmod 640 " .. dir .. "/a")
         local count = 0
         for _, event in ipairs((inotify:read(0))) do
            if event.watch == two then count = count + 1 end
         end
         assert.equal(1, count)
      end)

      it("gives what was queued by the mask of that time", function()
         local inotify = open()
         local watch = assert(inotify:add(dir, "create"))
         helper.write(dir .. "/a")
         assert.is_true(watch:update "delete")
         helper.write(dir .. "/b")
         helper.remove(dir .. "/a")
         assert.same({ "create a", "delete a" }, all(inotify))
      end)

      it("takes EXCL_UNLINK only where all want it", function()
         local inotify = open()
         assert(inotify:add(dir, "close_write excl_unlink"))
         assert(inotify:add(dir, "close_write"))
         local file = io.open(dir .. "/a", "w")
         helper.remove(dir .. "/a")
         file:close()
         assert.same({ "close_write a", "close_write a" }, all(inotify))
      end)
   end)

   describe("ONESHOT", function()
      it("ends a watch after its event", function()
         local inotify = open()
         local watch = assert(inotify:add(dir, "create oneshot"))
         helper.write(dir .. "/a")
         helper.write(dir .. "/b")
         local event = inotify:get(0)
         assert.equal("create a", told { event }[1])
         assert.is_false(watch.active)
         assert.equal(0, #inotify)
         assert.same({ "ignored/" }, all(inotify))
         assert.same({}, helper.masks(inotify))
         assert.is_false(watch:remove())
      end)

      it("ends alone beside another watch", function()
         local inotify = open()
         local one = assert(inotify:add(dir, "create delete"))
         local two = assert(inotify:add(dir, "create oneshot"))
         helper.write(dir .. "/a")
         helper.write(dir .. "/b")
         helper.remove(dir .. "/a")
         local seen = {}
         for i, event in ipairs((inotify:read(0))) do
            seen[i] = event.op .. (event.name or "") .. (event.watch == one and 1 or 2)
         end
         assert.same({ "createa1", "createa2", "ignored2", "createb1", "deletea1" }, seen)
         assert.is_true(one.active)
         assert.is_false(two.active)
         assert.same({ [one.wd] = 0x300 }, helper.masks(inotify))
      end)

      it("survives that another watch comes after it, and goes on alone when that ends", function()
         local inotify = open()
         local one = assert(inotify:add(dir, "create oneshot"))
         local two = assert(inotify:add(dir, "delete"))
         helper.write(dir .. "/a")
         helper.remove(dir .. "/a")
         local events = inotify:read(0)
         assert.same({ "create a", "ignored/", "delete a" }, told(events))
         assert.same({ one, one, two }, { events[1].watch, events[2].watch, events[3].watch })
         local three = assert(inotify:add(dir, "create oneshot"))
         assert.is_true(two:remove())
         helper.write(dir .. "/b")
         helper.write(dir .. "/c")
         events = inotify:read(0)
         assert.same({ "ignored/", "create b", "ignored/" }, told(events))
         assert.same({ two, three, three }, { events[1].watch, events[2].watch, events[3].watch })
         assert.equal(0, #inotify)
         assert.same({}, helper.masks(inotify))
      end)

      it("that has fired before another watch comes does not touch it", function()
         local inotify = open()
         local one = assert(inotify:add(dir, "create oneshot"))
         helper.write(dir .. "/a")
         local two = assert(inotify:add(dir, "create"))
         helper.write(dir .. "/b")
         local events = inotify:read(0)
         assert.same({ "create a", "ignored/", "create b" }, told(events))
         assert.same({ one, one, two }, { events[1].watch, events[2].watch, events[3].watch })
         assert.is_true(two.active)
      end)
   end)

   describe("refuses what the kernel refuses", function()
      it("with the path in the message", function()
         local inotify = open()
         local file = helper.write(dir .. "/file")
         helper.symlink("loop", dir .. "/loop")
         refused(ENOTDIR, file .. ": ", inotify:add(file, "create onlydir"))
         refused(ENOTDIR, file .. "/x: ", inotify:add(file .. "/x", "create"))
         refused(ENOENT, dir .. "/none: ", inotify:add(dir .. "/none", "create"))
         refused(ENOENT, ": ", inotify:add("", "create"))
         refused(EINVAL, dir .. ": ", inotify:add(dir, 0))
         refused(EINVAL, dir .. ": ", inotify:add(dir, ""))
         refused(EINVAL, dir .. ": ", inotify:add(dir, "mask_add"))
         refused(EINVAL, dir .. ": ", inotify:add(dir, "create mask_add mask_create"))
         refused(EINVAL, dir .. ": ", inotify:add(dir, 0x100 | 0x1000))
         local long = dir .. "/" .. ("x"):rep(256)
         refused(ENAMETOOLONG, long .. ": ", inotify:add(long, "create"))
         refused(ELOOP, dir .. "/loop: ", inotify:add(dir .. "/loop", "create"))
         assert.equal(0, #inotify)
         assert.same({}, helper.masks(inotify))
      end)

      it("but watches a link itself where asked for", function()
         local inotify = open()
         helper.symlink("nowhere", dir .. "/link")
         local watch = assert(inotify:add(dir .. "/link", "delete_self dont_follow"))
         assert.is_true(watch:update "attrib delete_self")
         local two = assert(inotify:add(dir .. "/link", "move_self dont_follow"))
         assert.equal(watch.wd, two.wd)
         helper.remove(dir .. "/link")
         assert.same({ "attrib", "delete_self", "ignored", "ignored" }, all(inotify))
      end)

      it("names the limit of watches, its value and its use", function()
         local script = ([[
            local moonwatch = require "moonwatch.core"
            local inotify = assert(moonwatch.inotify())
            local count, dir = 0, %q
            repeat
               count = count + 1
               local sub = dir .. "/" .. count
               os.execute("mkdir " .. sub)
               local watch, message, code = inotify:add(sub, "create")
            until not watch or count > 20
            local _, message, code = inotify:add(dir, "create")
            print(code, message)
         ]]):format(dir)
         -- A namespace of our own: the others' limits are left alone.
         local result = helper.run({ "unshare", "--user", "--map-root-user", "sh", "-c",
            "echo 5 >/proc/sys/user/max_inotify_watches && exec \"$0\" \"$1\"", helper.interpreter, helper.program(script) })
         if result.status ~= 0 then return pending("no namespaces here: " .. result.err) end
         local code, path, message = result.out:match "^(%d+)\t([^:]+): ([^\n]*)\n$"
         assert.same({ tostring(ENOSPC), dir }, { code, path })
         assert.matches("^inotify limit fs.inotify.max_user_watches reached: its value is %d+, "
            .. "%d+ in use by user %d+, %d+ of these by [^ ]+%[%d+%], 1 more needed; "
            .. "raise it with: sysctl fs.inotify.max_user_watches=%d+$", message)
      end)

      it("names the limit of instances", function()
         local script = [[
            local moonwatch = require "moonwatch.core"
            local held = {}
            for i = 1, 10 do
               local inotify, message, code = moonwatch.inotify()
               held[i] = inotify
               if not inotify then return print(#held, code, message) end
            end
         ]]
         local result = helper.run({ "unshare", "--user", "--map-root-user", "sh", "-c",
            "echo 3 >/proc/sys/user/max_inotify_instances && exec \"$0\" \"$1\"", helper.interpreter, helper.program(script) })
         if result.status ~= 0 then return pending("no namespaces here: " .. result.err) end
         local count, code, message = result.out:match "^(%d+)\t(%d+)\t([^\n]*)\n$"
         assert.same({ "3", tostring(EMFILE) }, { count, code })
         assert.matches("^inotify: inotify limit fs.inotify.max_user_instances reached: its value is %d+, 3 in use by "
            .. "user 0, 3 of these by [^ ]+%[%d+%], 1 more needed; raise it with: "
            .. "sysctl fs.inotify.max_user_instances=%d+$", message)
      end)

      it("tells the process's own limit on descriptors from that of inotify", function()
         local result = helper.run({ "sh", "-c", "ulimit -n 12; exec \"$0\" \"$1\"", helper.interpreter, helper.program [[
            local moonwatch = require "moonwatch.core"
            local held = {}
            for i = 1, 20 do
               local inotify, message, code = moonwatch.inotify()
               held[i] = inotify
               if not inotify then return print(code, message) end
            end
         ]] })
         assert.equal("24\tinotify: this process has as many descriptors open as it may (see ulimit -n)\n", result.out)
      end)
   end)

   describe("remove", function()
      it("takes a watch, a descriptor or a path, and is false for what is gone", function()
         local inotify = open()
         local watch = assert(inotify:add(dir, "create"))
         helper.write(dir .. "/a")
         assert.is_true(inotify:remove(watch))
         assert.is_false(watch.active)
         assert.is_false(inotify:remove(watch))
         assert.is_false(watch:remove())
         assert.is_false(inotify:remove(watch.wd))
         assert.is_false(inotify:remove(dir))
         assert.is_false(inotify:remove(4711))
         local events = inotify:read(0)
         assert.same({ "create a", "ignored/" }, told(events))
         assert.equal(watch, events[2].watch)

         watch = assert(inotify:add(dir, "create"))
         for _, wd in ipairs { -1, (1 << 32) + watch.wd, (1 << 63) + watch.wd } do
            assert.is_nil(inotify:find(wd))
            assert.is_false(inotify:remove(wd))
         end
         assert.equal("a path must not contain a NUL byte", misuse(function() inotify:remove(dir .. "\0") end))
         assert.is_true(inotify:remove(dir))
         assert.is_true(inotify:remove(assert(inotify:add(dir, "create")).wd))
         assert.same({ "ignored/", "ignored/" }, all(inotify))
      end)

      it("by path or descriptor ends all watches of it", function()
         local inotify = open()
         helper.symlink(".", dir .. "/here")
         local one, two = inotify:add(dir, "create"), inotify:add(dir, "delete")
         local three = inotify:add(dir .. "/here", "create")
         assert.is_true(inotify:remove(dir))
         assert.same({ false, false, true }, { one.active, two.active, three.active })
         assert.same({ "ignored/", "ignored/" }, all(inotify))
         local four = inotify:add(dir, "create")
         helper.write(dir .. "/a")
         assert.is_true(inotify:remove(three.wd))
         assert.same({ false, false }, { three.active, four.active })
         assert.same({ "create a", "create a", "ignored/", "ignored/" }, all(inotify))
      end)

      it("is false for what was deleted", function()
         local inotify = open()
         local watch = assert(inotify:add(helper.mkdir(dir .. "/d"), "create"))
         helper.remove(dir .. "/d")
         assert.is_false(inotify:remove(watch))
         assert.same({ "ignored/" }, all(inotify))
      end)

      it("still gives what was queued for the watch that is taken from others", function()
         local inotify = open()
         local one, two = inotify:add(dir, "create"), inotify:add(dir, "create")
         helper.write(dir .. "/a")
         assert.is_true(one:remove())
         helper.write(dir .. "/b")
         local events = inotify:read(0)
         assert.same({ "create a", "create a", "ignored/", "create b" }, told(events))
         assert.same({ one, two, one, two },
            { events[1].watch, events[2].watch, events[3].watch, events[4].watch })
      end)
   end)

   describe("update", function()
      it("is ESTALE where the path means another inode, and leaves that alone", function()
         local inotify = open()
         local file = helper.write(dir .. "/a")
         local watch = assert(inotify:add(file, "modify"))
         helper.rename(file, dir .. "/b")
         helper.write(file)
         refused(ESTALE, file .. ": ", watch:update "attrib")
         assert.equal(0x2, watch.mask)
         local other = assert(inotify:add(dir, "create"))
         helper.remove(file)
         helper.symlink(".", file)
         refused(ESTALE, file .. ": ", watch:update "attrib")
         assert.same({ [watch.wd] = 0x2, [other.wd] = 0x100 }, helper.masks(inotify))
         helper.remove(file)
         refused(ENOENT, file .. ": ", watch:update "attrib")
         assert.is_true(watch.active)
         helper.remove(dir .. "/b")
         inotify:read(0)
         refused(ESTALE, file .. ": ", watch:update "attrib")
         assert.same({}, all(inotify))
      end)

      it("refuses what makes no mask", function()
         local inotify = open()
         local watch = assert(inotify:add(helper.write(dir .. "/a"), "modify"))
         refused(EINVAL, dir .. "/a: ", watch:update(0))
         refused(EINVAL, dir .. "/a: ", watch:update(0x1000))
         refused(EEXIST, dir .. "/a: ", watch:update "attrib mask_create")
         refused(ENOTDIR, dir .. "/a: ", watch:update "attrib onlydir")
         assert.equal(0x2, watch.mask)
         assert.equal("unknown event name 'atrib' in a mask; did you mean 'attrib'?",
            misuse(function() return (watch:update "atrib") end))
      end)
   end)

   it("finds its watches", function()
      local inotify = open()
      local list = {}
      for i = 1, 5 do list[i] = assert(inotify:add(helper.mkdir(dir .. "/" .. i), "create")) end
      assert.equal(5, #inotify)
      assert.equal(list[3], inotify:find(dir .. "/3"))
      assert.equal(list[3], inotify:find(list[3].wd))
      assert.is_nil(inotify:find(dir))
      assert.is_nil(inotify:find(4711))
      list[2]:remove()
      local found = {}
      for watch in inotify:watches() do
         found[#found + 1] = watch
         watch:remove()
      end
      assert.same({ list[1], list[3], list[4], list[5] }, found)
      assert.equal(0, #inotify)
      assert.is_nil(inotify:find(dir .. "/3"))
   end)

   describe("get and read", function()
      it("only look with timeout 0, and give up in time", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         assert.same({ n = 3, nil, "timeout", ETIMEDOUT }, table.pack(inotify:get(0)))
         assert.same({ n = 3, {}, "timeout", ETIMEDOUT }, table.pack(inotify:read(0)))
         local start = moonwatch.now()
         assert.same({ n = 3, nil, "timeout", ETIMEDOUT }, table.pack(inotify:get(0.1)))
         assert.is_true(moonwatch.now() - start >= 0.1)
         start = moonwatch.now()
         assert.same({ n = 3, {}, "timeout", ETIMEDOUT }, table.pack(inotify:read(0.1)))
         assert.is_true(moonwatch.now() - start >= 0.1)
         assert.same({ n = 3, {}, "timeout", ETIMEDOUT }, table.pack(run(function()
            return inotify:read(0.05, 0.01)
         end)))
      end)

      it("give what is there at once, one or all", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         for i = 1, 4 do helper.write(dir .. "/" .. i) end
         assert.equal("create 1", told { (inotify:get()) }[1])
         assert.same({ "create 2", "create 3", "create 4" }, all(inotify))
      end)

      it("wait for what comes, in a task and outside of one", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         moonwatch.spawn(function()
            moonwatch.sleep(0.02)
            helper.write(dir .. "/a")
         end)
         assert.equal("a", inotify:get(10).name)
         local seen = run(function()
            moonwatch.spawn(function()
               moonwatch.sleep(0.02)
               helper.write(dir .. "/b")
            end)
            return told((inotify:read(10)))
         end)
         assert.same({ "create b" }, seen)
      end)

      it("let a delay gather a burst, and skip it where some wait already", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         local at = {}
         local writer = moonwatch.spawn(function()
            for i = 1, 5 do
               moonwatch.sleep(0.01)
               helper.write(dir .. "/" .. i)
               at[i] = moonwatch.now()
            end
         end)
         local start = moonwatch.now()
         local list = told((inotify:read(10, 0.5)))
         assert.is_true(moonwatch.now() - start >= 0.5)
         assert.is_true(writer:join())
         -- On a busy machine the last of them may come too late.
         for i, line in ipairs(list) do assert.equal("create " .. i, line) end
         for i = #list + 1, 5 do assert.is_true(at[i] - at[1] >= 0.5) end
         for _ = #list + 1, 5 do assert(inotify:get(10)) end
         helper.write(dir .. "/6")
         start = moonwatch.now()
         assert.same({ "create 6" }, told((inotify:read(100, 60))))
         assert.is_true(moonwatch.now() - start < 60)
      end)

      it("give what a delay has gathered when the time is up before", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         local seconds, list = 0.05
         repeat -- how soon the other task has written is the machine's business
            seconds = 2 * seconds
            all(inotify)
            list = run(function()
               local writer = moonwatch.spawn(function() helper.write(dir .. "/" .. seconds) end)
               local events = inotify:read(seconds, 20)
               writer:join()
               return events
            end)
         until #list > 0 or seconds > 10
         assert.same({ "create " .. seconds }, told(list))
      end)

      it("serve tasks in the order they came, each event to one", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         local seen = {}
         run(function()
            local tasks = {}
            for i = 1, 5 do
               tasks[i] = moonwatch.spawn(function()
                  local name = inotify:get(10).name
                  seen[#seen + 1] = i .. " " .. name
               end)
            end
            moonwatch.sleep(0)
            for i = 1, 5 do helper.write(dir .. "/" .. i) end
            for i = 1, 5 do assert(tasks[i]:join(10)) end
         end)
         assert.same({ "1 1", "2 2", "3 3", "4 4", "5 5" }, seen)
      end)

      it("lose no event to a wait that is cancelled when it comes", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         local seen = run(function()
            local task = moonwatch.spawn(function() inotify:get() end)
            moonwatch.sleep(0)
            helper.write(dir .. "/a")
            task:cancel()
            return inotify:get(10).name
         end)
         assert.equal("a", seen)
      end)
   end)

   describe("each", function()
      it("ends after its time without an event, and can be called again", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         helper.write(dir .. "/a")
         local iterator = inotify:each(0.01)
         local seen = {}
         for event in iterator do seen[#seen + 1] = event.name end
         assert.same({ "a" }, seen)
         assert.is_nil((iterator()))
         helper.write(dir .. "/b")
         assert.equal("b", iterator().name)
      end)

      it("leaves the rest to whoever comes next", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         for i = 1, 10 do helper.write(dir .. "/" .. i) end
         local seen = {}
         for event in inotify:each() do
            seen[#seen + 1] = event.name
            if #seen == 3 then break end
         end
         for event in inotify:each(0) do seen[#seen + 1] = event.name end
         assert.same({ "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" }, seen)
      end)

      it("gives 300 creates at once", function()
         local inotify = open()
         assert(inotify:add(dir, "create"))
         for i = 1, 300 do helper.write(dir .. "/" .. i) end
         local count = 0
         for event in inotify:each(0) do
            count = count + 1
            assert.equal(tostring(count), event.name)
         end
         assert.equal(300, count)
      end)
   end)

   it("tells an overflow and works on", function()
      local limit = moonwatch.limits().max_queued_events
      if limit > 100000 then return pending "the queue is too long here" end
      local inotify = open()
      local watch = assert(inotify:add(dir, "create delete_self"))
      local gone = assert(inotify:add(helper.mkdir(dir .. "/gone"), "create"))
      inotify:read(0)
      for i = 1, limit + 100 do helper.write(dir .. "/" .. i) end
      helper.remove(dir .. "/gone")
      assert.is_true(inotify:pending() > limit * 16)
      local events = inotify:read(0)
      local last = events[limit + 1]
      assert.same({ "q_overflow", -1, 0x4000 }, { last.op, last.wd, last.mask })
      assert.is_nil(last.path)
      assert.is_nil(last.watch)
      assert.is_nil(last.name)
      assert.equal("q_overflow", tostring(last))
      for i = 1, limit do assert(events[i].name == tostring(i)) end
      -- The end of the other watch was swallowed with the rest, but is told.
      helper.write(dir .. "/after")
      for _, event in ipairs((inotify:read(0))) do events[#events + 1] = event end
      local tail = {}
      for i = limit + 2, #events do tail[#tail + 1] = events[i] end
      local told_tail = told(tail)
      table.sort(told_tail)
      assert.same({ "create after", "ignored/" }, told_tail)
      assert.is_false(gone.active)
      assert.is_true(watch.active)
      assert.equal(1, #inotify)
   end)

   it("knows how many bytes wait in the kernel", function()
      local inotify = open()
      assert(inotify:add(dir, "create"))
      assert.equal(0, inotify:pending())
      helper.write(dir .. "/a")
      assert.equal(32, inotify:pending())
      inotify:get(0)
      assert.equal(0, inotify:pending())
   end)

   describe("closed", function()
      it("answers every call with that, and closes twice", function()
         local inotify = assert(moonwatch.inotify())
         local watch = assert(inotify:add(dir, "create"))
         helper.write(dir .. "/a")
         inotify:close()
         inotify:close()
         local closed = { n = 3, nil, "closed", EPIPE }
         assert.same(closed, table.pack(inotify:get()))
         assert.same(closed, table.pack(inotify:get(0)))
         assert.same(closed, table.pack(inotify:read()))
         assert.same(closed, table.pack(inotify:read(1, 1)))
         assert.same(closed, table.pack(inotify:add(dir, "create")))
         assert.same(closed, table.pack(inotify:remove(watch)))
         assert.same(closed, table.pack(inotify:fileno()))
         assert.same(closed, table.pack(inotify:pending()))
         assert.same(closed, table.pack(inotify:pollfd()))
         assert.same(closed, table.pack(watch:update "delete"))
         assert.is_nil(inotify:find(dir))
         assert.is_nil(inotify:timeout())
         assert.equal("r", inotify:events())
         assert.equal(0, #inotify)
         for _ in inotify:each() do error "nothing is to come" end
         for _ in inotify:watches() do error "there are none" end
         assert.is_false(watch:remove())
         assert.is_false(watch.active)
         assert.equal(dir, watch.path)
         assert.equal("moonwatch.inotify (closed)", tostring(inotify))
         assert.is_string(tostring(watch))
      end)

      it("under a waiter ends the wait", function()
         local inotify = assert(moonwatch.inotify())
         local results = run(function()
            local tasks = {
               moonwatch.spawn(function() return inotify:get() end),
               moonwatch.spawn(function() return inotify:read(100, 1) end),
               moonwatch.spawn(function()
                  for _ in inotify:each() do error "nothing is to come" end
                  return "ended"
               end),
            }
            moonwatch.sleep(0)
            inotify:close()
            local list = {}
            for i, task in ipairs(tasks) do list[i] = table.pack(task:join(10)) end
            return list
         end)
         assert.same({ { n = 4, true, nil, "closed", EPIPE }, { n = 4, true, nil, "closed", EPIPE },
            { n = 2, true, "ended" } }, results)
      end)

      it("at the end of its scope", function()
         local fd
         do
            local inotify <close> = assert(moonwatch.inotify())
            fd = inotify:fileno()
            assert.is_truthy(lfs.symlinkattributes("/proc/self/fd/" .. fd))
         end
         assert.is_nil(lfs.symlinkattributes("/proc/self/fd/" .. fd))
      end)
   end)

   it("leaves no descriptor behind when it is dropped, a thousand times", function()
      collectgarbage()
      local before = #helper.descriptors()
      for i = 1, 1000 do
         local inotify = assert(moonwatch.inotify())
         -- The kernel takes its time to close one that has watches.
         if i % 20 == 0 then assert(inotify:add(dir, "create")) end
         inotify:pollfd()
         if i % 10 == 0 then collectgarbage() end -- a user may have 128 of them
      end
      collectgarbage()
      collectgarbage()
      assert.equal(before, #helper.descriptors())
   end)

   it("keeps a watch that nobody holds, and is kept by none", function()
      local inotify = open()
      inotify:add(dir, "create")
      collectgarbage()
      collectgarbage()
      helper.write(dir .. "/a")
      assert.equal("a", inotify:get(0).name)
      local weak = setmetatable({ assert(moonwatch.inotify()) }, { __mode = "v" })
      weak[1]:add(dir, "create")
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
   end)

   it("is not passed on to programs, unless asked for", function()
      local closed, inherited = open(), open { inheritable = true }
      closed:pollfd()
      inherited:pollfd()
      local function flags(fd)
         return tonumber(helper.read("/proc/self/fdinfo/" .. fd):match "flags:%s*(%d+)", 8)
      end
      local CLOEXEC, NONBLOCK = 524288, 2048
      assert.equal(CLOEXEC | NONBLOCK, flags(closed:fileno()) & (CLOEXEC | NONBLOCK))
      assert.equal(NONBLOCK, flags(inherited:fileno()) & (CLOEXEC | NONBLOCK))
      assert.equal(CLOEXEC, flags(closed:pollfd()) & CLOEXEC)
   end)

   it("opens nothing before it is made", function()
      local result = helper.run({ helper.interpreter, helper.program [[
         local helper = require "support.helper"
         local function count() return #helper.descriptors() end
         local before = count()
         local moonwatch = require "moonwatch.core"
         io.write(count() - before, " ")
         local inotify = moonwatch.inotify()
         io.write(count() - before, " ")
         inotify:get(0)
         inotify:close()
      ]] })
      assert.same({ "0 1 ", "" }, { result.out, result.err })
   end)

   it("speaks the polling protocol by a descriptor of its own", function()
      local inotify = open()
      assert(inotify:add(dir, "create"))
      local fd = inotify:pollfd()
      assert.is_true(fd ~= inotify:fileno())
      assert.equal(fd, inotify:pollfd())
      assert.equal("r", inotify:events())
      assert.is_nil(inotify:timeout())
      helper.write(dir .. "/a")
      helper.write(dir .. "/b")
      assert.is_nil(inotify:timeout())
      inotify:get(0)
      assert.equal(0, inotify:timeout())
      inotify:get(0)
      assert.is_nil(inotify:timeout())
   end)

   it("coalesces what repeats within a read, but not over a new thing of that name", function()
      local inotify = open { coalesce = true }
      assert(inotify:add(dir, "create delete modify close_write open attrib"))
      for _ = 1, 3 do
         helper.append(dir .. "/a", "x")
         helper.append(dir .. "/b", "x")
      end
      assert.same({ "create a", "open a", "modify a", "close_write a", "create b", "open b", "modify b",
         "close_write b" }, all(inotify))
      helper.append(dir .. "/a", "x")
      helper.remove(dir .. "/a")
      helper.append(dir .. "/a", "x")
      assert.same({ "open a", "modify a", "close_write a", "delete a", "create a", "open a", "modify a",
         "close_write a" }, all(inotify))
      helper.append(dir .. "/a", "x")
      assert.same({ "open a", "modify a", "close_write a" }, all(inotify))
   end)

   describe("handlers", function()
      it("are handed their events, and the others are not", function()
         local inotify = open()
         local sub = helper.mkdir(dir .. "/sub")
         local seen = {}
         local watch = assert(inotify:add(dir, "create", function(event) seen[#seen + 1] = event end))
         local other = assert(inotify:add(sub, "create"))
         helper.write(dir .. "/a")
         helper.write(sub .. "/b")
         helper.write(dir .. "/c")
         helper.eventually(function() return #seen == 2 end)
         assert.same({ "create a", "create c" }, told(seen))
         assert.equal(watch, seen[1].watch)
         local events = inotify:read(0)
         assert.same({ "create b" }, told(events))
         assert.equal(other, events[1].watch)
         watch:remove()
         helper.eventually(function() return #seen == 3 end)
         assert.equal("ignored", seen[3].op)
      end)

      it("may raise, and the next event is handled", function()
         local inotify = open()
         local seen, errors = {}, {}
         moonwatch.on_error(function(message) errors[#errors + 1] = message end)
         finally(function() moonwatch.on_error(nil) end)
         assert(inotify:add(dir, "create", function(event)
            seen[#seen + 1] = event.name
            if event.name == "1" then error "oops" end
         end))
         for i = 1, 3 do helper.write(dir .. "/" .. i) end
         helper.eventually(function() return #seen == 3 and #errors == 1 end)
         assert.same({ "1", "2", "3" }, seen)
         assert.matches("oops", errors[1])
      end)

      it("may wait, and do not hold up the others", function()
         local inotify = open()
         local seen = {}
         assert(inotify:add(dir, "create", function(event)
            while event.name == "1" and #seen < 2 do moonwatch.sleep(0.001) end
            seen[#seen + 1] = event.name
         end))
         for i = 1, 3 do helper.write(dir .. "/" .. i) end
         helper.eventually(function() return #seen == 3 end)
         assert.same({ "2", "3", "1" }, seen)
      end)

      it("may remove their own watch, and then let run end", function()
         local inotify = open()
         local seen = {}
         assert(inotify:add(dir, "create", function(event)
            seen[#seen + 1] = event.op
            if event.create then event.watch:remove() end
         end))
         helper.write(dir .. "/a")
         moonwatch.run()
         assert.same({ "create", "ignored" }, seen)
      end)

      it("may stop the loop, and close the object", function()
         local inotify = open()
         local seen = {}
         assert(inotify:add(dir, "create", function(event)
            seen[#seen + 1] = event.name
            moonwatch.stop()
         end))
         helper.write(dir .. "/a")
         moonwatch.run()
         assert.same({ "a" }, seen)
         assert(inotify:add(dir, "delete", function() inotify:close() end))
         helper.remove(dir .. "/a")
         moonwatch.run()
         assert.equal("moonwatch.inotify (closed)", tostring(inotify))
      end)

      it("keep their object alive", function()
         local seen = {}
         assert(assert(moonwatch.inotify()):add(dir, "create oneshot", function(event) seen[#seen + 1] = event.op end))
         collectgarbage()
         collectgarbage()
         helper.write(dir .. "/a")
         helper.eventually(function() return #seen == 2 end)
         assert.same({ "create", "ignored" }, seen)
      end)

      it("are told of an overflow", function()
         local limit = moonwatch.limits().max_queued_events
         if limit > 100000 then return pending "the queue is too long here" end
         local inotify = open()
         local count, overflow = 0, 0
         helper.write(dir .. "/1")
         assert(inotify:add(dir, "move", function(event)
            if event.q_overflow then overflow = overflow + 1 else count = count + 1 end
         end))
         for i = 1, limit // 2 + 10 do os.rename(dir .. "/" .. i, dir .. "/" .. i + 1) end
         helper.eventually(function() return overflow == 1 end)
         assert.equal(limit, count)
      end)

      it("share an inode with readers", function()
         local inotify = open()
         local seen = {}
         local one = assert(inotify:add(dir, "create", function(event) seen[#seen + 1] = event end))
         local two = assert(inotify:add(dir, "create"))
         local three = assert(inotify:add(dir, "create", function(event) seen[#seen + 1] = event end))
         helper.write(dir .. "/a")
         local event = inotify:get(10)
         assert.equal(two, event.watch)
         helper.eventually(function() return #seen == 2 end)
         assert.same({ one, three }, { seen[1].watch, seen[2].watch })
         assert.is_nil((inotify:get(0)))
         helper.write(dir .. "/b")
         helper.eventually(function() return #seen == 4 end)
         assert.equal("b", inotify:get(0).name)
      end)

      it("wake a reader for what they have read", function()
         local inotify = open()
         local sub = helper.mkdir(dir .. "/sub")
         assert(inotify:add(dir, "create", function() end))
         assert(inotify:add(sub, "create"))
         local name = run(function()
            moonwatch.spawn(function()
               moonwatch.sleep(0.01)
               helper.write(dir .. "/a")
               helper.write(sub .. "/b")
            end)
            return inotify:get(10).name
         end)
         assert.equal("b", name)
      end)
   end)

   it("takes hostile names as they are", function()
      local inotify = open()
      assert(inotify:add(dir, "create"))
      local names = { "a\nb", "-rf", "%s%n", "\255\254", " ", "tab\t", "'\"$(touch x);", ("x"):rep(255), "\u{202e}" }
      for _, name in ipairs(names) do helper.write(dir .. "/" .. name) end
      for i, event in ipairs((inotify:read(0))) do
         assert.equal(names[i], event.name)
         assert.equal(dir .. "/" .. names[i], event.path)
         assert.is_nil(tostring(event):find "[%c\128-\255]")
      end
   end)

   it("joins paths without doubled slashes", function()
      local inotify = open()
      assert(inotify:add(dir .. "/", "create"))
      helper.write(dir .. "/a")
      assert.equal(dir .. "/a", inotify:get(0).path)
   end)

   it("takes paths of any length", function()
      local inotify = open()
      local deep = dir .. ("/" .. ("d"):rep(200)):rep(10)
      helper.mkdir(deep)
      local watch = assert(inotify:add(deep, "create"))
      helper.write(deep .. "/" .. ("x"):rep(255))
      local event = inotify:get(0)
      assert.equal(deep .. "/" .. ("x"):rep(255), event.path)
      assert.equal(deep, watch.path)
   end)

   it("raises misuse at the user's line", function()
      local inotify = open()
      local other = open()
      local watch = assert(other:add(dir, "create"))
      assert.equal("unknown option 'coalesc' of moonwatch.inotify; did you mean 'coalesce'?",
         misuse(moonwatch.inotify, { coalesc = true }))
      assert.equal("unknown option 'x' of moonwatch.inotify: there are 'inheritable' and 'coalesce'",
         misuse(moonwatch.inotify, { x = true }))
      assert.equal("option 'coalesce' of moonwatch.inotify is true or false, not a number",
         misuse(moonwatch.inotify, { coalesce = 1 }))
      assert.equal("the options of moonwatch.inotify have names, not 1", misuse(moonwatch.inotify, { "coalesce" }))
      assert.equal("moonwatch.inotify takes a table of options, not a string", misuse(moonwatch.inotify, "x"))
      assert.equal("unknown event name 'creat' in a mask; did you mean 'create'?",
         misuse(function() return (inotify:add(dir, "creat")) end))
      assert.equal("a handler is a function, not a string",
         misuse(function() return (inotify:add(dir, "create", "x")) end))
      assert.equal("this watch belongs to another inotify object",
         misuse(function() return (inotify:remove(watch)) end))
      assert.equal("a watch, its descriptor or its path expected, got boolean",
         misuse(function() return (inotify:remove(true)) end))
      misuse(function() return (inotify:add("a\0b", "create")) end)
      misuse(function() return (inotify:add(nil, "create")) end)
      misuse(function() return (inotify:find(nil)) end)
      misuse(function() return (inotify:get "x") end)
      misuse(function() return (inotify:get(-1)) end)
      misuse(function() return (inotify:read(0, "x")) end)
      misuse(function() return (inotify:each {}) end)
      misuse(function() return (inotify.get(watch)) end)
      misuse(function() return (watch.update(inotify, "create")) end)
      misuse(function() return (inotify.close {}) end)
   end)
end)

describe("memory that runs out under an inotify object", function()
   it("is survived wherever it happens", function()
      local result = helper.run({ helper.build .. "/spec/bind/bind_driver", "starve", [[
         local dir = os.getenv "FOLDER"
         local function touch(name) io.open(dir .. "/" .. name, "w"):close() os.remove(dir .. "/" .. name) end
         moonwatch.on_error(function() end)
         local inotify = moonwatch.inotify { coalesce = true }
         local seen = {}
         local one = inotify:add(dir, "create")
         local two = inotify:add(dir, { "delete", "close_write" })
         local three = inotify:add(dir, "create oneshot")
         local four = inotify:add(dir .. "/.", "create delete", function(event) seen[#seen + 1] = tostring(event) end)
         touch "a"
         for event in inotify:each(0) do seen[#seen + 1] = event.path .. tostring(event) .. #event.names end
         touch "b"
         two:update "create delete"
         one:remove()
         touch "c"
         for _, event in ipairs(inotify:read(0, 0.1)) do event:table() end
         moonwatch.spawn(function() touch "d" end)
         inotify:read(1, 0.001)
         for watch in inotify:watches() do inotify:find(watch.path) end
         inotify:remove(two.wd)
         inotify:read(0)
         moonwatch.parse(("\1"):rep(12) .. "\16\0\0\0" .. ("x"):rep(16))
         inotify:add("/nonexistent", "create")
         moonwatch.limits()
         inotify:close()
      ]] }, { env = { FOLDER = helper.folder() } })
      assert.same({ "survived many\n", 0 }, { result.out, result.status })
   end)
end)

describe("moonwatch.parse", function()
   local function record(wd, mask, cookie, name, padding)
      local padded = name and name .. ("\0"):rep(padding or 16 - #name % 16) or ""
      return string.pack("=i4I4I4I4", wd, mask, cookie, #padded) .. padded
   end

   it("gives the events of raw bytes", function()
      assert.same({}, moonwatch.parse "")
      local events = moonwatch.parse(record(1, 0x100, 0, "a") .. record(2, 0x40000200, 7, ("x"):rep(255))
         .. record(-1, 0x4000, 0) .. record(3, 0x2, 0))
      assert.same({ "create a", "delete " .. ("x"):rep(255) .. "/", "q_overflow", "modify" }, told(events))
      assert.equal(7, events[2].cookie)
   end)

   it("never reads past the end", function()
      local whole = record(1, 0x100, 0, "name") .. record(1, 0x200, 0, "name")
      for length = 1, #whole - 1 do
         local events, message, code = moonwatch.parse(whole:sub(1, length))
         if length == 32 then
            assert.equal(1, #events)
         else
            assert.is_nil(events)
            assert.equal(("truncated record at byte %d of %d"):format(length < 32 and 1 or 33, length), message)
            assert.equal(74, code)
         end
      end
      assert.is_nil((moonwatch.parse(string.pack("=i4I4I4I4", 1, 1, 1, 0xffffffff))))
      assert.is_nil((moonwatch.parse(string.pack("=i4I4I4I4", 1, 1, 1, 17) .. ("x"):rep(16))))
   end)

   it("takes names without padding or end", function()
      assert.equal(("x"):rep(16), moonwatch.parse(record(1, 0x100, 0, ("x"):rep(16), 0))[1].name)
      assert.is_nil(moonwatch.parse(record(1, 0x100, 0, "", 16))[1].name)
   end)

   it("survives random bytes", function()
      math.randomseed(4711)
      for _ = 1, 2000 do
         local bytes = {}
         for i = 1, math.random(0, 80) do bytes[i] = string.char(math.random(0, 3) == 0 and math.random(0, 255) or 0) end
         local events, message = moonwatch.parse(table.concat(bytes))
         if events then
            for _, event in ipairs(events) do
               assert.is_string(tostring(event))
               event:table()
            end
         else
            assert.is_string(message)
         end
      end
   end)

   it("takes strings alone", function()
      assert.equal("moonwatch.parse takes a string of bytes, not a missing value", misuse(moonwatch.parse))
      assert.equal("moonwatch.parse takes a string of bytes, not a table", misuse(moonwatch.parse, {}))
   end)
end)
