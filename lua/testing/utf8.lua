-- Texts that are written into XML and JSON: what a policy says may be any bytes.

local utf8 = {}

local REPLACEMENT = "\239\191\189"

-- How many bytes the character that begins here has; nil when it is none of UTF-8.
local function length(text, at)
    local first, second = text:byte(at, at + 1)
    local n = first < 0x80 and 1 or first >= 0xc2 and first <= 0xdf and 2 or first >= 0xe0 and first <= 0xef and 3
              or first >= 0xf0 and first <= 0xf4 and 4
    if not n or at + n - 1 > #text then
        return nil
    end
    for i = at + 1, at + n - 1 do
        local byte = text:byte(i)
        if byte < 0x80 or byte > 0xbf then
            return nil
        end
    end
    local bad = first == 0xe0 and second < 0xa0 or first == 0xed and second > 0x9f or first == 0xf0 and second < 0x90
                or first == 0xf4 and second > 0x8f
    return not bad and n or nil
end

-- The text with U+FFFD for each byte that belongs to no character.
function utf8.clean(text)
    if not text:find "[\128-\255]" then
        return text
    end
    local out, at, from = {}, 1, 1
    while at <= #text do
        local n = length(text, at)
        if not n then
            out[#out + 1] = text:sub(from, at - 1)
            out[#out + 1] = REPLACEMENT
            from = at + 1
        end
        at = at + (n or 1)
    end
    out[#out + 1] = text:sub(from)
    return table.concat(out)
end

local ENTITIES = {
    ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\t"] = "&#9;",
}

-- As an attribute of XML, or its text: what XML 1.0 cannot have is U+FFFD.
function utf8.xml(text, keep_lines)
    text = utf8.clean(text):gsub("[%z\1-\8\11-\31\127]", REPLACEMENT)
    text = text:gsub("\239\191[\190\191]", REPLACEMENT) -- U+FFFE, U+FFFF
    return (text:gsub(keep_lines and '[&<>"]' or '[&<>"\n\t]', ENTITIES))
end

-- A table whose texts are clean, keys included.
function utf8.deep(value)
    if type(value) == "string" then
        return utf8.clean(value)
    elseif type(value) ~= "table" then
        return value
    end
    local copy = {}
    for key, each in pairs(value) do
        copy[utf8.deep(key)] = utf8.deep(each)
    end
    return setmetatable(copy, getmetatable(value))
end

return utf8
