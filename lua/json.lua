-- JSON for policies: strict in what it reads, and always the same text for the same value.

local void = require "void"

local host = host

local json = {}

local parser = host.json.new()
parser.decode_invalid_numbers(false)
parser.encode_invalid_numbers(false)

-- What stands for null.
json.null = host.json.null

local DEPTH = 100

local Array = { __metatable = "array" }

-- Marks a table as a list, which an empty one cannot show by itself.
function json.array(values)
    return setmetatable(values or {}, Array)
end

-- Text -> value | nil, message.
function json.decode(text)
    local ok, value = pcall(parser.decode, text)
    if not ok then
        return nil, (tostring(value):gsub("^[^\n]-:%d+: ", ""))
    end
    return value
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
                  ["\r"] = "\\r", ["\t"] = "\\t" }

-- A text as JSON writes it.
function json.quote(text)
    return '"' .. text:gsub('[%z\1-\31"\\\127]', function(c)
        return escapes[c] or string.format("\\u%04x", c:byte())
    end) .. '"'
end

local function write_number(value)
    if value ~= value or value == math.huge or value == -math.huge then
        error("JSON has no number " .. tostring(value), 0)
    elseif value % 1 == 0 and math.abs(value) < 2 ^ 53 then
        return string.format("%d", value)
    end
    -- The shortest text that is this number again.
    local short = string.format("%.15g", value)
    return tonumber(short) == value and short or string.format("%.17g", value)
end

local write

local function write_list(value, n, depth)
    local parts = {}
    for i = 1, n do
        if value[i] == nil then
            error("a list with holes", 0)
        end
        parts[i] = write(value[i], depth)
    end
    return "[" .. table.concat(parts, ",") .. "]"
end

local function write_object(value, depth)
    local names, parts = {}, {}
    for name in next, value do
        if type(name) ~= "string" then
            error("a table with names and without: neither list nor object", 0)
        end
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        parts[i] = json.quote(name) .. ":" .. write(value[name], depth)
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

local function write_table(value, depth)
    if depth > DEPTH then
        error("tables nested too deeply, or in themselves", 0)
    end
    local largest, array = 0, getmetatable(value) == Array.__metatable
    for key in next, value do
        if type(key) == "number" and key >= 1 and key % 1 == 0 then
            largest = math.max(largest, key)
        elseif array then
            error("a list with names", 0)
        end
    end
    if array or largest > 0 and next(value) ~= nil then
        local n = 0
        for _ in next, value do
            n = n + 1
        end
        if largest ~= n then
            error("a list with holes or names", 0)
        end
        return write_list(value, n, depth + 1)
    end
    return write_object(value, depth + 1)
end

function write(value, depth)
    local kind = type(value)
    if value == json.null then
        return "null"
    elseif kind == "string" then
        return json.quote(value)
    elseif kind == "number" then
        return write_number(value)
    elseif kind == "boolean" then
        return tostring(value)
    elseif kind ~= "table" or getmetatable(value) ~= nil and getmetatable(value) ~= "array" then
        error("JSON has nothing for a " .. kind, 0)
    end
    return write_table(value, depth)
end

-- Value -> text, the names of an object in order | nil, message.
function json.encode(value)
    local ok, text = pcall(write, value, 1)
    if ok then
        return text
    end
    return nil, text
end

-- What cannot be read while a policy loads is a problem already.
local function of_text(decode)
    return function(text)
        if text == void.value then
            return text
        elseif type(text) ~= "string" then
            return nil, "found a " .. type(text) .. ", expected text"
        end
        return decode(text)
    end
end

-- The words of the policy language.
function json.words()
    return {
        json = { decode = of_text(json.decode), encode = json.encode, array = json.array,
                 null = json.null },
        yaml = { decode = of_text(host.yaml) },
    }
end

return json
