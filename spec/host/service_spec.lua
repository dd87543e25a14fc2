-- SPDX-License-Identifier: MIT
--
-- service_spec.lua - the host as a service: notifications, background, pid files, users, trust, the journal, lost output.

local helper = require "support.helper"

local function folder(script)
   local dir = helper.folder()
   helper.mkdir(dir .. "/in")
   helper.mkdir(dir .. "/run")
   helper.write(dir .. "/rules.lua", script or 'rule "r" { watch = "in", settle = 0.02, run = { "echo", "ran" } }')
   return dir
end

local function options(dir, env)
   local all = { XDG_RUNTIME_DIR = dir .. "/run" }
   for name, value in pairs(env or {}) do all[name] = value end
   return { cwd = dir, env = all, timeout = 20 }
end

local function run(dir, ...)
   return helper.run({ helper.host, ... }, options(dir))
end

describe("a service manager", function()
   it("is told that the host is ready, loads anew, turns, and stops", function()
      local dir = folder()
      local mailbox = helper.start({ helper.build .. "/spec/host/notify_driver", dir .. "/notify" })
      mailbox:wait_for "listening\n"
      local program = helper.start({ helper.host, "rules.lua" },
         options(dir, { NOTIFY_SOCKET = dir .. "/notify", WATCHDOG_USEC = "100000" }))
      mailbox:wait_for("READY=1|MAINPID=" .. program.pid .. "|STATUS=watching 1 directory for 1 rule\n")
      mailbox:wait_for "WATCHDOG=1\nWATCHDOG=1\n"
      program:signal "HUP"
      mailbox:wait_for "RELOADING=1|MONOTONIC_USEC=%d+\n.*READY=1"
      program:signal "TERM"
      mailbox:wait_for "STOPPING=1"
      assert.equal(0, program:wait().status)
   end)

   it("is not patted for a watchdog of another process", function()
      local dir = folder()
      local mailbox = helper.start({ helper.build .. "/spec/host/notify_driver", dir .. "/notify" })
      mailbox:wait_for "listening\n"
      local program = helper.start({ helper.host, "rules.lua" },
         options(dir, { NOTIFY_SOCKET = dir .. "/notify", WATCHDOG_USEC = "10000", WATCHDOG_PID = "1" }))
      mailbox:wait_for "READY=1"
      program:signal "TERM"
      mailbox:wait_for "STOPPING=1"
      assert.is_nil(mailbox:out():find "WATCHDOG")
   end)

   it("is nobody's business but ours", function()
      local dir = folder 'rule "r" { watch = "in", start = true, run = { "sh", "-c", "echo told:$NOTIFY_SOCKET" } }'
      local result = helper.run({ helper.host, "--once", "rules.lua" }, options(dir, { NOTIFY_SOCKET = dir .. "/none" }))
      assert.equal("told:\n", result.out)
   end)
end)

describe("--daemon", function()
   it("comes back once all is watched, with the host behind in a session of its own", function()
      local dir = folder()
      local result = run(dir, "run", "--daemon", "--pid-file", "pid", "rules.lua")
      assert.equal(0, result.status)
      assert.matches("^moonwatch: watching 1 directory for 1 rule\n", result.err)
      local pid = tonumber(helper.read(dir .. "/pid"))
      assert.equal(0, run(dir, "wait").status)
      local stat = helper.read(("/proc/%d/stat"):format(pid))
      local session, terminal = stat:match "^%d+ %b() %a %d+ %d+ (%d+) (%d+)"
      assert.not_equal(tostring(pid), session)
      assert.equal("0", terminal)
      helper.write(dir .. "/in/a", "")
      assert.equal(0, run(dir, "stop").status)
      assert.is_false(helper.exists(dir .. "/pid"))
   end)

   it("takes the status of a host that did not come up", function()
      local dir = folder "rule"
      local result = run(dir, "run", "--daemon", "rules.lua")
      assert.equal(2, result.status)
      assert.matches("^moonwatch: rules%.lua:1: ", result.err)
   end)
end)

describe("--pid-file", function()
   it("is held, and goes with the host", function()
      local dir = folder()
      local program = helper.start({ helper.host, "--pid-file", "pid", "rules.lua" }, options(dir))
      program:wait_for "watching"
      assert.equal(program.pid .. "\n", helper.read(dir .. "/pid"))
      helper.write(dir .. "/other.lua", "")
      assert.same({ status = 1, out = "", err = ("moonwatch: pid: held by process %d, which is at work\n"):format(program.pid) },
         run(dir, "run", "--pid-file", "pid", "other.lua"))
      program:signal "TERM"
      program:wait()
      assert.is_false(helper.exists(dir .. "/pid"))
   end)

   it("is taken over where its host is gone", function()
      local dir = folder()
      helper.write(dir .. "/pid", "1\n")
      local program = helper.start({ helper.host, "--pid-file", "pid", "rules.lua" }, options(dir))
      program:wait_for "watching"
      assert.equal(program.pid .. "\n", helper.read(dir .. "/pid"))
   end)
end)

describe("a host that was killed", function()
   it("leaves socket, pid file and commands to others; the next one looks at all that is there", function()
      local dir = folder [[
         rule "r" { watch = "in", start = true, settle = 0.02, each = { "echo", "saw", "{name}" } }
         rule "long" { watch = "run", start = true, run = { "sh", "-c", "echo pid $$; exec sleep 60" } }]]
      local function start()
         return helper.start({ helper.host, "--pid-file", "pid", "--socket", dir .. "/here", "rules.lua" }, options(dir))
      end
      helper.write(dir .. "/in/a", "")
      local first = start()
      first:wait_for "saw a\n"
      local child = first:wait_for "pid (%d+)\n"
      helper.at_end(function() os.execute("kill -KILL " .. child .. " 2>/dev/null") end)
      first:kill()
      assert.equal(first.pid .. "\n", helper.read(dir .. "/pid"))
      assert.is_true(helper.exists("/proc/" .. child .. "/cwd"))
      helper.write(dir .. "/in/b", "")
      helper.remove(dir .. "/in/a")
      helper.mkdir(dir .. "/in/sub")
      helper.write(dir .. "/in/sub/c", "")
      local second = start()
      second:wait_for "watching 3 directories for 2 rules\n"
      assert.equal(second.pid .. "\n", helper.read(dir .. "/pid"))
      helper.put(dir .. "/in/sub/d")
      assert.equal(0, run(dir, "wait", "r", "--socket", "here").status)
      local seen = {}
      for name in second:out():gmatch "saw (%w+)\n" do seen[name] = (seen[name] or 0) + 1 end
      assert.same({ b = 1, c = 1, d = 1 }, seen)
      assert.equal(0, run(dir, "stop", "--socket", "here").status)
      assert.equal(0, second:wait().status)
      assert.is_false(helper.exists(dir .. "/pid"))
      assert.is_false(helper.exists(dir .. "/here"))
   end)
end)

describe("--user", function()
   it("drops all rights before a script runs", function()
      if not helper.is_root() then return pending "needs root" end
      local dir = folder()
      local result = run(dir, "--user", "nobody", "-e", [[
         print(io.open("/etc/shadow") == nil, os.getenv "HOME")
         print((io.open "/proc/self/status":read "a":match "\nGroups:%s*([%d ]*)"))]])
      assert.equal(0, result.status)
      assert.matches("^true\t/nonexistent\n65534 ?\n$", result.out)
   end)

   it("leaves the socket to those who have started the host", function()
      if not helper.is_root() then return pending "needs root" end
      local dir = folder 'print((io.open "/proc/self/status":read "a":match "\\nUid:%s*(%d+)")) io.stdout:flush()'
      os.execute("chmod 700 " .. helper.quote(dir .. "/run"))
      local program = helper.start({ helper.host, "--user", "nobody", "--socket", "run/here", "rules.lua" }, options(dir))
      program:wait_for "watching"
      assert.equal("65534\n", program:out())
      assert.equal(0, run(dir, "status", "--socket", "run/here").status)
      assert.equal(0, run(dir, "stop", "--socket", "run/here").status)
   end)

   it("refuses a user that is not there", function()
      assert.same({ status = 1, out = "", err = "moonwatch: nosuchuser: no such user or group\n" },
         run(folder(), "--user", "nosuchuser", "rules.lua"))
      assert.same({ status = 1, out = "", err = "moonwatch: nobody:nosuchgroup: no such user or group\n" },
         run(folder(), "--user", "nobody:nosuchgroup", "rules.lua"))
   end)

   it("is refused to whoever has not the right", function()
      local before = helper.unprivileged()
      if not before then return pending "needs another user" end
      local words = table.move({ helper.host, "--no-socket", "--user", "root", "-e", "print 'no'" }, 1, 6, #before + 1, before)
      assert.same({ status = 1, out = "", err = "moonwatch: root: Operation not permitted\n" }, helper.run(words))
   end)
end)

describe("as root", function()
   it("a script that others may write is refused, also at a reload", function()
      if not helper.is_root() then return pending "needs root" end
      local dir = folder()
      os.execute("chmod 666 " .. helper.quote(dir .. "/rules.lua"))
      local refusal = "rules.lua: refused, since we are root and others may write to it"
      assert.same({ status = 1, out = "", err = "moonwatch: " .. refusal .. "\n" }, run(dir, "rules.lua"))
      os.execute("chmod 644 " .. helper.quote(dir .. "/rules.lua"))
      local program = helper.start({ helper.host, "rules.lua" }, options(dir))
      program:wait_for "watching"
      os.execute("chmod 666 " .. helper.quote(dir .. "/rules.lua"))
      local result = run(dir, "reload")
      assert.equal(1, result.status)
      assert.equal("moonwatch: " .. refusal .. "\n", result.err)
   end)

   it("a script that another group may write is refused, and so is one of a folder of scripts", function()
      if not helper.is_root() then return pending "needs root" end
      local dir = folder()
      os.execute("chgrp nogroup " .. helper.quote(dir .. "/rules.lua"))
      os.execute("chmod 664 " .. helper.quote(dir .. "/rules.lua"))
      local refusal = "moonwatch: %s: refused, since we are root and %s may write to it\n"
      assert.same({ status = 1, out = "", err = refusal:format("rules.lua", "its group") }, run(dir, "rules.lua"))
      helper.write(dir .. "/d/x.lua", "")
      os.execute("chmod 666 " .. helper.quote(dir .. "/d/x.lua"))
      for _, command in ipairs { "run", "check" } do
         assert.same({ status = 1, out = "", err = refusal:format("d/x.lua", "others") }, run(dir, command, "d"))
      end
   end)

   it("a script of another user's is refused, and so is one in a folder that others may write", function()
      if not helper.is_root() then return pending "needs root" end
      local dir = folder()
      os.execute("chown nobody " .. helper.quote(dir .. "/rules.lua"))
      assert.matches("rules%.lua: refused, since we are root and it belongs to another user\n", run(dir, "rules.lua").err)
      os.execute("chown root " .. helper.quote(dir .. "/rules.lua"))
      os.execute("chmod 777 " .. helper.quote(dir))
      assert.matches("%.: refused, since we are root and others may write to it\n", run(dir, "rules.lua").err)
   end)
end)

describe("the log", function()
   it("has priorities and no time where the journal reads it", function()
      local dir = folder 'log.warn "two\\nlines" log.error "bad"'
      local result = helper.run({ helper.host, "--once", "rules.lua" }, options(dir, { JOURNAL_STREAM = "1:2" }))
      assert.equal("<4>two\n<4>   lines\n<3>bad\n<6>watching 0 directories for 0 rules\n", result.err)
   end)

   it("does not repeat one message without end", function()
      local dir = folder 'for _ = 1, 1000 do log.error "again" end log.error "else"'
      local err = run(dir, "--once", "rules.lua").err
      assert.equal(20, select(2, err:gsub("again\n", "")))
      assert.matches("moonwatch: the last message came 980 times more\n[^\n]* else\n", err)
   end)

   it("stops nothing when it cannot be written", function()
      local dir = folder 'log.error "lost" rule "r" { watch = "in", settle = 0.02, each = { "cp", "{path}", "out" } }'
      local program = helper.start({ "sh", "-c", 'exec "$0" rules.lua 2>/dev/full', helper.host }, options(dir))
      helper.eventually(function() return run(dir, "status").status == 0 end)
      helper.write(dir .. "/in/a", "x")
      helper.eventually(function() return helper.exists(dir .. "/out") end)
      program:signal "TERM"
      assert.equal(0, program:wait().status)
   end)

   it("stops nothing when nobody reads it any more", function()
      local dir = folder 'rule "r" { watch = "in", settle = 0.02, each = { "cp", "{path}", "out" } }'
      local program = helper.start({ "sh", "-c", '"$0" rules.lua 2>&1 & echo $! >host; wait', helper.host }, options(dir))
      program:wait_for "watching"
      local pid = helper.read(dir .. "/host"):match "%d+"
      helper.write(dir .. "/in/a", "x")
      helper.eventually(function() return helper.exists(dir .. "/out") end)
      os.execute("kill " .. pid)
      program:wait()
   end)
end)

describe("standard output", function()
   it("that cannot be written is told once, and stops nothing", function()
      local dir = folder [[print "lost"
         rule "r" { watch = "in", settle = 0.02, each = function(change)
            print(change.name)
            exec { "cp", change.path, "out" }
         end }]]
      local program = helper.start({ "sh", "-c", 'exec "$0" rules.lua >/dev/full', helper.host }, options(dir))
      program:wait_for "watching"
      helper.write(dir .. "/in/a", "x")
      helper.eventually(function() return helper.exists(dir .. "/out") end)
      program:signal "TERM"
      local result = program:wait()
      assert.equal(0, result.status)
      assert.equal(1, select(2, result.err:gsub("what scripts print is lost: standard output: No space left on device\n", "")))
   end)
end)

describe("a terminal that goes away", function()
   it("ends the host politely", function()
      local dir = folder 'rule "r" { watch = "in", run = { "true" } }'
      local line = ('exec %s --pid-file pid rules.lua'):format(helper.quote(helper.host))
      local program = helper.start({ "script", "-qefc", line, "/dev/null" }, options(dir))
      program:wait_for "watching"
      local pid = helper.read(dir .. "/pid"):match "%d+"
      program:signal "KILL"
      helper.eventually(function() return not helper.exists(dir .. "/pid") end)
      helper.eventually(function() return not helper.exists("/proc/" .. pid .. "/cwd") end)
   end)
end)
