-- Values as people read them in the results of tests, and in what tests are refused for.

local show = {}

local Word = {}

-- Marks a table as a word of tests, such as `contains "x"`, which shows as `text`.
function show.word(name, value)
    return setmetatable({ word = name, value = value }, Word)
end

-- The word's name, when it is one.
function show.word_of(value)
    return getmetatable(value) == Word and value.word or nil
end

-- Bytes that are no text: an option's.
local function is_binary(text)
    return text:find("[%z\1-\8\14-\31]") ~= nil
end

local function quote(text)
    if is_binary(text) then
        return '"' .. text:gsub('[%c"\\\127-\255]', function(c)
            return ("\\%03d"):format(c:byte())
        end) .. '"'
    elseif text:find("\n", 1, true) then
        return "\n" .. text
    end
    return '"' .. text .. '"'
end

local function by_text(a, b)
    return tostring(a) < tostring(b)
end

-- The keys of a table that are not its list's, sorted.
local function names(value)
    local keys = {}
    for key in pairs(value) do
        if type(key) ~= "number" or not value[1] then
            keys[#keys + 1] = key
        end
    end
    table.sort(keys, by_text)
    return keys
end

-- In a test's own notation, as far as there is one.
function show.value(value)
    if type(value) == "string" then
        return quote(value)
    elseif show.word_of(value) then
        local inner = value.value
        return value.word .. " " .. show.value(type(inner) == "table" and #inner == 1 and inner[1] or inner)
    elseif value == nil or value == false then
        return "nothing"
    elseif type(value) ~= "table" then
        return tostring(value)
    end
    local parts = {}
    for _, element in ipairs(value) do
        parts[#parts + 1] = show.value(element)
    end
    for _, key in ipairs(names(value)) do
        local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show.value(key) .. "]"
        parts[#parts + 1] = name .. " = " .. show.value(value[key])
    end
    return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

return show
