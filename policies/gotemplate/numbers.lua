-- Numbers as Go's fmt writes them. Flags: plus, minus, sharp, space, zero, width, precision.

local numbers = {}

local BASES = { d = 10, b = 2, o = 8, O = 8, x = 16, X = 16 }
local PREFIXES = { b = "0b", o = "0", O = "0", x = "0x", X = "0X" }

local function sign(negative, flags)
  return negative and "-" or flags.plus and "+" or flags.space and " " or ""
end

-- Zeros before the digits, where the width asks for them. A sign is counted, a prefix is not.
local function zeros(before, digits, flags)
  return flags.zero and flags.width and ("0"):rep(flags.width - #before - #digits) or ""
end

local function in_base(n, base, digits)
  local text = ""
  repeat
    local digit = n % base
    text = digits:sub(digit + 1, digit + 1) .. text
    n = (n - digit) / base
  until n == 0
  return text
end

-- nil: no verb for an int. Beyond 2^53 the digits are those of the nearest float.
function numbers.int(n, verb, flags)
  local base = BASES[verb]
  if not base then
    return nil
  end
  local size = math.abs(n)
  local digits = base == 10 and ("%.0f"):format(size)
    or in_base(size, base, verb == "X" and "0123456789ABCDEF" or "0123456789abcdef")
  if flags.precision then
    digits = flags.precision == 0 and n == 0 and "" or ("0"):rep(flags.precision - #digits) .. digits
    flags = { plus = flags.plus, space = flags.space, sharp = flags.sharp }
  end
  local before = sign(n < 0, flags)
  digits = zeros(before, digits, flags) .. digits
  if flags.sharp and PREFIXES[verb] and not (base == 8 and digits:find "^0") then
    digits = PREFIXES[verb] .. digits
  end
  return before .. (verb == "O" and "0o" or "") .. digits
end

-- C's %f or %e of a positive number, with ties to the even digit as Go has them: LuaJIT
-- rounds those up. A tie is told by what more digits show: 5 and nothing but zeros.
local MORE = 25
local TIE = "5" .. ("0"):rep(MORE - 1)

local function rounded(x, verb, precision)
  local sure = math.min(precision, 70) -- of LuaJIT's 99
  local text = ("%." .. sure .. verb):format(x)
  local exact, exponent = ("%." .. sure + MORE .. verb):format(x):match "^([%d.]+)(.*)$"
  if exact:sub(-MORE) == TIE then
    local down = exact:sub(1, -MORE - 1):gsub("%.$", "")
    if down:find "[02468]$" then
      text = down .. exponent
    end
  end
  return (text:gsub("^[%d.]+", function(mantissa)
    return mantissa .. ("0"):rep(precision - sure)
  end))
end

-- The digits and the exponent of "d.ddde+dd".
local function split(text)
  local mantissa, exponent = text:match "^(.-)e(.*)$"
  return (mantissa:gsub("%.", "")), tonumber(exponent)
end

-- As few digits as tell this number from all others.
local function shortest(x)
  for precision = 0, 16 do
    local text = ("%." .. precision .. "e"):format(x)
    if tonumber(text) == x then
      return split(text)
    end
  end
end

-- An exponent has at least two digits, as C's has.
local function scientific(digits, exponent)
  local text = digits:sub(1, 1) .. (#digits > 1 and "." .. digits:sub(2) or "")
  return ("%se%s%02d"):format(text, exponent < 0 and "-" or "+", math.abs(exponent))
end

local function plain(digits, exponent)
  if exponent < 0 then
    return "0." .. ("0"):rep(-exponent - 1) .. digits
  elseif #digits <= exponent + 1 then
    return digits .. ("0"):rep(exponent + 1 - #digits)
  end
  return digits:sub(1, exponent + 1) .. "." .. digits:sub(exponent + 2)
end

-- %g, and %v: without a precision, the shortest digits, and an exponent from 1e+06 on.
local function general(x, precision)
  local digits, exponent
  if precision then
    precision = math.max(precision, 1)
    digits, exponent = split(rounded(x, "e", precision - 1))
    digits = digits:gsub("(.)0+$", "%1")
  else
    digits, exponent = shortest(x)
  end
  local form = (exponent < -4 or exponent >= (precision or 6)) and scientific or plain
  return form(digits, exponent)
end

-- 0x1.8p+01; a precision counts the digits behind the point.
local function hexadecimal(x, precision)
  local mantissa, exponent = math.frexp(x)
  if x == 0 then
    mantissa, exponent = 0.5, 1
  end
  local places = math.min(precision or 13, 13)
  local scaled = (mantissa * 2 - 1) * 16 ^ places
  local whole = math.floor(scaled)
  if scaled - whole > 0.5 or scaled - whole == 0.5 and (places == 0 or whole % 2 == 1) then
    whole = whole + 1
  end
  if whole == 16 ^ places then
    whole, exponent = 0, exponent + 1
  end
  local digits = places > 0 and in_base(whole, 16, "0123456789abcdef") or ""
  digits = ("0"):rep(places - #digits) .. digits
  digits = precision and digits .. ("0"):rep(precision - places) or digits:gsub("0+$", "")
  return ("0x%d%s%sp%s%02d"):format(x == 0 and 0 or 1, digits ~= "" and "." or "", digits,
                                   exponent < 1 and "-" or "+", math.abs(exponent - 1))
end

local function binary(x)
  local mantissa, exponent = math.frexp(x)
  return ("%.0fp%+d"):format(mantissa * 2 ^ 53, exponent - 53)
end

-- With a decimal point; %g keeps zeros then, six digits in all without a precision.
local function sharpened(text, verb, precision)
  local mantissa, exponent = text:match(verb:find "[xX]" and "^(.-)(p.*)$" or "^([%d.]+)(.*)$")
  if not mantissa:find(".", 1, true) then
    mantissa = mantissa .. "."
  end
  if verb:find "[vgGx]" then
    local digits = #mantissa:gsub("%.", ""):gsub("^0+(.)", "%1")
    mantissa = mantissa .. ("0"):rep(math.max(precision or 6, 1) - digits)
  end
  return mantissa .. exponent
end

-- nil: no verb for a float64.
function numbers.float(x, verb, flags)
  if x ~= x or math.abs(x) == math.huge then
    return x ~= x and "NaN" or x < 0 and "-Inf" or "+Inf"
  end
  local size, precision = math.abs(x), flags.precision
  local negative = x < 0 or x == 0 and 1 / x < 0
  local digits
  if verb == "v" or verb == "g" or verb == "G" then
    digits = general(size, precision)
  elseif verb == "f" or verb == "F" or verb == "e" or verb == "E" then
    digits = rounded(size, verb:lower(), precision or 6)
  elseif verb == "x" or verb == "X" then
    digits = hexadecimal(size, precision)
  elseif verb == "b" then
    digits = binary(size)
  else
    return nil
  end
  if flags.sharp and verb ~= "b" then
    digits = sharpened(digits, verb, precision)
  end
  if verb == "G" or verb == "E" or verb == "X" then
    digits = digits:upper()
  end
  local before = sign(negative, flags)
  return before .. zeros(before, digits, flags) .. digits
end

return numbers
