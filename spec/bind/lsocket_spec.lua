-- SPDX-License-Identifier: MIT
--
-- lsocket_spec.lua - places, connections, lines.

local core = require "moonwatch.core"
local helper = require "support.helper"
local moonwatch = require "moonwatch"

local errno = moonwatch.errno

-- Runs fn(dir, listener) in a task, with somebody who listens at dir/here.
local function with_listener(fn)
   local dir = helper.folder()
   moonwatch.run(function()
      local listener <close> = assert(core.listen(dir .. "/here"))
      fn(dir, listener)
   end)
end

-- Calls fn with both ends of a new connection.
local function with_connection(fn)
   with_listener(function(dir, listener)
      local client <close> = assert(core.connect(dir .. "/here"))
      local server <close> = assert(listener:get(10))
      fn(client, server, listener)
   end)
end

describe("a control socket", function()
   helper.leaves_nothing()

   it("carries lines both ways, each whole however it comes", function()
      with_connection(function(client, server, listener)
         assert.is_true(client:write "one\ntw")
         assert.equal("one", server:get(10))
         assert.same({ nil, "timeout", errno.ETIMEDOUT }, { server:get(0.01) })
         client:write "o\n\nx\0y\n"
         assert.same({ "two", "", "x\0y" }, { server:get(10), server:get(10), (server:get(10)) })
         server:write(("z"):rep(300000) .. "\n")
         assert.equal(300000, #client:get(10))
      end)
   end)

   it("knows who speaks to it", function()
      with_connection(function(client, server, listener)
         assert.equal(core.system.pid(), server:peer())
         assert.equal(0, client:peer())
      end)
   end)

   it("ends a wait when the other end closes, and when its own does", function()
      with_connection(function(client, server, listener)
         client:write "last"
         client:close()
         assert.equal("last", server:get(10))
         assert.same({ nil, "closed", errno.EPIPE }, { server:get(10) })
         local waiting = moonwatch.spawn(function() return listener:get() end)
         moonwatch.sleep(0)
         listener:close()
         assert.same({ true, nil, "closed", errno.EPIPE }, { waiting:join(10) })
         listener:close()
      end)
   end)

   it("does not wait for who does not read", function()
      with_connection(function(client, server, listener)
         local chunk, written, message, code = ("x"):rep(1 << 20), true, nil, nil
         for _ = 1, 20 do
            if written then written, message, code = server:write(chunk) end
         end
         assert.same({ nil, "connection: No buffer space available", errno.ENOBUFS }, { written, message, code })
      end)
   end)

   it("is one process's at a time, and free again afterwards", function()
      local dir = helper.folder()
      local listener = assert(core.listen(dir .. "/here"))
      helper.write(dir .. "/other.lua", ('print(require "moonwatch.core".listen(%q))'):format(dir .. "/here"))
      local other = helper.run { helper.interpreter, dir .. "/other.lua" }
      assert.equal(("nil\t%s/here: Address already in use\t%d\t%d\n"):format(dir, errno.EADDRINUSE, core.system.pid()), other.out)
      listener:close()
      assert.is_false(helper.exists(dir .. "/here"))
      assert.is_false(helper.exists(dir .. "/here.lock"))
      assert(core.listen(dir .. "/here")):close()
   end)

   it("refuses what cannot be a place", function()
      local dir = helper.folder()
      assert.same({ nil, dir .. "/none/here: No such file or directory", errno.ENOENT }, { core.listen(dir .. "/none/here") })
      local long = dir .. "/" .. ("x"):rep(120)
      assert.same({ nil, long .. ": File name too long", errno.ENAMETOOLONG }, { core.listen(long) })
      assert.same({ nil, long .. ": File name too long", errno.ENAMETOOLONG }, { core.connect(long) })
      assert.same({ nil, dir .. "/here: No such file or directory", errno.ENOENT }, { core.connect(dir .. "/here") })
      assert.same({ nil, dir .. "/here: No such file or directory", errno.ENOENT }, { core.send(dir .. "/here", "x") })
   end)
end)

describe("a pid file", function()
   helper.leaves_nothing()

   it("has this process's id while it is held", function()
      local path = helper.folder() .. "/pid"
      helper.write(path, "999999999\nstale and long\n")
      local file = assert(core.system.pid_file(path))
      assert.equal(core.system.pid() .. "\n", helper.read(path))
      file:close()
      assert.is_false(helper.exists(path))
      file:close()
   end)
end)
