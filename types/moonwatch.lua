---@meta moonwatch

-- What `require "moonwatch"` returns. One source for two readers: the Lua language server (hover text, types) and the
-- reference that `make doc` writes. A spec holds it against the module.

---Exact, scriptable file watching for Linux.
---
---Misuse (a wrong type, an unknown option) raises with your file and line. What the world refuses is
---`nil, message, errno`. Every call that may wait takes its `timeout` in seconds: nil waits for ever, 0 only looks, and
---expiry is `nil, "timeout", ETIMEDOUT`. In a task a wait suspends that task; outside of tasks it drives the loop.
---@class moonwatch
---@field version string the release
---@field errno table<string, integer> `moonwatch.errno.ENOENT` and so on
---@field mask moonwatch.mask
---@field coroutine moonwatch.coroutine
---@field rules moonwatch.rules the same as `require "moonwatch.rules"`
---@field testing moonwatch.testing the same as `require "moonwatch.testing"`
local moonwatch = {}

---A mask: an integer, or names without `IN_` in either case, separated by space, comma or `|`, or a list of names.
---@alias moonwatch.maskish integer | string | string[]

---An entry's type.
---@alias moonwatch.type "file" | "directory" | "link" | "fifo" | "socket" | "char" | "block"

---Anything `moonwatch.select` can wait for: watchers, inotify objects, tasks, intervals, signals, processes, channels, or
---an object with the polling protocol of cqueues (`pollfd`, `events`, `timeout`).
---@alias moonwatch.source table | userdata

---Watches trees, exactly. Returns once all is watched (`wait = false`: at once), and a change made after that is never
---missed.
---
---    local watcher <close> = assert(moonwatch.watch("src", { match = { "*.c", "*.h" } }))
---    for event in watcher:each() do print(event.op, event.path) end
---@param paths string | string[] folders, single files, or patterns such as `"src/**/*.c"`
---@param options? moonwatch.watch_options
---@return moonwatch.watcher? watcher
---@return string? message
---@return integer? errno
function moonwatch.watch(paths, options) end

---Opens an inotify object: the kernel's events, one to one.
---
---    local inotify <close> = assert(moonwatch.inotify())
---    assert(inotify:add("inbox", "close_write moved_to"))
---    for event in inotify:each(5) do print(event.path, event) end
---@param options? { inheritable?: boolean, coalesce?: boolean }
---@return moonwatch.inotify? inotify
---@return string? message
---@return integer? errno
function moonwatch.inotify(options) end

---Decodes raw bytes that were read from an inotify descriptor.
---@param bytes string
---@return moonwatch.event[]? events
---@return string? message where a record is truncated
function moonwatch.parse(bytes) end

---The kernel's limits for inotify.
---@return { max_queued_events: integer, max_user_instances: integer, max_user_watches: integer }? limits
---@return string? message
---@return integer? errno
function moonwatch.limits() end

---Compiles patterns in gitignore's language with `{a,b}`. The last that matches decides.
---@param list string | string[]
---@return moonwatch.pattern pattern
function moonwatch.pattern(list) end

---Runs a command to its end. There is no shell, unless the list says so.
---
---    local result = assert(moonwatch.exec { "git", "status", "--short", cwd = "project", timeout = 10 })
---    if result.ok then io.write(result.out) end
---@param command moonwatch.command
---@return moonwatch.result? result
---@return string? message where it cannot be started
---@return integer? errno
function moonwatch.exec(command) end

---Starts a command.
---
---    local server <close> = assert(moonwatch.process { "server", "--port", 8080, stdout = "pipe" })
---    for line in server:lines() do print("server: " .. line) end
---@param command moonwatch.command
---@return moonwatch.process? process
---@return string? message
---@return integer? errno
function moonwatch.process(command) end

---Runs the loop until the task of `fn` (without one: every task and handler) is done, or `stop`. A failed `fn` raises with
---its traceback; where nothing can wake any task it raises "deadlock".
---@param fn? async fun(...): ...
---@param ... any handed to `fn`
---@return any ... what `fn` returns; `nil, "stopped", ECANCELED` after `stop`
function moonwatch.run(fn, ...) end

---Starts a task; it runs at the loop's next turn.
---@param name string
---@param fn async fun(...): ...
---@param ... any handed to `fn`
---@return moonwatch.task task
---@overload fun(fn: async fun(...): ...): moonwatch.task
function moonwatch.spawn(name, fn, ...) end

---Runs `fn(scope)` and waits for it and for all that was started by `scope:spawn`. One that fails ends the others, and its
---error is raised.
---@async
---@param fn async fun(scope: moonwatch.scope): ...
---@return any ... what `fn` returns
function moonwatch.scope(fn) end

---Waits for so many seconds.
---@async
---@param seconds number
---@return true? slept
---@return string? message
---@return integer? errno
function moonwatch.sleep(seconds) end

---The monotonic clock, in seconds.
---@return number now
function moonwatch.now() end

---Waits for the first of several sources, fair among the ready ones, and takes one value from it.
---
---    local source, event = moonwatch.select { watcher, stop, timeout = 10 }
---@async
---@param sources { [integer]: moonwatch.source, timeout?: number }
---@return moonwatch.source? source the ready one
---@return any ... its value; `nil, "closed", EPIPE` for a closed one
function moonwatch.select(sources) end

---Runs `fn(...)` for so many seconds at most, then cancels it.
---@async
---@param seconds number
---@param fn async fun(...): ...
---@param ... any handed to `fn`
---@return any ... what `fn` returns; `nil, "timeout", ETIMEDOUT`
function moonwatch.timeout(seconds, fn, ...) end

---Ticks every so many seconds; missed ticks are merged into one.
---@param seconds number
---@return moonwatch.interval interval
function moonwatch.interval(seconds) end

---Catches a signal of the process.
---@param name string | integer `"HUP"`
---@return moonwatch.signal? signal
---@return string? message `EBUSY` where somebody else has taken it
---@return integer? errno
function moonwatch.signal(name) end

---A queue between tasks.
---@param room? integer how many values it holds before `put` waits; 0
---@return moonwatch.channel channel
function moonwatch.channel(room) end

---Ends `run`, and a wait of the main program. Safe anywhere.
function moonwatch.stop() end

---Sets who is told of errors in tasks that nobody joins; by default they go to standard error.
---@param fn? async fun(err: any, traceback: string, where: any)
---@return function? previous
function moonwatch.on_error(fn) end

---A descriptor for foreign loops: readable whenever `step` has something to do.
---@return integer fd
function moonwatch.pollfd() end

---One turn of the loop, for foreign loops; 0 never waits.
---@param timeout? number
---@return true done
function moonwatch.step(timeout) end

---Seconds until the next deadline, for foreign loops.
---@return number? seconds 0: something is ready; nil: no deadline
function moonwatch.next_timeout() end

--------------------------------------------------------------------------------------------------------------------

---The flags by name without `IN_`, and the sets `CLOSE`, `MOVE` and `ALL_EVENTS`. A wrong name raises.
---@class moonwatch.mask
---@field ACCESS integer
---@field MODIFY integer
---@field ATTRIB integer
---@field CLOSE_WRITE integer
---@field CLOSE_NOWRITE integer
---@field OPEN integer
---@field MOVED_FROM integer
---@field MOVED_TO integer
---@field CREATE integer
---@field DELETE integer
---@field DELETE_SELF integer
---@field MOVE_SELF integer
---@field UNMOUNT integer
---@field Q_OVERFLOW integer
---@field IGNORED integer
---@field ISDIR integer
---@field ONLYDIR integer
---@field DONT_FOLLOW integer
---@field EXCL_UNLINK integer
---@field MASK_CREATE integer
---@field MASK_ADD integer
---@field ONESHOT integer
---@field CLOSE integer
---@field MOVE integer
---@field ALL_EVENTS integer
local mask = {}

---The integer of a mask.
---@param names moonwatch.maskish
---@return integer bits
function mask.parse(names) end

---The names of a mask's bits in lower case, and `"0x..."` for those without one.
---@param bits integer
---@return string[] names
function mask.names(bits) end

--------------------------------------------------------------------------------------------------------------------

---Lua's `coroutine`, but a wait inside passes through to the task.
---@class moonwatch.coroutine : coroutinelib
local generators = {}

---As `coroutine.wrap`.
---@param fn async fun(...): ...
---@return fun(...): ... generator
function generators.wrap(fn) end

---As `coroutine.create`.
---@param fn async fun(...): ...
---@return thread co
function generators.create(fn) end

---As `coroutine.resume`.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function generators.resume(co, ...) end

--------------------------------------------------------------------------------------------------------------------

---What happened. Immutable, and valid for ever.
---@class moonwatch.event
---@field op string the one word for what happened
---@field path string full path, as it was at delivery
---@field name? string last component; nil for the watched thing itself
---@field mask integer as the kernel gave it
---@field names string[] of the mask
---@field cookie integer
---@field wd integer
---@field watch? moonwatch.inotify_watch
---@field isdir boolean
---@field time number monotonic seconds
---@field wall number seconds since 1970
---@field rel? string watchers: path relative to the root
---@field root? string watchers: the root as it was given
---@field from? string watchers: the old path of a move
---@field from_rel? string
---@field from_root? string
---@field replaced? moonwatch.type what a move or a change of type put out of the way
---@field exchange? boolean two names were exchanged
---@field type? moonwatch.type
---@field synthetic? boolean found by looking at the disk
---@field seq? integer counts the events of its watcher
---@field reason? string why something is not watched
---@field access boolean one boolean per flag, in lower case
---@field modify boolean
---@field attrib boolean
---@field close_write boolean
---@field close_nowrite boolean
---@field open boolean
---@field moved_from boolean
---@field moved_to boolean
---@field create boolean
---@field delete boolean
---@field delete_self boolean
---@field move_self boolean
---@field unmount boolean
---@field q_overflow boolean
---@field ignored boolean
---@field close boolean either of its kinds
---@field move boolean
local event = {}

---Any of these bits?
---@param mask moonwatch.maskish
---@return boolean
function event:has(mask) end

---A plain copy.
---@return table
function event:table() end

--------------------------------------------------------------------------------------------------------------------

---An inotify descriptor. `#inotify` is how many of its watches live.
---@class moonwatch.inotify
local inotify = {}

---Adds a watch. With a handler its events are handed to that as tasks, and are not given to `get`, `read` and `each`.
---@param path string
---@param mask moonwatch.maskish
---@param handler? async fun(event: moonwatch.event)
---@return moonwatch.inotify_watch? watch
---@return string? message
---@return integer? errno
function inotify:add(path, mask, handler) end

---Ends a watch; a descriptor or a path stands for all watches of it.
---@param watch moonwatch.inotify_watch | integer | string
---@return boolean removed false where it is gone already
function inotify:remove(watch) end

---One event.
---@async
---@param timeout? number
---@return moonwatch.event? event
---@return string? message
---@return integer? errno
function inotify:get(timeout) end

---All events that are there.
---@async
---@param timeout? number
---@param delay? number seconds in which the kernel may pile events up; skipped where some wait already
---@return moonwatch.event[] events empty on expiry
---@return string? message
---@return integer? errno
function inotify:read(timeout, delay) end

---An iterator of events; leaving it early loses none.
---@async
---@param timeout? number ends when nothing came for so long
---@return async fun(): moonwatch.event?
function inotify:each(timeout) end

---The oldest active watch of a path or descriptor.
---@param path string | integer
---@return moonwatch.inotify_watch?
function inotify:find(path) end

---All active watches.
---@return fun(): moonwatch.inotify_watch?
function inotify:watches() end

---The descriptor; never blocks.
---@return integer? fd
---@return string? message
---@return integer? errno
function inotify:fileno() end

---Bytes that wait in the kernel.
---@return integer? bytes
---@return string? message
---@return integer? errno
function inotify:pending() end

---For cqueues: a descriptor of its own.
---@return integer? fd
---@return string? message
---@return integer? errno
function inotify:pollfd() end

---For cqueues.
---@return string? events
function inotify:events() end

---For cqueues.
---@return number? seconds
function inotify:timeout() end

---Ends every wait with `nil, "closed", EPIPE`; twice is fine.
function inotify:close() end

---A watch of an inotify object; readable after its end.
---@class moonwatch.inotify_watch
---@field path string
---@field mask integer true at all times
---@field wd integer
---@field active boolean
---@field inotify moonwatch.inotify
local inotify_watch = {}

---Changes its mask.
---@param mask moonwatch.maskish
---@return true? updated
---@return string? message `ESTALE` where the path now means another inode
---@return integer? errno
function inotify_watch:update(mask) end

---Ends it.
---@return boolean removed
function inotify_watch:remove() end

--------------------------------------------------------------------------------------------------------------------

---@class moonwatch.watch_options
---@field events? string | string[] `create close_write attrib delete move`; also `modify open access close_nowrite`
---@field recursive? boolean true: with all below
---@field depth? integer how many levels
---@field match? string | string[] | moonwatch.pattern only what matches
---@field ignore? string | string[] | moonwatch.pattern neither read nor watched
---@field ignore_files? string | string[] names of ignore files, obeyed as git does
---@field filter? fun(rel: string, isdir: boolean): boolean? false prunes; asked once per new entry; must not wait
---@field follow? boolean go through symlinks to directories
---@field one_filesystem? boolean do not cross mounts
---@field initial? boolean report what is there at the start as synthetic creates
---@field missing? "error" | "wait" may a root come later
---@field backend? "auto" | "inotify" | "poll"
---@field interval? number seconds between two looks where polled; 2
---@field on_limit? "poll" | "error" what to do when the kernel gives no more watches
---@field max_watches? integer a budget of one's own
---@field latency? number how long a read may be held back in a steady stream; 0.001
---@field queue? integer events held for a slow reader; 65536
---@field wait? boolean false: return at once, see `ready`

---A watcher of trees. Each event is taken once; with subscriptions (`on`) it delivers to them only.
---@class moonwatch.watcher
local watcher = {}

---One event.
---@async
---@param timeout? number
---@return moonwatch.event? event
---@return string? message
---@return integer? errno
function watcher:get(timeout) end

---An iterator of events; leaving it early loses none.
---@async
---@param timeout? number ends when nothing came for so long
---@return async fun(): moonwatch.event?
function watcher:each(timeout) end

---An iterator of batches of net changes: one change per path, an editor's save is one `modify`.
---
---    for batch in watcher:changes { settle = 0.5 } do print(#batch, batch[1].op, batch[1].path) end
---@async
---@param options? { settle?: number, max_wait?: number, timeout?: number } quiet seconds (0.1); at most (5); the end
---@return async fun(): moonwatch.batch?
function watcher:changes(options) end

---Calls `fn(event)` for these ops, in a task of the subscription, one event after the other. A table gives a handler per
---op, family (`close`, `move`) or `default`. A handler that returns true ends the chain for that event.
---@param ops string | string[] | table<string, async fun(event: moonwatch.event): boolean?>
---@param fn? async fun(event: moonwatch.event): boolean?
---@return moonwatch.subscription subscription
function watcher:on(ops, fn) end

---Waits until the initial tree is watched; a change made after that is never missed.
---@async
---@param timeout? number
---@return true? ready
---@return string? message
---@return integer? errno
function watcher:ready(timeout) end

---A barrier: true once all that happened before the call can be had by `get(0)`.
---@async
---@param timeout? number
---@return true? synced
---@return string? message
---@return integer? errno
function watcher:sync(timeout) end

---Watches one more root; returns once that is watched.
---@async
---@param path string
---@return true? added
---@return string? message
---@return integer? errno
function watcher:add(path) end

---Ends a root with all below it; inside a root the subtree is pruned.
---@param path string
---@return boolean removed false where it was not watched
function watcher:remove(path) end

---The roots as they were given.
---@return string[]
function watcher:roots() end

---What is known, as `rel, type`; after `sync` it is the disk.
---@param pattern? string | string[]
---@return fun(): string?, moonwatch.type?
function watcher:entries(pattern) end

---Is this path watched?
---@param path string
---@return boolean
function watcher:covers(path) end

---Is this path watched, and which rule decided, in words.
---@param path string
---@return string
function watcher:explain(path) end

---Directories that cannot be watched.
---@return { path: string, reason: string, errno: integer, polled: boolean }[]
function watcher:unwatched() end

---Mutes it; the tree stays known.
function watcher:pause() end

---Unmutes it; nothing is replayed.
function watcher:resume() end

---Compares with the disk now; differences come as synthetic events.
---@async
---@param path? string a root, or something below one
---@param timeout? number
---@return true? done
---@return string? message
---@return integer? errno
function watcher:rescan(path, timeout) end

---Counters: directories, entries, watches, polled, events, synthetic, ops, coalesced, overflows, rescans, queued, memory;
---of the kernel's records that were handed to it: records = delivered + merged + filtered + dropped; the same over all
---watchers: all.handed = all.delivered + ..., where the kernel gave all.records, of them all.unclaimed for watches given up.
---@return table<string, any>
function watcher:stats() end

---For cqueues: a descriptor of its own.
---@return integer? fd
---@return string? message
---@return integer? errno
function watcher:pollfd() end

---For cqueues.
---@return string? events
function watcher:events() end

---For cqueues.
---@return number? seconds
function watcher:timeout() end

---Ends every wait with `nil, "closed", EPIPE`; twice is fine.
function watcher:close() end

---@class moonwatch.subscription
local subscription = {}

---Ends it; events that come later go to the others.
function subscription:off() end

---The same.
function subscription:close() end

--------------------------------------------------------------------------------------------------------------------

---A net change of one path.
---@class moonwatch.change
---@field op "create" | "modify" | "delete" | "move" | "attrib"
---@field path string
---@field rel string path relative to the root
---@field name string last component
---@field root string the root as it was given
---@field from? string the old path of a move
---@field type? moonwatch.type
---@field count integer how many events it sums up
---@field modified? boolean a move with new content

---Net changes; applied in this order to the tree before they give the tree after.
---@class moonwatch.batch
---@field [integer] moonwatch.change
local batch = {}

---The paths of all changes.
---@return string[]
function batch:paths() end

---Those with this op.
---@param op "create" | "modify" | "delete" | "move" | "attrib"
---@return moonwatch.batch
function batch:by(op) end

--------------------------------------------------------------------------------------------------------------------

---Compiled patterns.
---@class moonwatch.pattern
local pattern = {}

---Does it match this path?
---@param rel string relative to the root
---@param isdir? boolean
---@return boolean
function pattern:match(rel, isdir) end

---Which pattern decides about this path.
---@param rel string
---@param isdir? boolean
---@return boolean matched
---@return any ...
function pattern:explain(rel, isdir) end

--------------------------------------------------------------------------------------------------------------------

---@class moonwatch.task
---@field name string
---@field status "running" | "waiting" | "done" | "failed" | "cancelled"
local task = {}

---Waits for its end.
---@async
---@param timeout? number
---@return boolean? ok nil on expiry
---@return any ... its results; its error and traceback; `"cancelled"` and why
function task:join(timeout) end

---Ends it at the next chance: its `<close>` variables are closed, and pcall cannot swallow it.
---@param why? any
function task:cancel(why) end

---What waits for its children.
---@class moonwatch.scope
local scope = {}

---Starts a child.
---@param name string
---@param fn async fun(...): ...
---@param ... any
---@return moonwatch.task
---@overload fun(self: moonwatch.scope, fn: async fun(...): ...): moonwatch.task
function scope:spawn(name, fn, ...) end

---Cancels the children that still live.
---@param why? any
function scope:cancel(why) end

---@class moonwatch.interval
local interval = {}

---Waits for the next tick.
---@async
---@param timeout? number
---@return integer? ticks
---@return string? message
---@return integer? errno
function interval:get(timeout) end

---An iterator of ticks.
---@async
---@param timeout? number
---@return async fun(): integer?
function interval:each(timeout) end

---Ends it.
function interval:close() end

---@class moonwatch.signal
local signal = {}

---Waits for the signal.
---@async
---@param timeout? number
---@return string? name
---@return string | integer? message or how often it came
---@return integer? errno
function signal:get(timeout) end

---An iterator of signals.
---@async
---@param timeout? number
---@return async fun(): string?
function signal:each(timeout) end

---Gives the old disposition back.
function signal:close() end

---A queue between tasks; `#channel` is how many values wait.
---@class moonwatch.channel
local channel = {}

---One value.
---@async
---@param timeout? number
---@return any value
---@return string? message
---@return integer? errno
function channel:get(timeout) end

---An iterator of values, until it is closed.
---@async
---@param timeout? number
---@return async fun(): any
function channel:each(timeout) end

---Adds a value; waits where there is no room.
---@async
---@param value any
---@param timeout? number
---@return true? done
---@return string? message
---@return integer? errno
function channel:put(value, timeout) end

---No more values; those that wait can still be had.
function channel:close() end

--------------------------------------------------------------------------------------------------------------------

---A list of words, and options.
---@class moonwatch.command
---@field [integer] string | number the program and its arguments
---@field stdin? "null" | "inherit" | "pipe" | string any other string is what it reads
---@field stdout? "capture" | "inherit" | "null" | "pipe" | async fun(line: string)
---@field stderr? "capture" | "inherit" | "null" | "pipe" | "stdout" | async fun(line: string)
---@field capture_limit? integer bytes of each capture that are kept: the last ones; 1 MiB
---@field cwd? string where it runs
---@field env? table<string, string | number | false> added to the environment; false removes
---@field user? string `"name"` or `"name:group"`
---@field timeout? number seconds until it is stopped
---@field stop_signal? string | integer `"TERM"`
---@field grace? number seconds from that to KILL; 5
---@field success? integer | integer[] the codes that count as ok; `{ 0 }`
---@field descendants? boolean a stop also ends what has left the process group

---How a command ended.
---@class moonwatch.result
---@field ok boolean
---@field code? integer nil where a signal ended it
---@field signal? string
---@field timed_out? boolean
---@field out? string what was captured
---@field err? string
---@field truncated? boolean something of it was dropped
---@field seconds number

---A command that was started.
---@class moonwatch.process
---@field pid integer
---@field running boolean
local process = {}

---Waits for its end.
---@async
---@param timeout? number
---@return moonwatch.result? result
---@return string? message
---@return integer? errno
function process:wait(timeout) end

---Sends a signal to its whole group, or to the process alone.
---@param signal string | integer
---@param whom? "group" | "leader"
---@return true? sent
---@return string? message
---@return integer? errno
function process:kill(signal, whom) end

---Asks the group to end, and KILLs what is left of it after the grace.
---@async
---@param grace? number
---@return moonwatch.result? result
---@return string? message
---@return integer? errno
function process:stop(grace) end

---Writes to its standard input (`stdin = "pipe"`).
---@async
---@param text string
---@return true? written
---@return string? message
---@return integer? errno
function process:write(text) end

---An iterator of lines (`stdout = "pipe"`).
---@async
---@param which? "stdout" | "stderr"
---@return async fun(): string?
function process:lines(which) end

---Stops it in the background; `"stdin"`: only ends its input.
---@param which? "stdin"
function process:close(which) end

return moonwatch
