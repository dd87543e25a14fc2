-- SPDX-License-Identifier: MIT
--
-- clock.lua - the next moment of every(seconds) and at("03:30").
--
-- Both give functions next_time(now, wall) -> monotonic time, is_tick. The wall clock may be set, and summer time comes
-- and goes: so `at` looks again every hour at most, and computes the rest from what the wall clock says then.

local clock = {}

local LOOK_AGAIN = 3600

-- Missed ticks are merged into one.
function clock.every(seconds)
   local following
   return function(now)
      following = (following or now) + seconds
      if following <= now then
         following = following + math.ceil((now - following) / seconds) * seconds
      end
      if following <= now then
         following = now + seconds
      end
      return following, true
   end
end

-- "HH:MM" or "HH:MM:SS" as three numbers, or nil.
function clock.parse(text)
   local hour, minute, second = text:match("^(%d%d?):(%d%d)$")
   if not hour then
      hour, minute, second = text:match("^(%d%d?):(%d%d):(%d%d)$")
   end
   hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second or 0)
   if not hour or hour > 23 or minute > 59 or second > 59 then
      return nil
   end
   return hour, minute, second
end

-- The first moment after `wall` at which local clocks show this time of day.
local function next_occurrence(wall, hour, minute, second)
   local day = os.date("*t", wall // 1 | 0)
   for ahead = 0, 2 do
      local time = os.time {
         year = day.year, month = day.month, day = day.day + ahead, hour = hour, min = minute, sec = second,
      }
      if time > wall then
         return time
      end
   end
end

-- A moment that was slept through, or over which the clock was set by less than a day, is made up for at the next look.
function clock.at(hour, minute, second)
   local expected
   return function(now, wall)
      if expected and wall > expected and wall - expected < 86400 then
         expected = next_occurrence(wall, hour, minute, second)
         return now, true
      end
      local target = next_occurrence(wall, hour, minute, second)
      -- The wall clock may run a little behind the monotonic one: the moment that was just told does not come again.
      if expected and expected > target and expected - target <= 86400 + LOOK_AGAIN then
         target = expected
      end
      expected = target
      if target - wall > LOOK_AGAIN then
         return now + LOOK_AGAIN, false
      end
      expected = next_occurrence(target, hour, minute, second)
      return now + (target - wall), true
   end
end

return clock
