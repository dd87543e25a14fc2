-- SPDX-License-Identifier: MIT
--
-- spawn_spec.lua - starting, signalling and reaping commands, below loop and Lua.

local helper = require "support.helper"

local driver = helper.build .. "/spec/core/spawn_driver"

local function show(...)
   local result = helper.run { driver, ... }
   assert.equal(0, result.status, result.err)
   return result.out, result.err
end

local function sh(script)
   return "sh", "-c", script
end

describe("a command", function()
   it("gives its exit code", function()
      assert.equal("code 3\n", (show("run", sh "exit 3")))
   end)

   it("gives the signal that killed it", function()
      assert.equal("signal SEGV\n", (show("run", sh "kill -SEGV $$")))
   end)

   it("gets its words untouched", function()
      local out = show("run", "printf", "[%s]", "$(touch x)", "; rm x", "-rf", "a\nb", "'\"", "")
      assert.equal("[$(touch x)][; rm x][-rf][a\nb]['\"][]code 0\n", out)
   end)

   it("is the leader of a group of its own", function()
      assert.equal("yes\ncode 0\n", (show("run", sh "[ $$ = $(ps -o pgid= $$) ] && echo yes")))
   end)

   it("that is not there is refused", function()
      assert.equal("failed in exec: No such file or directory\n", (show("run", "no-such-command")))
      assert.equal("failed in exec: No such file or directory\n", (show("run", "/no/such/command")))
   end)

   it("that may not be run is refused, wherever it lies in the search path", function()
      local dir = helper.folder()
      helper.write(dir .. "/tool", "text")
      assert.equal("failed in exec: Permission denied\n", (show("run", dir .. "/tool")))
      local result = helper.run({ driver, "run", "tool" }, { env = { PATH = dir .. ":/usr/bin:/bin" } })
      assert.equal("failed in exec: Permission denied\n", result.out)
   end)

   it("is found behind one of the same name that may not be run", function()
      local dir = helper.folder()
      helper.write(dir .. "/true", "text")
      local result = helper.run({ driver, "run", "true" }, { env = { PATH = dir .. ":/usr/bin:/bin" } })
      assert.equal("code 0\n", result.out)
   end)

   it("without a format the kernel knows is not given to a shell", function()
      local dir = helper.folder()
      helper.write(dir .. "/script", "echo hello")
      os.execute("chmod +x " .. dir .. "/script")
      assert.equal("failed in exec: Exec format error\n", (show("run", dir .. "/script")))
   end)

   it("in a folder that is not there is refused", function()
      assert.equal("failed in cwd: No such file or directory\n", (show("missing_folder", "true")))
   end)
end)

describe("what a command inherits", function()
   it("is three descriptors and default signals", function()
      -- A pipe would be one descriptor more for a moment, and a shell blocks its signals while it starts a program.
      local out = show("much_open", sh [[ls -m /proc/$$/fd
         while read key value; do case $key in SigBlk:|SigIgn:) echo $key $value; esac; done </proc/$$/status]])
      assert.equal("0, 1, 2\nSigBlk: 0000000000000000\nSigIgn: 0000000000000000\ncode 0\n", out)
   end)

   it("is not a descriptor of ours that has the number of a standard one", function()
      local out = show("input_closed", sh "readlink /proc/self/fd/0")
      assert.equal("/dev/null\ncode 0\n", out)
   end)

   it("may be standard descriptors that have changed places", function()
      local out, err = show("crossed", sh "echo out; echo err >&2")
      assert.same({ "err\ncode 0\n", "out\n" }, { out, err })
   end)

   it("is the user's ids, groups and nothing of ours, where the rights allow", function()
      if helper.run { "id", "-u" }.out ~= "0\n" then return pending "needs root" end
      assert.equal("uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\ncode 0\n", (show("user", "nobody", "id")))
      assert.equal("daemon nogroup\ncode 0\n", (show("user", "daemon:nogroup", sh "echo $(id -un) $(id -gn)")))
      assert.equal("user: No such file or directory\n", (show("user", "no-such-user", "true")))
      assert.equal("user: No such file or directory\n", (show("user", "nobody:no-such-group", "true")))
   end)
end)

describe("the end of a command", function()
   it("that someone else has heard of gives no status", function()
      assert.equal("no status: No child processes\n", (show("taken", "true")))
   end)

   it("may leave a group, which can be ended afterwards", function()
      assert.equal("code 0\nlives\ngone\n", (show("leader_ends", sh "sleep 100 & exit 0")))
   end)
end)

describe("a guardian", function()
   it("gives the command's own status and leaves nothing of itself", function()
      assert.equal("code 7\n", (show("guarded_end", sh "exit 7")))
      assert.equal("failed in exec: No such file or directory\n", (show("guarded_end", "no-such-command")))
   end)

   it("ends what has left the group and lost its parent", function()
      local left = helper.folder() .. "/left"
      local out = show("guarded", left, sh(("setsid sh -c 'setsid sleep 100 & echo >%s; sleep 100' & sleep 100"):format(left)))
      assert.equal("signal TERM\ngone\nchildren: No child processes\n", out)
   end)
end)

describe("a pipe", function()
   it("that nobody reads refuses the write and kills nobody", function()
      assert.equal("Broken pipe\nBroken pipe\n", (show "broken_pipe"))
   end)
end)
