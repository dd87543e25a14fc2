-- SPDX-License-Identifier: MIT
--
-- run.lua - runs all spec files, each in a process of its own, a few at a time, and adds up.
--
--    BUILD=build LUA=lua5.4 lua5.4 spec/support/run.lua [-j JOBS] [spec file or folder ...]
--
-- A process that crashes or hangs (SPEC_SECONDS, default 300) counts as one failure and hides no other file. The output
-- of a file is shown when something failed in it and is kept in BUILD/spec. The last line is "N passed, N failed[, N skipped]".

local lfs = require "lfs"

local build = os.getenv("BUILD") or "build"
local interpreter = os.getenv("LUA") or "lua5.4"
local seconds = os.getenv("SPEC_SECONDS") or "300"
local logs = build .. "/spec"

local function quote(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function find_specs(path, found)
   if lfs.attributes(path, "mode") ~= "directory" then
      found[#found + 1] = path
      return
   end
   for name in lfs.dir(path) do
      local full = path .. "/" .. name
      if name:sub(1, 1) ~= "." and (name:find "_spec%.lua$" or lfs.attributes(full, "mode") == "directory") then
         find_specs(full, found)
      end
   end
end

local function read(path)
   local file = io.open(path, "rb")
   if not file then return nil end
   local text = file:read("a")
   file:close()
   return text
end

local function parse_arguments()
   local jobs, specs, index = 2, {}, 1
   while arg[index] do
      if arg[index] == "-j" then
         jobs = tonumber(arg[index + 1]) or 2
         index = index + 1
      else
         find_specs(arg[index], specs)
      end
      index = index + 1
   end
   if #specs == 0 then find_specs("spec", specs) end
   table.sort(specs)
   return jobs, specs
end

-- One spec file, as a line of shell for xargs: prints "STATUS SPEC" when it has ended.
local one = table.concat({
   [[out="$LOGS/$(printf %s "$1" | tr / _)"; rm -f "$out.counts"]],
   [[COUNTS="$out.counts" timeout -k 5 "$SECONDS_EACH" "$INTERPRETER" spec/support/busted.lua "$1" </dev/null >"$out.log" 2>&1]],
   [[echo "$? $1"]],
}, "\n")

local function start(jobs, specs)
   os.execute("mkdir -p " .. quote(logs))
   local list = logs .. "/list"
   local file = assert(io.open(list, "wb"))
   file:write(table.concat(specs, "\0"), #specs > 0 and "\0" or "")
   file:close()
   local environment = ("BUILD=%s LOGS=%s SECONDS_EACH=%s INTERPRETER=%s LUA=%s"):format(
      quote(build), quote(logs), seconds, quote(interpreter), quote(interpreter))
   return assert(io.popen(("%s xargs -r -0 -P %d -n 1 sh -c %s spec <%s"):format(
      environment, jobs, quote(one), quote(list))))
end

local function outcome(status, spec)
   local base = logs .. "/" .. spec:gsub("/", "_")
   local passed, failed, skipped = (read(base .. ".counts") or ""):match "^(%d+) (%d+) (%d+)"
   local result = {
      passed = tonumber(passed) or 0,
      failed = tonumber(failed) or 0,
      skipped = tonumber(skipped) or 0,
      output = read(base .. ".log") or "",
   }
   if status == 124 or status == 137 then
      result.died = "took longer than " .. seconds .. " s"
   elseif not passed or (status ~= 0 and result.failed == 0) then
      result.died = "ended with status " .. status .. " before its end"
   end
   if result.died then result.failed = result.failed + 1 end
   return result
end

local jobs, specs = parse_arguments()
local total = { passed = 0, failed = 0, skipped = 0 }
local bad = {}

for line in start(jobs, specs):lines() do
   local status, spec = line:match "^(%d+) (.*)$"
   local result = outcome(tonumber(status), spec)
   for key in pairs(total) do total[key] = total[key] + result[key] end
   print(("%-6s %3d passed %s  %s"):format(result.failed > 0 and "FAILED" or "ok", result.passed,
      result.skipped > 0 and result.skipped .. " skipped" or "", spec))
   if result.failed > 0 or result.skipped > 0 then io.write("   ", (result.output:gsub("\n(.)", "\n   %1"))) end
   if result.died then print("   " .. spec .. " " .. result.died) end
   if result.failed > 0 then bad[#bad + 1] = spec end
   io.flush()
end

if #bad > 0 then print("failed in: " .. table.concat(bad, " ")) end
print(("%d passed, %d failed%s"):format(total.passed, total.failed,
   total.skipped > 0 and (", %d skipped"):format(total.skipped) or ""))
os.exit(total.failed == 0 and 0 or 1)
