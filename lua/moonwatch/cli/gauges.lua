-- SPDX-License-Identifier: MIT
--
-- gauges.lua - what a host measures of itself: how long events take to their rules, and where most of them happen.
--
-- Latencies are counted in buckets, each a quarter wider than the one before, so that percentiles cost a few hundred
-- integers whatever comes. Folders are counted only while somebody watches.

local moonwatch = require "moonwatch"

local gauges = {}
gauges.__index = gauges

local LEAST, GROWTH = 1e-6, 1.25 -- seconds; of the bounds
local STEP = math.log(GROWTH)
local FOLDERS = 2000             -- that are counted at most
local ATTENTION = 15             -- seconds that somebody watches after having asked

function gauges.new()
   return setmetatable({
      buckets = {}, count = 0, latest = 0, events = 0, folders = {}, folder_count = 0, watched_until = 0,
   }, gauges)
end

local function bucket_of(seconds)
   if seconds <= LEAST then return 0 end
   return math.log(seconds / LEAST) // STEP | 0
end

function gauges:note_latency(seconds, count)
   local bucket = bucket_of(seconds)
   self.buckets[bucket] = (self.buckets[bucket] or 0) + count
   self.count = self.count + count
   self.latest = seconds
end

function gauges:note_folder(path)
   local folder = path:match "^(.*)/[^/]*$" or "."
   local count = self.folders[folder]
   if count or self.folder_count < FOLDERS then
      self.folder_count = self.folder_count + (count and 0 or 1)
      self.folders[folder] = (count or 0) + 1
   end
end

local function note(self, event, now)
   self.events = self.events + 1
   self:note_latency(now - event.time, 1)
   if now < self.watched_until then self:note_folder(event.path) end
end

-- What a rule takes in one by one, and what it takes in at once; the latter only while nobody looks at the folders. The
-- latter waited no longer than the one in front of them.
local function attach_to(self, runtime)
   local feed, feed_queued = runtime.feed, runtime.feed_queued
   function runtime.feed(this, event, time)
      note(self, event, moonwatch.now())
      return feed(this, event, time)
   end
   function runtime.feed_queued(this, watcher)
      if self.watched_until > 0 and moonwatch.now() < self.watched_until then return 0 end
      local count = feed_queued(this, watcher)
      self.events = self.events + count
      if count > 0 then self:note_latency(self.latest, count) end
      return count
   end
end

--- Counts what reaches the rules of a set at work.
function gauges:attach(set)
   for _, runtime in ipairs(set.engine.runtimes) do attach_to(self, runtime) end
end

local function percentile(self, sorted, part)
   local rank, sum = self.count * part, 0
   for _, bucket in ipairs(sorted) do
      sum = sum + self.buckets[bucket]
      if sum >= rank then return LEAST * GROWTH ^ (bucket + 1) end
   end
end

--- { count, p50, p90, p99 } in seconds.
function gauges:latency()
   local sorted = {}
   for bucket in pairs(self.buckets) do sorted[#sorted + 1] = bucket end
   table.sort(sorted)
   return {
      count = self.count, p50 = percentile(self, sorted, 0.5), p90 = percentile(self, sorted, 0.9),
      p99 = percentile(self, sorted, 0.99),
   }
end

--- The busiest folders since this was asked last, { { path =, events = } }; from now on they are counted for a while.
function gauges:busiest()
   local rows = {}
   for path, events in pairs(self.folders) do rows[#rows + 1] = { path = path, events = events } end
   table.sort(rows, function(a, b)
      if a.events ~= b.events then return a.events > b.events end
      return a.path < b.path
   end)
   self.folders, self.folder_count = {}, 0
   self.watched_until = moonwatch.now() + ATTENTION
   return table.move(rows, 1, 5, 1, {})
end

return gauges
