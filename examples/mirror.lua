-- Mirrors a folder: at the start, after every change, and every night with a look at each byte. Needs rsync.
--
--    $ mkdir photos; echo moon > photos/moon.jpg
--    $ moonwatch examples/mirror.lua &
--    $ echo sun > photos/sun.jpg
--    send sun.jpg
--    $ rm photos/moon.jpg
--    del. moon.jpg
--    $ diff -r photos copy

local function rsync(...)
   return { "rsync", "--archive", "--delete-after", "--out-format=%o %n", ... }
end

rule "mirror" {
   watch  = "photos",
   settle = 0.5,
   start  = true,
   run    = rsync("photos/", "copy/"),
   retry  = { times = 100, delay = 5, factor = 2, cap = 300 },  -- the other side may be away for hours
}

at("03:30", "every byte", function()
   return exec(rsync("--checksum", "photos/", "copy/"))
end)
