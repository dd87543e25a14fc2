-- SPDX-License-Identifier: MIT
--
-- json.lua - JSON with dkjson, made lossless: a string that is not UTF-8 is shown with U+FFFD in place of the wrong
-- bytes, and the bytes themselves stand beside it, in base64, under the key with "_base64" behind it; beside a list with
-- such a string a list of all of them.

local exit = require "moonwatch.cli.exit"

local json = {}

local library

local function dkjson()
   if library then return library end
   local there, found = pcall(require, "dkjson")
   if not there then exit.refused "the Lua module dkjson is missing (Debian: lua-dkjson; LuaRocks: dkjson)" end
   library = found
   return found
end

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function letter(index)
   return LETTERS:sub(index + 1, index + 1)
end

--- The bytes in base64.
function json.base64(bytes)
   local out = {}
   for at = 1, #bytes, 3 do
      local a, b, c = bytes:byte(at, at + 2)
      local n = a << 16 | (b or 0) << 8 | (c or 0)
      out[#out + 1] = letter(n >> 18) .. letter(n >> 12 & 63) .. (b and letter(n >> 6 & 63) or "=")
         .. (c and letter(n & 63) or "=")
   end
   return table.concat(out)
end

local function value_of(digit)
   return LETTERS:find(digit, 1, true) - 1
end

--- The bytes that base64 stands for.
function json.unbase64(text)
   local out = {}
   for four in text:gmatch "[%w+/][%w+/][%w+/=][%w+/=]" do
      local n, pad = 0, select(2, four:gsub("=", ""))
      for digit in four:gsub("=", "A"):gmatch "." do n = n << 6 | value_of(digit) end
      out[#out + 1] = string.char(n >> 16 & 255, n >> 8 & 255, n & 255):sub(1, 3 - pad)
   end
   return table.concat(out)
end

-- The text with U+FFFD in place of each byte that is no UTF-8.
local function readable(bytes)
   local out, from = {}, 1
   while from <= #bytes do
      local count, bad = utf8.len(bytes, from)
      local last = count and #bytes or bad - 1
      out[#out + 1] = bytes:sub(from, last)
      if not count then out[#out + 1] = "\u{FFFD}" end
      from = last + 2
   end
   return table.concat(out)
end

local lossless

-- All strings of a list in base64, where one of them is not UTF-8; else nil.
local function list_in_base64(list)
   local encoded, is_needed = {}, false
   for i, element in ipairs(list) do
      if type(element) ~= "string" then return nil end
      encoded[i] = json.base64(element)
      is_needed = is_needed or not utf8.len(element)
   end
   return is_needed and encoded or nil
end

local function put(copy, key, value)
   if type(value) == "string" and not utf8.len(value) then
      copy[key] = readable(value)
      if type(key) == "string" then copy[key .. "_base64"] = json.base64(value) end
   elseif type(value) == "table" then
      copy[key] = lossless(value)
      if type(key) == "string" then copy[key .. "_base64"] = list_in_base64(value) end
   else
      copy[key] = value
   end
end

-- A copy in which every string is UTF-8.
function lossless(value)
   local copy = setmetatable({}, getmetatable(value))
   for key, element in pairs(value) do
      if type(key) == "string" and not utf8.len(key) then key = readable(key) end
      put(copy, key, element)
   end
   return copy
end

--- A list that stays one where it is empty.
function json.list(items)
   return setmetatable(items, { __jsontype = "array" })
end

--- One line of JSON, without the newline. `order` is a list of the keys that come first.
function json.encode(value, order)
   return dkjson().encode(type(value) == "table" and lossless(value) or value, { keyorder = order })
end

-- What such a string or list stands for; nil for what is neither.
local function bytes_of(encoded)
   if type(encoded) == "string" then return json.unbase64(encoded) end
   local list = type(encoded) == "table" and setmetatable({}, getmetatable(encoded)) or nil
   for i, element in ipairs(list and encoded or {}) do
      if type(element) ~= "string" then return nil end
      list[i] = json.unbase64(element)
   end
   return list
end

-- Puts the bytes back where they stand beside their text.
local function restore(value)
   local bytes = {}
   for key, element in pairs(value) do
      local plain = type(key) == "string" and key:match "^(.*)_base64$"
      local decoded = plain and bytes_of(element)
      if decoded then
         bytes[plain] = decoded
      elseif type(element) == "table" then
         restore(element)
      end
   end
   for key, element in pairs(bytes) do
      value[key], value[key .. "_base64"] = element, nil
   end
   return value
end

--- What `encode` has made into text, or nil and a message.
function json.decode(text)
   local value, _, message = dkjson().decode(text)
   return type(value) == "table" and restore(value) or value, message
end

return json
