-- Runs a server and tells it by a signal when its configuration was saved, however the editor saves.
--
--    $ printf 'trap "echo reloaded" HUP; echo serving; while :; do sleep 0.1; done' > server.sh; touch server.conf
--    $ moonwatch examples/reload.lua &
--    $ touch somewhere-else
--    serving
--    $ echo new > server.conf.tmp; mv server.conf.tmp server.conf
--    reloaded

rule "server" {
   watch   = "server.conf",
   service = { "sh", "server.sh" },      -- started at once, and again after a crash
   busy    = { signal = "HUP" },         -- a change is a signal; without this line it is a restart
}
