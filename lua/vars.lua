-- Vars: what profiles, rules and hosts give to {{…}} and templates. Text, numbers and
-- booleans, and lists and tables of them.

local json = require "json"
local problems = require "problems"

local vars = {}

-- Deeper than anybody writes; a table that has itself inside would never end.
local DEPTH = 20

local scalar = { string = true, number = true, boolean = true }

-- A copy of a var's value | nil, what is wrong with it. null, from data that was decoded, is
-- as good as absent: nil, nil.
function vars.check(value, depth)
    depth = depth or 1
    local meta = getmetatable(value)
    if scalar[type(value)] then
        return value
    elseif value == json.null then
        return nil
    elseif type(value) ~= "table" or meta ~= nil and meta ~= "array" then
        return nil, string.format("found %s, expected text, a number, a boolean, or a table of them",
                                  problems.show(value))
    elseif depth > DEPTH then
        return nil, "found tables that are nested too deeply"
    end
    local copy = {}
    for key, member in next, value do
        local problem
        if type(key) ~= "string" and type(key) ~= "number" then
            return nil, string.format("found a key that is %s, expected text", problems.show(key))
        end
        copy[key], problem = vars.check(member, depth + 1)
        if problem then
            return nil, problem
        elseif copy[key] == nil and type(key) == "number" then
            return nil, "found null in a list"
        end
    end
    return copy
end

-- A copy of a checked value: what one expression does to it is not seen by the next.
function vars.copy(value)
    if type(value) ~= "table" then
        return value
    end
    local copy = {}
    for key, member in next, value do
        copy[key] = vars.copy(member)
    end
    return copy
end

return vars
