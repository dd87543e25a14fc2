-- SPDX-License-Identifier: MIT
--
-- busted.lua - runs one or more spec files under busted in this process:
--
--    lua5.4 spec/support/busted.lua spec/bind/linotify_spec.lua [further busted options]
--
-- The module is found in the tree (lua/) and in the build folder (BUILD, default "build"). `make test` runs every spec
-- file in a process of its own through run.lua; this one is for looking at one file.

local build = os.getenv("BUILD") or "build"
package.path = "lua/?.lua;lua/?/init.lua;spec/?.lua;" .. package.path
package.cpath = build .. "/lib/?.so;" .. package.cpath

require "busted.runner" {
   standalone = false,
   output = "spec/support/report.lua",
}
