---@meta moonwatch.testing

---A rule script in a made-up world: no disk, no processes, no waiting.
---
---    local world = testing.load "build.lua"
---    world:save("src/a.c"):pass(0.2)
---    assert(#world:runs "build" == 1)
---@class moonwatch.testing
local testing = {}

---Loads a script and starts its rules.
---@param script string | fun(globals: table) its path, its text where that has several lines, or a function
---@param options? moonwatch.world_options
---@return moonwatch.world world
function testing.load(script, options) end

---@class moonwatch.world_options
---@field files? table<string, string> what is there at the start: path and text
---@field processes? table<string, moonwatch.behaviour> how commands behave
---@field clock? string `"HH:MM"`
---@field jobs? integer runs at a time over all rules
---@field arg? string[] for the script

---How a made-up command behaves; without, it ends at once with success.
---@class moonwatch.process_behaviour
---@field code? integer
---@field signal? string
---@field seconds? number how long it runs
---@field out? string
---@field err? string
---@field stubborn? boolean ends by KILL only

---@alias moonwatch.behaviour moonwatch.process_behaviour | fun(argv: string[]): moonwatch.process_behaviour?

---@class moonwatch.world
---@field records { argv: string[], rule?: string, at: number, options: table, signals: string[] }[] all processes
local world = {}

---Lets so many seconds go by.
---@param seconds? number
---@return moonwatch.world self
function world:pass(seconds) end

---Lets time go by until no rule has anything left to do.
---@param seconds? number at most; 3600
---@return boolean idle
function world:pass_until_idle(seconds) end

---Sets the time of day.
---@param text string `"HH:MM"`
---@return moonwatch.world self
function world:clock(text) end

---Saves a file: writes and closes it.
---@param path string
---@param text? string
---@return moonwatch.world self
function world:save(path, text) end

---Writes to a file and keeps it open.
---@param path string
---@param text? string
---@return moonwatch.world self
function world:write(path, text) end

---Closes a file that was written.
---@param path string
---@return moonwatch.world self
function world:close(path) end

---Makes a folder.
---@param path string
---@return moonwatch.world self
function world:mkdir(path) end

---Renames.
---@param from string
---@param to string
---@return moonwatch.world self
function world:move(from, to) end

---Removes.
---@param path string
---@return moonwatch.world self
function world:remove(path) end

---Changes rights or owner.
---@param path string
---@return moonwatch.world self
function world:chmod(path) end

---How commands that begin with these words behave.
---@param words string | string[]
---@param behaviour moonwatch.behaviour
---@return moonwatch.world self
function world:process(words, behaviour) end

---The commands that a rule has started.
---@param name string
---@return string[][]
function world:runs(name) end

---The commands at work.
---@return table[]
function world:running() end

---The rule of this name.
---@param name string
---@return moonwatch.rule
function world:rule(name) end

---The lines of the log.
---@param level? "debug" | "info" | "warn" | "error"
---@return string[]
function world:logged(level) end

---The rules of another script take over.
---@param script string | fun(globals: table)
---@return moonwatch.world self
function world:reload(script) end

---Feeds recorded events, with their times.
---@param events table[]
---@return moonwatch.world self
function world:replay(events) end

return testing
