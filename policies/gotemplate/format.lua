-- Go's fmt for the values of templates: print, println, printf and what an action prints.

local values = require "moonboot.gotemplate.values"
local numbers = require "moonboot.gotemplate.numbers"
local quote = require "moonboot.gotemplate.quote"

local format = {}

local kind_of = values.kind

local print_value

local function bad_verb(verb, value, flags)
  if kind_of(value) == "nil" then
    return "%!" .. verb .. "(<nil>)"
  end
  return "%!" .. verb .. "(" .. values.type(value) .. "=" .. print_value(value, "v", flags, 1) .. ")"
end

local function pad(text, flags)
  local missing = (flags.width or 0) - select(2, text:gsub("[^\128-\191]", ""))
  if missing <= 0 then
    return text
  elseif flags.minus then
    return text .. (" "):rep(missing)
  end
  return (flags.zero and "0" or " "):rep(missing) .. text
end

local function cut(text, precision)
  if not precision then
    return text
  end
  local at = 1
  for _ = 1, precision do
    if at > #text then
      break
    end
    at = at + 1 + #text:match("^[\128-\191]*", at + 1)
  end
  return text:sub(1, at - 1)
end

local function hex(text, verb, flags)
  text = text:sub(1, flags.precision)
  local pattern = verb == "x" and "%02x" or "%02X"
  local prefix = flags.sharp and "0" .. verb or ""
  local digits = text:gsub(".", function(c)
    return (flags.space and " " .. prefix or "") .. pattern:format(c:byte())
  end)
  if flags.space then
    return pad(digits:sub(2), flags)
  end
  return pad((digits ~= "" and prefix or "") .. digits, flags)
end

local printers = {}

function printers.string(value, verb, flags)
  if flags.go then
    return pad(quote.go(cut(value, flags.precision)), flags)
  elseif verb == "v" or verb == "s" then
    return pad(cut(value, flags.precision), flags)
  elseif verb == "q" then
    local text = cut(value, flags.precision)
    local raw = flags.sharp and not text:find("[`%c\127]", 1) and "`" .. text .. "`"
    return pad(raw or quote.go(text, flags.plus), flags)
  elseif verb == "x" or verb == "X" then
    return hex(value, verb, flags)
  end
end

function printers.bool(value, verb, flags)
  if verb == "v" or verb == "t" then
    return pad(tostring(value), flags)
  end
end

function printers.int(value, verb, flags)
  local n = value.n
  if verb == "c" then
    return pad(quote.utf8(n), flags)
  elseif verb == "q" then
    return pad(quote.rune(n, flags.plus), flags)
  elseif verb == "U" then
    local digits = ("%04X"):format(n)
    local shown = flags.sharp and n >= 0 and n <= 0x10ffff and quote.printable(n) and " '" .. quote.utf8(n) .. "'" or ""
    return pad("U+" .. ("0"):rep((flags.precision or 0) - #digits) .. digits .. shown,
               { width = flags.width, minus = flags.minus })
  end
  if flags.go and value.type == "uint8" then
    return ("0x%x"):format(n)
  end
  local text = numbers.int(n, verb == "v" and "d" or verb, flags)
  return text and pad(text, { width = flags.width, minus = flags.minus })
end

function printers.float(value, verb, flags)
  local text = numbers.float(value, verb, flags)
  return text and pad(text, flags)
end

-- Elements and entries are printed by the same verb, each padded for itself.
function printers.list(value, verb, flags, depth)
  local parts = {}
  for i, item in ipairs(value) do
    parts[i] = print_value(item, verb, flags, depth + 1)
  end
  if flags.go then
    return "[]interface {}{" .. table.concat(parts, ", ") .. "}"
  end
  return "[" .. table.concat(parts, " ") .. "]"
end

function printers.map(value, verb, flags, depth)
  local parts = {}
  for i, key in ipairs(values.keys(value)) do
    parts[i] = print_value(key, verb, flags, depth + 1) .. ":"
      .. print_value(value[key], verb, flags, depth + 1)
  end
  if flags.go then
    return values.type(value) .. "{" .. table.concat(parts, ", ") .. "}"
  end
  return "map[" .. table.concat(parts, " ") .. "]"
end

function print_value(value, verb, flags, depth)
  local kind = kind_of(value)
  if verb == "T" and depth == 0 then
    return pad(kind == "nil" and "<nil>" or cut(values.type(value), flags.precision), flags)
  elseif kind ~= "nil" then
    return printers[kind](value, verb, flags, depth) or bad_verb(verb, value, flags)
  elseif depth == 0 and verb ~= "v" then
    return bad_verb(verb, value, flags)
  elseif flags.go and depth > 0 then
    return "interface {}(nil)"
  end
  return depth == 0 and pad("<nil>", flags) or "<nil>"
end

-- What `{{value}}` writes.
function format.show(value)
  if kind_of(value) == "nil" then
    return "<no value>"
  end
  return print_value(value, "v", {}, 0)
end

-- fmt.Sprint: a space between two operands when neither is text.
function format.print(arguments)
  local text = ""
  for i = 1, arguments.n do
    local value = arguments[i]
    if i > 1 and type(value) ~= "string" and type(arguments[i - 1]) ~= "string" then
      text = text .. " "
    end
    text = text .. print_value(value, "v", {}, 0)
  end
  return text
end

function format.println(arguments)
  local parts = {}
  for i = 1, arguments.n do
    parts[i] = print_value(arguments[i], "v", {}, 0)
  end
  return table.concat(parts, " ") .. "\n"
end

--- printf --------------------------------------------------------------------------------

local FLAGS = { ["+"] = "plus", ["-"] = "minus", ["#"] = "sharp", [" "] = "space", ["0"] = "zero" }

local Directives = {}
Directives.__index = Directives

-- `[n]`, which argument comes next.
function Directives:index()
  if self.text:sub(self.at, self.at) ~= "[" then
    return
  end
  local number, close = self.text:match("^%[([^]]*)%]()", self.at)
  local n = number and number:find "^%d+$" and tonumber(number)
  if n and n >= 1 and n <= self.arguments.n then
    self.next = n
  else
    self.bad_index = true
  end
  self.at, self.reordered = close or self.at + 1, true
end

-- A width or precision: digits, or `*` and an int among the arguments; and whether there
-- was a `*` without one.
function Directives:number()
  if self.text:sub(self.at, self.at) == "*" then
    self.at = self.at + 1
    local value = self.arguments[self.next]
    self.next = self.next + 1
    local good = kind_of(value) == "int" and math.abs(value.n) <= 1e6
    return good and value.n or nil, not good
  end
  local digits, after = self.text:match("^(%d+)()", self.at)
  self.at = after or self.at
  return tonumber(digits), false
end

-- The flags, width and precision of one directive; `wrong` is what Go writes of bad ones.
function Directives:options()
  local flags, wrong = {}, ""
  while FLAGS[self.text:sub(self.at, self.at)] do
    flags[FLAGS[self.text:sub(self.at, self.at)]] = true
    self.at = self.at + 1
  end
  flags.zero = flags.zero and not flags.minus
  local bad
  self:index()
  flags.width, bad = self:number()
  wrong = bad and "%!(BADWIDTH)" or wrong
  if flags.width and flags.width < 0 then
    flags.width, flags.minus, flags.zero = -flags.width, true, nil
  end
  if self.text:sub(self.at, self.at) == "." then
    self.at = self.at + 1
    self:index()
    flags.precision, bad = self:number()
    wrong = bad and wrong .. "%!(BADPREC)" or wrong
    if flags.precision and flags.precision < 0 then
      flags.precision, wrong = nil, wrong .. "%!(BADPREC)"
    elseif not bad then
      flags.precision = flags.precision or 0
    end
  end
  self:index()
  return flags, wrong
end

-- What one directive writes, from behind its percent sign on.
function Directives:expand()
  self.bad_index = false
  local flags, wrong = self:options()
  local verb = self.text:match("^[%z\1-\127\192-\255][\128-\191]*", self.at)
  if not verb then
    return wrong .. "%!(NOVERB)"
  end
  self.at = self.at + #verb
  if verb == "%" then
    return wrong .. "%"
  elseif self.bad_index then
    return wrong .. "%!" .. verb .. "(BADINDEX)"
  elseif self.next > self.arguments.n then
    return wrong .. "%!" .. verb .. "(MISSING)"
  end
  local value = self.arguments[self.next]
  self.next = self.next + 1
  if verb == "v" then -- %+v and %#v mean something else
    flags.go, flags.sharp, flags.plus = flags.sharp, nil, nil
  end
  return wrong .. print_value(value, verb, flags, 0)
end

-- fmt.Sprintf.
function format.printf(text, arguments)
  local directives = setmetatable({ text = text, at = 1, next = 1, arguments = arguments }, Directives)
  local parts = {}
  while true do
    local percent = text:find("%", directives.at, true)
    parts[#parts + 1] = text:sub(directives.at, (percent or 0) - 1)
    if not percent then
      break
    end
    directives.at = percent + 1
    parts[#parts + 1] = directives:expand()
  end
  if not directives.reordered and directives.next <= arguments.n then
    local extra = {}
    for i = directives.next, arguments.n do
      local value = arguments[i]
      extra[#extra + 1] = kind_of(value) == "nil" and "<nil>"
        or values.type(value) .. "=" .. print_value(value, "v", {}, 0)
    end
    parts[#parts + 1] = "%!(EXTRA " .. table.concat(extra, ", ") .. ")"
  end
  return table.concat(parts)
end

return format
