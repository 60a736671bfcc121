-- What a test expects, compared with what was found.

local problems = require "problems"
local show = require "testing.show"

local expect = {}

-- `contains "x"`: a text has it somewhere in it, a list has it in one of its elements.
-- With a table: all of them.
function expect.contains(what)
    return show.word("contains", type(what) == "table" and what or { what })
end

-- `lacks "x"`: the opposite; with a table: none of them.
function expect.lacks(what)
    return show.word("lacks", type(what) == "table" and what or { what })
end

-- `matches "^x%d$"`: a text that this Lua pattern matches.
function expect.matches(pattern)
    if type(pattern) ~= "string" or not pcall(string.find, "", pattern) then
        error(("matches is followed by a Lua pattern, not by %s"):format(problems.show(pattern)), 2)
    end
    return show.word("matches", pattern)
end

local function has(found, wanted)
    if type(found) == "string" and type(wanted) == "string" then
        return found:find(wanted, 1, true) ~= nil
    elseif type(found) == "table" then
        for _, element in ipairs(found) do
            if element == wanted or has(element, wanted) then
                return true
            end
        end
    end
    return false
end

local words = {}

function words.contains(all, found)
    for _, element in ipairs(all) do
        if not has(found, element) then
            return false
        end
    end
    return true
end

function words.lacks(none, found)
    for _, element in ipairs(none) do
        if has(found, element) then
            return false
        end
    end
    return true
end

function words.matches(pattern, found)
    return type(found) == "string" and found:find(pattern) ~= nil
end

-- `false` expects nothing. A table with list elements is compared as a whole, one with
-- names by those that it names.
local function agrees(wanted, found)
    local word = show.word_of(wanted)
    if word then
        return words[word](wanted.value, found)
    elseif wanted == false then
        return found == nil or found == false
    elseif type(wanted) == "number" and type(found) == "number" then
        return math.abs(wanted - found) < 1e-9 -- sums of seconds
    elseif type(wanted) ~= "table" then
        return wanted == found
    elseif type(found) ~= "table" or (#wanted > 0 or next(wanted) == nil) and #wanted ~= #found then
        return false
    end
    for key, value in pairs(wanted) do
        if not agrees(value, found[key]) then
            return false
        end
    end
    return true
end

-- { key =, expected =, found = } when what was found is something else.
function expect.difference(key, wanted, found)
    if not agrees(wanted, found) then
        return { key = key, expected = show.value(wanted), found = show.value(found) }
    end
end

-- Why a table is no expectation of these keys (name -> "text", "number" or "table"), or nil.
function expect.problem(wanted, keys, of)
    if type(wanted) ~= "table" or show.word_of(wanted) then
        return ("`expect` must be a table, such as %s"):format(keys.status and "{ status = 200 }" or
                                                             "{ boot = \"compute\" }")
    end
    for key, value in pairs(wanted) do
        local kind = keys[key]
        if not kind then
            return ("`expect`%s has no key %s%s"):format(of or "", problems.show(key), problems.hint(key, keys))
        end
        local word = show.word_of(value) and kind ~= "number"
        if value ~= false and not word and type(value) ~= (kind == "text" and "string" or kind)
            and not (kind == "any" and (type(value) == "string" or type(value) == "table")) then
            return ("`expect.%s` is %s, and must be a %s"):format(
                key, show.word_of(value) or problems.show(value),
                kind == "number" and "number" or kind .. ", contains … or false")
        end
    end
    if next(wanted) == nil then
        return "`expect` is empty: nothing would be tested"
    end
end

return expect
