-- What a request tells of a machine, read as Go's net/url and net read it.

local web = {}

local function hex(digits)
  return string.char(tonumber(digits, 16))
end

-- nil: a % that is followed by no hexadecimal digits.
local function unescape(text)
  text = text:gsub("+", " ")
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  return (text:gsub("%%(%x%x)", hex))
end

-- A MAC address of 6, 8 or 20 bytes in any of its notations -> "52:54:00:a1:9c:ae", or nil.
function web.mac(text)
  local separator = text:match "^%x%x([:-])%x%x" or text:match "^%x%x%x%x(%.)%x"
  if not separator then
    return nil
  end
  local size = separator == "." and 4 or 2
  local bytes = {}
  for group in (text .. separator):gmatch("([^" .. separator .. "]*)%" .. separator) do
    if #group ~= size or group:find "%X" then
      return nil
    end
    for byte in group:lower():gmatch "%x%x" do
      bytes[#bytes + 1] = byte
    end
  end
  local known = #bytes == 6 or #bytes == 8 or #bytes == 20
  return known and table.concat(bytes, ":") or nil
end

-- The labels of a query: the first value of each name. A `mac` that is none is left out.
function web.labels(query)
  local labels, seen = {}, {}
  for part in query:gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=(.*)$"
    name, value = unescape(name or part), unescape(value or "")
    if name and value and not part:find(";", 1, true) and not seen[name] then
      seen[name] = true
      if name:lower() == "mac" then
        value = web.mac(value)
      end
      labels[name] = value
    end
  end
  return labels
end

-- The media type of a document by its first bytes.
function web.type(body)
  local start = body:sub(1, 512):gsub("^[\t\n\f\r ]+", "")
  local tag = start:lower():match "^<(!?%a+)[ >]"
  if start:find "^<%?xml" then
    return "text/xml; charset=utf-8"
  elseif tag == "html" or start:lower():find "^<!doctype html[ >]" then
    return "text/html; charset=utf-8"
  elseif start:find "[%z\1-\8\11\14-\26\28-\31]" then
    return "application/octet-stream"
  end
  return "text/plain; charset=utf-8"
end

return web
