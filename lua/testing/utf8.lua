-- Texts that are written into XML and JSON: what a policy says may be any bytes.

local unicode = require "unicode"

local utf8 = {}

local REPLACEMENT = "\239\191\189"

utf8.clean = unicode.clean

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
