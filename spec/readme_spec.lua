-- SPDX-License-Identifier: MIT
--
-- readme_spec.lua - the commands of the README work as they stand there, in a clone of the tree.

local helper = require "support.helper"

local README = helper.read "README.md"

-- Programs of a sanitized build need what a clone of the tree does not have.
local is_plain = not (os.getenv "BUILD" or ""):find "sanitize"

-- A copy of what git has or would take, with what was built already: nothing is compiled twice. Other specs write in the
-- rest of the folder of the build meanwhile.
local function clone()
   local folder = helper.folder() .. "/moonwatch"
   local made = helper.run { "sh", "-c", [[mkdir "$1" &&
      { git ls-files --cached --others --exclude-standard || find . -type f; } | tar -cf - -T - | tar -xf - -C "$1" &&
      mkdir "$1/build" && cd "$2" && cp -a bin gen lib obj "$1/build"]], "sh", folder, helper.build }
   assert.equal(0, made.status, made.err)
   return folder
end

local function run(folder, command)
   -- The specs' own paths must not help.
   local result = helper.run({ "sh", "-c", "unset MAKEFLAGS MAKELEVEL BUILD LUA_PATH LUA_CPATH; " .. command },
      { cwd = folder, timeout = 140 })
   assert.equal(0, result.status, command .. "\n" .. result.out .. result.err)
   return result
end

local function blocks()
   local found = {}
   for block in README:gmatch "```sh\n(.-)\n```" do found[#found + 1] = block end
   return found
end

describe("the README's commands", function()
   local folder, prefix

   it("show the first rule at work", function()
      if not is_plain then return pending "needs a build without sanitizers" end
      assert.equal("make run", blocks()[1])
      local result = run(clone(), "make run")
      assert.truthy(result.out:find("built from 1 source", 1, true), result.out)
   end)

   it("are targets of the Makefile", function()
      local makefile = helper.read "Makefile"
      for _, block in ipairs(blocks()) do
         for target in block:gmatch "make ([a-z-]+)" do
            assert.truthy(makefile:find("\n" .. target .. ":", 1, true) or block:find "luarocks", target)
         end
      end
   end)

   it("install what then runs the examples", function()
      if not is_plain then return pending "needs a build without sanitizers" end
      folder = clone()
      prefix = helper.folder()
      run(folder, ("make install PREFIX=%s"):format(prefix))
      helper.mkdir(folder .. "/src")
      local path = ("export PATH=%s/bin:$PATH\n"):format(prefix)
      local out = run(folder, path .. "moonwatch check examples/build.lua; moonwatch --help").out
      assert.truthy(out:find('rule "build" (examples/build.lua:', 1, true), out)
      out = run(folder, path .. [[
         moonwatch events -r src --count 1 >told 2>ready & pid=$!
         until grep -q watching ready; do sleep 0.05; done
         touch src/README.md
         wait $pid; cat told]]).out
      assert.truthy(out:find("src/README.md", 1, true), out)
   end)

   it("find the module without installing", function()
      if not is_plain then return pending "needs a build without sanitizers" end
      local clone_folder = clone()
      local list = blocks()
      local out = run(clone_folder, list[#list] .. [[

         lua5.4 examples/tree.lua src >told & pid=$!
         until grep -q ready told; do sleep 0.05; done
         touch src/made
         until grep -q 'close_write made' told; do sleep 0.05; done
         kill $pid; cat told]]).out
      assert.truthy(out:find("create made", 1, true), out)
   end)
end)
