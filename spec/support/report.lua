-- SPDX-License-Identifier: MIT
--
-- report.lua - what a run of busted prints: a line per failure or skipped spec, and the counts.
--
-- With COUNTS in the environment the counts also go into that file, as "passed failed skipped": run.lua reads it, and a
-- spec process that died before it wrote them is seen by its absence.

return function(options)
   local busted = require "busted"
   local handler = require "busted.outputHandlers.base" ()
   local slowest = { seconds = 1 }

   local function describe(kind, item)
      local trace = item.element.trace or item.trace or {}
      local message = item.message or ""
      if type(message) ~= "string" then message = require "pl.pretty".write(message) end
      print(("%s: %s\n   %s:%s: %s"):format(kind, item.name, trace.short_src or "?", trace.currentline or "?",
         (message:gsub("\n", "\n   "))))
      if options.verbose and item.trace and item.trace.traceback then print(item.trace.traceback) end
      io.flush()
   end

   local function test_end(element, _, status)
      local seconds = element.duration or 0
      if seconds > slowest.seconds then
         slowest = { seconds = seconds, name = handler.getFullName(element) }
      end
      if status == "pending" then describe("skipped", handler.pendings[#handler.pendings]) end
      return nil, true
   end

   local function failure()
      describe("FAILED", handler.failures[#handler.failures])
      return nil, true
   end

   local function test_error()
      describe("ERROR", handler.errors[#handler.errors])
      return nil, true
   end

   local function suite_end()
      local failed = handler.failuresCount + handler.errorsCount
      print(("%d passed, %d failed, %d skipped"):format(handler.successesCount, failed, handler.pendingsCount))
      if slowest.name then print(("slowest: %.1f s, %s"):format(slowest.seconds, slowest.name)) end
      local path = os.getenv "COUNTS"
      if path then
         local file = assert(io.open(path, "w"))
         file:write(("%d %d %d\n"):format(handler.successesCount, failed, handler.pendingsCount))
         file:close()
      end
      return nil, true
   end

   busted.subscribe({ "test", "end" }, test_end, { predicate = handler.cancelOnPending })
   busted.subscribe({ "failure", "it" }, failure)
   busted.subscribe({ "error", "it" }, test_error)
   busted.subscribe({ "failure" }, function(element)
      if element.descriptor ~= "it" then test_error() end
      return nil, true
   end)
   busted.subscribe({ "error" }, function(element)
      if element.descriptor ~= "it" then test_error() end
      return nil, true
   end)
   busted.subscribe({ "suite", "end" }, suite_end)
   return handler
end
