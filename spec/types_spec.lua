-- SPDX-License-Identifier: MIT
--
-- types_spec.lua - the annotations of types/ say what the module has: no more and no less.

local helper = require "support.helper"
local annotations = dofile "doc/reference/annotations.lua"
local moonwatch = require "moonwatch"

local FILES = { "types/moonwatch.lua", "types/rules.lua", "types/testing.lua", "types/adapters.lua",
   "types/compat/inotify.lua" }
local found = annotations.read(FILES)

local function sorted(names)
   table.sort(names)
   return names
end

local function keys(object)
   local list = {}
   for name in pairs(object) do
      if type(name) == "string" and name:sub(1, 1) ~= "_" then list[#list + 1] = name end
   end
   return sorted(list)
end

local function functions_of(class)
   local list = {}
   for _, doc in ipairs(found.classes[class].functions) do list[#list + 1] = doc.name end
   return sorted(list)
end

local function fields_of(class)
   local list = {}
   for _, field in ipairs(found.classes[class].fields) do
      if not field.name:find "^%[" then list[#list + 1] = field.name end
   end
   return sorted(list)
end

-- The functions of a table, but for those named.
local function functions_in(object, but)
   local list, others = {}, " " .. (but or "") .. " "
   for name, value in pairs(object) do
      local is_own = type(name) == "string" and name:sub(1, 1) ~= "_" and not others:find(" " .. name .. " ", 1, true)
      if is_own and type(value) == "function" then list[#list + 1] = name end
   end
   return sorted(list)
end

describe("the annotations", function()
   helper.leaves_nothing()

   it("are Lua", function()
      for rel, kind in pairs(helper.tree "types") do
         if kind == "file" then assert(loadfile("types/" .. rel)) end
      end
   end)

   it("describe each parameter of each function, in order", function()
      for _, class in ipairs(found.order) do
         for _, doc in ipairs(class.functions) do
            local names = {}
            for _, param in ipairs(doc.params) do names[#names + 1] = param.name end
            assert.same(doc.arguments, names, doc.line)
            assert.is_true(#doc.about > 0 or class.name == "moonwatch.log", doc.line .. " says nothing")
         end
      end
   end)

   it("use no type of ours that they do not describe", function()
      for _, path in ipairs(FILES) do
         for name in helper.read(path):gmatch "[%s|(]moonwatch%.([%w_.]+)" do
            name = name:gsub("%.+$", "")
            local full = "moonwatch." .. name
            local is_known = found.classes[full] or found.aliases[full] or moonwatch[name] ~= nil
            assert.is_truthy(is_known, path .. ": " .. full)
         end
      end
   end)

   it("name every function of the module", function()
      for _, name in ipairs { "watch", "exec", "process" } do assert.is_function(moonwatch[name]) end
      assert.same(functions_in(moonwatch), functions_of "moonwatch")
      assert.same(functions_in(require "moonwatch.rules", "add add_chunk environment load new"),
         functions_of "moonwatch.rules")
      assert.same({ "load" }, functions_of "moonwatch.testing")
      local log = require "moonwatch.rules".log
      assert.same(functions_in(log, "new set enabled level form wall write"), functions_of "moonwatch.log")
   end)

   it("name every function of the adapters and of linotify's names", function()
      assert.same({ "init" }, functions_of "moonwatch.compat.inotify")
      local handle <close> = assert(require "moonwatch.compat.inotify".init())
      assert.same(functions_in(debug.getmetatable(handle).__index), functions_of "moonwatch.compat.handle")
      local there, adapter = pcall(require, "moonwatch.adapter.cqueues")
      if there then assert.same(functions_in(adapter), functions_of "moonwatch.adapter") end
   end)

   local function each_object(check)
      local inotify <close> = assert(moonwatch.inotify())
      local watcher <close> = assert(moonwatch.watch(helper.folder()))
      local channel <close> = moonwatch.channel()
      local interval <close> = moonwatch.interval(1)
      local signal <close> = assert(moonwatch.signal "USR2")
      local process = assert(moonwatch.process { "true" })
      local task = moonwatch.spawn(function() end)
      check("moonwatch.inotify", inotify)
      check("moonwatch.inotify_watch", assert(inotify:add(helper.folder(), "create")))
      check("moonwatch.watcher", watcher)
      check("moonwatch.subscription", watcher:on("create", print))
      check("moonwatch.channel", channel)
      check("moonwatch.interval", interval)
      check("moonwatch.signal", signal)
      check("moonwatch.process", process)
      check("moonwatch.task", task)
      check("moonwatch.pattern", moonwatch.pattern "*.c")
      check("moonwatch.event", moonwatch.parse(string.pack("i4I4I4I4", 1, 256, 0, 0))[1])
      check("moonwatch.batch", require "moonwatch.rule.batch".new {})
      process:wait()
      task:join()
   end

   it("name only methods that are there", function()
      each_object(function(class, object)
         for _, name in ipairs(functions_of(class)) do
            assert.is_function(object[name], class .. ":" .. name)
         end
      end)
   end)

   it("name every method that can be seen", function()
      each_object(function(class, object)
         local index = debug.getmetatable(object).__index
         if type(index) == "table" then assert.same(functions_in(index), functions_of(class), class) end
      end)
      local methods = require "moonwatch.core".watcher_methods
      local named = " " .. table.concat(functions_of "moonwatch.watcher", " ") .. " "
      for _, name in ipairs(functions_in(methods)) do assert.truthy(named:find(" " .. name .. " ", 1, true), name) end
      local world = debug.getmetatable(require "moonwatch.testing".load("\n")).__index
      assert.same(functions_in(world, "resume spawn sleep cancel start_process wait_process exec"),
         functions_of "moonwatch.world")
   end)

   it("name every option, and no other", function()
      local fields = require "moonwatch.rule.fields"
      assert.same(keys(fields.rule), fields_of "moonwatch.rule_keys")
      assert.same(keys(fields.retry), fields_of "moonwatch.retry")
      assert.same(keys(require "moonwatch.watcher".fields), fields_of "moonwatch.watch_options")
      assert.same(keys(require "moonwatch.process".fields), fields_of "moonwatch.command")
   end)

   it("name every flag", function()
      local flags = keys(moonwatch.mask)
      local wanted = {}
      for _, name in ipairs(flags) do
         if name:upper() == name then wanted[#wanted + 1] = name end
      end
      assert.same(wanted, fields_of "moonwatch.mask")
      local event = moonwatch.parse(string.pack("i4I4I4I4", 1, 256, 0, 0))[1]
      for _, name in ipairs(fields_of "moonwatch.event") do
         assert.is_true(pcall(function() return event[name] end), name)
      end
   end)
end)

describe("the luacheck std", function()
   local std = require "moonwatch.luacheck".read_globals

   local function names_in(list)
      local names = {}
      for key, value in pairs(list) do names[#names + 1] = type(key) == "number" and value or key end
      return sorted(names)
   end

   it("names the globals of rule scripts beside Lua's own", function()
      local rules = require "moonwatch.rules"
      local given = {}
      for name in pairs(rules.environment(rules.new(), {})) do
         if rawget(_G, name) == nil or name == "arg" then given[#given + 1] = name end
      end
      local wanted = {}
      for _, name in ipairs(names_in(std)) do wanted[#wanted + 1] = name end
      assert.same(sorted(given), wanted)
   end)

   it("names the fields of moonwatch and log", function()
      local there = { "rules", "testing" }
      for name in pairs(moonwatch) do
         if name ~= "rules" and name ~= "testing" then there[#there + 1] = name end
      end
      assert.same(sorted(there), names_in(std.moonwatch.fields))
      assert.same(functions_of "moonwatch.log", names_in(std.log.fields))
   end)
end)
