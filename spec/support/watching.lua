-- SPDX-License-Identifier: MIT
--
-- watching.lua - what a watcher has told, and batches of net changes, as words.

local watching = {}

--- Everything that can be had after a `sync`, as "op rel" or "move from -> rel"; a star marks what was found by looking.
-- how: "plain" without stars; "sorted" that too, in the order of the names below one another
function watching.words(watcher, how)
   local list = {}
   assert(watcher:sync(30))
   repeat
      local event = watcher:get(0)
      if event then
         list[#list + 1] = event.op .. (event.synthetic and not how and "* " or " ")
            .. (event.from_rel and event.from_rel .. " -> " or "") .. (event.rel or "")
      end
   until not event
   if how == "sorted" then
      local place = {}
      for i, word in ipairs(list) do place[word] = i end
      table.sort(list, function(a, b)
         local left, right = a:match "[^ ]*$", b:match "[^ ]*$"
         if left ~= right then return left < right end
         return place[a] < place[b]
      end)
   end
   return list
end

--- What is known, as a sorted list of paths; directories end in a slash.
function watching.known(watcher)
   local list = {}
   assert(watcher:sync(30))
   for rel, kind in watcher:entries() do list[#list + 1] = rel .. (kind == "directory" and "/" or "") end
   table.sort(list)
   return list
end

--- The changes of a batch, or of none, in one line.
function watching.changes(batch)
   local list = {}
   for _, change in ipairs(batch or {}) do
      list[#list + 1] = change.op .. " " .. (change.from_rel and change.from_rel .. " -> " or "") .. change.rel
   end
   return table.concat(list, ", ")
end

return watching
