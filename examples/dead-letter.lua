-- A hot folder that tries again what fails, and puts away for good what fails too often, with the reason beside it.
--
--    $ mkdir inbox done failed
--    $ moonwatch examples/dead-letter.lua &
--    $ echo '{"ok": true}' > inbox/good.json
--    done: good.json
--    $ echo 'no json at all' > inbox/bad.json
--    failed: bad.json
--    $ grep -q 'not accepted at try 3' failed/bad.json.reason

rule "import" {
   watch    = "inbox/*.json",
   complete = true,                      -- whole files only
   start    = true,                      -- what came while nobody watched is taken too
   each     = function(change, job)
      local result = exec { "grep", "-q", "ok", "--", change.path, timeout = 60 }
      if not result.ok then return nil, ("not accepted at try %d"):format(job.try), result.code end
      assert(os.rename(change.path, "done/" .. change.name))
      log.info("done: %s", change.name)
   end,
   retry    = { times = 2, delay = 0.1, factor = 2, jitter = 0.1 },
   on_failure = function(changes, err)
      for _, change in ipairs(changes) do
         assert(os.rename(change.path, "failed/" .. change.name))
         local reason = assert(io.open("failed/" .. change.name .. ".reason", "w"))
         assert(reason:write(err, "\n"))
         assert(reason:close())
         log.warn("failed: %s", change.name)
      end
   end,
}
