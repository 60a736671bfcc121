-- Whoever is asked in a test and is not there fails it: nothing goes out to a network.

local problems = require "problems"

local stubs = {}

local Stubs = {}
Stubs.__index = Stubs

function stubs.new()
    return setmetatable({ unanswered = {} }, Stubs)
end

-- wait -> the seconds it takes, and the answer.
function Stubs:answer(wait)
    table.insert(self.unanswered, problems.show(wait.kind))
    return 0, nil, "nobody answers in this test"
end

-- What was asked in vain, as differences.
function Stubs:complaints()
    local found = {}
    for i, what in ipairs(self.unanswered) do
        found[i] = { key = "waits", expected = "that nobody is asked", found = what }
    end
    return found
end

return stubs
