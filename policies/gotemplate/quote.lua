-- Text as Go quotes it (%q, and literals the other way round), and UTF-8.
--
-- Go asks Unicode's tables what is printable; here that is everything but controls, spaces
-- other than " ", formatting and private characters.

local quote = {}

-- The UTF-8 of a code point; of what is none, that of U+FFFD.
function quote.utf8(n)
  if n < 0 or n > 0x10ffff or n >= 0xd800 and n <= 0xdfff then
    n = 0xfffd
  end
  if n < 0x80 then
    return string.char(n)
  end
  local size = n < 0x800 and 2 or n < 0x10000 and 3 or 4
  local bytes = {}
  for i = size, 2, -1 do
    bytes[i] = string.char(0x80 + n % 0x40)
    n = math.floor(n / 0x40)
  end
  bytes[1] = string.char((size == 2 and 0xc0 or size == 3 and 0xe0 or 0xf0) + n)
  return table.concat(bytes)
end

local LEAST = { 0, 0x80, 0x800, 0x10000 }

-- The code point at a place of a text, and its bytes; nil and one byte when it is none.
function quote.rune_at(text, at)
  local lead = text:byte(at)
  if lead < 0x80 then
    return lead, 1
  end
  local size = lead >= 0xf0 and 4 or lead >= 0xe0 and 3 or 2
  local n = lead % (size == 2 and 0x20 or size == 3 and 0x10 or 0x08)
  local tail = text:match("^[\128-\191]+", at + 1) or ""
  if lead < 0xc2 or lead > 0xf4 or #tail < size - 1 then
    return nil, 1
  end
  for i = 1, size - 1 do
    n = n * 0x40 + tail:byte(i) % 0x40
  end
  if n < LEAST[size] or n > 0x10ffff or n >= 0xd800 and n <= 0xdfff then
    return nil, 1
  end
  return n, size
end

local HIDDEN = {
  { 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x1680, 0x1680 }, { 0x180e, 0x180e },
  { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },
  { 0xe000, 0xf8ff }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff },
  { 0xe0000, 0x10ffff },
}

function quote.printable(n)
  for _, range in ipairs(HIDDEN) do
    if n >= range[1] and n <= range[2] then
      return false
    end
  end
  return true
end

local NAMED = {
  [7] = "\\a", [8] = "\\b", [9] = "\\t", [10] = "\\n", [11] = "\\v", [12] = "\\f", [13] = "\\r",
}

local function escaped(n, mark, ascii)
  if n == mark or n == 92 then
    return "\\" .. string.char(n)
  elseif quote.printable(n) and (n < 0x80 or not ascii) then
    return quote.utf8(n)
  end
  return NAMED[n] or (n < 0x20 or n == 0x7f) and ("\\x%02x"):format(n)
    or (n < 0x10000 and "\\u%04x" or "\\U%08x"):format(n)
end

-- "text", as strconv.Quote; `ascii`: with escapes for all beyond ASCII.
function quote.go(text, ascii)
  local parts = {}
  local at = 1
  while at <= #text do
    local n, size = quote.rune_at(text, at)
    parts[#parts + 1] = n and escaped(n, 34, ascii) or ("\\x%02x"):format(text:byte(at))
    at = at + size
  end
  return '"' .. table.concat(parts) .. '"'
end

-- 'c'
function quote.rune(n, ascii)
  local point = quote.rune_at(quote.utf8(n), 1)
  return "'" .. escaped(point, 39, ascii) .. "'"
end

local SIMPLE = {
  a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v", ["\\"] = "\\",
}
local CODES = { x = 2, u = 4, U = 8 }

-- What stands behind a backslash -> the bytes it means, what follows; nil: no escape of Go's.
local function unescape(text, at, mark)
  local letter = text:sub(at, at)
  if SIMPLE[letter] or letter == mark then
    return SIMPLE[letter] or mark, at + 1
  end
  local octal = text:match("^[0-3][0-7][0-7]", at)
  if octal then
    return string.char(tonumber(octal, 8)), at + 3
  end
  local count = CODES[letter]
  local digits = count and text:match("^" .. ("%x"):rep(count), at + 1)
  local n = digits and tonumber(digits, 16)
  if not n or letter ~= "x" and (n > 0x10ffff or n >= 0xd800 and n <= 0xdfff) then
    return nil
  end
  return letter == "x" and string.char(n) or quote.utf8(n), at + 1 + count
end

-- What Go's literal means, `mark` being its quote: "\"" or "'". nil: it is none.
function quote.read(literal, mark)
  local parts = {}
  local at = 2
  while at < #literal do
    local stop = literal:find("\\", at, true) or #literal
    parts[#parts + 1] = literal:sub(at, stop - 1)
    at = stop
    if stop < #literal then
      local bytes
      bytes, at = unescape(literal, stop + 1, mark)
      if not bytes then
        return nil
      end
      parts[#parts + 1] = bytes
    end
  end
  return table.concat(parts)
end

return quote
