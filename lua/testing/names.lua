-- What names and addresses are called in a test: `dns = { ["boot.lab"] = "10.0.0.2" }`.

local problems = require "problems"
local show = require "testing.show"

local host = host

local names = {}

local Names = {}
Names.__index = Names

local UNKNOWN = "name does not exist"

local KEYS = { delay = "number", fail = "string" }

-- An answer as a table: its values, delay, fail.
local function table_of(answer)
    if answer == false then
        return { fail = UNKNOWN }
    end
    return type(answer) == "table" and answer or { answer }
end

local function answer_problem(name, answer)
    local kind = type(answer)
    if kind ~= "string" and kind ~= "table" and answer ~= false or show.word_of(answer) then
        return ("`dns`: found %s behind %s, expected an address, a name, a list of addresses or false"):format(
            problems.show(answer), problems.show(name))
    end
    for key, value in pairs(table_of(answer)) do
        local wanted = KEYS[key] or type(key) == "number" and "string"
        if not wanted then
            return ("`dns`: an answer has no key %s%s"):format(problems.show(key), problems.hint(key, KEYS))
        elseif type(value) ~= wanted or key == "delay" and value < 0 then
            return ("`dns`: found %s in the answer for %s"):format(problems.show(value), problems.show(name))
        elseif type(key) == "number" and not host.ip(name) and not host.ip(value) then
            return ("`dns`: found %s for the name %s, expected an IPv4 address"):format(problems.show(value),
                                                                                     problems.show(name))
        end
    end
end

-- What is wrong with a test's `dns`; nil when nothing is.
function names.problem(wanted)
    for name, answer in pairs(wanted or {}) do
        if type(name) ~= "string" then
            return ("`dns` has the key %s, and must have names and addresses"):format(problems.show(name))
        end
        local problem = answer_problem(name, answer)
        if problem then
            return problem
        end
    end
end

-- `used`: set of the names that were asked for, of all worlds of a test.
function names.new(wanted, used)
    return setmetatable({ wanted = wanted or {}, used = used }, Names)
end

-- A wait's answer -> seconds, list of addresses or a name | nil, message; nil when the test has none.
function Names:answer(wait)
    local found = self.wanted[wait.name]
    if found == nil then
        return nil
    end
    self.used[wait.name] = true
    local answer = table_of(found)
    local after = answer.delay or 0
    if answer.fail or not answer[1] then
        return after, nil, answer.fail or UNKNOWN
    elseif wait.query == "ptr" then
        return after, answer[1]
    end
    return after, { unpack(answer) }
end

-- Those that nobody asked for in any world of the test, as differences.
function names.unused(wanted, used)
    local found = {}
    for name in pairs(wanted or {}) do
        if not used[name] then
            found[#found + 1] = { key = "dns", expected = name .. " to be looked up", found = "it was not" }
        end
    end
    table.sort(found, function(a, b)
        return a.expected < b.expected
    end)
    return found
end

return names
