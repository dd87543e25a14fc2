-- Keeps a copy of a folder: what changes is copied, what goes is removed, and all of it once a night.
--
--    $ mkdir photos copy; echo moon > photos/moon.jpg
--    $ moonwatch examples/mirror.lua &
--    $ echo sun > photos/sun.jpg
--    copied 1 path
--    $ rm photos/moon.jpg
--    removed moon.jpg
--    $ diff -r photos copy

local function copy_all()
   return exec { "cp", "-a", "photos/.", "copy/" }  -- where there is rsync: "rsync", "-a", "--delete", ...
end

rule "mirror" {
   watch  = "photos",
   settle = 0.5,
   run    = function(batch)
      for _, change in ipairs(batch:by "delete") do
         exec { "rm", "-rf", "--", "copy/" .. change.rel }
         log.info("removed %s", change.rel)
      end
      local changed = #batch - #batch:by "delete"
      if changed == 0 then return end
      for _, change in ipairs(batch:by "move") do
         exec { "rm", "-rf", "--", "copy/" .. change.from:sub(#change.root + 2) }
      end
      local result = copy_all()
      if result.ok then log.info("copied %d path%s", changed, changed == 1 and "" or "s") end
      return result
   end,
   retry  = { times = 10, delay = 5 },
}

at("03:30", "everything", copy_all)
