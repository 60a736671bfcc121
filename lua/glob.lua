-- Shell patterns: `*` any text, `?` any byte, `[a-f]` and `[!a-f]` one of a set. Their cost
-- is at most length of text times length of pattern, whatever the text.

local glob = {}

local STAR, ANY = {}, {}

-- The set that opens at `at`, and where it ends; nil when it does not.
local function class(text, at)
    local negated = text:sub(at + 1, at + 1):find("^[!^]") ~= nil
    local from = at + (negated and 2 or 1)
    local close = text:find("]", from + 1, true)
    if not close then
        return nil
    end
    local set, i = {}, from
    while i < close do
        local first, last = text:byte(i), text:byte(i)
        if text:sub(i + 1, i + 1) == "-" and i + 2 < close then
            last = text:byte(i + 2)
            i = i + 2
        end
        for byte = first, last do
            set[byte] = true
        end
        i = i + 1
    end
    if negated then
        local others = {}
        for byte = 0, 255 do
            others[byte] = not set[byte]
        end
        set = others
    end
    return set, close
end

local function parse(text, alias)
    local items, at = {}, 1
    while at <= #text do
        local c = text:sub(at, at)
        local item = (alias and alias[c] or c):byte()
        if c == "*" then
            item = items[#items] ~= STAR and STAR or nil
        elseif c == "?" then
            item = ANY
        elseif c == "[" then
            item, at = class(text, at)
            if not item then
                return nil, 'a "]" for each "["'
            end
        end
        items[#items + 1] = item
        at = at + 1
    end
    return items
end

local function fits(item, byte)
    return item == byte or item == ANY or type(item) == "table" and item[byte] == true
end

-- function (text) -> boolean | nil, what was expected. `alias`: what a byte that stands
-- for itself is to be read as.
function glob.compile(text, alias)
    local items, expected = parse(text, alias)
    if not items then
        return nil, expected
    end
    local n = #items
    return function(value)
        local i, at, length = 1, 1, #value
        local star, resume
        while at <= length do
            local item = items[i]
            if item == STAR then
                star, resume = i, at
                i = i + 1
            elseif item and fits(item, value:byte(at)) then
                i, at = i + 1, at + 1
            elseif star then
                -- Let the last star take one byte more.
                resume = resume + 1
                i, at = star + 1, resume
            else
                return false
            end
        end
        while items[i] == STAR do
            i = i + 1
        end
        return i > n
    end
end

-- The text that all it matches starts with; "" when there is none.
function glob.head(text, alias)
    return (text:match("^[^*?%[]*"):gsub(".", alias or {}))
end

return glob
