-- The functions of every template. Each has `least` and `most` (nil: any number) arguments and
-- takes them as { n =, … }; it throws { text = }.

local format = require "moonboot.gotemplate.format"
local quote = require "moonboot.gotemplate.quote"
local values = require "moonboot.gotemplate.values"

local functions = {}

local kind_of = values.kind

local function fail(text, ...)
  error({ text = text:format(...) }, 0)
end

--- Comparisons ---------------------------------------------------------------------------

local BASIC = { bool = "bool", int = "int", float = "float", string = "string" }

local function plain(value)
  return kind_of(value) == "int" and value.n or value
end

local function equal(a, b)
  local kind_a, kind_b = kind_of(a), kind_of(b)
  if kind_a == "nil" or kind_b == "nil" then
    return kind_a == kind_b
  elseif BASIC[kind_a] ~= BASIC[kind_b] then
    fail "incompatible types for comparison"
  end
  if not BASIC[kind_a] then
    fail("non-comparable type %s", values.type(a))
  end
  return plain(a) == plain(b)
end

local function eq(arguments)
  if arguments.n == 1 then
    fail "missing argument for comparison"
  end
  for i = 2, arguments.n do
    if equal(arguments[1], arguments[i]) then
      return true
    end
  end
  return false
end

local function ordered(compare)
  return function(arguments)
    local a, b = arguments[1], arguments[2]
    local kind = BASIC[kind_of(a)]
    if not kind or not BASIC[kind_of(b)] then
      fail "invalid type for comparison"
    elseif kind ~= BASIC[kind_of(b)] then
      fail "incompatible types for comparison"
    elseif kind == "bool" then
      fail "invalid type for comparison"
    end
    return compare(plain(a), plain(b))
  end
end

--- index, slice, len ---------------------------------------------------------------------

-- The place in a list or text of that size that an argument names.
local function place(argument, size)
  local kind = kind_of(argument)
  if kind == "nil" then
    fail "cannot index slice/array with nil"
  elseif kind ~= "int" then
    fail("cannot index slice/array with type %s", values.type(argument))
  elseif argument.n < 0 or argument.n > size then
    fail("index out of range: %s", format.show(argument))
  end
  return argument.n
end

local function item(value, key)
  local kind = kind_of(value)
  if kind == "map" then
    if kind_of(key) ~= "string" then
      fail("value has type %s; should be string", values.type(key))
    end
    local found = value[key]
    if found == nil then
      return values.zero(value)
    end
    return found
  elseif kind == "list" or kind == "string" then
    local at = place(key, #value - 1)
    return kind == "list" and value[at + 1] or kind == "string" and values.int(value:byte(at + 1), "uint8")
  elseif kind == "nil" then
    fail "index of nil"
  end
  fail("can't index item of type %s", values.type(value))
end

local function index(arguments)
  local value = arguments[1]
  if kind_of(value) == "nil" then
    fail "index of untyped nil"
  end
  for i = 2, arguments.n do
    value = item(value, arguments[i])
  end
  return value
end

local function slice(arguments)
  local value = arguments[1]
  local kind = kind_of(value)
  if kind == "nil" then
    fail "slice of untyped nil"
  elseif arguments.n > 4 then
    fail("too many slice indexes: %d", arguments.n - 1)
  elseif kind ~= "string" and kind ~= "list" then
    fail("can't slice item of type %s", values.type(value))
  elseif kind == "string" and arguments.n == 4 then
    fail "cannot 3-index slice a string"
  end
  local bounds = { 0, #value, #value }
  for i = 2, arguments.n do
    bounds[i - 1] = place(arguments[i], #value)
  end
  local first, last, cap = bounds[1], bounds[2], bounds[3]
  if first > last or last > cap then
    fail("invalid slice index: %d > %d", math.max(first, last), math.min(last, cap))
  elseif kind == "string" then
    return value:sub(first + 1, last)
  end
  local part = {}
  for i = first + 1, last do
    part[#part + 1] = value[i]
  end
  return values.list(part)
end

local function len(arguments)
  local value = arguments[1]
  local kind = kind_of(value)
  if kind == "string" or kind == "list" then
    return values.int(#value)
  elseif kind == "map" then
    return values.int(#values.keys(value))
  end
  fail("len of type %s", values.type(value))
end

--- Escapes -------------------------------------------------------------------------------

-- The text of all arguments, as print writes them.
local function joined(arguments)
  if arguments.n == 1 then
    return format.show(arguments[1])
  end
  local texts = { n = arguments.n }
  for i = 1, arguments.n do
    local value = arguments[i]
    texts[i] = kind_of(value) == "nil" and format.show(value) or value
  end
  return format.print(texts)
end

local HTML = {
  ["&"] = "&amp;", ["'"] = "&#39;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&#34;",
  ["\0"] = "\239\191\189",
}

local function html(arguments)
  return (joined(arguments):gsub("[&'<>\"%z]", HTML))
end

local JS = {
  ["\\"] = "\\\\", ["'"] = "\\'", ['"'] = '\\"', ["<"] = "\\u003C", [">"] = "\\u003E",
  ["&"] = "\\u0026", ["="] = "\\u003D",
}

local function js(arguments)
  local text = joined(arguments)
  local parts = {}
  local at = 1
  while at <= #text do
    local rune, size = quote.rune_at(text, at)
    local c = text:sub(at, at + size - 1)
    rune = rune or 0xfffd
    if JS[c] or quote.printable(rune) and text:byte(at) < 0x80 then
      parts[#parts + 1] = JS[c] or c
    elseif rune < 0x20 then
      parts[#parts + 1] = ("\\u%04X"):format(rune)
    else
      parts[#parts + 1] = (quote.printable(rune) or rune == 0x7f) and c or ("\\u%04X"):format(rune)
    end
    at = at + size
  end
  return table.concat(parts)
end

local function urlquery(arguments)
  return (joined(arguments):gsub("[^%w_.~-]", function(c)
    return c == " " and "+" or ("%%%02X"):format(c:byte())
  end))
end

--- The table -----------------------------------------------------------------------------

local function define(name, least, most, call)
  functions[name] = { name = name, least = least, most = most, call = call }
end

-- `and` and `or` evaluate no more arguments than they need: run.lua knows them by `lazy`.
define("and", 1, nil, nil)
define("or", 1, nil, nil)
functions["and"].lazy = function(value) return not values.truth(value) end
functions["or"].lazy = values.truth

define("not", 1, 1, function(arguments) return not values.truth(arguments[1]) end)
define("eq", 1, nil, eq)
define("ne", 2, 2, function(arguments) return not eq(arguments) end)
define("lt", 2, 2, ordered(function(a, b) return a < b end))
define("le", 2, 2, ordered(function(a, b) return a <= b end))
define("gt", 2, 2, ordered(function(a, b) return a > b end))
define("ge", 2, 2, ordered(function(a, b) return a >= b end))
define("index", 1, nil, index)
define("slice", 1, nil, slice)
define("len", 1, 1, len)
define("html", 0, nil, html)
define("js", 0, nil, js)
define("urlquery", 0, nil, urlquery)
define("print", 0, nil, format.print)
define("println", 0, nil, format.println)
define("call", 1, nil, function(arguments)
  fail("non-function of type %s", values.type(arguments[1]))
end)
define("printf", 1, nil, function(arguments)
  local rest = { n = arguments.n - 1 }
  for i = 1, rest.n do
    rest[i] = arguments[i + 1]
  end
  return format.printf(arguments[1], rest)
end)
functions.printf.first = "string"

return functions
