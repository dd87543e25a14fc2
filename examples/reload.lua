-- Runs a server and tells it by a signal when its configuration was saved, however the editor saves.
--
--    $ printf 'trap "echo reloaded" HUP; echo serving; while :; do sleep 0.1; done' > server.sh; touch server.conf
--    $ moonwatch examples/reload.lua &
--    $ echo new > server.conf.tmp; mv server.conf.tmp server.conf
--    reloaded

rule "server" {
   watch = "server.conf",
   start = true,                         -- runs at once, not only at the first change
   run   = { "sh", "server.sh" },
   busy  = { signal = "HUP" },           -- while it runs, a change is a signal
}
