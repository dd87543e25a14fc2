-- SPDX-License-Identifier: MIT
--
-- verdict.lua - what follows from the way a run ended: done, restart, retry, on_failure or given up.
--
-- An outcome is { ok, err, result, script, traceback, again }: `script` for an error raised by the script's own code,
-- `again` where `retry.when` was asked.

local verdict = {}

local HEALTHY = 10 -- a service that lived so long starts its delays anew

-- One table per rule, written again by each run: most runs are never looked at.
local function note(runtime, run, outcome, now)
   local stats = runtime.stats
   local last = stats.last or {}
   stats.last = last
   last.ok, last.err, last.result = outcome.ok, outcome.err, outcome.result
   last.reason, last.try, last.changes = run.reason, run.try, #run.changes
   last.seconds, last.wall = now - run.started, runtime.world.wall()
   if not outcome.ok then
      stats.failures = stats.failures + 1
   end
end

-- The rule, and where it is about one path, that.
local function subject(runtime, run)
   local path = runtime.spec.each and run.item.path
   return path and ("%s: %s"):format(runtime.spec.name, path) or runtime.spec.name
end

local function tell_success(runtime, run, seconds)
   local level = runtime.spec.next_time and "debug" or "info"
   if runtime.spec.each then
      runtime.world.log[level]("%s: %s: done in %.2f s", runtime.spec.name, run.item.path, seconds)
   else
      runtime.world.log[level]("%s: done in %.2f s", runtime.spec.name, seconds)
   end
end

local function tell(runtime, run, outcome, step, now)
   local log = runtime.world.log
   if outcome.ok then
      tell_success(runtime, run, now - run.started)
   elseif outcome.script then
      log.error("%s: %s", subject(runtime, run), outcome.traceback or outcome.err)
   elseif step == "retry" then
      log.warn("%s: %s (again in %.3g s)", subject(runtime, run), outcome.err, run.delay)
   else
      log.error("%s: %s", subject(runtime, run), outcome.err)
   end
end

-- So many script errors in a row mean that the script is wrong, not the world.
local function count_errors(runtime, outcome)
   if not outcome.script then
      runtime.errors = 0
      return
   end
   runtime.errors = runtime.errors + 1
   local limit = runtime.engine.max_errors
   if runtime.errors >= limit then
      local why = ("%d script errors in a row"):format(runtime.errors)
      runtime.world.log.error("%s: paused after %s", runtime.spec.name, why)
      runtime:pause("collect", why)
   end
end

local function may_retry(runtime, run, outcome)
   local retry = runtime.spec.retry
   if not retry or run.try > retry.times then
      return false
   elseif outcome.again ~= nil then
      return outcome.again
   elseif retry.codes then
      return retry.codes[outcome.code] == true
   end
   return true
end

local function after_failure(runtime, run, outcome)
   if may_retry(runtime, run, outcome) then
      return "retry"
   elseif runtime.spec.on_failure then
      return "on_failure"
   end
   return "failed"
end

-- Seconds until the next try: growing, spread by the jitter, and never above the cap.
local function delay_of(runtime, run)
   local retry = runtime.spec.retry
   local growth = retry.delay > 0 and retry.factor ^ (run.try - 1) or 1 -- nothing times infinity is no number
   local delay = math.min(retry.delay * growth, retry.cap / (1 + retry.jitter))
   return delay * (1 + retry.jitter * runtime.world.random())
end

-- The next step for a run that has ended: "done", "stopped", "restart", "retry", "on_failure" or "failed"; and the error.
function verdict.of(runtime, run, outcome, now)
   local stopped = run.stopped
   if run.phase == "on_failure" then
      if not outcome.ok and not stopped then
         runtime.world.log.error("%s: on_failure: %s", subject(runtime, run), outcome.traceback or outcome.err)
      end
      return "failed"
   elseif stopped == "restart" or stopped == "stop" then
      return stopped == "restart" and "restart" or "stopped"
   elseif stopped == "timeout" then
      outcome = { ok = false, err = ("timed out after %g s"):format(run.timeout), timed_out = true }
   end
   note(runtime, run, outcome, now)
   if runtime.spec.service and now - run.started >= HEALTHY then
      run.try = 1
   end
   local step = outcome.ok and "done" or after_failure(runtime, run, outcome)
   run.delay = step == "retry" and delay_of(runtime, run) or nil
   tell(runtime, run, outcome, step, now)
   count_errors(runtime, outcome)
   return step, outcome.err
end

return verdict
