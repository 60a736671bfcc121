-- JSON for people and programs alike: keys in a given order, indented, and a list is a
-- list even when it is empty (which the fast encoder cannot know).

local utf8 = require "testing.utf8"

local json = {}

local List = {}

function json.list(values)
    return setmetatable(values or {}, List)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }

local function quote(text)
    return '"' .. utf8.clean(text):gsub('[%c"\\\127]', function(c)
        return ESCAPES[c] or ("\\u%04x"):format(c:byte())
    end) .. '"'
end

local function sorted_keys(object)
    local keys = {}
    for key in pairs(object) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    return keys
end

local function is_list(value)
    local n = 0
    for _ in pairs(value) do
        n = n + 1
    end
    return n > 0 and n == #value
end

-- `order`: the keys of the outermost object that come first, in order.
function json.encode(value, order, indent)
    indent = indent or ""
    if type(value) == "string" then
        return quote(value)
    elseif value ~= value or value == math.huge or value == -math.huge then
        return "null" -- no number of JSON's
    elseif type(value) ~= "table" then
        return tostring(value)
    end
    local inner, parts = indent .. "  ", {}
    local list = getmetatable(value) == List or is_list(value)
    if list then
        for i, element in ipairs(value) do
            parts[i] = inner .. json.encode(element, nil, inner)
        end
    else
        local seen = {}
        local function add(key)
            if value[key] ~= nil and not seen[key] then
                seen[key] = true
                parts[#parts + 1] = inner .. quote(tostring(key)) .. ": " .. json.encode(value[key], nil, inner)
            end
        end
        for _, key in ipairs(order or {}) do
            add(key)
        end
        for _, key in ipairs(sorted_keys(value)) do
            add(key)
        end
    end
    local open, close = "{", "}"
    if list then
        open, close = "[", "]"
    end
    if #parts == 0 then
        return open .. close
    end
    return open .. "\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. close
end

return json
