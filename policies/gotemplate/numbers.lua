-- Numbers as Go's fmt writes them. Flags: plus, minus, sharp, space, zero, width, precision.

local numbers = {}

local BASES = { d = 10, b = 2, o = 8, O = 8, x = 16, X = 16 }
local PREFIXES = { b = "0b", o = "0", x = "0x", X = "0X" }

local function sign(negative, flags)
  return negative and "-" or flags.plus and "+" or flags.space and " " or ""
end

-- With zeros between sign and digits, where the width asks for them.
local function zero_padded(before, digits, flags)
  if flags.zero and flags.width then
    return before .. ("0"):rep(flags.width - #before - #digits) .. digits
  end
  return before .. digits
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
  if verb == "O" then
    before = before .. "0o"
  elseif flags.sharp and PREFIXES[verb] and not (verb == "o" and digits:find "^0") then
    before = before .. PREFIXES[verb]
  end
  return zero_padded(before, digits, flags)
end

-- "d.ddde+dd" with as few digits as tell this number from all others.
local function shortest(x)
  for precision = 0, 16 do
    local text = ("%." .. precision .. "e"):format(x)
    if tonumber(text) == x then
      return text
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
  if precision then
    return ("%." .. precision .. "g"):format(x)
  end
  local mantissa, exponent = shortest(x):match "^(.-)e(.*)$"
  local digits = mantissa:gsub("%.", "")
  exponent = tonumber(exponent)
  if exponent < -4 or exponent >= 6 then
    return scientific(digits, exponent)
  end
  return plain(digits, exponent)
end

local function hexadecimal(x, precision)
  local text = ("%" .. (precision and "." .. precision or "") .. "a"):format(x)
  return (text:gsub("p([+-])(%d)$", "p%10%2"))
end

local function binary(x)
  local mantissa, exponent = math.frexp(x)
  return ("%.0fp%+d"):format(mantissa * 2 ^ 53, exponent - 53)
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
    digits = ("%." .. (precision or 6) .. verb:lower()):format(size)
  elseif verb == "x" or verb == "X" then
    digits = hexadecimal(size, precision)
  elseif verb == "b" then
    digits = binary(size)
  else
    return nil
  end
  if verb == "G" or verb == "E" or verb == "X" then
    digits = digits:upper()
  end
  return zero_padded(sign(negative, flags), digits, flags)
end

return numbers
