-- Takes every file that arrives in a folder, once it is whole, and puts it away; what fails is tried again.
--
--    $ mkdir inbox done
--    $ moonwatch examples/hot-folder.lua &
--    $ printf 'a,1\nb,2\n' > inbox/list.csv
--    imported list.csv: 2 lines

rule "import" {
   watch    = "inbox/*.csv",
   complete = true,                      -- whole files only: closed by their writer, or moved in
   limit    = 4,                         -- so many at a time
   each     = function(change)
      local lines = 0
      for _ in io.lines(change.path) do lines = lines + 1 end
      assert(os.rename(change.path, "done/" .. change.name))
      log.info("imported %s: %d lines", change.name, lines)
   end,
   retry    = { times = 5, delay = 1, factor = 2, cap = 60 },
}
