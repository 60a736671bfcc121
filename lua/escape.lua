-- Helpers of {{…}} and templates: a value as it is written in another language, so that
-- no value of a machine or a host can break out of its place.

local machine = require "machine"
local problems = require "problems"
local unicode = require "unicode"
local url = require "url"

local escape = {}

-- Deeper than any document; a table that has itself inside would never end.
local DEPTH = 50

local function fail(name, value)
    error(string.format("%s: found %s, expected text", name, problems.show(value)), 3)
end

-- Text, a number or a boolean, as text.
local function text_of(name, value)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" or kind == "boolean" then
        return tostring(value)
    end
    return fail(name, value)
end

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function coded(char)
    return SHORT[char] or ("\\u%04x"):format(char:byte())
end

-- C1 controls, line and paragraph separators, the byte order mark: JSON takes them as they
-- are, YAML does not.
local function wide(char)
    local a, b, c = char:byte(1, 3)
    local code = c and bit.bor(bit.lshift(bit.band(a, 15), 12), bit.lshift(bit.band(b, 63), 6), bit.band(c, 63))
                 or bit.bor(bit.lshift(bit.band(a, 31), 6), bit.band(b, 63))
    return ("\\u%04x"):format(code)
end

local function quote(text)
    text = unicode.clean(text):gsub('[%c"\\\127]', coded)
    text = text:gsub("\194[\128-\159]", wide):gsub("\226\128[\168\169]", wide)
    return '"' .. text:gsub("\239\187\191", wide):gsub("\239\191[\190\191]", wide) .. '"'
end

local function number(name, value)
    if value ~= value or value == math.huge or value == -math.huge then
        error(string.format("%s: %s is no number that can be written", name, tostring(value)), 0)
    elseif value == math.floor(value) and math.abs(value) < 2 ^ 53 then
        return string.format("%.0f", value)
    end
    local short = string.format("%.14g", value)
    return tonumber(short) == value and short or string.format("%.17g", value)
end

-- Is it a list? An empty table is one.
local function is_list(value)
    local n = 0
    for _ in pairs(value) do
        n = n + 1
    end
    return n == #value
end

local encode

local function object(name, value, depth)
    local keys, members = {}, {}
    for key, member in pairs(value) do
        if type(key) ~= "string" and type(key) ~= "number" then
            error(string.format("%s: found a key that is %s, expected text", name, problems.show(key)), 0)
        end
        keys[#keys + 1] = tostring(key)
        members[tostring(key)] = member
    end
    table.sort(keys)
    for i, key in ipairs(keys) do
        keys[i] = quote(key) .. ": " .. encode(name, members[key], depth + 1)
    end
    return "{" .. table.concat(keys, ", ") .. "}"
end

function encode(name, value, depth)
    local kind = type(value)
    if kind == "string" then
        return quote(value)
    elseif kind == "number" then
        return number(name, value)
    elseif kind == "boolean" then
        return tostring(value)
    elseif kind ~= "table" then
        error(string.format("%s: found %s", name, problems.show(value)), 0)
    elseif depth > DEPTH then
        error(name .. ": tables are nested too deeply", 0)
    end
    value = machine.plain(value) or value
    if not is_list(value) then
        return object(name, value, depth)
    end
    local elements = {}
    for i, element in ipairs(value) do
        elements[i] = encode(name, element, depth + 1)
    end
    return "[" .. table.concat(elements, ", ") .. "]"
end

-- JSON on one line, keys in order: the same value is always the same text.
function escape.json(value)
    return encode("json", value, 1)
end

-- YAML has JSON in it. What YAML would take for a line break is escaped (`quote`), so that
-- this stands anywhere in a line of YAML 1.1 or 1.2.
function escape.yaml(value)
    return encode("yaml", value, 1)
end

-- One word of a shell; of a list, its words.
function escape.sh(value)
    if type(value) == "table" then
        local words = {}
        for i, word in ipairs(value) do
            words[i] = escape.sh(word)
        end
        return table.concat(words, " ")
    end
    local text = text_of("sh", value)
    if text:find("%z") then
        error("sh: a NUL cannot stand in a shell's word", 0)
    elseif text:find("^[%w@%%+=:,./_-]+$") then
        return text
    end
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- One component of a URL.
function escape.url(value)
    return url.encode(text_of("url", value))
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- Text of XML, or the inside of an attribute's quotes. XML cannot say control characters at all.
function escape.xml(value)
    local text = unicode.clean(text_of("xml", value)):gsub("[%z\1-\8\11\12\14-\31]", "\239\191\189")
    return (text:gsub("[&<>\"']", ENTITIES))
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Base64 (RFC 4648), on one line.
function escape.b64(value)
    local text = text_of("b64", value)
    local out = {}
    for at = 1, #text, 3 do
        local a, b, c = text:byte(at, at + 2)
        local bits = a * 65536 + (b or 0) * 256 + (c or 0)
        for i = 1, 4 do
            local digit = math.floor(bits / 64 ^ (4 - i)) % 64 + 1
            local there = i < 3 or i == 3 and b or c
            out[#out + 1] = there and DIGITS:sub(digit, digit) or "="
        end
    end
    return table.concat(out)
end

return escape
