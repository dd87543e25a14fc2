---@meta moonwatch.rules

---Rules for modules: `local rule = require "moonwatch.rules".rule`. They start when the loop next turns.
---@class moonwatch.rules
---@field log moonwatch.log
local rules = {}

---Declares a rule: what to do about which changes.
---
---    rule "build" { watch = "src/**/*.{c,h}", settle = 0.2, run = { "make" }, busy = "restart" }
---@param name string
---@return fun(keys: moonwatch.rule_keys): moonwatch.rule
function rules.rule(name) end

---Keys for the rules after it in the same file; a rule's own key wins, tables are not merged.
---@param keys moonwatch.rule_keys
function rules.defaults(keys) end

---Runs a function as a job, every so many seconds; it never overlaps itself.
---@param seconds number
---@param name string
---@param fn async fun(): ...
---@overload fun(seconds: number, fn: async fun(): ...)
function rules.every(seconds, name, fn) end

---Runs a function as a job, every day at a local time.
---@param time string `"03:30"` or `"03:30:00"`
---@param name string
---@param fn async fun(): ...
---@overload fun(time: string, fn: async fun(): ...)
function rules.at(time, name, fn) end

---Starts what was declared, now.
---@return true? started
---@return string? message where something cannot be watched
---@return integer? errno
function rules.start() end

---Ends the rules; what runs gets its stop signal.
function rules.stop() end

---Waits until all that changed before is handled and nothing runs.
---@async
---@param timeout? number
---@return true? idle
---@return string? message
---@return integer? errno
function rules.idle(timeout) end

---The rule of this name.
---@param name string
---@return moonwatch.rule?
function rules.find(name) end

---What every rule is doing.
---@return table
function rules.status() end

---The keys of a rule. One of `run`, `each` and `service` is required.
---@class moonwatch.rule_keys
---@field watch? string | string[] path, pattern, or a list of them; required
---@field match? string | string[] only what these patterns match
---@field ignore? string | string[] neither read nor watched
---@field ignore_files? string | string[] ignore files, obeyed as git does
---@field filter? fun(rel: string, isdir: boolean): boolean? asked once per new entry; false prunes
---@field follow? boolean go through symlinks to directories
---@field one_filesystem? boolean do not cross mounts
---@field recursive? boolean directories below too
---@field depth? integer how deep
---@field missing? "error" | "wait" may the root come later
---@field backend? "auto" | "inotify" | "poll" how changes are found
---@field interval? number seconds between two looks where polled
---@field on? string | string[] net changes that fire it: `create modify delete move`, and `attrib`
---@field settle? number so many quiet seconds; 0.1; with `each` per path
---@field max_wait? number but never longer than this after the first change; 5
---@field cooldown? number seconds between two runs
---@field complete? boolean | number whole files only; a number: wait no longer for a writer that never closes
---@field hold? string | string[] while one of these paths exists the batch waits
---@field outputs? string | string[] what the rule itself writes
---@field start? boolean also run once at the start; with `each`, for every match
---@field run? string[] | string[][] | async fun(batch: moonwatch.batch, job: moonwatch.job): ... once per batch
---@field each? string[] | string[][] | async fun(change: moonwatch.change, job: moonwatch.job): ... once per changed path
---@field service? string[] kept running, restarted on changes
---@field on_failure? async fun(changes: moonwatch.batch, err: any) when all tries have failed
---@field limit? integer runs at a time: 1 for run, 4 for each
---@field key? "path" | "dir" | "name" | "stem" | fun(change: moonwatch.change): any runs with the same key never overlap
---@field busy? "queue" | "restart" | "drop" | { signal: string | integer } when a batch is due while its key runs
---@field retry? moonwatch.retry after a failure
---@field guard? false | { runs?: integer, hold?: number } against a rule that feeds itself
---@field timeout? number seconds a run may take
---@field stop_signal? string | integer asks it to end: `"TERM"`
---@field grace? number seconds before KILL; 5
---@field descendants? boolean a stop also ends what has left the process group
---@field capture_limit? integer bytes of a capture that are kept: the last ones
---@field success? integer | integer[] exit codes that are no failure
---@field user? string runs as
---@field cwd? string runs in
---@field env? table<string, string | number | false> added to the environment; false removes
---@field stdin? "null" | "inherit" | "paths" | "paths0" | "rels" | "rels0" | string
---@field stdout? "inherit" | "null" | "log" | "capture" | async fun(line: string)
---@field stderr? "inherit" | "null" | "log" | "capture" | "stdout" | async fun(line: string)

---@class moonwatch.retry
---@field times? number how many further tries, `math.huge`: without end; 3
---@field delay? number seconds before the first of them; 1
---@field factor? number each delay is so many times the last; 2
---@field cap? number no delay is longer; 60
---@field jitter? number up to this part of a delay is added at random
---@field codes? integer | integer[] only these exit codes are tried again
---@field when? fun(result: moonwatch.result): boolean? asked with the result: true tries again

---One run.
---@class moonwatch.job
---@field rule moonwatch.rule
---@field try integer 1 for the first
---@field reason "change" | "start" | "retry" | "trigger" | "timer"

---A declared rule; what was declared can be read from it.
---@class moonwatch.rule : moonwatch.rule_keys
---@field name string
local rule = {}

---Runs now; with `each`, for every match.
function rule:trigger() end

---Starts no more runs and collects what changes; `"drop"` forgets it.
---@param how? "drop"
function rule:pause(how) end

---Goes on with what was collected.
function rule:resume() end

---Waits until all that changed before is handled and nothing runs.
---@async
---@param timeout? number
---@return true? idle
---@return string? message
---@return integer? errno
function rule:idle(timeout) end

---What it is doing: state, runs, failures, pending, last, ...
---@return table
function rule:status() end

---Would a change there fire it, and why, in words.
---@param path string
---@return boolean fires
---@return string why
function rule:explain(path) end

---@class moonwatch.log
local log = {}

---@param format string as for `string.format`
---@param ... any
function log.debug(format, ...) end

---@param format string as for `string.format`
---@param ... any
function log.info(format, ...) end

---@param format string as for `string.format`
---@param ... any
function log.warn(format, ...) end

---@param format string as for `string.format`
---@param ... any
function log.error(format, ...) end

return rules
