-- Builds a server when a source is saved, and restarts it when it was built.
--
--    $ mkdir src build; echo 'echo serving version one; exec sleep 60' > src/server.sh
--    $ moonwatch examples/serve.lua &
--    $ touch src/server.sh
--    serving version one
--    $ echo 'echo serving version two; exec sleep 60' > src/server.sh
--    serving version two

rule "build" {
   watch = "src",
   start = true,                         -- also once now
   run   = { { "cp", "src/server.sh", "build/server.new" }, { "mv", "build/server.new", "build/server" } },
}

rule "serve" {
   watch   = "build/server",             -- a single file is followed by its name
   missing = "wait",                     -- and may come later
   service = { "sh", "build/server" },   -- started at once, restarted on a change and after a crash
}
