-- Lua sources, specs and rule scripts; see `luacheck --help` for the codes.
std = "lua54"
max_line_length = 130
unused_args = false
self = false

files["spec"] = { std = "+busted" }
files["examples/*_spec.lua"] = { std = "+busted" }
files["spec/bench/consumers"] = { read_globals = { "rule" } }
stds.moonwatch = dofile "lua/moonwatch/luacheck.lua"
files["examples"] = { std = "lua54+moonwatch" }
files["types"] = { unused = false, global = false, redefined = false }
files["rocks"] = {
   allow_defined_top = true,
   globals = { "rockspec_format", "package", "version", "source", "description", "dependencies",
      "external_dependencies", "build", "test", "test_dependencies" },
   unused = false,
}
